"""The build stage, run by the runner over small real projects in git."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import shutil
import sys
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stages.conftest import RecordingNarrator, git, plain_world

from hephaestus.release import boundary
from hephaestus.release.boundary import BoundaryFault
from hephaestus.release.errors import GateRefused, ReleaseError, Severity
from hephaestus.release.manifest import parse_sums
from hephaestus.services.errors import Unreachable
from hephaestus.stages.build import BuildStage, PrebuiltChangedError, SourceUnknownError
from hephaestus.stages.frontend import (
    BackendFailedError,
    BackendMissingError,
    LicenseFileMissingError,
    NothingBuiltError,
    RequirementsError,
    SdistDoesNotBuildError,
    StrayOutputError,
    WheelTagTwiceError,
    WrongDistributionError,
    installed_versions,
)
from hephaestus.stages.reproduction import NotReproducibleError, later_tick
from hephaestus.stages.runner import Outcome, run_stage
from hephaestus.stages.sealing import SealedError, UnansweredError
from hephaestus.stages.stage import Context, Options
from hephaestus.worlds.world import ChildKind, DirtyPolicy, Index, Policy, Reproducibility, TagPolicy, World

Make = Callable[..., Context]
Commit = Callable[..., Path]
Files = dict[str, str]

STRICT = Policy(dirty=DirtyPolicy.REFUSE, tag=TagPolicy.REQUIRED)
WHEEL = "tiny_project-1.2.3-py3-none-any.whl"
SDIST = "tiny_project-1.2.3.tar.gz"


class Shelf:
    """Stands for the indexes: what each has of this version, or why it does not answer."""

    def __init__(self, **files: dict[str, str] | ReleaseError) -> None:
        self.files = files
        self.asked: list[str] = []

    def __call__(self, index: Index, name: str, version: str) -> Mapping[str, str]:
        self.asked.append(f"{index.name} {name} {version}")
        found = self.files.get(index.name, {})
        if isinstance(found, ReleaseError):
            raise found
        return found


@pytest.fixture(scope="session")
def with_uv(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A PATH with uv on it and otherwise as it is: building with uv is five times faster."""
    uv = shutil.which("uv", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    assert uv is not None, "uv is a development requirement"
    folder = tmp_path_factory.mktemp("uv")
    (folder / "uv").symlink_to(uv)
    return os.pathsep.join([str(folder), os.environ["PATH"]])


@pytest.fixture
def world_of(tmp_path: Path, with_uv: str) -> Callable[..., World]:
    """A world whose builders find uv."""

    def make(policy: Policy | None = None) -> World:
        world = plain_world(tmp_path, policy=policy)
        builder = {**world.children[ChildKind.BUILDER], "PATH": with_uv}
        return dataclasses.replace(world, children={**world.children, ChildKind.BUILDER: builder})

    return make


@pytest.fixture
def build(context_of: Make, world_of: Callable[..., World]) -> Callable[..., Outcome]:
    """Run the build stage over a project as it stands; ``shelf`` answers for the indexes."""

    def run(
        root: Path,
        *,
        policy: Policy | None = None,
        options: Options | None = None,
        shelf: Shelf | None = None,
        world: World | None = None,
    ) -> Outcome:
        context = context_of(root, lock="build", world=world or world_of(policy), options=options)
        slept: list[float] = []
        run.context, run.slept = context, slept  # type: ignore[attr-defined]
        try:
            return run_stage(
                BuildStage(ask=shelf or Shelf(), sleep=slept.append, clock=lambda: 1_800_000_000.5),
                context,
                recorder=context.environment,
                clock=lambda: 1_800_000_000.0,
            )
        finally:
            shutil.rmtree(context.work)

    return run


def pyproject(*, more: str = "", tiny: str = "", version: str = "1.2.3", name: str = "tiny-project") -> str:
    """The small project's pyproject.toml with further lines in [project] or [tool.tiny]."""
    return (
        '[build-system]\nrequires = []\nbuild-backend = "tiny"\nbackend-path = ["."]\n\n'
        f'[project]\nname = "{name}"\nversion = "{version}"\n{more}\n[tool.tiny]\n{tiny}\n'
    )


def codes(error: pytest.ExceptionInfo[GateRefused]) -> list[str]:
    """The codes of a refusal's findings."""
    return [finding.code for finding in error.value.findings]


def release(root: Path) -> Path:
    """The release directory of the rehearsal."""
    return root / "release" / "rehearsal" / "1.2.3"


def snapshot(folder: Path) -> dict[str, bytes]:
    """Every file of a folder with its content."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def evidence(outcome: Outcome) -> Any:
    """The evidence of an outcome's receipt."""
    assert outcome.receipt is not None
    return outcome.receipt.evidence


def members(path: Path) -> list[str]:
    """Names in a wheel or an sdist."""
    if path.suffix == ".whl":
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    with tarfile.open(path) as tar:
        return [name.partition("/")[2] for name in tar.getnames()]


class TestBuilding:
    """A good project."""

    def test_puts_out_one_sdist_one_wheel_and_their_sums(
        self, build: Callable[..., Outcome], commit: Commit, tiny: Files
    ) -> None:
        """Dist holds exactly the two files, SHA256SUMS names them by base name, the receipt by path."""
        root = commit(tiny)
        outcome = build(root)
        here = release(root)
        assert sorted(path.name for path in (here / "dist").iterdir()) == sorted([SDIST, WHEEL])
        sums = parse_sums((here / "SHA256SUMS").read_text())
        actual = {
            path.name: f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}" for path in (here / "dist").iterdir()
        }
        assert sums == actual
        assert outcome.receipt is not None
        assert set(outcome.receipt.outputs) == {f"dist/{SDIST}", f"dist/{WHEEL}", "SHA256SUMS"}

    def test_evidence_says_what_was_built_from_what_and_how(
        self, build: Callable[..., Outcome], commit: Commit, tiny: Files
    ) -> None:
        """Source, tag, tools, conditions and verdict stand in the receipt, without a path of this machine."""
        root = commit(tiny)
        outcome = build(root)
        found = evidence(outcome)
        assert found["source"]["commit"] == git(root, "rev-parse", "HEAD").strip()
        assert found["source"]["tree"] == git(root, "rev-parse", "HEAD^{tree}").strip()
        assert found["source"]["branch"] == "main"
        assert found["source"]["tag"] == "v1.2.3"
        assert found["source"]["tag_assumed"] is True
        assert found["reproducible"] == {
            "demand": "report",
            "files": {SDIST: True, WHEEL: True},
            "differences": {},
            "wheel_from_tree_differs": {},
        }
        assert found["backend"] == {"name": "tiny", "generators": {WHEEL: "tiny 0.1"}}
        assert found["build_requirements"] == {"locked": False, "constraints": None, "installed": {}}
        assert found["source_date_epoch"] == int(git(root, "show", "-s", "--format=%ct", "HEAD"))
        assert found["umask"] == "0022"
        assert found["python"].count(".") == 2
        assert found["zlib"]
        assert found["distributions"][WHEEL]["size"] == (release(root) / "dist" / WHEEL).stat().st_size
        receipt = (release(root) / "receipts" / "build.json").read_text()
        assert str(root.parent) not in receipt
        assert outcome.warnings == ()

    def test_second_run_skips_and_starts_nothing(
        self, build: Callable[..., Outcome], commit: Commit, tiny: Files
    ) -> None:
        """With nothing changed the receipt stands: no command is run, no index asked."""
        root = commit(tiny)
        build(root)
        before = snapshot(release(root))
        shelf = Shelf()
        outcome = build(root, shelf=shelf)
        assert outcome.state == "skipped"
        assert build.context.environment.commands == []  # type: ignore[attr-defined]
        assert shelf.asked == []
        assert snapshot(release(root)) == before

    def test_edit_builds_again_and_is_labelled(
        self, build: Callable[..., Outcome], commit: Commit, tiny: Files
    ) -> None:
        """An uncommitted edit and an untracked file are built, said aloud and recorded; ignored files stay out."""
        root = commit({**tiny, ".gitignore": "*.log\n"})
        build(root)
        (root / "src/tiny_project/new modül.py").write_text("NEW = 1\n")
        (root / "src/tiny_project/private.log").write_text("secret\n")
        outcome = build(root)
        assert outcome.state == "done"
        assert outcome.receipt is not None
        assert outcome.receipt.dirty is True
        assert evidence(outcome)["source"]["dirty"] == ["?? src/tiny_project/new modül.py"]
        said = build.context.narrator.lines  # type: ignore[attr-defined]
        assert any("rehearsing uncommitted changes: ?? src/tiny_project/new modül.py" in line for line in said)
        inside = members(release(root) / "dist" / WHEEL)
        assert "tiny_project/new modül.py" in inside
        assert "tiny_project/private.log" not in inside

    def test_commit_changes_the_key_though_no_file_did(
        self, build: Callable[..., Outcome], commit: Commit, tiny: Files
    ) -> None:
        """The receipt names a commit: an empty one on top is another release."""
        root = commit(tiny)
        build(root)
        commit({}, message="empty")
        assert build(root).state == "done"

    def test_redo_builds_the_same_bytes(self, build: Callable[..., Outcome], commit: Commit, tiny: Files) -> None:
        """`--redo=build` runs it although nothing changed, and nothing has changed then."""
        root = commit(tiny)
        first = build(root)
        outcome = build(root, options=Options(redo=frozenset({"build"})))
        assert outcome.state == "done"
        assert first.receipt is not None
        assert outcome.receipt is not None
        assert outcome.receipt.outputs == first.receipt.outputs

    def test_missing_output_is_made_again(self, build: Callable[..., Outcome], commit: Commit, tiny: Files) -> None:
        """A deleted wheel makes the stage run again, to the same bytes."""
        root = commit(tiny)
        build(root)
        before = snapshot(release(root) / "dist")
        (release(root) / "dist" / WHEEL).unlink()
        assert build(root).state == "done"
        assert snapshot(release(root) / "dist") == before

    @pytest.mark.parametrize("umask", [0o002, 0o077])
    def test_own_umask_does_not_enter(
        self, build: Callable[..., Outcome], commit: Commit, tiny: Files, umask: int
    ) -> None:
        """Under any umask of ours the same bytes come out as under 022, from a backend that packs modes too."""
        root = commit({**tiny, "pyproject.toml": pyproject(tiny='fault = "umask"')})
        build(root)
        before = snapshot(release(root) / "dist")
        former = os.umask(umask)
        try:
            build(root, options=Options(redo=frozenset({"*"})))
        finally:
            os.umask(former)
        assert snapshot(release(root) / "dist") == before

    def test_builds_without_uv(
        self, build: Callable[..., Outcome], commit: Commit, tiny: Files, tmp_path: Path
    ) -> None:
        """Where there is no uv, virtualenv makes the build environments, and the bytes are the same."""
        root = commit(tiny)
        build(root)
        before = snapshot(release(root) / "dist")
        world = plain_world(tmp_path)
        bare = os.pathsep.join(
            folder for folder in os.environ["PATH"].split(os.pathsep) if not (Path(folder) / "uv").exists()
        )
        children = {**world.children, ChildKind.BUILDER: {**world.children[ChildKind.BUILDER], "PATH": bare}}
        outcome = build(
            root, world=dataclasses.replace(world, children=children), options=Options(redo=frozenset({"*"}))
        )
        assert outcome.receipt is not None
        assert not any("--installer" in command for command in outcome.receipt.commands)
        assert snapshot(release(root) / "dist") == before

    def test_inputs_hold_no_path(self, context_of: Make, commit: Commit, tiny: Files, tmp_path: Path) -> None:
        """The key's settings are the same in any folder and at any port."""
        context = context_of(commit(tiny), lock="build", options=Options(prebuilt=tmp_path / "none"))
        assert str(tmp_path) not in repr(BuildStage(ask=Shelf()).inputs(context))
        assert "127.0.0.1" not in repr(BuildStage(ask=Shelf()).inputs(context))


