"""`.github/workflows/publish-pypi.yml`, executed against the stand-ins: it publishes, it refuses, and it converges."""

from __future__ import annotations

import json
import re
import shutil
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import filelock
import pytest
from e2e.projects import SUITE, Project, Setting, committed, git
from e2e.runner import REPOSITORY, STAGES, SUCCESS, Runner, told
from e2e.workflow import FILE, Run

from hephaestus.release.receipts import Receipt
from hephaestus.standins.github.store import Store

PREPARED = ["build", "sign", "check", "wheelhouse", "sign-wheelhouse"]


def flow(origin: Project) -> None:
    """Give a project the workflow of this one, to the letter, and what its jobs install."""
    text = (origin.root / "pyproject.toml").read_text(encoding="utf-8")
    origin.write("pyproject.toml", text.replace("someone/tiny-thing", REPOSITORY))
    origin.write(".gitignore", "__pycache__/\n/release/\n/.venv\n/.nox/\n")
    for name in (f".github/workflows/{FILE}", "dev/release.txt"):
        origin.write(name, (SUITE / name).read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def origin(common: Path, setting: Setting) -> Path:
    """What is on GitHub: v1.2.3, a tag that is not its version's, and a pre-release. Never to be changed."""
    project = Project(root=common / "origin", setting=setting)
    with filelock.FileLock(common / "origin.lock"):
        if not (common / "origin.txt").is_file():
            shutil.rmtree(project.root, ignore_errors=True)
            project = committed(project.root, setting=setting)
            flow(project)
            commit(project, "Release 1.2.3", tag="v1.2.3")
            git(project.root, "tag", "v9.9.9")
            for name in ("pyproject.toml", "src/tiny_thing/__init__.py"):
                text = (project.root / name).read_text(encoding="utf-8")
                project.write(name, text.replace('"1.2.3"', '"1.3.0rc1"'))
            commit(project, "Release 1.3.0rc1", tag="v1.3.0rc1")
            (common / "origin.txt").write_text("made\n", encoding="utf-8")
    return project.root


def commit(project: Project, subject: str, *, tag: str) -> None:
    git(project.root, "add", "--all")
    git(project.root, "commit", "-q", "-m", subject)
    git(project.root, "tag", "-a", "-m", tag, tag)


@pytest.fixture
def runner(origin: Path, common: Path, worker: str, tmp_path: Path, setting: Setting) -> Iterator[Runner]:
    """This worker's runner and fresh stand-ins, whose GitHub freezes what is published."""
    runner = Runner(origin=origin, folder=common / f"runner-{worker}", state=tmp_path / "standins", setting=setting)
    store = Store(runner.state / "github")
    store.repository.immutable_releases = True
    store.save()
    yield runner
    runner.rest()


@pytest.fixture(scope="session")
def prepared(origin: Path, common: Path, worker: str, setting: Setting) -> tuple[Path, Run]:
    """A run in which everything is made and signed and nothing has been uploaded; its stand-ins are at rest."""
    state = common / f"prepared-{worker}"
    runner = Runner(origin=origin, folder=common / f"runner-{worker}", state=state / "standins", setting=setting)
    store = Store(runner.state / "github")
    store.repository.immutable_releases = True
    store.save()
    run = runner.run()
    run.start(only=PREPARED.__contains__)
    assert run.results() == dict.fromkeys(PREPARED, "success"), told(run)
    kept = run.copy(state / "run", run.host)
    runner.rest()
    return state, kept


@pytest.fixture
def ready(prepared: tuple[Path, Run], runner: Runner) -> Callable[..., Run]:
    """The prepared run over this test's own copy of its stand-ins."""

    def go_on(**options: Any) -> Run:
        state, kept = prepared
        shutil.rmtree(runner.state)
        shutil.copytree(
            state / "standins", runner.state, symlinks=True, ignore=shutil.ignore_patterns("host.json", "run", "*.lock")
        )
        return replace(kept.copy(runner.folder, runner.host()), **options)

    return go_on


def later(name: str) -> bool:
    """The jobs that a prepared run still has before it."""
    return name not in PREPARED


def test_a_tag_is_published_by_ten_jobs_on_plain_runners(runner: Runner) -> None:
    """Pushed, a tag goes through every job - a fresh clone, an empty HOME, tools installed anew, no uv - to green."""
    run = runner.run(plain=True)
    run.start()
    runner.settle(run)
    for name, job in run.jobs.items():
        identity = any(variable.startswith("ACTIONS_ID_TOKEN") for variable in job.environ)
        assert identity is (name in ("sign", "sign-wheelhouse", "upload-testpypi", "upload-pypi")), name
        assert ("GITHUB_TOKEN" in job.environ) is (name in ("build", "github-release", "verify")), name
        secrets = {value for key, value in job.environ.items() if key.endswith("_TOKEN")}
        assert not [secret for secret in secrets if secret in job.output + job.summary], name
        assert name == "verdict" or re.search(rf"\| handed over \| `{name}=sha256:[0-9a-f]{{64}}` \|", job.summary)

    handed = b"".join(path.read_bytes() for path in (run.folder / "artifacts").rglob("*") if path.is_file())
    for secret in {value for job in run.jobs.values() for key, value in job.environ.items() if key.endswith("_TOKEN")}:
        assert secret.encode() not in handed


def test_every_runner_is_lost_once(runner: Runner) -> None:
    """Each job's processes are killed at their first tool; "re-run failed jobs", again and again, ends green."""
    run = runner.run(lost=set(STAGES))
    run.start()
    for _ in STAGES:
        broken = {name for name, result in run.results().items() if result == "failure"} - {"verdict"}
        if not broken:
            break
        run.lost -= broken
        run.rerun_failed()
    assert run.lost <= {"upload-pypi"}
    runner.settle(run)


def test_rerunning_all_jobs_of_a_complete_run_changes_nothing(ready: Callable[..., Run], runner: Runner) -> None:
    """ "Re-run all jobs" after a complete release: green again, nothing made twice, nothing public changed."""
    run = ready()
    run.start(only=later)
    runner.settle(run)
    before = (runner.served("pypi"), runner.release())
    run.rerun_all()
    runner.settle(run)
    assert (runner.served("pypi"), runner.release()) == before


def test_pypi_down_half_way(ready: Callable[..., Run], runner: Runner) -> None:
    """PyPI fails after the first file: a complete draft and a red run; a dispatch on the tag finishes the release."""
    run = ready()
    runner.host("pypi:503@2x99")
    run.start(only=later)
    ended = run.results()
    assert {name for name, result in ended.items() if result == "failure"} == {"upload-pypi", "verify", "verdict"}
    assert not run.green
    release = runner.release()
    assert (release["draft"], len(release["assets"])) == (True, 12)
    assert "1 of 2" in run.jobs["upload-pypi"].output
    assert len(runner.served("pypi")) == 1
    runner.host()
    dispatched = runner.run(event="workflow_dispatch")
    dispatched.start()
    runner.settle(dispatched)


def test_github_down_half_way(ready: Callable[..., Run], runner: Runner) -> None:
    """GitHub fails between two assets: red, nothing public; "re-run failed jobs" completes and publishes."""
    run = ready()
    runner.host("github:500@9x99")
    run.start(only=later)
    assert run.results()["github-release"] == "failure"
    assert runner.release().get("draft", True)
    assert not run.green
    runner.host()
    run.rerun_failed()
    runner.settle(run)


@pytest.mark.parametrize("what", ["byte", "commit", "receipt", "staged"])
def test_an_artifact_that_is_not_what_was_handed_over(
    ready: Callable[..., Run], runner: Runner, tmp_path: Path, what: str
) -> None:
    """A changed byte, the directory of another commit, a receipt slipped in or staged: refused, and nothing is sent."""
    run = ready()

    def tamper(name: str, workspace: Path) -> None:
        release = workspace / "release" / "1.2.3"
        if name != "upload-testpypi":
            return
        if what == "byte":
            wheel = next((release / "dist").glob("*.whl"))
            content = bytearray(wheel.read_bytes())
            content[100] ^= 1
            wheel.write_bytes(content)
        elif what == "receipt":
            check = Receipt.parse((release / "receipts" / "check.json").read_text(encoding="utf-8"), source="check")
            slipped = replace(check, stage="smoke", inputs={}).render()
            (release / "receipts" / "smoke.json").write_text(slipped, encoding="utf-8")
        else:
            other = redated((release / "receipts" / "build.json").read_text(encoding="utf-8"))
            place = release / {"commit": "receipts/build.json", "staged": ".staged/build/receipt.json"}[what]
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(other, encoding="utf-8")

    run.tamper = tamper
    run.start(only=later)
    job = run.jobs["upload-testpypi"]
    assert job.result == "failure"
    words = {
        "byte": "has sha256:", "commit": "its job handed over", "receipt": "no job vouches for it",
        "staged": "an unfinished step arrived",
    }  # fmt: skip
    assert words[what] in job.output, job.output
    assert runner.served("testpypi") == {}
    assert runner.served("pypi") == {}
    assert not run.green


def redated(text: str) -> str:
    """A receipt as another commit would have left it, true to itself."""
    return replace(Receipt.parse(text, source="build.json"), commit="f" * 40).render()


def test_a_published_release_that_is_not_ours_is_never_touched(ready: Callable[..., Run], runner: Runner) -> None:
    """Somebody published the tag by hand, frozen and empty: PyPI is served, the run is red and says what is missing."""
    run = ready()
    host = runner.host()
    body = json.dumps({"tag_name": "v1.2.3", "name": "by hand", "draft": False}).encode()
    request = urllib.request.Request(
        f"{host.url('github')}/repos/{REPOSITORY}/releases", data=body, method="POST",
        headers={"Authorization": f"Bearer {host.github_token}", "Content-Type": "application/json"},
    )  # fmt: skip
    with urllib.request.urlopen(request, timeout=300) as answer:
        assert answer.status == 201
    run.start(only=later)
    assert run.results()["upload-pypi"] == "success"
    assert run.results()["github-release"] == "failure"
    assert "immutable" in run.jobs["github-release"].output
    assert "SHA256SUMS" in run.jobs["github-release"].output
    assert runner.release()["assets"] == []
    assert not run.green


def test_a_pre_release_stops_at_test_pypi(runner: Runner) -> None:
    """A tag of a pre-release: Test PyPI and a GitHub pre-release, nothing on PyPI, and green."""
    run = runner.run(tag="v1.3.0rc1")
    run.start()
    assert run.results() == SUCCESS, told(run)
    assert len(runner.served("testpypi")) == 2
    assert runner.served("pypi") == {}
    assert (runner.release("v1.3.0rc1")["draft"], runner.release("v1.3.0rc1")["prerelease"]) == (False, True)


def test_a_tag_that_is_not_the_versions(runner: Runner) -> None:
    """v9.9.9 on a commit whose version is 1.2.3: build refuses before it builds, everything else is skipped, red."""
    run = runner.run(tag="v9.9.9")
    run.start()
    assert run.results() == dict.fromkeys(STAGES, "skipped") | {"build": "failure", "verdict": "failure"}
    assert "version 1.2.3 is released from refs/tags/v1.2.3" in run.jobs["build"].output
    assert "python -m build" not in run.jobs["build"].output


def test_dispatched_on_a_branch(runner: Runner) -> None:
    """Run on a branch instead of a tag, no job does anything, and the run is not green."""
    run = runner.run(kind="heads", event="workflow_dispatch")
    run.ref = "main"
    run.start()
    assert run.results() == dict.fromkeys(STAGES, "skipped") | {"verdict": "failure"}


@pytest.mark.parametrize("policy", ["required", "optional"])
def test_test_pypi_down(ready: Callable[..., Run], runner: Runner, policy: str) -> None:
    """Test PyPI down: required, nothing reaches PyPI and the run is red; optional, PyPI is served and it is said."""
    run = ready(variables={"HEPHAESTUS_TESTPYPI": policy})
    runner.host("testpypi:downx999")
    run.start(only=later)
    assert runner.served("testpypi") == {}
    if policy == "required":
        assert run.results()["upload-testpypi"] == "failure"
        assert run.results()["upload-pypi"] == "skipped"
        assert runner.served("pypi") == {}
        assert runner.release()["draft"]
        assert not run.green
        runner.host()
        run.rerun_failed()
        runner.settle(run)
    else:
        assert run.results()["upload-pypi"] == "success", told(run)
        assert len(runner.served("pypi")) == 2
        assert not runner.release()["draft"]
        assert "optional" in run.jobs["upload-testpypi"].output
        assert run.green
