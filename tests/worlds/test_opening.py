"""Opening a publish: everything that must be true of job, commit and hand-over, told at once, before a stage begins."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from hephaestus.release.directory import ReleaseDirectory
from hephaestus.release.errors import GateRefused
from hephaestus.release.handover import HandoverError, stated
from hephaestus.release.project import Project, read_project
from hephaestus.release.receipts import Receipt
from hephaestus.release.root import ReleaseRoot
from hephaestus.release.source import Source, read_source
from hephaestus.services.errors import ServiceError
from hephaestus.standins.faults import Faults
from hephaestus.standins.github import GitHub
from hephaestus.standins.http import Listener
from hephaestus.worlds.job import NotInWorkflowError
from hephaestus.worlds.opening import (
    NothingBuiltError,
    Opened,
    TestPyPIVariableError,
    configured_policy,
    open_publish,
    release_root,
)
from hephaestus.worlds.publish import Consent, PublishNotAskedForError
from hephaestus.worlds.rehearsal import REHEARSAL_POLICY
from hephaestus.worlds.world import TestPyPIPolicy

REPOSITORY = "someone/tiny-thing"
TOKEN = "ghs_" + "a" * 36


@dataclass(kw_only=True)
class Desk:
    """A project in git, its GitHub, and a job's environment."""

    project: Project
    root: ReleaseRoot
    source: Source
    github: GitHub
    environ: dict[str, str]
    state: Path

    def open(self, stage: str, **options: object) -> Opened:
        given = {
            "source": self.source if stage == "build" else None,
            "consent": Consent(given_by="HEPHAESTUS_PUBLISH=1"),
            "environ": self.environ,
            "state": self.state,
            **options,
        }
        return open_publish(self.project, self.root, stage=stage, **given)  # type: ignore[arg-type]

    def codes(self, stage: str) -> list[str]:
        with pytest.raises(GateRefused) as caught:
            self.open(stage)
        return [finding.code for finding in caught.value.findings]

    def built(self, *stages: str, commit: str = "") -> ReleaseDirectory:
        """A release directory with receipts of build and ``stages``."""
        directory = self.root.directory(self.project.version)
        for stage in ("build", *stages):
            receipt = Receipt(
                stage=stage, world="publish", project="tiny-thing", version="1.2.3", dirty=False, seconds=1.0,
                commit=commit or self.source.commit, key=f"sha256:{'0' * 64}", started="2026-01-02T03:04:05Z",
            )  # fmt: skip
            directory.path.mkdir(parents=True, exist_ok=True)
            with directory.staging(stage) as staging:
                directory.commit(staging, receipt)
        return directory


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """Everything right: the commit is on main, the job stands on its tag."""
    here = tmp_path / "project"
    here.mkdir()
    (here / "pyproject.toml").write_text(
        f'[project]\nname = "tiny-thing"\nversion = "1.2.3"\n\n[tool.hephaestus.release]\nrepository = "{REPOSITORY}"\n'
    )
    (here / ".gitignore").write_text("/release/\n")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "first"], ["tag", "v1.2.3"]):
        subprocess.run([*git, *words], cwd=here, check=True)
    source = read_source(here)
    github = GitHub(tmp_path / "github", repository=REPOSITORY, token=TOKEN, clock=time.time, faults=Faults())
    github.push(["0" * 40, source.commit])
    with Listener(github.handle) as listener:
        authority, trust = tmp_path / "authority.pem", tmp_path / "trust.json"
        authority.write_text("none")
        trust.write_text(json.dumps({"signingConfig": {}}))
        services = tmp_path / "services.json"
        services.write_text(
            json.dumps(
                {
                    "schema": 1,
                    "indexes": {"testpypi": "http://127.0.0.1:9", "pypi": "http://127.0.0.1:9"},
                    "github": {"api": listener.url, "uploads": f"{listener.url}/uploads"},
                    "trust_config": str(trust),
                    "authority": str(authority),
                    "proxy": "http://127.0.0.1:9",
                }
            )
        )
        project = read_project(here)
        yield Desk(
            project=project,
            root=release_root(project, rehearsal=False),
            source=source,
            github=github,
            environ={
                "PATH": "/usr/bin",
                "GITHUB_ACTIONS": "true",
                "GITHUB_REPOSITORY": REPOSITORY,
                "GITHUB_WORKFLOW_REF": f"{REPOSITORY}/.github/workflows/publish-pypi.yml@refs/tags/v1.2.3",
                "GITHUB_REF": "refs/tags/v1.2.3",
                "GITHUB_SHA": source.commit,
                "GITHUB_EVENT_NAME": "push",
                "GITHUB_TOKEN": TOKEN,
                "HEPHAESTUS_SERVICES": str(services),
            },
            state=tmp_path / "state",
        )


def test_build_opens_the_real_release(desk: Desk) -> None:
    """On the tag, on main: the directory is the real one, the world's identity that of the tag, nothing assumed."""
    opened = desk.open("build")
    assert opened.directory.path == desk.project.root / "release" / "1.2.3"
    assert opened.world.publisher.subject == desk.environ["GITHUB_WORKFLOW_REF"].join(["https://github.com/", ""])
    assert not opened.world.publisher.assumed


