"""Release notes of a stage: what build recorded, however the checkout has changed since; never longer than allowed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from e2e.projects import git
from stages.releases import VERSION
from stages.standins import Scene, edit_receipt

from hephaestus.release.source import read_source
from hephaestus.services.releases import NOTES_LIMIT
from hephaestus.stages.notes import recorded_changes, release_notes

SECTIONS = f"# C\n\n## [Unreleased]\n\n- later\n\n## [{VERSION}] - 2026-01-02\n\n- at the commit\n"


def recorded(scene: Scene, **changes: object) -> None:
    """Put another evidence of the changes into build's receipt."""
    receipt = scene.directory.receipt("build")
    assert receipt is not None
    evidence = {key: value for key, value in receipt.evidence.items() if key != "changes"}
    edit_receipt(scene.directory, "build", evidence={**evidence, **changes})


def committed(scene: Scene) -> str:
    """Commit the scene's project; returns the commit."""
    git(scene.root, "init", "-q", "-b", "main")
    (scene.root / ".gitignore").write_text("/release/\n", encoding="utf-8")
    git(scene.root, "add", "--all")
    git(scene.root, "commit", "-q", "-m", "feat: begin")
    return git(scene.root, "rev-parse", "HEAD").strip()


def test_a_later_checkout_does_not_change_the_notes(scene: Scene) -> None:
    """The notes are what build recorded: another changelog in the work tree, or none, makes no difference."""
    before = release_notes(scene.context("verify"))
    (scene.root / "CHANGELOG.md").write_text(f"# C\n\n## [{VERSION}]\n\n- rewritten since\n", encoding="utf-8")
    assert release_notes(scene.context("verify")) == before
    (scene.root / "CHANGELOG.md").unlink()
    assert release_notes(scene.context("verify")) == before
    assert before.startswith("- Tells tiny things.\n\n## Files\n")
    assert all(digest in before for digest in scene.digests.values())


def test_a_release_built_before_notes_were_recorded_tells_its_commits_changelog(scene: Scene) -> None:
    """Without a record the changelog of the built commit is asked by git, not the one that lies there."""
    (scene.root / "CHANGELOG.md").write_text(SECTIONS, encoding="utf-8")
    commit = committed(scene)
    (scene.root / "CHANGELOG.md").write_text(SECTIONS.replace("at the commit", "in the work tree"), encoding="utf-8")
    recorded(scene)
    edit_receipt(scene.directory, "build", commit=commit)
    assert release_notes(scene.context("verify")).startswith("- at the commit\n\n## Files")


@pytest.mark.parametrize("changes", [{}, {"changes": {"text": "", "from": ""}}])
def test_without_anything_to_tell_the_notes_still_say_what_is_released(
    scene: Scene, changes: dict[str, object]
) -> None:
    """No record and no repository, or nothing recorded: the version and every digest."""
    recorded(scene, **changes)
    notes = release_notes(scene.context("verify"))
    assert notes.startswith(f"Release {VERSION}.")
    assert all(digest in notes for digest in scene.digests.values())


@pytest.mark.parametrize("folder", ["", "packages/core/"])
def test_long_notes_are_cut_with_a_link_to_the_rest(scene: Scene, folder: str) -> None:
    """What GitHub would refuse as too long is cut after a whole line; the link leads to the package's changelog."""
    text = "\n".join(f"- change {n} {'x' * 80}" for n in range(3000))
    recorded(scene, changes={"text": text, "from": "changelog"}, source={"prefix": folder})
    notes = release_notes(scene.context("verify"))
    assert NOTES_LIMIT - 200 < len(notes) <= NOTES_LIMIT
    changes, _, files = notes.partition("\n\n## Files\n")
    repository = scene.world.github.repository
    last, _, link = changes.rpartition("\n\n")
    assert last.endswith("x" * 80)
    assert link.endswith(f"https://github.com/{repository}/blob/v{VERSION}/{folder}CHANGELOG.md")
    assert all(digest in files for digest in scene.digests.values())


def test_build_records_the_commit_and_in_a_rehearsal_of_edits_the_work_tree(scene: Scene) -> None:
    """Clean: the changelog of the commit. With uncommitted changes: the one that is rehearsed."""
    (scene.root / "CHANGELOG.md").write_text(SECTIONS, encoding="utf-8")
    committed(scene)
    context = scene.context("verify")
    clean = read_source(scene.root)
    assert recorded_changes(context, clean) == {"text": "- at the commit", "from": "changelog"}
    (scene.root / "CHANGELOG.md").write_text(SECTIONS.replace("at the commit", "in the work tree"), encoding="utf-8")
    assert recorded_changes(context, clean)["text"] == "- at the commit"
    assert recorded_changes(context, read_source(scene.root))["text"] == "- in the work tree"


def test_build_records_commits_where_no_changelog_tells(scene: Scene) -> None:
    """Without a section of this version: the commits' first lines; without commits a warning says what will lack."""
    (scene.root / "CHANGELOG.md").unlink()
    committed(scene)
    context = scene.context("verify")
    source = read_source(scene.root)
    told = recorded_changes(context, source)
    assert told["from"] == "commits"
    assert "### Added\n\n- begin (" in told["text"]
    nowhere = replace(context, project=replace(context.project, root=scene.root / "release"))
    (scene.root / ".git").rename(scene.root / "no-git")
    assert recorded_changes(nowhere, source) == {"text": "", "from": ""}
    assert "name the files only" in scene.said()
