"""Targets and expectations: what is understood, what is told from names, and what is refused before a look."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version
from report.releases import released

from hephaestus.consumer.dossier import Dossier
from hephaestus.consumer.expectation import (
    Expectation,
    ExpectationUnclear,
    Pinned,
    TargetRefused,
    read_target,
    release_of,
)
from hephaestus.consumer.identity import Identity, IdentityRefused
from hephaestus.consumer.question import Question
from hephaestus.consumer.trust import Trust
from hephaestus.consumer.verification import Verification

NONE: Mapping[str, str | None] = {"repository": None, "workflow": None, "tag": None, "ref": None, "issuer": None}


def expectation(environ: Mapping[str, str] | None = None, **said: str) -> Expectation:
    """What was said on the command line and in the environment."""
    return Expectation.read({**NONE, **said}, environ=environ or {})


def test_targets_are_told_apart(tmp_path: Path) -> None:
    """A version, a folder, files; a file that is named like a version is a file."""
    wheel = tmp_path / "tiny-1.0-py3-none-any.whl"
    wheel.touch()
    (tmp_path / "a==1").touch()
    assert read_target("tiny==1.0") == Pinned(name="tiny", version=Version("1.0"))
    assert read_target("Tiny_Project==v1.0") == Pinned(name="tiny-project", version=Version("1.0"))
    assert read_target(str(tmp_path / "a==1")) == tmp_path / "a==1"
    folder = Question.read([str(tmp_path)], expectation())
    assert (folder.folder, folder.text) == (tmp_path, str(tmp_path))
    files = Question.read([str(wheel), str(wheel)], expectation())
    assert files.files == (wheel,)
    assert Question.read([], expectation(tag="v1")).text == "GitHub Release v1"


@pytest.mark.parametrize(
    ("targets", "problem"),
    [
        ([], "nothing was named"),
        (["nowhere"], "there is no such file or folder"),
        (["tiny==1.*"], "no exact version"),
        (["tiny=="], "no exact version"),
        (["tiny>=1"], "there is no such file or folder"),
        (["{folder}/x.whl/y"], "there is no such file or folder"),
        (["a\0b"], "there is no such file or folder"),
        (["==1.0"], "no name of a project"),
        (["../x==1.0"], "no name of a project"),
        (["tiny==1.0", "tiny==1.1"], "more than one version"),
        (["tiny==1.0", "{folder}"], "more than one version"),
        (["{folder}", "{folder}/sub"], "more than one version"),
        (["{folder}", "{folder}/x.whl"], "more than one version"),
        (["{folder}/x.whl.sigstore.json"], "it is a bundle"),
        (["{folder}/fifo"], "it is no regular file"),
    ],
)
def test_what_cannot_be_understood_is_refused(targets: list[str], problem: str, tmp_path: Path) -> None:
    """Nothing, nowhere, patterns, mixtures, bundles in place of files: refused, and the help is named."""
    import os

    (tmp_path / "sub").mkdir()
    for name in ("x.whl", "x.whl.sigstore.json"):
        (tmp_path / name).touch()
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(TargetRefused, match=problem) as raised:
        Question.read([target.format(folder=tmp_path) for target in targets], expectation())
    assert "hephaestus release verify --help" in raised.value.next_step


def test_what_the_disk_does_not_let_us_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name longer than any file's, and a folder that cannot be read, are messages, no tracebacks."""
    with pytest.raises(TargetRefused, match="cannot be read"):
        read_target("x" * 5000)
    question = Question.read([str(tmp_path)], expectation(repository="o/r", tag="v1"))

    def denied(_folder: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Dossier, "of_folder", denied)
    with pytest.raises(TargetRefused, match="Permission denied"):
        _ = question.identity
    with pytest.raises(TargetRefused, match="Permission denied"):
        question.answered(Verification(identity=Identity.of_tag("o/r", "v1"), trust=Trust(offline=True)))


@pytest.mark.parametrize("targets", [["tiny==1.0"], []])
def test_offline_nothing_can_be_asked(targets: list[str]) -> None:
    """A version and a GitHub Release are elsewhere."""
    with pytest.raises(TargetRefused, match="offline, only files"):
        Question.read(targets, expectation(tag="v1.0"), offline=True)


