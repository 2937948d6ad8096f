"""``hephaestus release plan``: everything a run would do, and nothing done."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from cli.conftest import Said
from inspection.outside import Outside
from inspection.test_forecast import Told, committed, git
from report.releases import receipt

from hephaestus.release.receipts import key_of
from hephaestus.release.root import ReleaseRoot
from hephaestus.release.source import read_source
from hephaestus.toolchain.locks import read_lock


@pytest.fixture
def project(published: Outside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clean, tagged clone, and the current folder in it; no workflow job."""
    root = committed(tmp_path / "clone", tag="v1.2.3").root
    monkeypatch.chdir(root)
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    return root


def kept(*roots: Path) -> dict[str, str]:
    """Every file below these folders, by digest."""
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for root in roots
        for path in root.rglob("*")
        if path.is_file()
    }


def test_a_plan_of_a_publish_reads_and_does_nothing(published: Outside, project: Path, says: Said) -> None:
    """Only questions reach the services; project, indexes and GitHub keep every byte; the labels are all there."""
    published.upload("1.2.3", "testpypi", only=[next(iter(published.make("1.2.3")))])
    before = kept(project, published.folder)
    published.listeners.requests.clear()
    code, out, err = says("release", "plan", "--publish")
    assert (code, err) == (1, "")
    assert "what `nox -s release -- --publish` would do now; nothing was sent" in out
    assert "REFUSED  refused: a publish happens in the workflow" in out
    assert {request.method for _, request in published.listeners.requests} <= {"GET", "HEAD"}
    assert kept(project, published.folder) == before
    for label in ("[reversible]", "[never]", "[until 20"):
        assert label in out


