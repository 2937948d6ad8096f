"""What a run would do: verdicts of each stage, refusals of real gates, labels of every effect outside."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from inspection.outside import ADMIN_TOKEN, Outside, project_at
from report.releases import receipt

from hephaestus.inspection import forecast
from hephaestus.inspection.forecast import Forecast, Foreseen, foresee, hindrances
from hephaestus.inspection.manifest import expected_here
from hephaestus.inspection.places import policy_of
from hephaestus.inspection.standing import Asked, ask, immutable_releases
from hephaestus.release.directory import STAGES, ReleaseDirectory
from hephaestus.release.errors import Finding, Severity
from hephaestus.release.project import Project
from hephaestus.release.receipts import key_of
from hephaestus.release.source import Source, SourceError, read_source
from hephaestus.services.errors import Unreachable
from hephaestus.stages.stage import Context, Evidence, Inputs, Stage
from hephaestus.toolchain.locks import read_lock

NOW = datetime.now(UTC)


def git(root: Path, *words: str) -> None:
    """Git that asks nobody and signs nothing."""
    settings = ["-c", "user.name=x", "-c", "user.email=x@x", "-c", "commit.gpgsign=false", "-c", "tag.gpgsign=false"]
    subprocess.run(["git", *settings, *words], cwd=root, check=True, capture_output=True)


def committed(root: Path, version: str = "1.2.3", *, tag: str = "", module: str = "", settings: str = "") -> Project:
    """A project in a clean clone, tagged where asked for."""
    project = project_at(root, version, settings=settings)
    (root / "src" / "tiny_thing").mkdir(parents=True)
    (root / "src" / "tiny_thing" / "__init__.py").write_text(f'__version__ = "{module or version}"\n', encoding="utf-8")
    for words in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "x"], *([["tag", tag]] if tag else [])):
        git(root, *words)
    return project


def foreseen(project: Project, outside: Outside | None, *, immutable: bool | None = None, **given: Any) -> Forecast:
    """The forecast of a publish."""
    directory = ReleaseDirectory(path=project.root / "release" / project.version)
    places = outside.places(project) if outside is not None else None
    asked: Asked | None = None
    if places is not None:
        asked = ask(project, places, expected_here(directory, tag=project.tag), now=NOW)
    source: Source | None = None
    unsourced = ""
    try:
        source = read_source(project.root)
    except SourceError as error:
        unsourced = error.what
    policy = policy_of(project, label="publish", environ={})
    options: dict[str, Any] = {
        "label": "publish", "policy": policy, "source": source, "places": places, "asked": asked,
        "immutable": immutable, "now": NOW, "unsourced": unsourced,
    }  # fmt: skip
    return foresee(project, directory, **(options | given))


def by_name(told: Forecast) -> dict[str, Foreseen]:
    """The stages by name."""
    return {one.stage: one for one in told.stages}


def test_a_clean_tagged_commit_would_run_everything(outside: Outside, tmp_path: Path) -> None:
    """Nothing done yet: every stage runs, in the order of the chain, and every effect outside has its label."""
    told = foreseen(committed(tmp_path / "project", tag="v1.2.3"), outside, immutable=True)
    assert not told.refused
    assert [one.stage for one in told.stages] == list(STAGES)
    assert {one.verdict for one in told.stages} == {"run"}
    assert by_name(told)["smoke"].why == ("after upload-testpypi",)
    labels = {one.stage: [effect.label for effect in one.effects] for one in told.stages}
    until = f"until {NOW + timedelta(days=14):%Y-%m-%d}"
    assert labels == {
        "build": ["reversible"],
        "sign": ["never"],
        "check": [],
        "upload-testpypi": ["never", until, "reversible"],
        "smoke": [],
        "upload-pypi": ["never", until, "reversible"],
        "wheelhouse": ["reversible"],
        "sign-wheelhouse": ["never"],
        "github-release": ["reversible", "never", "reversible"],
        "verify": [],
    }


@pytest.mark.parametrize(("immutable", "label"), [(True, "never"), (None, "never"), (False, "reversible")])
def test_publishing_a_release_is_for_ever_where_releases_are_immutable(
    outside: Outside, tmp_path: Path, immutable: bool | None, label: str
) -> None:
    """The setting of the repository decides; where it is not told, the worse is assumed and said."""
    told = by_name(foreseen(committed(tmp_path / "project", tag="v1.2.3"), outside, immutable=immutable))
    effect = told["github-release"].effects[1]
    assert effect.label == label
    assert ("if the repository makes" in effect.what) is (immutable is None)


def test_whether_releases_are_immutable_is_asked_of_who_may_say(outside: Outside, tmp_path: Path) -> None:
    """Administrators see the setting; to others a frozen latest release shows it, and nothing else does."""
    project = project_at(tmp_path / "project", "1.2.3")
    places = outside.places(project)
    admin = outside.places(project, token=ADMIN_TOKEN)
    assert (immutable_releases(admin), immutable_releases(places)) == (False, None)
    outside.github.set_immutable_releases(True)
    assert (immutable_releases(admin), immutable_releases(places)) == (True, None)
    outside.release("1.2.2")
    assert immutable_releases(outside.places(project, token="")) is True
    outside.fault("github:502x9")
    assert immutable_releases(places) is None


def test_the_deadline_is_the_index_s_own(outside: Outside, tmp_path: Path) -> None:
    """A release begun five days ago can be completed for nine more, and what is sealed is warned of."""
    wheel = min(outside.make("1.2.3"))
    outside.upload("1.2.3", "testpypi", only=[wheel])
    told = by_name(foreseen(committed(tmp_path / "project", tag="v1.2.3"), outside, now=NOW + timedelta(days=5)))
    assert [effect.label for effect in told["upload-testpypi"].effects] == [
        "never", f"until {NOW + timedelta(days=14):%Y-%m-%d}", "reversible",
    ]  # fmt: skip
    assert any("has one file of version 1.2.3 already" in why for why in told["build"].why)
    assert told["upload-testpypi"].effects[0].what.startswith("the files that build makes on Test PyPI")


def test_only_what_an_index_lacks_is_an_effect(outside: Outside, tmp_path: Path) -> None:
    """With the manifest of the GitHub Release: what is missing is named, and a complete index suffers nothing."""
    wheel, sdist = sorted(outside.make("1.2.3"))
    outside.upload("1.2.3", "testpypi")
    outside.upload("1.2.3", "pypi", only=[wheel])
    outside.release("1.2.3")
    told = by_name(foreseen(committed(tmp_path / "project", tag="v1.2.3"), outside))
    assert [effect.what for effect in told["upload-testpypi"].effects] == ["nothing: Test PyPI has every file already"]
    assert told["upload-pypi"].effects[0].what.startswith(f"{sdist} on PyPI")


def test_every_gate_that_would_refuse_is_named(outside: Outside, tmp_path: Path) -> None:
    """No tag, uncommitted changes, another version in the module: all three at once, and what waits for it."""
    project = committed(tmp_path / "project", module="1.2.2")
    (project.root / "new.py").write_text("x = 1\n", encoding="utf-8")
    told = foreseen(project, outside)
    assert told.refused
    refused = by_name(told)["build"]
    assert refused.verdict == "refused"
    text = "\n".join(refused.why)
    assert "v1.2.3: does not point at this commit" in text
    assert "the work tree differs from" in text
    assert "src/tiny_thing/__init__.py:1: says 1.2.2, pyproject.toml says 1.2.3" in text
    assert {one.verdict for one in told.stages[1:]} == {"waits"}
    assert told.stages[-1].why == ("for build, which is refused",)


def test_a_tag_of_another_version_refuses(outside: Outside, tmp_path: Path) -> None:
    """What the commit was meant to be is said before anything is built."""
    told = foreseen(committed(tmp_path / "project", tag="v1.3.0"), outside)
    assert any("v1.3.0: is at this commit, but pyproject.toml says 1.2.3" in why for why in told.stages[0].why)


def test_without_git_nothing_would_be_built(outside: Outside, tmp_path: Path) -> None:
    """A folder that is no clone: build is refused in git's words, the rest waits."""
    told = foreseen(project_at(tmp_path / "project", "1.2.3"), outside)
    assert (told.stages[0].verdict, told.refused) == ("refused", True)
    assert "git" in told.stages[0].why[0]