class TestGates:
    """Every reason not to build."""

    def test_good_release_passes_the_strict_policy(
        self, build: Callable[..., Outcome], commit: Commit, tiny: Files
    ) -> None:
        """Clean, tagged v1.2.3 at HEAD, on a detached HEAD: it builds, and the tag is no assumption."""
        root = commit(tiny)
        git(root, "tag", "v1.2.3")
        git(root, "checkout", "-q", "--detach")
        outcome = build(root, policy=STRICT)
        assert evidence(outcome)["source"]["tag_assumed"] is False
        assert evidence(outcome)["source"]["branch"] == ""

    def test_dirt_is_refused_with_names(self, build: Callable[..., Outcome], commit: Commit, tiny: Files) -> None:
        """Where policy refuses dirt, up to five files are named and nothing is put out."""
        root = commit(tiny)
        git(root, "tag", "v1.2.3")
        for number in range(7):
            (root / f"new {number}.txt").write_text("new")
        with pytest.raises(GateRefused) as error:
            build(root, policy=STRICT)
        assert codes(error) == ["dirty"]
        assert "?? new 4.txt and 2 more" in str(error.value)
        assert "new 5.txt" not in str(error.value)
        assert snapshot(release(root)) == {}

    @pytest.mark.parametrize(
        ("tag", "words"),
        [
            ("v1.2.3.0", "another spelling"),
            ("1.2.3", "lacks the `v`"),
            ("v1.2.4", "pyproject.toml says 1.2.3"),
            ("V1.2.3", "another spelling"),
        ],
    )
    @pytest.mark.parametrize("policy", [STRICT, None])
    def test_wrong_tag_is_refused_in_both_policies(
        self, build: Callable[..., Outcome], commit: Commit, tiny: Files, tag: str, words: str, policy: Policy | None
    ) -> None:
        """A tag of another version or in another spelling at a clean HEAD refuses, required or not."""
        root = commit(tiny)
        git(root, "tag", tag)
        with pytest.raises(GateRefused, match=words) as error:
            build(root, policy=policy)
        assert codes(error) == ["tag-differs"]

    def test_wrong_tag_put_on_later_is_noticed(
        self, build: Callable[..., Outcome], commit: Commit, tiny: Files
    ) -> None:
        """A finished build is skipped under the right tag and refused under another; its receipt and files stay."""
        root = commit(tiny)
        build(root)
        git(root, "tag", "v1.2.3")
        assert build(root).state == "skipped"
        git(root, "tag", "v1.3.0")
        assert build(root).state == "skipped", "the right one is there too"
        git(root, "tag", "-d", "v1.2.3")
        before = snapshot(release(root))
        with pytest.raises(GateRefused, match="is at this commit, but pyproject") as error:
            build(root)
        assert codes(error) == ["tag-differs"]
        assert snapshot(release(root)) == before
        git(root, "tag", "-d", "v1.3.0")
        assert build(root).state == "skipped"

    def test_edits_on_top_of_another_tag_may_be_rehearsed(
        self, build: Callable[..., Outcome], commit: Commit, tiny: Files
    ) -> None:
        """The tag of the former version under uncommitted work is no contradiction."""
        root = commit(tiny)
        git(root, "tag", "v1.2.2")
        (root / "README.md").write_text("more")
        assert build(root).state == "done"

    def test_missing_and_misplaced_tag_are_refused(
        self, build: Callable[..., Outcome], commit: Commit, tiny: Files
    ) -> None:
        """A required tag that does not exist, or points at another commit, is refused with the command."""
        root = commit(tiny)
        with pytest.raises(GateRefused, match=r"git tag -a v1\.2\.3"):
            build(root, policy=STRICT)
        git(root, "tag", "v1.2.3")
        commit({"README.md": "later"}, message="later")
        with pytest.raises(GateRefused) as error:
            build(root, policy=STRICT)
        assert codes(error) == ["tag-missing"]

    def test_asked_tag_must_be_the_versions(self, build: Callable[..., Outcome], commit: Commit, tiny: Files) -> None:
        """`--tag` with another version's tag is refused even in a rehearsal."""
        with pytest.raises(GateRefused, match=r"v1\.2\.4: was asked for"):
            build(commit(tiny), options=Options(tag="v1.2.4"))

    def test_shallow_clone_without_tags_says_so(
        self, build: Callable[..., Outcome], commit: Commit, tiny: Files, tmp_path: Path
    ) -> None:
        """In a shallow clone a missing tag is a missing fetch."""
        origin = commit(tiny)
        git(origin, "tag", "v1.2.3")
        clone = tmp_path / "clone"
        git(tmp_path, "clone", "-q", "--depth=1", "--no-tags", f"file://{origin}", str(clone))
        with pytest.raises(GateRefused, match="git fetch --unshallow --tags") as error:
            build(clone, policy=STRICT)
        assert codes(error) == ["shallow-clone"]

    def test_dirt_beside_the_package_is_refused_and_takes_no_part_in_a_rehearsal(
        self, build: Callable[..., Outcome], commit: Commit, tiny: Files
    ) -> None:
        """Of several packages in one repository: a publish takes no tree that differs, a rehearsal says what does."""
        files = {f"packages/core/{name}": content for name, content in tiny.items()}
        text = f'{pyproject()}[tool.hephaestus.release]\ntag-prefix = "core-"\n'
        root = commit({**files, "packages/core/pyproject.toml": text, "packages/cli/a.txt": "a"})
        git(root, "tag", "core-v1.2.3")
        git(root, "tag", "cli-v7.0")
        core = root / "packages" / "core"
        (root / "packages" / "cli" / "a.txt").write_text("changed")
        with pytest.raises(GateRefused, match="packages/cli/a") as error:
            build(core, policy=STRICT)
        assert codes(error) == ["dirty-elsewhere"]
        outcome = build(core)
        assert outcome.receipt is not None
        assert outcome.receipt.dirty is False
        assert evidence(outcome)["source"]["tag"] == "core-v1.2.3"
        said = build.context.narrator.lines  # type: ignore[attr-defined]
        assert any("outside of packages/core/: M packages/cli/a.txt" in line for line in said), said
        git(root, "checkout", "-q", "--", "packages/cli/a.txt")
        assert build(core).state == "skipped", "nothing that was built has changed"

    def test_dirty_submodule_is_refused_even_in_a_rehearsal(
        self, build: Callable[..., Outcome], commit: Commit, tiny: Files, tmp_path: Path
    ) -> None:
        """Changes inside a submodule cannot be exported, so they are not passed over."""
        other = tmp_path / "other"
        other.mkdir()
        git(other, "init", "-q")
        (other / "file.txt").write_text("one")
        git(other, "add", ".")
        git(other, "commit", "-q", "-m", "one")
        root = commit(tiny)
        git(root, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(other), "vendored")
        commit({}, message="submodule")
        (root / "vendored" / "file.txt").write_text("two")
        with pytest.raises(GateRefused, match="vendored: is a submodule") as error:
            build(root)
        assert codes(error) == ["submodule-dirty"]

    def test_everything_wrong_is_said_at_once(self, build: Callable[..., Outcome], commit: Commit, tiny: Files) -> None:
        """Version, tag, dirt, constraints, version file and a silent index are all in one refusal."""
        text = pyproject(version="1.2.3+local") + (
            '[tool.hephaestus.release]\nversion-files = ["VERSION"]\n'
            '[tool.hephaestus.release.build]\nconstraints = "build.txt"\n'
        )
        root = commit({**tiny, "pyproject.toml": text, "build.txt": "hatchling==1.0\n"})
        (root / "README.md").write_text("dirty")
        silence = Unreachable(url="https://index.example/simple/", cause="refused", attempts=1, sent=False)
        with pytest.raises(GateRefused) as error:
            build(root, policy=STRICT, shelf=Shelf(pypi=silence))
        assert sorted(codes(error)) == sorted(
            [
                "dirty",
                "tag-missing",
                "version-local",
                "version-differs",
                "version-file",
                "constraints-unhashed",
                "index-unanswered",
            ]
        )

    @pytest.mark.parametrize(
        ("version", "code", "severity"),
        [
            ("1.2.3.dev4", "version-dev", Severity.WARNING),
            ("1.2.3-rc1", "version-not-normalised", Severity.WARNING),
            ("1.2.3+abc", "version-local", Severity.ERROR),
        ],
    )
    def test_questionable_versions(
        self, context_of: Make, commit: Commit, tiny: Files, version: str, code: str, severity: str
    ) -> None:
        """What PyPI refuses is an error; what it takes but people regret is a warning."""
        root = commit({"pyproject.toml": pyproject(version=version)})
        findings = BuildStage(ask=Shelf()).gates(context_of(root, lock="build"))
        assert [(finding.code, finding.severity) for finding in findings] == [(code, severity)]

    @pytest.mark.parametrize("announced", [True, False])
    def test_epoch_is_refused_where_github_would_rename_files(
        self, context_of: Make, world_of: Callable[..., World], commit: Commit, announced: bool
    ) -> None:
        """Before anything is sent, not after PyPI has it; where no GitHub Release is made, it is a warning."""
        root = commit({"pyproject.toml": pyproject(version="1!1.2.3")})
        left_out = {} if announced else {"github-release": "a private index"}
        policy = Policy(dirty=DirtyPolicy.LABEL, tag=TagPolicy.ASSUMED, left_out=left_out)
        findings = BuildStage(ask=Shelf()).gates(context_of(root, lock="build", world=world_of(policy)))
        assert [finding.code for finding in findings] == ["version-epoch", *(["asset-name"] if announced else [])]

    def test_other_version_in_the_package_is_named_by_line(
        self, build: Callable[..., Outcome], commit: Commit, tiny: Files
    ) -> None:
        """A stale `__version__` is refused with path and line."""
        tiny["src/tiny_project/__init__.py"] = '"""Tiny."""\n\n__version__ = "1.2.2"\n'
        with pytest.raises(GateRefused, match=r"src/tiny_project/__init__\.py:3: says 1\.2\.2"):
            build(commit(tiny))

    def test_unhashed_missing_and_empty_constraints(self, context_of: Make, commit: Commit, tiny: Files) -> None:
        """The frontend would take any of them silently; we do not."""
        text = pyproject() + '[tool.hephaestus.release.build]\nconstraints = "build.txt"\n'
        root = commit({**tiny, "pyproject.toml": text})
        seen = []
        for content in (None, "# nothing\n", "flit_core==3.12.0\n", "flit_core>=3 --hash=sha256:00\n"):
            if content is not None:
                (root / "build.txt").write_text(content)
            findings = BuildStage(ask=Shelf()).gates(context_of(root, lock="build"))
            seen.append([finding.code for finding in findings if finding.severity == Severity.ERROR])
        assert seen == [
            ["constraints-missing"],
            ["constraints-empty"],
            ["constraints-unhashed"],
            ["constraints-unhashed"],
        ]

    def test_pyproject_that_git_does_not_export_is_refused(
        self, build: Callable[..., Outcome], commit: Commit, tiny: Files
    ) -> None:
        """What is read here must be what is built."""
        with pytest.raises(GateRefused, match="not in the source") as error:
            build(commit({**tiny, ".gitattributes": "pyproject.toml export-ignore\n"}))
        assert codes(error) == ["source-differs"]

    def test_line_ends_of_a_checkout_on_windows_are_no_difference(
        self, context_of: Make, commit: Commit, tiny: Files
    ) -> None:
        """Git for Windows writes CRLF into the work tree and calls it clean; the export has what was committed."""
        root = commit(tiny)
        git(root, "config", "core.autocrlf", "true")
        (root / "pyproject.toml").unlink()
        git(root, "checkout", "-q", "--", "pyproject.toml")
        assert b"\r\n" in (root / "pyproject.toml").read_bytes()
        assert [finding.code for finding in BuildStage(ask=Shelf()).gates(context_of(root, lock="build"))] == []

    def test_source_that_cannot_be_exported_is_one_finding_among_others(
        self, context_of: Make, commit: Commit, tiny: Files
    ) -> None:
        """A link out of the project is collected with the rest."""
        root = commit(tiny)
        (root / "leak").symlink_to("/etc/hostname")
        findings = BuildStage(ask=Shelf()).gates(context_of(root, lock="build"))
        assert [finding.code for finding in findings] == ["dirty", "source-unusable"]

    def test_unknown_source_is_refused(self, context_of: Make, commit: Commit, tiny: Files) -> None:
        """Without a commit there is no build, and no act either."""
        context = dataclasses.replace(context_of(commit(tiny), lock="build"), source=None)
        stage = BuildStage(ask=Shelf())
        assert [finding.code for finding in stage.gates(context)] == ["commit-unknown"]
        with context.directory.staging("build") as staging, pytest.raises(SourceUnknownError):
            stage.act(context, staging)


