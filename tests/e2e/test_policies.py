"""Policies end to end: pre-releases, an optional Test PyPI that is down, a PyPI that is down."""

from __future__ import annotations

import json
from collections.abc import Callable

from e2e.projects import Project

from hephaestus.release.directory import STAGES

DOWN = "downx100000"


def test_a_pre_release_stops_at_test_pypi(make: Callable[..., Project]) -> None:
    """A release candidate goes to Test PyPI, is smoked, becomes a GitHub pre-release, and never reaches PyPI."""
    project = make(version="1.2.3rc1")
    ran = project.nox("-s", "release")
    assert ran.code == 0, ran.output
    assert ran.ended("upload-pypi") == "skipped"
    assert "is a pre-release: Test PyPI only" in ran.output
    assert project.served("testpypi") == project.digests()
    assert project.uploads("pypi") == []
    evidence = project.receipt("github-release")["evidence"]
    assert (evidence["state"], evidence["prerelease"]) == ("published", True)
    told = json.loads((project.directory.path / "summary.json").read_text(encoding="utf-8"))
    assert told["next"] == ""
    assert "nothing is left to do" in ran.output
    assert "nox -s upload-pypi" not in ran.output


def test_an_optional_test_pypi_that_is_down_is_passed_over_and_said(make: Callable[..., Project]) -> None:
    """With testpypi = "optional" and Test PyPI down, the release goes on to PyPI, and the summary says so."""
    project = make(settings='testpypi = "optional"')
    assert project.nox("-s", "build").code == 0
    ran = project.nox("-s", "release", "--", f"--fault=testpypi:{DOWN}")
    assert ran.code == 0, ran.output
    assert project.uploads("testpypi") == []
    assert project.served("pypi") == project.digests()
    told = json.loads((project.directory.path / "summary.json").read_text(encoding="utf-8"))
    assert told["services"]["upload-testpypi"]["state"].startswith("unavailable")
    assert told["next"] == ""
    assert "Test PyPI  unavailable" in ran.output


def test_a_required_test_pypi_that_is_down_stops_before_pypi(before: Callable[[str], Project]) -> None:
    """With Test PyPI required and down, nothing reaches PyPI; the same command later completes the release."""
    project = before("upload-testpypi")
    ran = project.nox("-s", "release", "--", f"--fault=testpypi:{DOWN}")
    assert ran.code == 1
    assert ran.ended("upload-testpypi") == "aborted"
    assert ran.ended("upload-pypi") == "aborted"
    assert ran.ended("github-release") == "success"
    assert project.uploads("pypi") == []
    assert "Traceback" not in ran.output
    later = project.nox("-s", "release")
    assert later.code == 0, later.output
    assert project.stages() == list(STAGES)


def test_without_pypi_the_draft_is_complete_and_the_run_red(before: Callable[[str], Project]) -> None:
    """PyPI down: the GitHub draft holds every asset, the run ends red with a table; a later run publishes all of it."""
    project = before("upload-pypi")
    ran = project.nox("-s", "release", "--", f"--fault=pypi:{DOWN}")
    assert ran.code == 1
    assert ran.ended("upload-pypi") == "aborted"
    assert ran.ended("release") == "aborted"
    evidence = project.receipt("github-release")["evidence"]
    assert evidence["state"] == "draft, complete but not published"
    assert len(evidence["assets"]) == 12
    assert "stays a draft with all 12 assets" in ran.output
    assert "next:" in ran.output
    assert "Traceback" not in ran.output
    later = project.nox("-s", "release")
    assert later.code == 0, later.output
    assert project.receipt("github-release")["evidence"]["state"] == "published"
    assert project.served("pypi") == project.digests()