def test_a_pre_release_stops_at_test_pypi(outside: Outside, tmp_path: Path) -> None:
    """Policy leaves PyPI out, with its reason, and nothing of it is labelled."""
    told = by_name(foreseen(committed(tmp_path / "project", "1.2.3rc1", tag="v1.2.3rc1"), outside))
    assert told["upload-pypi"].verdict == "left out"
    assert "is a pre-release" in told["upload-pypi"].why[0]
    assert told["upload-pypi"].effects == ()
    assert "once Test PyPI is complete" in told["github-release"].effects[1].what


def test_an_interrupted_run_is_noted_and_left_as_it_is(outside: Outside, tmp_path: Path) -> None:
    """What a killed run left is not cleaned up by looking."""
    project = committed(tmp_path / "project", tag="v1.2.3")
    left = project.root / "release" / "1.2.3" / ".staged" / "sign"
    left.mkdir(parents=True)
    told = foreseen(project, outside, source=read_source(project.root))
    assert told.notes[0] == "an interrupted run left sign: the next run finishes or undoes it first"
    assert left.is_dir()


def test_a_damaged_directory_refuses(outside: Outside, tmp_path: Path) -> None:
    """A file that no stage put there stops the run, and is named."""
    project = committed(tmp_path / "project", tag="v1.2.3")
    directory = ReleaseDirectory(path=project.root / "release" / "1.2.3")
    with directory.staging("build") as staging:
        staging.path("dist/x.whl").write_bytes(b"wheel")
        directory.commit(staging, receipt("build"))
    (directory.dist / "foreign.whl").write_bytes(b"?")
    (project.root / ".git" / "info" / "exclude").write_text("release/\n", encoding="utf-8")
    told = foreseen(project, outside)
    assert told.stages[0].verdict == "refused"
    assert any("foreign.whl" in why for why in told.stages[0].why)