class TestFailures:
    """Every way a backend can fail, each with its own error."""

    @pytest.mark.parametrize(
        ("tiny_table", "kind", "words"),
        [
            ('fault = "raise"', BackendFailedError, "the tiny backend gives up"),
            ('fault = "no sdist"', NothingBuiltError, "wrote no sdist"),
            ('fault = "no wheel"', NothingBuiltError, "wrote no wheel"),
            ('fault = "stray"', StrayOutputError, "notes.txt"),
            ('fault = "two wheels"', WheelTagTwiceError, "tiny_project-1.2.3-py2.py3"),
            ('needs = ["README.md"]\nforget = ["README.md"]', SdistDoesNotBuildError, "README.md"),
            ('claims = "1.2.4"', WrongDistributionError, "1.2.4"),
            ('called = "other-project"', WrongDistributionError, "other-project"),
            ('licenses = ["LICENSE"]', LicenseFileMissingError, "LICENSE"),
        ],
    )
    def test_each_kind_is_named(
        self,
        build: Callable[..., Outcome],
        commit: Commit,
        tiny: Files,
        tiny_table: str,
        kind: type[ReleaseError],
        words: str,
    ) -> None:
        """The error is of its own class, says what happened and what to do, and nothing was put out."""
        root = commit({**tiny, "pyproject.toml": pyproject(tiny=tiny_table)})
        with pytest.raises(kind) as error:
            build(root)
        assert words in str(error.value)
        assert "nox -s build" in error.value.next_step
        assert snapshot(release(root)) == {}

    def test_missing_backend(self, build: Callable[..., Outcome], commit: Commit, tiny: Files) -> None:
        """A backend that no requirement brings is named."""
        text = pyproject().replace('"tiny"\n', '"elsewhere.api"\n')
        with pytest.raises(BackendMissingError, match=r"elsewhere\.api is not there"):
            build(commit({**tiny, "pyproject.toml": text}))

    def test_requirement_that_does_not_exist(
        self, build: Callable[..., Outcome], commit: Commit, tiny: Files, tmp_path: Path, with_uv: str
    ) -> None:
        """A build requirement that cannot be had is a failure of the requirements, not of the backend."""
        text = pyproject().replace("requires = []", 'requires = ["no-such-thing==9"]')
        world = plain_world(tmp_path)
        offline = {**world.children[ChildKind.BUILDER], "PATH": with_uv, "UV_OFFLINE": "1"}
        world = dataclasses.replace(world, children={**world.children, ChildKind.BUILDER: offline})
        with pytest.raises(RequirementsError, match="cannot be installed"):
            build(commit({**tiny, "pyproject.toml": text}), world=world)

    def test_unnormalised_file_name(self, build: Callable[..., Outcome], commit: Commit, tiny: Files) -> None:
        """A backend that does not normalise the name in file names (PEP 625) is refused."""
        root = commit({**tiny, "pyproject.toml": pyproject(name="Tiny.Project")})
        with pytest.raises(WrongDistributionError, match=r"Tiny\.Project-1\.2\.3"):
            build(root)


