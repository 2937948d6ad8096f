"""``hephaestus release install`` from an index: ours by address, hash and attestation, the rest from the user's own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from consumer.shop import NEED, TINY, Done, Shop, installed
from stages.releases import IDENTITY
from stages.served import ServedIndex, Thing

from hephaestus.standins.http import Listener, Request, Response
from hephaestus.standins.identity import WorkflowIdentity
from hephaestus.standins.sigstore import CarelessSigner

BOTH = {"need": "1.0", "tiny-project": "1.2.3"}


class AttestedIndex(ServedIndex):
    """An index that serves attestations too, as PyPI does."""

    def __init__(self) -> None:
        super().__init__()
        self.attestations: dict[str, list[Any]] = {}
        self.status: dict[str, str] = {}
        self.since = "2026-01-02T03:04:05Z"
        self.late: set[str] = set()
        self.bare = False

    def __call__(self, request: Request) -> Response:
        answer = super().__call__(request)
        parts = request.path.strip("/").split("/")
        if parts[0] == "integrity":
            bundle = {"publisher": {"kind": "GitHub"}, "attestations": self.attestations[parts[1]]}
            body = {"version": 1, "attestation_bundles": [bundle] if self.attestations[parts[1]] else []}
            kind = {"Content-Type": "application/vnd.pypi.integrity.v1+json"}
            return Response(body=json.dumps(body).encode(), headers=kind)
        if parts[0] == "simple" and answer.status == 200:
            page = json.loads(answer.body)
            page["files"] = [file for file in page["files"] if file["filename"] not in self.late]
            for file in page["files"]:
                file["upload-time"] = self.since
                if self.bare:
                    file["hashes"] = {}
                if file["filename"] in self.attestations:
                    file["provenance"] = f"/integrity/{file['filename']}"
            return replace(answer, body=json.dumps({**page, "project-status": self.status}).encode())
        return answer


@dataclass
class Market:
    """An index that the release is on, the user's own index, and the command between them."""

    index: AttestedIndex
    user: AttestedIndex
    url: str
    user_url: str
    shop: Shop
    signed: list[str] = field(default_factory=list)

    def publish(self, thing: Thing = TINY, *, identity: WorkflowIdentity = IDENTITY, about: str = "") -> None:
        """Put a wheel there with its attestation, which is ``about`` a file of that name."""
        content = thing.wheel()
        token = self.shop.serving.issuer.token(identity, "sigstore")
        signer = CarelessSigner(self.shop.serving.sigstore, token, version=1)
        statement = signer.publish_attestation(about or thing.wheel_name, hashlib.sha256(content).hexdigest())
        self.index.put(thing.wheel_name, content)
        self.index.attestations[thing.wheel_name] = [statement]

    def install(self, *words: object, source: str = "test-pypi") -> Done:
        """Run the command."""
        given = ["--source", source, "--project", "tiny-project", "--index-url", f"{self.url}/simple/"]
        return self.shop.install(*given, *words)