def test_in_its_job_a_plan_refuses_nothing(
    published: Outside, project: Path, says: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job of the workflow at the tag: every stage runs, exit code 0."""
    commit = (project / ".git" / "refs" / "heads").iterdir().__next__().read_text(encoding="utf-8").strip()
    for name, value in {
        "GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "Owner/repo", "GITHUB_REF": "refs/tags/v1.2.3",
        "GITHUB_WORKFLOW_REF": "Owner/repo/.github/workflows/publish-pypi.yml@refs/tags/v1.2.3",
        "GITHUB_SHA": commit, "GITHUB_EVENT_NAME": "push",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    code, out, _ = says("release", "plan", "--publish", "--json")
    told = json.loads(out)
    assert (code, told["refused"], told["hindrances"]) == (0, False, [])
    assert {stage["verdict"] for stage in told["stages"]} == {"run"}


def test_a_plan_of_a_first_rehearsal(project: Path, says: Said) -> None:
    """Nothing was rehearsed yet: everything runs, no folder is made, and the labels are said to be a publish's."""
    code, out, err = says("release", "plan")
    assert (code, err) == (0, "")
    assert "the labels say what a publish could not take back" in out
    assert not (project / "release").exists()


def test_dirt_stops_a_publish_and_not_a_rehearsal(published: Outside, project: Path, says: Said) -> None:
    """Uncommitted changes: a rehearsal takes them and says so, a publish refuses."""
    (project / "new.py").write_text("x = 1\n", encoding="utf-8")
    code, out, _ = says("release", "plan")
    assert code == 0
    assert "rehearsing uncommitted changes" in out
    code, out, _ = says("release", "plan", "--publish")
    assert code == 1
    assert "the work tree differs from" in out


def test_no_clone_is_a_refusal_and_no_traceback(published: Outside, here: Path, says: Said) -> None:
    """In a folder that git does not know build would refuse; so does the plan."""
    code, out, _ = says("release", "plan")
    assert code == 1
    assert "build            refused" in out
    git(here, "init", "-q")
    code, out, _ = says("release", "plan", "--publish", "--json")
    assert code == 1
    assert json.loads(out)["stages"][0]["verdict"] == "refused"


def test_going_back_to_a_former_source_finds_its_rehearsal(
    project: Path, says: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another source was rehearsed last: the plan is of the one kept for this source, and nobody is moved about."""
    monkeypatch.setattr("hephaestus.inspection.forecast.stage_of", Told)
    root = ReleaseRoot(path=project / "release", rehearsal=True)
    kept_for = root.former("1.2.3", read_source(project).digest)
    key = key_of(
        stage="build", world="rehearsal", project="tiny-thing", version="1.2.3", lock=read_lock("build").digest,
        files={}, settings={"x": 1},
    )  # fmt: skip
    with kept_for.staging("build") as staging:
        kept_for.commit(staging, receipt("build", key=key))
    (root.releases / ".1.2.3.world").write_text(json.dumps({"source": "another"}), encoding="utf-8")
    (project / ".git" / "info" / "exclude").write_text("release/\n", encoding="utf-8")
    before = kept(project)
    code, out, _ = says("release", "plan", "--json")
    told = json.loads(out)
    assert code == 0
    assert told["notes"] == ["the source is another than the one rehearsed last: a fresh world opens, that one is kept"]
    assert [stage["verdict"] for stage in told["stages"][:2]] == ["done", "run"]
    assert kept(project) == before


def test_a_plan_is_of_the_run_with_these_options(project: Path, says: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    """--keep-world keeps the last stand-ins, --redo forces a stage that is done; the command says both."""
    monkeypatch.setattr("hephaestus.inspection.forecast.stage_of", Told)
    (project / ".git" / "info" / "exclude").write_text("release/\n", encoding="utf-8")
    root = ReleaseRoot(path=project / "release", rehearsal=True)
    directory = root.directory("1.2.3")
    for stage in ("build", "sign", "check"):
        key = key_of(
            stage=stage, world="rehearsal", project="tiny-thing", version="1.2.3", lock=read_lock("build").digest,
            files={}, settings={"x": 1},
        )  # fmt: skip
        with directory.staging(stage) as staging:
            directory.commit(staging, receipt(stage, key=key))
    (root.releases / ".1.2.3.world").write_text(json.dumps({"source": "another"}), encoding="utf-8")

    def verdicts(*words: str) -> tuple[str, dict[str, str]]:
        told = json.loads(says("release", "plan", "--json", *words)[1])
        return told["command"], {stage["stage"]: stage["verdict"] for stage in told["stages"][:3]}

    assert verdicts() == ("nox -s release", {"build": "run", "sign": "run", "check": "run"})
    kept_world = "nox -s release -- --keep-world"
    assert verdicts("--keep-world") == (kept_world, {"build": "done", "sign": "done", "check": "done"})
    command, redone = verdicts("--keep-world", "--redo", "sign")
    assert command == "nox -s release -- --redo=sign --keep-world"
    assert redone == {"build": "done", "sign": "run", "check": "run"}
    assert "asked for by --redo" in says("release", "plan", "--keep-world", "--redo", "sign")[1]
    assert verdicts("--keep-world", "--redo", "*")[1] == {"build": "run", "sign": "run", "check": "run"}


def test_a_plan_takes_the_tag_and_the_wheels_of_the_run(project: Path, says: Said) -> None:
    """A tag that contradicts the version refuses build, as it would the run; a folder without wheels does too."""
    code, out, _ = says("release", "plan", "--tag", "v9.9.9")
    assert code == 1
    assert "what `nox -s release -- --tag=v9.9.9` would do now" in out
    assert "build            refused" in out
    assert says("release", "plan", "--tag", "v1.2.3")[0] == 0
    (project.parent / "no wheels").mkdir()
    code, out, _ = says("release", "plan", "--from", "../no wheels")
    assert code == 1
    assert "nox -s release -- '--from=../no wheels'" in out
    assert "build            refused" in out


def test_a_run_that_would_not_begin_has_no_plan(project: Path, says: Said) -> None:
    """An unknown stage, no such folder, a rehearsal's option in a publish: all said at once, nobody asked."""
    code, out, err = says("release", "plan", "--publish", "--redo", "nope", "--from", "nowhere", "--keep-world")
    assert (code, out) == (1, "")
    assert "--redo nope: no such stage" in err
    assert "--from nowhere: no such folder" in err
    assert "--keep-world belongs to a rehearsal" in err