class TestReproduction:
    """The second build."""

    @pytest.mark.parametrize(
        ("fault", "member", "file"),
        [
            ("random", "tiny_project/dice.py: content", WHEEL),
            ("zone", "tiny_project/zone.py: content", WHEEL),
            ("umask", "tiny_project/mode.py: content", WHEEL),
            ("path", "tiny_project/path.py: content", WHEEL),
            ("careless sdist", "tiny_project-1.2.3/README.md: mode 0644 / 0600", SDIST),
        ],
    )
    def test_difference_is_reported_by_member(
        self, build: Callable[..., Outcome], commit: Commit, tiny: Files, fault: str, member: str, file: str
    ) -> None:
        """For an unknown backend a difference is recorded and warned of: file, member, what of it."""
        root = commit({**tiny, "pyproject.toml": pyproject(tiny=f'fault = "{fault}"')})
        outcome = build(root)
        found = evidence(outcome)["reproducible"]
        assert found["files"][file] is False
        assert any(line.startswith(member) for line in found["differences"][file])
        assert any(warning.subject == file for warning in outcome.warnings)
        assert all(same for name, same in found["files"].items() if name not in found["differences"])

    def test_wheel_and_sdist_are_judged_separately(
        self, build: Callable[..., Outcome], commit: Commit, tiny: Files
    ) -> None:
        """A careless sdist says nothing about the wheel."""
        root = commit({**tiny, "pyproject.toml": pyproject(tiny='fault = "careless sdist"')})
        assert evidence(build(root))["reproducible"]["files"] == {SDIST: False, WHEEL: True}

    @pytest.mark.parametrize("by", ["policy", "configuration"])
    def test_requirement_refuses_and_keeps_nothing(
        self, build: Callable[..., Outcome], commit: Commit, tiny: Files, by: str
    ) -> None:
        """Where reproducibility is required, a difference is an error that names the member."""
        text = pyproject(tiny='fault = "random"')
        policy = Policy(dirty=DirtyPolicy.LABEL, tag=TagPolicy.ASSUMED, reproducible=Reproducibility.REQUIRE)
        if by == "configuration":
            text += '[tool.hephaestus.release.build]\nreproducible = "require"\n'
        root = commit({**tiny, "pyproject.toml": text})
        with pytest.raises(NotReproducibleError, match=r"tiny_project/dice\.py: content"):
            build(root, policy=policy if by == "policy" else None)
        assert snapshot(release(root)) == {}

    def test_failure_of_the_second_build_alone_says_under_which_conditions(
        self, build: Callable[..., Outcome], commit: Commit, tiny: Files
    ) -> None:
        """A project that builds only under the usual umask is told so, not that it does not build."""
        root = commit({**tiny, "pyproject.toml": pyproject(tiny='fault = "public only"')})
        with pytest.raises(BackendFailedError, match=r"failed in the second build \(umask 077") as error:
            build(root)
        assert "everybody can read" in str(error.value)

    def test_second_build_begins_on_another_tick_of_the_clock(
        self, build: Callable[..., Outcome], commit: Commit, tiny: Files
    ) -> None:
        """The clock stands at half a second past an even one: zip, which counts in pairs, needs one and a half."""
        build(commit(tiny))
        assert build.slept == [1.5]  # type: ignore[attr-defined]

    @given(st.floats(0, 4e9))
    def test_no_stamp_of_the_first_build_can_be_one_of_the_second(self, now: float) -> None:
        """Whatever the time, whole seconds and pairs of them differ, and the wait is never more than two seconds."""
        later = later_tick(now)
        assert int(later) // 2 != int(now) // 2
        assert 0 < later - now <= 2

    def test_off_builds_once(self, build: Callable[..., Outcome], commit: Commit, tiny: Files) -> None:
        """Switched off, there is one run of the frontend and no verdict."""
        text = pyproject(tiny='fault = "random"') + '[tool.hephaestus.release.build]\nreproducible = "off"\n'
        outcome = build(commit({**tiny, "pyproject.toml": text}))
        assert outcome.receipt is not None
        assert sum("-m" in command and "build" in command for command in outcome.receipt.commands) == 1
        assert evidence(outcome)["reproducible"]["files"] == {}

    def test_wheel_that_differs_between_tree_and_sdist_is_told_apart(
        self, build: Callable[..., Outcome], commit: Commit, tiny: Files
    ) -> None:
        """The build is reproducible, but the sdist does not build what the commit builds: a warning of its own."""
        root = commit({**tiny, "pyproject.toml": pyproject(tiny='fault = "tree"')})
        outcome = build(root)
        found = evidence(outcome)["reproducible"]
        assert found["files"] == {SDIST: True, WHEEL: True}
        assert list(found["wheel_from_tree_differs"]) == [WHEEL]
        assert [warning.code for warning in outcome.warnings] == ["sdist-differs-from-tree"]

    def test_versions_of_requirements_are_read_from_the_frontends_report(self) -> None:
        """The lines under the heading count, similar ones elsewhere do not."""
        output = (
            "* Installing packages in isolated environment:\n  - hatchling==0\n"
            "* Installed build dependency versions:\n  - hatchling==1.33.0\n  - calver==2026.1\n* Building sdist...\n"
            "  - fake==1\n* Installed build dependency versions:\n  - hatchling==1.33.0\n"
        )
        assert installed_versions(output) == {"hatchling": "1.33.0", "calver": "2026.1"}


