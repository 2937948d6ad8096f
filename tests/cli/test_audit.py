"""``hephaestus release audit`` over indexes, git and GitHub."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest
from cli.conftest import Said
from inspection.outside import COMMIT, NAME, Outside

from hephaestus.consumer.identity import Identity
from hephaestus.consumer.trust import Claim, Trust, VerificationUnavailable
from hephaestus.consumer.verdict import State, Verdict
from hephaestus.standins.index import PublisherConfig


@pytest.fixture
def clean(published: Outside, here: Path) -> Outside:
    """Version 1.2.3: tagged, on both indexes with attestations, and released on GitHub with its manifest."""
    published.upload("1.2.3")
    published.release("1.2.3")
    return published


def lines(out: str) -> dict[str, str]:
    """Index and version to what is said of it."""
    found = [line.split(None, 2) for line in out.splitlines() if line.strip()[:4] in ("PASS", "FAIL", "ABSE")]
    return {f"{place} {rest.partition(':')[0]}": f"{state} {rest.partition(': ')[2]}" for state, place, rest in found}


def test_a_clean_project_passes(clean: Outside, says: Said) -> None:
    """One PASS line an index, exit code 0, and it is said that publishers are only claimed."""
    code, out, err = says("release", "audit")
    assert (code, err) == (0, "")
    assert lines(out) == {"testpypi 1.2.3": "PASS 2 files", "pypi 1.2.3": "PASS 2 files"}
    assert "clean: 2 lines" in out
    assert "--verify proves them" in out


def test_an_upload_that_nobody_made_is_found(clean: Outside, says: Said) -> None:
    """A version without tag, release or attestation on PyPI, as a stolen token would leave it."""
    clean.upload("6.6.6", "pypi", attested=False)
    code, out, _ = says("release", "audit")
    assert code == 1
    told = lines(out)["pypi 6.6.6"]
    assert told.startswith("FAIL no tag v6.6.6; no SHA256SUMS on a GitHub Release; ")
    assert "has no attestation" in told
    assert lines(out)["testpypi 6.6.6"] == "ABSENT another index has it, Test PyPI has no file of it"


def test_other_bytes_than_the_manifest_says_are_found(clean: Outside, says: Said) -> None:
    """A digest that differs from SHA256SUMS, and a file that is in none, fail on every index that serves them."""
    sums = dict.fromkeys(clean.digests("1.2.4"), "0" * 64)
    clean.upload("1.2.4")
    clean.release("1.2.4", sums={next(iter(sums)): "0" * 64})
    code, out, _ = says("release", "audit", "--json")
    told = json.loads(out)
    assert (code, told["clean"]) == (1, False)
    reasons = [line["reason"] for line in told["lines"] if line["subject"] == "1.2.4"]
    assert len(reasons) == 2
    assert all("is not in the manifest" in reason and "has sha256" in reason for reason in reasons)


def test_a_foreign_publisher_is_found(clean: Outside, says: Said) -> None:
    """Attestations of somebody else's workflow are worth nothing here."""
    bench = clean.benches["pypi"]
    bench.publishers = [PublisherConfig(project=NAME, repository="mallory/fork", workflow="publish-pypi.yml")]
    bench.claims |= {
        "repository": "mallory/fork", "repository_owner": "mallory",
        "job_workflow_ref": "mallory/fork/.github/workflows/publish-pypi.yml@refs/tags/v1.0",
    }  # fmt: skip
    clean.listeners.handlers["pypi"] = bench.open().handle
    clean.upload("1.2.5", "pypi")
    clean.release("1.2.5")
    code, out, _ = says("release", "audit", "--index", "pypi")
    assert code == 1
    assert (
        "was published by mallory/fork publish-pypi.yml, not by Owner/repo publish-pypi.yml" in lines(out)["pypi 1.2.5"]
    )


def test_tags_of_the_clone_and_of_github_must_agree(clean: Outside, here: Path, says: Said) -> None:
    """A tag that was moved, and one that was never pushed or published, are told."""
    for words in (
        ["init", "-q"],
        ["commit", "-q", "--allow-empty", "-m", "x"],
        ["tag", "v1.2.3"],
        ["tag", "-a", "-m", "x", "v2.0"],
    ):
        subprocess.run(
            ["git", "-c", "user.name=x", "-c", "user.email=x@x", "-c", "commit.gpgsign=false", *words],
            cwd=here,
            check=True,
        )
    code, out, _ = says("release", "audit", "--index", "pypi")
    assert code == 1
    assert lines(out)["pypi 1.2.3"].startswith("FAIL v1.2.3 is at ")
    assert f"and at {COMMIT[:12]} on GitHub" in out
    assert lines(out)["pypi 2.0"] == "ABSENT v2.0 is a tag, PyPI has no file of it"


def test_the_tags_of_other_packages_are_nobodys_here(clean: Outside, here: Path, says: Said) -> None:
    """Of several packages: the release of another one is no release of this version; its versions are not listed."""
    text = (here / "pyproject.toml").read_text("utf-8")
    (here / "pyproject.toml").write_text(f'{text}tag-prefix = "core-"\n', "utf-8")
    for words in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "x"], ["tag", "v9.0"], ["tag", "cli-v8.0"]):
        subprocess.run(["git", "-c", "user.name=x", "-c", "user.email=x@x", *words], cwd=here, check=True)
    code, out, _ = says("release", "audit", "--index", "pypi")
    assert code == 1
    assert lines(out) == {"pypi 1.2.3": "FAIL no tag core-v1.2.3; no SHA256SUMS on a GitHub Release"}
    clean.release("1.2.3", prefix="core-")
    code, out, _ = says("release", "audit", "--index", "pypi")
    assert (code, list(lines(out))) == (0, ["pypi 1.2.3"]), out