@pytest.fixture
def market(shop: Shop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Market]:
    """Two indexes that answer; the user's own has what the project needs."""
    index, user = AttestedIndex(), AttestedIndex()
    user.put(NEED.wheel_name, NEED.wheel())
    with Listener(index) as first, Listener(user) as second:
        for name in ("PIP_INDEX_URL", "UV_INDEX_URL"):
            monkeypatch.setenv(name, f"{second.url}/simple/")
        for name in ("PIP_EXTRA_INDEX_URL", "UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL", "UV_INDEX"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
        monkeypatch.setenv("UV_NO_CONFIG", "1")
        monkeypatch.setenv("PIP_CACHE_DIR", str(tmp_path / "pip-cache"))
        monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
        yield Market(index=index, user=user, url=first.url, user_url=second.url, shop=shop)


@pytest.mark.parametrize("kind", ["pip", "uv"])
def test_ours_comes_from_there_and_the_rest_from_the_users_own_index(
    market: Market, kind: str, request: pytest.FixtureRequest
) -> None:
    """A squatted newer dependency on the release's index is never seen; the outcome names every origin."""
    python = request.getfixturevalue("pip_venv" if kind == "pip" else "venv")
    market.publish()
    squatted = Thing(name="need", version="99.0", code="raise SystemExit('squatted')")
    market.index.put(squatted.wheel_name, squatted.wheel())
    done = market.install("--tag", "v1.2.3", "--python", python, "--json")
    assert (done.code, installed(python)) == (0, BOTH), done
    assert "/simple/need/" not in market.index.seen
    origins = {one["name"]: one["url"] for one in done.data["installed"]}
    assert origins["tiny-project"].startswith(f"{market.url}/files/")
    assert origins["need"].startswith(f"{market.user_url}/files/")
    assert [check["state"] for check in done.data["checks"]] == ["PASS", "PASS"]


@pytest.mark.parametrize("words", [["--tag-prefix", "core-"], ["--tag", "core-v1.2.3"]])
def test_a_package_of_several_is_proven_at_its_own_tag(market: Market, venv: Path, words: list[str]) -> None:
    """The newest version, or the one its tag names; the attestation is held against the tag with the prefix."""
    market.publish(identity=replace(IDENTITY, ref="refs/tags/core-v1.2.3"))
    assert "core-v1.2.3" in refused(market, venv, "--tag", "1.2.3").err
    done = market.install("--python", venv, "--dry-run", "--json", *words)
    assert (done.code, done.data["release"]) == (0, "tiny-project 1.2.3"), done
    done = market.install("--python", venv, *words)
    assert (done.code, installed(venv)) == (0, BOTH), done


def refused(market: Market, python: Path, *words: object, source: str = "test-pypi") -> Done:
    """The command ends with 1, in words, and installs nothing."""
    done = market.install("--python", python, *words, source=source)
    assert (done.code, installed(python), done.out) == (1, {}, ""), done
    assert "next:" in done.err
    return done


@pytest.mark.parametrize("kind", ["pip", "uv"])
def test_a_dependency_out_of_test_pypi_is_refused_before_anything_is_installed(
    market: Market, kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The user's own configuration reads the trial index too: seen in a dry run, so its code never arrives."""
    python = request.getfixturevalue("pip_venv" if kind == "pip" else "venv")
    market.publish()
    squatted = Thing(name="need", version="99.0", code="")
    market.index.put(squatted.wheel_name, squatted.wheel())
    for name in ("PIP_EXTRA_INDEX_URL", "UV_EXTRA_INDEX_URL"):
        monkeypatch.setenv(name, f"{market.url}/simple/")
    done = refused(market, python)
    assert "need 99.0" in done.err
    assert "anyone may register any name there" in done.err


def test_what_is_there_in_the_same_version_is_left_or_replaced(market: Market, pip_venv: Path) -> None:
    """A second time nothing changes, and it is said; told to, pip replaces it with the proven file."""
    import subprocess

    import uv

    market.publish()
    for thing in (TINY, NEED):
        wheel = market.shop.folder / thing.wheel_name
        wheel.write_bytes(thing.wheel())
        words = [uv.find_uv_bin(), "pip", "install", "-q", "--no-deps", "--no-index", "--python", pip_venv, wheel]
        subprocess.run(words, check=True)
    module = next(pip_venv.parents[1].glob("lib/python*/site-packages/tiny_project.py"))
    module.write_text("changed = True\n")
    done = market.install("--python", pip_venv, "--json")
    assert (done.code, done.data["installed"], module.read_text()) == (0, [], "changed = True\n"), done
    assert "--force-reinstall" in done.data["warnings"][0]
    done = market.install("--python", pip_venv, "--pip-arg=--force-reinstall", "--json")
    assert (done.code, done.data["warnings"], module.read_text()) == (0, [], TINY.code), done


def test_on_pypi_itself_dependencies_may_come_from_there(
    market: Market, venv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """--source pypi: the index is the users' own, so its other projects are as good as any."""
    market.publish()
    market.index.put(NEED.wheel_name, NEED.wheel())
    for name in ("PIP_INDEX_URL", "UV_INDEX_URL"):
        monkeypatch.setenv(name, f"{market.url}/simple/")
    done = market.install("--python", venv, source="pypi")
    assert (done.code, installed(venv)) == (0, BOTH), done


def test_the_index_of_the_dependencies_can_be_named(
    market: Market, pip_venv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """--extra-index-url is where dependencies come from, in place of what pip is configured with."""
    market.publish()
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple/")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", f"{market.url}/simple/")
    done = market.install("--python", pip_venv, "--extra-index-url", f"{market.user_url}/simple/")
    assert (done.code, installed(pip_venv)) == (0, BOTH), done
    assert "/simple/need/" not in market.index.seen


def test_other_bytes_than_the_page_promises_are_refused(market: Market, venv: Path) -> None:
    """The file behind the address was changed: its digest tells before anything reads it."""
    market.publish()
    promised = hashlib.sha256(TINY.wheel()).hexdigest()
    market.index.files[TINY.wheel_name] = replace(TINY, code="raise SystemExit('evil')\n").wheel()
    market.index.pretended[TINY.wheel_name] = promised
    assert "its SHA-256 is" in refused(market, venv).err


def test_bytes_that_change_between_proof_and_installation_are_refused(market: Market, pip_venv: Path) -> None:
    """Good when they were proven, other ones for pip: its own hash check refuses them, and it is called by its name."""
    market.publish()
    promised = hashlib.sha256(TINY.wheel()).hexdigest()
    evil = replace(TINY, code="raise SystemExit('evil')\n").wheel()
    serve = market.index.__class__.__call__
    seen: list[str] = []

    def changing(self: AttestedIndex, request: Request) -> Response:
        if request.path.startswith("/files/tiny"):
            seen.append(request.path)
            if len(seen) == 2:
                self.files[TINY.wheel_name] = evil
                self.pretended[TINY.wheel_name] = promised
        return serve(self, request)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AttestedIndex, "__call__", changing)
        done = refused(market, pip_venv)
    assert "not the same everywhere" in done.err


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda market: market.index.attestations.pop(TINY.wheel_name), "has no attestation"),
        (lambda market: market.index.attestations.update({TINY.wheel_name: []}), "has no attestation"),
        (lambda market: market.index.attestations.update({TINY.wheel_name: ["nonsense"]}), "FAIL"),
        (lambda market: market.publish(identity=replace(IDENTITY, repository="evil/r")), "FAIL"),
        (lambda market: market.publish(identity=replace(IDENTITY, workflow="other.yml")), "FAIL"),
        (lambda market: market.publish(identity=replace(IDENTITY, ref="refs/heads/main")), "FAIL"),
        (lambda market: market.publish(about="other-1.2.3-py3-none-any.whl"), "FAIL"),
    ],
    ids=["none", "empty", "nonsense", "repository", "workflow", "branch", "another file"],
)
def test_without_an_attestation_that_holds_it_is_refused(market: Market, venv: Path, spoil: Any, said: str) -> None:
    """None at all, an empty provenance (which the public verifier lets pass), somebody else's, another file's."""
    market.publish()
    spoil(market)
    assert said in refused(market, venv).err


