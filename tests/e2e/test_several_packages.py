"""Two packages in one repository: each is rehearsed and published by itself, from its own folder, tags and workflow."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from e2e.projects import SUITE, Project, Setting, git, written
from e2e.runner import REPOSITORY, Runner, told
from e2e.workflow import Run, triggered

from hephaestus.release.directory import STAGES
from hephaestus.release.project import read_project
from hephaestus.release.starter import LOCK, proposals
from hephaestus.standins.github.store import Store

VERSIONS = {"core": "1.2.3", "cli": "2.0.0"}


@pytest.fixture
def packages(tmp_path: Path, setting: Setting) -> Iterator[dict[str, Project]]:
    """packages/core 1.2.3 and packages/cli 2.0.0, made ready by init, both tagged at one commit."""
    top = tmp_path / "repository"
    found = {}
    for name, version in VERSIONS.items():
        project = written(top / "packages" / name, setting=setting, name=f"tiny-{name}", version=version)
        pyproject = (project.root / "pyproject.toml").read_text(encoding="utf-8")
        project.write("pyproject.toml", pyproject.partition("[tool.hephaestus.release]")[0])
        for proposal in proposals(read_project(project.root), repository=REPOSITORY, suite="0", top=top):
            (top / proposal.path).parent.mkdir(parents=True, exist_ok=True)
            (top / proposal.path).write_text(proposal.after, encoding="utf-8")
        ignored = (project.root / ".gitignore").read_text(encoding="utf-8")
        # The executed workflow has a link in this place, where a runner has a folder.
        project.write(".gitignore", f"{ignored}/.venv\n")
        found[name] = project
    shutil.copyfile(SUITE / "dev" / "release.txt", top / LOCK)
    git(top, "init", "-q")
    git(top, "add", "--all")
    git(top, "commit", "-q", "-m", "first")
    for name, version in VERSIONS.items():
        git(top, "tag", "-a", "-m", name, f"{name}-v{version}")
    yield found
    for project in found.values():
        project.rest()


def test_each_is_rehearsed_by_itself(packages: dict[str, Project]) -> None:
    """core goes through its whole rehearsal, with a file of cli changed; cli then begins its own, and core's stands."""
    core, cli = packages["core"], packages["cli"]
    cli.write("src/tiny_cli/new.py", "NEW = 1\n")
    ran = core.nox("-s", "release")
    assert ran.code == 0, ran.output
    assert "no part of this rehearsal, being outside of packages/core/: ?? packages/cli/src/tiny_cli/new.py" in ran.flat
    assert core.stages() == list(STAGES)
    assert sorted(core.served("pypi")) == ["tiny_core-1.2.3-py3-none-any.whl", "tiny_core-1.2.3.tar.gz"]
    assert core.receipt("build")["evidence"]["source"]["tag"] == "core-v1.2.3"
    assert core.receipt("build")["evidence"]["source"]["tag_assumed"] is False
    store = Store(core.state / "github").repository
    assert [(release.tag, release.draft) for release in store.releases] == [("core-v1.2.3", False)]
    assert store.latest is None, "what is called latest is of the whole repository"

    kept = core.files()
    ran = cli.nox("-s", "build", "sign", "--no-dependencies")
    assert ran.code == 0, ran.output
    assert "rehearsing uncommitted changes: ?? packages/cli/src/tiny_cli/new.py" in ran.flat
    assert sorted(cli.digests()) == ["tiny_cli-2.0.0-py3-none-any.whl", "tiny_cli-2.0.0.tar.gz"]
    assert cli.receipt("build")["dirty"] is True
    assert core.files() == kept
    again = core.nox("-s", "build", "sign", "check", "--no-dependencies")
    assert [again.ended(stage) for stage in ("build", "sign", "check")] == ["skipped"] * 3, again.output


def _without_its_folder(origin: Path, run: Run) -> None:
    """The last job checks nothing out: left in the package's folder, which it then has not, it would end a run red."""
    place = origin / ".github" / "workflows" / "publish-core.yml"
    text = place.read_text(encoding="utf-8")
    assert text.count("        working-directory: . #") == 1
    place.write_text(re.sub(r"        working-directory: \. #.*\n", "", text), encoding="utf-8")
    git(origin, "commit", "-q", "-a", "-m", "break it")
    git(origin, "tag", "core-v9")
    broken = replace(run, ref="core-v9", jobs=dict(run.jobs))
    broken.start(only="verdict".__eq__)
    assert broken.jobs["verdict"].result == "failure"
    assert "working directory" in broken.jobs["verdict"].output


def test_the_tag_of_one_publishes_that_one(
    packages: dict[str, Project], common: Path, worker: str, tmp_path: Path, setting: Setting
) -> None:
    """core-v1.2.3 starts the workflow of core alone, beside the tag of cli at the same commit; core is published."""
    origin = packages["core"].root.parents[1]
    assert triggered(origin, "core-v1.2.3") == ["publish-core.yml"]
    assert triggered(origin, "cli-v2.0.0") == ["publish-cli.yml"]
    git(origin, "tag", "v1.2.3")
    git(origin, "tag", "core-1.2.3")
    assert [triggered(origin, tag) for tag in ("v1.2.3", "core-1.2.3")] == [[], []]
    git(origin, "tag", "-d", "v1.2.3", "core-1.2.3")
    runner = Runner(
        origin=origin, folder=common / f"packages-{worker}", state=tmp_path / "standins", setting=setting,
        project="tiny-core", workflow="publish-core.yml",
    )  # fmt: skip
    store = Store(runner.state / "github")
    store.repository.immutable_releases = True
    store.save()
    try:
        run = runner.run("core-v1.2.3")
        run.start()
        runner.settle(run, tag="core-v1.2.3")
        assert all(name.startswith("tiny_core-1.2.3") for name in runner.served("pypi"))
        assert runner.release("cli-v2.0.0") == {}
        elsewhere = runner.run("cli-v2.0.0", event="workflow_dispatch")
        elsewhere.start()
        assert elsewhere.jobs["build"].result == "failure", told(elsewhere)
        assert "version 1.2.3 is released from refs/tags/core-v1.2.3" in elsewhere.jobs["build"].output
        assert not elsewhere.green
        _without_its_folder(origin, run)
    finally:
        runner.rest()