class TestSealing:
    """A version of which an index has files already."""

    @pytest.fixture
    def shelf(self, build: Callable[..., Outcome], commit: Commit, tiny: Files) -> Shelf:
        """A test index that has the sdist of a first build."""
        outcome = build(commit(tiny))
        assert outcome.receipt is not None
        return Shelf(testpypi={SDIST: outcome.receipt.outputs[f"dist/{SDIST}"]})

    def test_same_bytes_are_made_again(self, build: Callable[..., Outcome], commit: Commit, shelf: Shelf) -> None:
        """A lost release directory of a sealed version is rebuilt when the bytes come out the same."""
        root = commit({})
        git(root, "reset", "-q", "--hard", "HEAD~1")
        before = snapshot(release(root) / "dist")
        shutil.rmtree(root / "release")
        outcome = build(root, shelf=shelf)
        assert snapshot(release(root) / "dist") == before
        assert evidence(outcome)["sealed"] == ["testpypi"]
        assert any("must reproduce" in line for line in build.context.narrator.lines)  # type: ignore[attr-defined]

    def test_other_bytes_are_thrown_away(self, build: Callable[..., Outcome], commit: Commit, shelf: Shelf) -> None:
        """An edit after the upload is an error, and the files in place are those that were uploaded."""
        root = commit({})
        before = snapshot(release(root))
        (root / "README.md").write_text("an edit too late")
        with pytest.raises(SealedError, match=SDIST):
            build(root, shelf=shelf)
        assert snapshot(release(root)) == before

    def test_silent_index_lets_a_build_confirm_but_not_change(
        self, build: Callable[..., Outcome], commit: Commit, shelf: Shelf
    ) -> None:
        """While the index is down, the same bytes may be built again and no others."""
        root = commit({})
        git(root, "reset", "-q", "--hard", "HEAD~1")
        silence = Unreachable(url="https://index.example/simple/", cause="refused", attempts=1, sent=False)
        redo = Options(redo=frozenset({"build"}))
        assert build(root, shelf=Shelf(pypi=silence), options=redo).state == "done"
        before = snapshot(release(root))
        (root / "README.md").write_text("an edit")
        with pytest.raises(UnansweredError, match="pypi did not say"):
            build(root, shelf=Shelf(pypi=silence))
        assert snapshot(release(root)) == before