class Told(Stage):
    """A stage that answers as it was told."""

    lock = "build"

    def __init__(self, name: str, **answers: Any) -> None:
        self.name = name
        self.answers = answers

    def inputs(self, context: Context) -> Inputs:
        return Inputs(settings={"x": 1})

    def gates(self, context: Context) -> list[Finding]:
        return list(self._answer("gates", [], context))

    def confirm(self, context: Context) -> str:
        return str(self._answer("confirm", "", context))

    def exempt(self, context: Context) -> str:
        return str(self.answers.get("exempt", ""))

    def act(self, context: Context, staging: object) -> Evidence:
        raise AssertionError("looking has run a stage")

    def _answer(self, question: str, otherwise: Any, context: Context) -> Any:
        answer = self.answers.get(question, otherwise)
        if callable(answer):
            return answer(context)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
def told(tmp_path: Path, outside: Outside, monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Foreseen]]:
    """Forecast stages that answer as told; those of ``receipts`` have one, with that ``x`` in its key."""
    project = committed(tmp_path / "project")
    directory = ReleaseDirectory(path=project.root / "release" / "1.2.3")

    def ask_them(
        answers: Mapping[str, Mapping[str, Any]], receipts: Mapping[str, int] | None = None, *, answering: bool = True
    ) -> dict[str, Foreseen]:
        for stage in STAGES:
            x = (receipts or {}).get(stage, 1)
            if receipts is not None and x == 0:
                continue
            key = key_of(
                stage=stage, world="publish", project="tiny-thing", version="1.2.3", lock=read_lock("build").digest,
                files={}, settings={"x": x},
            )  # fmt: skip
            with directory.staging(stage) as staging:
                for name in ["dist/x.whl"] if stage == "build" else []:
                    staging.path(name).write_bytes(b"wheel")
                directory.commit(staging, receipt(stage, world="publish", key=key))
        monkeypatch.setattr(forecast, "stage_of", lambda name: Told(name, **answers.get(name, {})))
        return by_name(foreseen(project, outside if answering else None))

    return ask_them


def test_done_is_what_key_and_outside_confirm(told: Callable[..., dict[str, Foreseen]]) -> None:
    """Same key and confirmed: done, without any gate being asked."""
    found = told({stage: {"gates": AssertionError("asked")} for stage in STAGES})
    assert {one.verdict for one in found.values()} == {"done"}
    assert not any(one.effects for one in found.values())


def test_what_the_outside_denies_runs_again_and_the_rest_after_it(told: Callable[..., dict[str, Foreseen]]) -> None:
    """A doubt of one stage is its reason to run; what rests on it may be skipped, what does not stays done."""
    found = told({"upload-testpypi": {"confirm": "the index shows 1 of 2 files"}})
    assert (found["upload-testpypi"].verdict, found["upload-testpypi"].why) == (
        "run",
        ("the index shows 1 of 2 files",),
    )
    assert found["smoke"].why == ("after upload-testpypi; skipped if what it takes in stays as it is",)
    assert (found["wheelhouse"].verdict, found["verify"].verdict) == ("done", "run")


