"""Sealing: what the indexes hold of this version, asked afresh, and what may still be built then."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from stages.conftest import plain_world

from hephaestus.release.errors import Severity
from hephaestus.release.receipts import Receipt
from hephaestus.services.errors import AnswerInvalid, ServiceError, Unreachable
from hephaestus.stages.sealing import (
    SealedError,
    Seals,
    UnansweredError,
    hold_seals,
    inquire,
    sealed,
    sealing_findings,
)
from hephaestus.stages.stage import Context
from hephaestus.standins.http import Listener, Request, Response
from hephaestus.worlds.world import Index

ONE, TWO = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"
SILENCE = Unreachable(url="https://index.example/simple/", cause="refused", attempts=1, sent=False)


@pytest.fixture
def context(context_of: Callable[..., Context], commit: Callable[..., Path], tiny: dict[str, str]) -> Context:
    """A context of the build stage; its environment is never made."""
    return context_of(commit(tiny), lock="build")


def in_place(context: Context, files: Mapping[str, bytes]) -> dict[str, str]:
    """Put distributions into the release directory with a receipt of build; returns their digests by name."""
    with context.directory.staging("build") as staging:
        for name, content in files.items():
            staging.path(f"dist/{name}").write_bytes(content)
        receipt = context.directory.commit(
            staging,
            Receipt(
                stage="build", world="rehearsal", project="tiny-project", version="1.2.3", commit="0" * 40, dirty=False,
                key=ONE, started="2026-01-01T00:00:00Z", seconds=0.0,
            ),
        )  # fmt: skip
    return {path.removeprefix("dist/"): digest for path, digest in receipt.outputs.items()}


class TestAsking:
    """What an index says."""

    def test_simple_json_is_read_per_index_and_version(self, context: Context, tmp_path: Path) -> None:
        """Over HTTP: files of this version count, those of others do not; no project is no file."""
        page = {
            "meta": {"api-version": "1.1"},
            "name": "tiny-project",
            "versions": ["1.2.2", "1.2.3"],
            "files": [
                {"filename": f"tiny_project-{version}.tar.gz", "url": "f", "hashes": {"sha256": digit * 64}, "size": 1}
                for version, digit in (("1.2.2", "2"), ("1.2.3", "3"))
            ],
        }
        asked: list[str] = []

        def answer(request: Request) -> Response:
            asked.append(request.path)
            headers = {"Content-Type": "application/vnd.pypi.simple.v1+json"}
            return Response(body=json.dumps(page).encode(), headers=headers)

        with Listener(answer) as full, Listener(lambda _: Response(status=404)) as empty:
            world = plain_world(tmp_path)
            indexes = {
                "testpypi": replace(world.indexes["testpypi"], simple_url=f"{full.url}/simple/"),
                "pypi": replace(world.indexes["pypi"], simple_url=f"{empty.url}/simple/"),
            }
            found = sealed(replace(context, world=replace(world, indexes=indexes)))
        assert found == {"testpypi": {"tiny_project-1.2.3.tar.gz": f"sha256:{'3' * 64}"}, "pypi": {}}
        assert asked == ["/simple/tiny-project/"]

    def test_silence_is_raised_or_recorded_never_taken_for_absence(self, context: Context) -> None:
        """`sealed` raises the service's own error; `inquire` keeps it beside what the others said."""

        def ask(index: Index, name: str, version: str) -> Mapping[str, str]:
            if index.name == "pypi":
                raise SILENCE
            return {"a.whl": ONE}

        with pytest.raises(ServiceError, match="no answer from"):
            sealed(context, ask=ask)
        seals = inquire(context, ask=ask)
        assert seals.where == ("testpypi",)
        assert seals.unanswered == {"pypi": SILENCE}


class TestFindings:
    """What is said before anything is built."""

    def test_nothing_there_says_nothing(self, context: Context) -> None:
        """Two empty indexes: no finding."""
        assert sealing_findings(context, Seals(files={"pypi": {}, "testpypi": {}})) == []

    def test_sealed_version_warns_with_index_and_count(self, context: Context) -> None:
        """A sealed version may still be reproduced, so this is no refusal yet."""
        (finding,) = sealing_findings(context, Seals(files={"pypi": {}, "testpypi": {"a.whl": ONE}}))
        assert finding.severity == Severity.WARNING
        assert (finding.subject, finding.code) == ("testpypi", "sealed")
        assert "one file of version 1.2.3" in finding.message

    def test_silent_index_refuses_unless_something_is_in_place(self, context: Context) -> None:
        """With nothing built yet silence refuses in the service's words; with distributions in place it warns."""
        seals = Seals(unanswered={"pypi": SILENCE})
        (finding,) = sealing_findings(context, seals)
        assert finding.severity == Severity.ERROR
        assert SILENCE.what in finding.message
        in_place(context, {"a.whl": b"a"})
        (finding,) = sealing_findings(context, seals)
        assert finding.severity == Severity.WARNING

    def test_unusable_answer_counts_as_silence(self, context: Context) -> None:
        """A login page instead of JSON refuses as well."""
        seals = Seals(unanswered={"pypi": AnswerInvalid(url="https://index.example", defect="HTML")})
        assert [finding.code for finding in sealing_findings(context, seals)] == ["index-unanswered"]


class TestHolding:
    """What was built, held against the seals."""

    def test_same_bytes_and_files_yet_to_come_pass(self, context: Context) -> None:
        """An index that has some of our files, byte for byte, does not stand in the way of the others."""
        hold_seals(context, Seals(files={"pypi": {"a.whl": ONE}, "testpypi": {}}), {"a.whl": ONE, "a.tar.gz": TWO})

    def test_other_bytes_name_index_file_and_both_digests(self, context: Context) -> None:
        """The error says what is where, and names the next version."""
        with pytest.raises(SealedError) as error:
            hold_seals(context, Seals(files={"pypi": {}, "testpypi": {"a.whl": ONE}}), {"a.whl": TWO})
        text = str(error.value)
        assert f"testpypi: a.whl has {ONE} there, this build made {TWO}" in text
        assert "`nox -s bump -- 1.2.4`" in text
        assert "--keep-world" in text
        assert "pypi:" not in text.replace("testpypi:", "")

    def test_file_we_do_not_make_is_a_difference(self, context: Context) -> None:
        """A file of this version on the index which the build does not have: somebody else's, or a lost wheel."""
        with pytest.raises(SealedError, match="no such file"):
            hold_seals(context, Seals(files={"pypi": {"a.whl": ONE, "b.whl": TWO}}), {"a.whl": ONE})

    def test_file_without_a_digest_is_equal_to_nothing(self, context: Context) -> None:
        """An index that gives no sha256 proves nothing."""
        with pytest.raises(SealedError, match="sha256 not told"):
            hold_seals(context, Seals(files={"pypi": {"a.whl": "sha256 not told"}}), {"a.whl": ONE})

    def test_silence_is_satisfied_only_by_what_is_in_place(self, context: Context) -> None:
        """While an index is silent, a build may confirm the files in place, not change, add or drop one."""
        seals = Seals(unanswered={"pypi": SILENCE})
        made = in_place(context, {"a.whl": b"a", "a.tar.gz": b"b"})
        hold_seals(context, seals, made)
        for changed in ({**made, "a.whl": TWO}, {**made, "more.whl": ONE}, {"a.whl": made["a.whl"]}):
            with pytest.raises(UnansweredError, match=r"pypi did not say .* no answer from"):
                hold_seals(context, seals, changed)