class TestPrebuilt:
    """`-- --from DIR`."""

    @pytest.fixture
    def wheels(self, build: Callable[..., Outcome], commit: Commit, tiny: Files, tmp_path: Path) -> Path:
        """A folder with one finished wheel of the committed project."""
        root = commit(tiny)
        build(root)
        folder = tmp_path / "wheels"
        folder.mkdir()
        shutil.copy2(release(root) / "dist" / WHEEL, folder / WHEEL.replace("-py3", "-7-py3"))
        shutil.rmtree(root / "release")
        return folder

    def test_wheel_is_adopted_beside_a_built_sdist(
        self, build: Callable[..., Outcome], commit: Commit, wheels: Path
    ) -> None:
        """The sdist is built, the wheel taken byte for byte; another folder of the same wheels is the same input."""
        root = commit({})
        outcome = build(root, options=Options(prebuilt=wheels))
        name = WHEEL.replace("-py3", "-7-py3")
        assert (release(root) / "dist" / name).read_bytes() == (wheels / name).read_bytes()
        assert evidence(outcome)["distributions"][name]["prebuilt"] is True
        assert evidence(outcome)["distributions"][SDIST]["prebuilt"] is False
        assert evidence(outcome)["reproducible"]["files"] == {SDIST: True}
        moved = wheels.rename(wheels.parent / "moved")
        assert build(root, options=Options(prebuilt=moved)).state == "skipped"

    def test_bad_folders_are_refused(
        self, context_of: Make, build: Callable[..., Outcome], commit: Commit, wheels: Path, tmp_path: Path
    ) -> None:
        """No folder, no wheel, a link, junk, another project, a digest that differs: each a finding."""
        root = commit({})
        name = WHEEL.replace("-py3", "-7-py3")
        empty, linked, junk, listed, other = (
            tmp_path / word for word in ("empty", "linked", "junk", "listed", "other")
        )
        for folder in (empty, linked, junk, listed, other):
            folder.mkdir()
        (linked / name).symlink_to(wheels / name)
        (junk / name).write_bytes(b"junk")
        shutil.copy(wheels / name, listed / name)
        (listed / "SHA256SUMS").write_text(f"{'0' * 64}  {name}\n{'0' * 64}  absent-1-py3-none-any.whl\n")
        shutil.copy(wheels / name, other / name.replace("tiny_project-1.2.3", "tiny_project-1.2.4"))
        seen = {}
        for folder in (tmp_path / "nowhere", empty, linked, junk, listed, other):
            context = context_of(root, lock="build", options=Options(prebuilt=folder))
            findings = BuildStage(ask=Shelf()).gates(context)
            seen[folder.name] = sorted({finding.code for finding in findings})
        assert seen == {
            "nowhere": ["prebuilt-missing"],
            "empty": ["prebuilt-empty"],
            "linked": ["prebuilt-linked"],
            "junk": ["prebuilt-broken"],
            "listed": ["prebuilt-changed", "prebuilt-missing"],
            "other": ["filename-mismatch"],
        }

    def test_wheel_that_changes_while_it_is_adopted_is_refused(
        self, context_of: Make, world_of: Callable[..., World], commit: Commit, wheels: Path
    ) -> None:
        """What was checked must be what is released."""
        root = commit({})
        (wheel,) = wheels.iterdir()

        class Meddler(RecordingNarrator):
            def step(self, text: str) -> None:
                if text == "building the sdist":
                    wheel.write_bytes(wheel.read_bytes() + b"more")

        context = context_of(root, lock="build", world=world_of(), options=Options(prebuilt=wheels))
        context = dataclasses.replace(context, narrator=Meddler())
        with pytest.raises(PrebuiltChangedError, match="changed while it was being adopted"):
            run_stage(BuildStage(ask=Shelf()), context, recorder=context.environment)
        assert snapshot(release(root)) == {}

    def test_manifest_selects(self, build: Callable[..., Outcome], commit: Commit, wheels: Path) -> None:
        """With a SHA256SUMS in the folder only what it names is adopted."""
        root = commit({})
        name = WHEEL.replace("-py3", "-7-py3")
        digest = hashlib.sha256((wheels / name).read_bytes()).hexdigest()
        (wheels / "SHA256SUMS").write_text(f"{digest}  {name}\n")
        (wheels / "tiny_project-1.2.3-8-py3-none-any.whl").write_bytes(b"not meant")
        build(root, options=Options(prebuilt=wheels))
        assert sorted(path.name for path in (release(root) / "dist").iterdir()) == sorted([SDIST, name])