def test_a_yank_is_told_until_it_is_accepted(clean: Outside, says: Said) -> None:
    """A yanked version fails; once somebody has said that it is known, it passes with the reason kept."""
    clean.yank("1.2.3", "eats data")
    code, out, _ = says("release", "audit")
    assert (code, lines(out)["pypi 1.2.3"]) == (1, "FAIL yanked (eats data)")
    code, out, _ = says("release", "audit", "--accept", "1.2.3")
    assert (code, lines(out)["pypi 1.2.3"]) == (0, "PASS 2 files; accepted: yanked (eats data)")


def test_projects_that_are_not_active(clean: Outside, says: Said) -> None:
    """Quarantine and archive are lines of their own."""
    clean.benches["pypi"].index.set_status(NAME, "quarantined", "malware")
    clean.benches["testpypi"].index.set_status(NAME, "archived")
    code, out, _ = says("release", "audit")
    assert code == 1
    assert lines(out) == {
        "testpypi the project": "FAIL it is archived",
        "pypi the project": "FAIL it is quarantined",
        "testpypi 1.2.3": "PASS 2 files",
    }


@pytest.mark.parametrize("fault", ["pypi:downx99", "pypi:htmlx99", "github:502x99"])
def test_silence_is_never_clean(clean: Outside, says: Said, fault: str) -> None:
    """A service that does not answer is a FAIL line, whatever the others say."""
    clean.fault(fault)
    code, out, _ = says("release", "audit")
    assert code == 1
    assert "no answer" in out
    assert lines(out)["testpypi 1.2.3"]


def test_a_rate_limit_without_a_token_names_the_token(clean: Outside, says: Said) -> None:
    """Anonymous questions run out soon; the line says what raises the limit."""
    clean.fault("github:429=900x99")
    _, out, _ = says("release", "audit")
    assert "it asks for 900 s of patience; with a token (GITHUB_TOKEN) it answers eighty times as often" in out


def test_a_manifest_that_cannot_be_read_fails_its_version_only(clean: Outside, says: Said) -> None:
    """A broken SHA256SUMS is named with its defect, and is no reason to doubt the other versions."""
    clean.upload("1.2.4")
    clean.release("1.2.4", content="not a manifest\n")
    code, out, _ = says("release", "audit", "--index", "pypi")
    assert code == 1
    assert lines(out)["pypi 1.2.4"].startswith("FAIL its manifest could not be read: SHA256SUMS of v1.2.4, line 1")
    assert lines(out)["pypi 1.2.3"] == "PASS 2 files"


def test_without_a_repository_nothing_is_clean(clean: Outside, here: Path, says: Said) -> None:
    """No repository, no tags and no manifests to hold anything against: a line says what to set."""
    (here / "pyproject.toml").write_text('[project]\nname = "Tiny.Thing"\nversion = "1.2.3"\n', encoding="utf-8")
    code, out, _ = says("release", "audit")
    assert code == 1
    assert "pyproject.toml names no repository" in out


def test_nothing_at_all_is_not_clean(published: Outside, here: Path, says: Said) -> None:
    """A project without a release proves nothing: exit code 1, and it is said why."""
    code, out, _ = says("release", "audit")
    assert code == 1
    assert "nothing is served and nothing is tagged" in out


def test_verify_asks_for_real_proof(clean: Outside, says: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--verify` hands every served file with its attestation to the verifier, under our workflow at its own tag."""
    asked: list[tuple[str, str, bytes]] = []

    def verify(_trust: Trust, identity: Identity, claims: Sequence[Claim]) -> tuple[Verdict, ...]:
        asked.extend((identity.subject, claim.name, claim.file.read_bytes()) for claim in claims)
        bad = identity.ref.endswith("1.2.4")
        state = State.FAIL if bad else State.PASS
        return tuple(Verdict(state=state, subject=claim.name, reason="not signed by it") for claim in claims)

    monkeypatch.setattr(Trust, "prepare", lambda _trust: None)
    monkeypatch.setattr(Trust, "verify", verify)
    clean.upload("1.2.4")
    clean.release("1.2.4")
    code, out, _ = says("release", "audit", "--verify", "--index", "pypi")
    assert code == 1
    assert lines(out)["pypi 1.2.3"] == "PASS 2 files"
    assert "not signed by it" in lines(out)["pypi 1.2.4"]
    subject = "https://github.com/Owner/repo/.github/workflows/publish-pypi.yml@refs/tags/v1.2.3"
    for name, path in clean.make("1.2.3").items():
        assert (subject, name, path.read_bytes()) in asked


def test_without_the_means_nothing_is_called_verified(
    clean: Outside, says: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--verify` where signatures cannot be verified is an error before anything is asked, not a weaker audit."""

    def refuse(_trust: Trust) -> None:
        raise VerificationUnavailable(reason="no library, no network")

    monkeypatch.setattr(Trust, "prepare", refuse)
    clean.listeners.requests.clear()
    code, out, err = says("release", "audit", "--verify")
    assert (code, out, clean.listeners.requests) == (1, "", [])
    assert "signatures cannot be verified" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--index", "conda"], "no such index"),
        (["--accept", "latest"], "is no PEP 440 version"),
        (["--rehearsal"], "are not running"),
    ],
)
def test_bad_input_is_one_clear_error(clean: Outside, says: Said, words: list[str], message: str) -> None:
    """What is not understood is refused with the next command."""
    code, out, err = says("release", "audit", *words)
    assert (code, out) == (1, "")
    assert message in err
    assert "next:" in err