def test_a_commit_beside_the_default_branch_is_refused(desk: Desk) -> None:
    """A tag on a commit that is on no default branch releases what nobody reviewed: refused, branch named."""
    desk.github.push(["0" * 40, "1" * 40], branch="elsewhere", default=False)
    (desk.project.root / "new.txt").write_text("x")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for words in (["add", "-A"], ["commit", "-qm", "second"]):
        subprocess.run([*git, *words], cwd=desk.project.root, check=True)
    source = read_source(desk.project.root)
    desk.environ["GITHUB_SHA"] = source.commit
    with pytest.raises(GateRefused) as caught:
        desk.open("build", source=source)
    assert [finding.code for finding in caught.value.findings] == ["commit-off-branch"]
    assert "main" in caught.value.findings[0].message


def test_a_lightweight_tag_on_github_is_refused_where_unwanted(desk: Desk) -> None:
    """What the tag is there counts: a checkout may have made a lightweight one of it, and git is not asked again."""
    desk.github.push_tag("v1.2.3", desk.source.commit, annotated=False)
    assert desk.open("build").directory, "nobody asked for annotated tags"
    desk.project = dataclasses.replace(
        desk.project, config=dataclasses.replace(desk.project.config, annotated_tags=True)
    )
    with pytest.raises(GateRefused) as caught:
        desk.open("build")
    assert [finding.code for finding in caught.value.findings] == ["tag-lightweight"]
    assert "git push --force origin v1.2.3" in caught.value.findings[0].remedy
    desk.github.push_tag("v1.2.3", desk.source.commit)
    assert not desk.open("build").world.policy.annotated_tag
    assert configured_policy(REHEARSAL_POLICY, desk.project, {}).annotated_tag


@pytest.mark.parametrize("there", ["", "e" * 40])
def test_a_tag_that_github_has_no_more_is_not_taken_for_annotated(desk: Desk, there: str) -> None:
    """Deleted, or moved to another commit, since the job began: of its kind nothing is known, and that refuses."""
    desk.project = dataclasses.replace(
        desk.project, config=dataclasses.replace(desk.project.config, annotated_tags=True)
    )
    desk.github._store.repository.tags.pop("v1.2.3", None)
    if there:
        desk.github.push_tag("v1.2.3", there)
    assert desk.codes("build") == ["tag-gone"]


def test_everything_wrong_with_a_build_is_told_at_once(desk: Desk) -> None:
    """Another tag, another commit, another repository's job: all in one refusal, and no folder of a release is made."""
    desk.environ |= {"GITHUB_REF": "refs/tags/v2", "GITHUB_SHA": "f" * 40, "GITHUB_REPOSITORY": "m/x"}
    assert desk.codes("build") == ["job-repository", "job-ref", "job-commit"]
    assert not (desk.project.root / "release" / "1.2.3").exists()


def test_a_github_that_does_not_answer_stops_the_build(desk: Desk) -> None:
    """Whether the commit is on the default branch is known before anything is built, or nothing is built."""
    desk.environ["GITHUB_TOKEN"] = "ghs_" + "wrong" * 8
    with pytest.raises(ServiceError):
        desk.open("build")


def test_nothing_arrived(desk: Desk) -> None:
    """A job without the directory of another one says that build must come first."""
    with pytest.raises(NothingBuiltError):
        desk.open("sign")


def test_what_arrives_as_stated_is_opened(desk: Desk) -> None:
    """The directory of build with build's word: sign may begin."""
    desk.environ["HEPHAESTUS_MANIFEST"] = stated(desk.built(), "build")
    assert desk.open("sign").directory.receipt("build") is not None


def test_without_a_word_nothing_is_taken(desk: Desk) -> None:
    """The right directory without the other channel's word is refused."""
    desk.built()
    assert set(desk.codes("sign")) == {"handover-uncovered", "handover-missing"}


def test_the_directory_of_another_commit_is_refused(desk: Desk) -> None:
    """A sound directory with a sound word, but of another commit than the job's."""
    directory = desk.built(commit="e" * 40)
    desk.environ["HEPHAESTUS_MANIFEST"] = stated(directory, "build")
    assert desk.codes("sign") == ["job-commit"]


def test_a_word_that_is_none_is_refused(desk: Desk) -> None:
    """A mistake in the workflow (no output, another's text) is one clear error."""
    desk.built()
    desk.environ["HEPHAESTUS_MANIFEST"] = "build="
    with pytest.raises(HandoverError):
        desk.open("sign")


def test_no_consent_no_world(desk: Desk) -> None:
    """In the right job, but without anybody having asked for a publish: refused."""
    with pytest.raises(PublishNotAskedForError):
        desk.open("build", consent=None)


def test_outside_of_a_job_no_world(desk: Desk) -> None:
    """The same call on a person's machine: refused."""
    del desk.environ["GITHUB_ACTIONS"]
    with pytest.raises(NotInWorkflowError):
        desk.open("build")


@pytest.mark.parametrize(
    ("given", "policy"),
    [("", TestPyPIPolicy.REQUIRED), ("required", TestPyPIPolicy.REQUIRED), ("optional", TestPyPIPolicy.OPTIONAL)],
)
def test_a_variable_decides_about_test_pypi(desk: Desk, given: str, policy: TestPyPIPolicy) -> None:
    """HEPHAESTUS_TESTPYPI overrides the setting; empty (a repository variable that is not set) leaves it."""
    desk.environ["HEPHAESTUS_TESTPYPI"] = given
    assert desk.open("build").world.policy.testpypi is policy


def test_another_word_about_test_pypi_is_refused(desk: Desk) -> None:
    """A word that is neither of the two is not guessed at."""
    desk.environ["HEPHAESTUS_TESTPYPI"] = "Optional"
    with pytest.raises(TestPyPIVariableError, match="'Optional'"):
        desk.open("build")
