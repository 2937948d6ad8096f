"""The commands that look at a release, over a real rehearsal and its living stand-ins: right, and without a trace."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from e2e.projects import Project

from hephaestus.release.directory import STAGES

ROOT = Path(__file__).resolve().parents[2]


def looked(project: Project, *words: str, code: int = 0) -> Any:
    """What a command says as JSON, run as a program in the project's folder."""
    environ = {**project.setting.environ, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        [sys.executable, "-m", "hephaestus", "release", *words, "--json"],
        cwd=project.root, env=environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)


def kept(project: Project) -> dict[str, str]:
    """Every file of the project, release and stand-ins included, by digest; not what they were asked."""
    found = {}
    for folder, _, names in os.walk(project.root):
        for name in names:
            path = Path(folder) / name
            if path.name in ("journal.jsonl", "host.log") and path.parent == project.state:
                continue
            found[path.relative_to(project.root).as_posix()] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def test_a_whole_release_as_the_commands_see_it(released: Project) -> None:
    """Everything done: status asks and agrees, plan leaves nothing to run, audit is clean by real cryptography.

    None of it changes a byte of project, release directory or stand-ins, also not while nobody answers.
    """
    resting = kept(released)
    assert looked(released, "status")["asked"] is None
    verdicts = {one["stage"]: one["verdict"] for one in looked(released, "plan")["stages"]}
    outside = {"upload-testpypi", "smoke", "upload-pypi", "github-release", "verify"}
    assert verdicts == {stage: "unknown" if stage in outside else "done" for stage in STAGES}
    assert kept(released) == resting
    assert released.nox("-s", "build").code == 0
    before = kept(released)
    told = looked(released, "status")
    assert {name: index["state"] for name, index in told["asked"]["indexes"].items()} == {
        "testpypi": "complete", "pypi": "complete",
    }  # fmt: skip
    github = told["asked"]["github"]
    assert (github["state"], github["missing"], github["different"], told["next"]) == ("published", [], [], "")
    plan = looked(released, "plan")
    assert [one["verdict"] for one in plan["stages"]] == ["done"] * len(STAGES)
    assert not any(one["effects"] for one in plan["stages"])
    rollback = looked(released, "rollback", "1.2.3", "--reason", "broken", "--rehearsal")
    assert (rollback["decision"], rollback["instead"], rollback["fix_first"]) == ("yank", "1.2.4", True)
    proof = looked(released, "rollback", "1.2.3", "--verify", "--rehearsal", code=1)
    assert [one["in_force"] for one in proof["proofs"]] == [False, False]
    audit = looked(released, "audit", "--rehearsal", "--verify")
    assert audit["attestations"] == "verified"
    assert [(line["state"], line["index"], line["subject"]) for line in audit["lines"]] == [
        ("PASS", "testpypi", "1.2.3"), ("PASS", "pypi", "1.2.3"),
    ]  # fmt: skip
    assert kept(released) == before


def test_a_release_half_way_as_the_commands_see_it(before: Callable[[str], Project]) -> None:
    """Before PyPI: plan runs what is left with its labels, after an edit everything; no trace but git's own."""
    project = before("upload-pypi")
    assert project.nox("-s", "build").code == 0
    there = kept(project)
    stages = {one["stage"]: one for one in looked(project, "plan")["stages"]}
    assert [stage for stage, one in stages.items() if one["verdict"] == "done"] == list(STAGES[:5])
    assert stages["upload-pypi"]["verdict"] == "run"
    labels = [effect["label"] for effect in stages["upload-pypi"]["effects"]]
    assert labels[0] == "never"
    assert labels[1].startswith("until 20")
    assert labels[2] == "reversible"
    assert "tiny_thing-1.2.3.tar.gz" in stages["upload-pypi"]["effects"][0]["what"]
    assert {one["state"] for one in looked(project, "status")["asked"]["indexes"].values()} == {"complete", "absent"}
    assert kept(project) == there
    ran = project.nox("-s", "upload-pypi", "--no-dependencies", "--", "--fault=pypi:yanked=eats data")
    assert ran.code == 0, ran.output
    asked = looked(project, "status")
    assert [file["yanked"] for file in asked["asked"]["indexes"]["pypi"]["files"]] == ["eats data", "eats data"]
    assert asked["next"] == "hephaestus release rollback 1.2.3 --verify --rehearsal"
    (proof,) = looked(project, "rollback", "1.2.3", "--verify", "--rehearsal", "--index", "pypi")["proofs"]
    assert [one["version"] for one in proof["resolved"]] == [None, "1.2.3", None]
    assert proof["by"].startswith("pip ")
    project.edit()
    plan = looked(project, "plan")
    assert {one["verdict"] for one in plan["stages"]} == {"run"}
    assert any("another than the one rehearsed last" in note for note in plan["notes"])
