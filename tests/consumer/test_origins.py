"""Where everything came from, told from pip's report and from uv's lock alike."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hephaestus.consumer.origins import Installed, Served, origin_of, prove_origins, read_lock_origins, read_report
from hephaestus.consumer.pip_errors import Tampered

FILE = "tiny_project-1.2.3-py3-none-any.whl"
URL = f"https://test.example/files/{FILE}"
DIGEST = "a" * 64
SERVED = Served(urls={FILE: URL}, digests={FILE: DIGEST}, simple_url="https://test.example/simple/", index="test")
OURS = Installed(name="tiny-project", version="1.2.3", url=URL, sha256=DIGEST, direct=True, yanked=False)
NEED = Installed(
    name="need", version="1", url="https://files.example/need.whl", sha256="b" * 64, direct=False, yanked=False
)


def codes(*installed: Installed, served: Served = SERVED, there: bool = False) -> list[str]:
    """The kinds of what is found wrong."""
    found = prove_origins(
        installed, served, file=FILE, name="tiny-project", origin=URL, digest=DIGEST, place="here", there=there
    )
    return [finding.code for finding in found]


def changed(one: Installed, **fields: object) -> Installed:
    """The same with other fields."""
    return Installed(**{**{name: getattr(one, name) for name in one.__dataclass_fields__}, **fields})  # type: ignore[arg-type]


def test_what_came_from_where_it_should_holds() -> None:
    """Ours by address and digest, the rest from elsewhere."""
    assert codes(OURS, NEED) == []
    assert codes(changed(OURS, url=f"{URL}#sha256={DIGEST}")) == []


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        [NEED],
        [changed(OURS, url="https://files.example/x.whl")],
        [changed(OURS, direct=False)],
        [OURS, OURS],
        [changed(OURS, name="tiny")],
    ],
)
def test_ours_from_anywhere_else_is_found(wrong: list[Installed]) -> None:
    """Not at all, from another address, by resolving instead of directly, twice, under another name."""
    assert "foreign-origin" in codes(*wrong)


def test_ours_may_be_left_only_where_it_was_there() -> None:
    """Nothing of ours in the report holds when that version was installed before; other bytes do not."""
    assert codes(NEED, there=True) == []
    assert codes(changed(OURS, url="https://files.example/x.whl"), there=True) == ["foreign-origin"]


def test_other_bytes_are_tampering() -> None:
    """The right address with another digest, or with none."""
    for digest in ("b" * 64, ""):
        with pytest.raises(Tampered):
            codes(changed(OURS, sha256=digest))


@pytest.mark.parametrize(
    "url", ["https://test.example/x.whl", "https://u:p@test.example/x.whl", "https://TEST.example/simple/need/x.whl"]
)
def test_anything_else_from_a_trial_index_is_confusion(url: str) -> None:
    """By scheme and host, whatever stands before or behind; an index that is for use is another matter."""
    need = changed(NEED, url=url)
    assert codes(OURS, need) == ["dependency-confusion"]
    index = Served(urls=SERVED.urls, digests=SERVED.digests, simple_url=SERVED.simple_url, index="pypi", trial=False)
    assert codes(OURS, need, served=index) == []


def test_an_origin_is_scheme_and_authority() -> None:
    """Without credentials, in lower case, with its port."""
    assert origin_of("https://u:p@Host:8443/a?b#c") == ("https", "host:8443")


def test_reports_and_locks_are_read_alike(tmp_path: Path) -> None:
    """The same two distributions out of pip's report and out of uv's lock."""
    report = {
        "install": [
            {
                "metadata": {"name": "Tiny_Project", "version": "1.2.3"},
                "download_info": {"url": URL, "archive_info": {"hashes": {"sha256": DIGEST}}},
                "is_direct": True,
                "is_yanked": False,
            },
            {
                "metadata": {"name": "need", "version": "1"},
                "download_info": {"url": NEED.url, "archive_info": {"hashes": {"sha256": NEED.sha256}}},
            },
        ]
    }
    (tmp_path / "report.json").write_text(json.dumps(report))
    lock = f"""
[[packages]]
name = "tiny-project"
version = "1.2.3"
archive = {{ url = "{URL}", hashes = {{ sha256 = "{DIGEST}" }} }}
[[packages]]
name = "need"
version = "1"
wheels = [{{ url = "{NEED.url}", hashes = {{ sha256 = "{NEED.sha256}" }} }}]
"""
    (tmp_path / "pylock.toml").write_text(lock)
    assert read_report(tmp_path / "report.json") == [OURS, NEED]
    assert read_lock_origins(tmp_path / "pylock.toml") == [OURS, NEED]