class TestInterruption:
    """Killed at a boundary, run again."""

    def test_killed_anywhere_the_next_run_completes(
        self, build: Callable[..., Outcome], commit: Commit, tiny: Files, tmp_path: Path
    ) -> None:
        """A build killed at an early, a middle and the last boundary leaves nothing half; the same bytes follow."""
        root = commit(tiny)
        trace = tmp_path / "trace"
        boundary.arm(BoundaryFault(trace=trace))
        try:
            build(root)
        finally:
            boundary.arm(None)
        wanted = snapshot(release(root) / "dist")
        names = trace.read_text().splitlines()
        staged = next(number for number, line in enumerate(names, start=1) if "staging build" in line)
        receipt = next(number for number, line in enumerate(names, start=1) if "rename receipt.json" in line)
        for kill_at in (staged, receipt - 1, receipt + 2, receipt + 3, len(names)):
            shutil.rmtree(root / "release")
            child = os.fork()
            if child == 0:
                try:
                    boundary.arm(BoundaryFault(kill_at=kill_at))
                    build(root)
                finally:
                    os._exit(1)
            _, status = os.waitpid(child, 0)
            assert os.WIFSIGNALED(status), f"boundary {kill_at} of {len(names)} was not reached"
            shutil.rmtree(tmp_path / "work", ignore_errors=True)
            outcome = build(root)
            assert outcome.state == ("skipped" if kill_at > receipt else "done"), names[kill_at - 1]
            assert snapshot(release(root) / "dist") == wanted
            assert not (release(root) / ".staged").exists()