def test_one_attestation_that_fails_beside_one_that_holds_is_refused(market: Market, venv: Path) -> None:
    """Every statement of the publication must hold, not just any."""
    market.publish(identity=replace(IDENTITY, repository="evil/r"))
    evil = market.index.attestations[TINY.wheel_name]
    market.publish()
    market.index.attestations[TINY.wheel_name] += evil
    assert "FAIL" in refused(market, venv).err


def test_an_unattested_file_is_taken_only_when_allowed(market: Market, venv: Path) -> None:
    """--allow-unsigned: installed by hash, and what is not proven is said."""
    market.publish()
    market.index.attestations.clear()
    done = market.install("--python", venv, "--allow-unsigned")
    assert (done.code, installed(venv)) == (0, BOTH), done
    assert "has no attestation: not proven" in done.err


def test_the_latest_is_the_newest_stable_version_that_is_not_yanked(market: Market, venv: Path) -> None:
    """Without a tag: pre-releases and yanked versions are passed over."""
    market.publish()
    for version in ("1.3rc1", "1.4"):
        thing = replace(TINY, version=version)
        market.index.put(thing.wheel_name, thing.wheel())
    market.index.yanked[replace(TINY, version="1.4").wheel_name] = "broken"
    done = market.install("--python", venv, "--dry-run", "--json")
    assert (done.code, done.data["release"], done.data["state"]) == (0, "tiny-project 1.2.3", "planned"), done
    assert installed(venv) == {}
    assert not [path for path in market.index.seen if path.startswith("/files/")]