def test_changed_inputs_missing_receipts_and_missing_files_run(told: Callable[..., dict[str, Foreseen]]) -> None:
    """Another key, no receipt: each with its own reason."""
    found = told({}, {"sign": 2, "wheelhouse": 0})
    assert found["sign"].why == ("what it takes in has changed since its receipt",)
    assert found["wheelhouse"].why == ("not done for this release yet",)
    assert found["build"].verdict == "done"


def test_refusals_and_warnings_of_gates(told: Callable[..., dict[str, Foreseen]]) -> None:
    """An error refuses and holds up what rests on it, and nothing else; a warning is said and holds up nothing."""
    error = Finding(code="x", subject="dist", message="is odd", remedy="mend it")
    warning = Finding(code="y", subject="log", message="is silent", severity=Severity.WARNING)
    found = told(
        {"check": {"gates": [error, warning]}, "wheelhouse": {"gates": [warning]}}, {"check": 2, "wheelhouse": 2}
    )
    assert (found["check"].verdict, found["check"].why) == ("refused", ("dist: is odd -> mend it",))
    assert found["upload-testpypi"].why == ("for check, which is refused",)
    assert found["smoke"].verdict == "waits"
    assert found["wheelhouse"].why[1] == "warning: log: is silent"
    assert found["wheelhouse"].verdict == "run"


def test_who_cannot_be_asked_leaves_it_unknown(told: Callable[..., dict[str, Foreseen]]) -> None:
    """A silent index makes its stage unknown, not done and not refused."""
    silence = Unreachable(url="https://x.invalid/", cause="silent", attempts=1, sent=False)
    found = told({"upload-pypi": {"confirm": silence}})
    assert found["upload-pypi"].verdict == "unknown"
    assert "no answer from https://x.invalid/" in found["upload-pypi"].why[0]


def test_no_tool_is_ever_started(told: Callable[..., dict[str, Foreseen]]) -> None:
    """A gate that reaches for a tool, a worker or an interpreter is stopped there, and asked when it runs."""
    for reach in (
        lambda context: context.environment.python,
        lambda context: context.environment.run(["rm"], env={}),
        lambda context: context.environment.work("verify", {}, env={}),
    ):
        found = told({"sign": {"gates": reach}}, {"sign": 2})
        assert found["sign"].why == ("its last gates need tools of its own and are asked when it runs",)


def test_with_nobody_to_ask_receipts_are_only_receipts(told: Callable[..., dict[str, Foreseen]]) -> None:
    """Without services what is local is done; what is outside is said to be unproven."""
    found = told({}, answering=False)
    unknown = {"upload-testpypi", "smoke", "upload-pypi", "github-release", "verify"}
    assert {one.stage for one in found.values() if one.verdict == "unknown"} == unknown
    assert {one.stage for one in found.values() if one.verdict == "done"} == set(STAGES) - unknown


def test_policy_leaves_a_stage_out(told: Callable[..., dict[str, Foreseen]]) -> None:
    """What a stage is exempt from is no reason for others to wait."""
    found = told({"smoke": {"exempt": "Test PyPI was unavailable"}})
    assert (found["smoke"].verdict, found["upload-pypi"].verdict) == ("left out", "done")


def test_a_publish_from_here_is_told_as_it_would_be(tmp_path: Path) -> None:
    """Outside the workflow, and in a job of another one: what stops it before its first stage."""
    project = committed(tmp_path / "project", tag="v1.2.3")
    source = read_source(project.root)
    assert "a publish happens in the workflow publish-pypi.yml" in hindrances(project, environ={}, source=source)[0]
    job = {
        "GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "Owner/repo", "GITHUB_REF": "refs/tags/v1.2.3",
        "GITHUB_WORKFLOW_REF": "Owner/repo/.github/workflows/publish-pypi.yml@refs/tags/v1.2.3",
        "GITHUB_SHA": source.commit, "GITHUB_EVENT_NAME": "push",
    }  # fmt: skip
    assert hindrances(project, environ=job, source=source) == ()
    (stopping,) = hindrances(project, environ={**job, "GITHUB_SHA": "f" * 40}, source=source)
    assert "this job runs on ffffffffffff" in stopping


def test_what_the_policy_of_a_world_leaves_out_is_left_out(outside: Outside, tmp_path: Path) -> None:
    """A world that has no part for a stage says so in its policy; the runner passes it over, and so does the plan."""
    project = committed(tmp_path / "project", tag="v1.2.3")
    policy = replace(policy_of(project, label="publish", environ={}), left_out={"smoke": "nothing to install from"})
    told = by_name(foreseen(project, outside, policy=policy))
    assert (told["smoke"].verdict, told["smoke"].why) == ("left out", ("nothing to install from",))