@pytest.mark.parametrize("targets", [[], ["{folder}"], ["{folder}/a.whl", "{folder}/b.whl"]])
def test_a_bundle_is_of_one_file(targets: list[str], tmp_path: Path) -> None:
    """``--bundle`` with no file, a folder, two files, or a bundle that is not there is refused."""
    for name in ("a.whl", "b.whl", "bundle"):
        (tmp_path / name).touch()
    named = [target.format(folder=tmp_path) for target in targets]
    with pytest.raises(TargetRefused, match="one existing bundle"):
        Question.read(named, expectation(tag="v1"), bundle=tmp_path / "bundle")
    with pytest.raises(TargetRefused, match="one existing bundle"):
        Question.read([str(tmp_path / "a.whl")], expectation(), bundle=tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("name", "release"),
    [
        ("tiny_project-1.2.3-py3-none-any.whl", ("tiny-project", "1.2.3")),
        ("tiny_project-1.2.3-1-py3-none-any.whl", ("tiny-project", "1.2.3")),
        ("tiny_project-1.2.3.tar.gz", ("tiny-project", "1.2.3")),
        ("hephaestus-0.2.5-wheelhouse.tar.gz", ("hephaestus", "0.2.5")),
        ("tiny-project-0.2.5rc1-wheels-linux-x86_64.tar.gz", ("tiny-project", "0.2.5rc1")),
    ],
)
def test_names_tell_their_release(name: str, release: tuple[str, str]) -> None:
    """Wheels, sdists and wheelhouses name project and version."""
    found = release_of(name)
    assert found is not None
    assert (found.name, str(found.version)) == release


@pytest.mark.parametrize(
    "name", ["SHA256SUMS", "sbom.cdx.json", "x.whl", "x-1.whl", "x.tar.gz", "a-b-wheelhouse.tar.gz", ""]
)
def test_other_names_tell_nothing(name: str) -> None:
    """Everything else belongs to no release by its name."""
    assert release_of(name) is None


@given(st.text(max_size=40))
def test_any_name_is_read_or_passed_over(name: str) -> None:
    """No name is a traceback."""
    found = release_of(name)
    assert found is None or found.name


def test_the_identity_is_told_from_names_and_defaults(tmp_path: Path) -> None:
    """Our own project has a repository, others need one; the tag is the version's, unless it is said."""
    ours, other = (
        Pinned(name="hephaestus-toolkit", version=Version("0.2.5")),
        Pinned(name="tiny", version=Version("1.0")),
    )
    assert (
        expectation()
        .identity([ours])
        .subject.endswith("IAmJonoBo/Hephaestus/.github/workflows/publish-pypi.yml@refs/tags/v0.2.5")
    )
    assert expectation(repository="o/r").identity([ours]).repository == "o/r"
    environ = {"HEPHAESTUS_RELEASE_REPOSITORY": "e/r"}
    assert expectation(environ).identity([other]).repository == "e/r"
    assert expectation(environ, repository="o/r").identity([other]).repository == "o/r"
    assert expectation(repository="o/r", tag="release-7").identity([other]).ref == "refs/tags/release-7"
    assert expectation(repository="o/r", ref="refs/heads/main").identity([]).ref == "refs/heads/main"
    said = expectation(repository="o/r", workflow="ci.yml", issuer="https://x.org").identity([other])
    assert (said.workflow, said.issuer) == ("ci.yml", "https://x.org")
    (tmp_path / "tiny-1.0-py3-none-any.whl").touch()
    assert Question.read([str(tmp_path)], expectation(repository="o/r")).identity.ref == "refs/tags/v1.0"


def test_what_cannot_be_told_is_asked_for() -> None:
    """No repository, two versions, a tag and a ref at once, a pattern: refused, with the option to give."""
    one, two = (Pinned(name="tiny", version=Version(version)) for version in ("1.0", "2.0"))
    with pytest.raises(ExpectationUnclear, match="the repository of tiny is not known") as raised:
        expectation().identity([one])
    assert "--repository OWNER/NAME" in raised.value.next_step
    for releases, told in (([one, two], "1.0, 2.0"), ([], "none")):
        with pytest.raises(ExpectationUnclear, match=f"versions in the files' names: {told}") as raised:
            expectation(repository="o/r").identity(releases)
        assert "--tag" in raised.value.next_step
    with pytest.raises(ExpectationUnclear, match="a tag and a ref"):
        expectation(tag="v1", ref="refs/heads/main")
    with pytest.raises(IdentityRefused):
        expectation(repository="o/*").identity([one])


@pytest.mark.parametrize("world", ["rehearsal", "publish", "torn"])
def test_a_rehearsed_folder_is_known_by_its_receipts(tmp_path: Path, world: str) -> None:
    """Its receipts say who made it; those of a publish, damaged ones and none at all say nothing of a rehearsal."""
    assert not Question.read([str(tmp_path)], expectation()).rehearsed
    directory = released(tmp_path)
    receipt = directory.path / "receipts" / "build.json"
    for path in receipt.parent.iterdir():
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace('"world": "rehearsal"', f'"world": "{world}"'), encoding="utf-8")
    if world == "torn":
        receipt.write_text("{", encoding="utf-8")
    assert Question.read([str(directory.path)], expectation()).rehearsed is (world == "rehearsal")
