"""Tags on the commit, held against the version."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from e2e.projects import git
from inspection.outside import project_at

from hephaestus.inspection.tags import contradicting_tags


def test_a_tag_is_held_against_version_and_settings(tmp_path: Path) -> None:
    """No git, no tag and the right tag are nothing; a lightweight one is told where annotated ones are asked for."""
    project = project_at(tmp_path / "project", "1.2.3")
    assert contradicting_tags(project) == []
    git(project.root, "init", "-q")
    git(project.root, "add", "--all")
    git(project.root, "commit", "-q", "-m", "first")
    assert contradicting_tags(project) == []
    git(project.root, "tag", "v1.2.3")
    assert contradicting_tags(project) == []
    strict = dataclasses.replace(project, config=dataclasses.replace(project.config, annotated_tags=True))
    (finding,) = contradicting_tags(strict)
    assert finding.code == "tag-lightweight"
    git(project.root, "tag", "--annotate", "--force", "-m", "v1.2.3", "v1.2.3", "HEAD")
    assert contradicting_tags(strict) == []
    git(project.root, "tag", "v2.0")
    assert contradicting_tags(strict) == [], "the right one is there too"