def test_a_yanked_version_is_installed_by_its_exact_pin_with_a_warning(market: Market, venv: Path) -> None:
    """Somebody who names it gets it, and the reason; an archived project warns too."""
    market.publish()
    market.index.yanked[TINY.wheel_name] = "it is\x1b[2J\nbroken"
    market.index.status = {"status": "archived", "reason": "done"}
    done = market.install("--python", venv, "--tag", "1.2.3", "--json")
    assert done.code == 0, done
    assert any("has been yanked: it is [2J broken" in warning for warning in done.data["warnings"])
    assert any("is archived" in warning for warning in done.data["warnings"])


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["--tag", "v9.9"], {}, "has no tiny-project 9.9"),
        (["--tag", "latest"], {}, "that is no version"),
        (["--project", "other", "--repository", "o/r"], {}, "has no project other"),
        (["--project", "other", "--repository", "o/r"], {}, "name the distribution with `--project`"),
        ([], {"status": "quarantined", "reason": "malware"}, "quarantined: malware"),
    ],
)
def test_what_is_not_there_is_named(
    market: Market, venv: Path, words: list[str], status: dict[str, str], said: str
) -> None:
    """No such version, no version at all, no such project, a project in quarantine."""
    market.publish()
    market.index.status = status
    assert said in refused(market, venv, *words).err


def test_where_there_are_pre_releases_only_they_are_listed(market: Market, venv: Path) -> None:
    """Without a tag none of them is taken; each can be named."""
    market.publish(replace(TINY, version="1.3rc1"))
    assert "pre-releases: 1.3rc1" in refused(market, venv).err


def test_a_page_without_a_digest_is_refused(market: Market, venv: Path) -> None:
    """An index that does not say which bytes it serves proves nothing."""
    market.publish()
    market.index.bare = True
    assert "no SHA-256 at all" in refused(market, venv).err


def test_a_page_that_lags_is_told_from_an_absent_version(market: Market, venv: Path) -> None:
    """The JSON API has it, the page not yet: wait, it says."""
    market.publish()
    other = replace(TINY, version="1.2.2")
    market.index.put(other.wheel_name, other.wheel())
    market.index.late.add(TINY.wheel_name)
    assert "wait some minutes" in refused(market, venv, "--tag", "v1.2.3").err


def test_where_no_wheel_fits_its_files_are_listed(market: Market, venv: Path) -> None:
    """Another platform's wheel and an sdist: nothing is built here."""
    market.index.put(TINY.sdist_name, TINY.sdist())
    foreign = replace(TINY, tags="cp311-cp311-win_amd64")
    market.index.put(foreign.wheel_name, foreign.wheel())
    done = refused(market, venv, "--tag", "1.2.3")
    assert foreign.wheel_name in done.err
    assert TINY.sdist_name in done.err


def test_download_only_keeps_the_proven_wheel(market: Market, venv: Path) -> None:
    """The wheel in the folder asked for, proven; nothing installed; a second run finds it there."""
    market.publish()
    words = ["--python", venv, "--download-only", "--destination", market.shop.folder / "here"]
    for _ in range(2):
        done = market.install(*words, "--json")
        assert (done.code, installed(venv), done.data["state"]) == (0, {}, "downloaded"), done
        assert (market.shop.folder / "here" / TINY.wheel_name).read_bytes() == TINY.wheel()
    (market.shop.folder / "here" / TINY.wheel_name).write_bytes(b"mine")
    done = market.install(*words)
    assert (done.code, "--overwrite" in done.err) == (1, True), done
    assert (market.shop.folder / "here" / TINY.wheel_name).read_bytes() == b"mine"
    assert market.install(*words, "--overwrite").code == 0
    assert (market.shop.folder / "here" / TINY.wheel_name).read_bytes() == TINY.wheel()


def test_the_former_name_is_noticed_before_anything_is_fetched(market: Market, venv: Path) -> None:
    """`hephaestus` is installed and `hephaestus-toolkit` is wanted: refused with the command, as from GitHub."""
    import subprocess

    import uv

    old = Thing(name="hephaestus", version="0.2.0", code="")
    wheel = market.shop.folder / old.wheel_name
    wheel.write_bytes(old.wheel())
    subprocess.run([uv.find_uv_bin(), "pip", "install", "-q", "--no-index", "--python", venv, wheel], check=True)
    market.publish(Thing(name="hephaestus-toolkit"))
    done = market.install("--python", venv, "--project", "hephaestus-toolkit")
    assert (done.code, installed(venv)) == (1, {"hephaestus": "0.2.0"}), done
    assert "pip uninstall" in done.err
    assert not [path for path in market.index.seen if path.startswith("/files/")]
