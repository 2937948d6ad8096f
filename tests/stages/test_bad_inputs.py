"""The example files of bad sources and of a damaged state, each through the stage that must refuse it."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from examples.collector import Case, cases, holds
from stages.conftest import git, plain_world
from stages.standins import Scene, edit_receipt
from stages.uploads import files_of, stage_of

from hephaestus.release.errors import ReleaseError
from hephaestus.release.source import read_source
from hephaestus.stages.build import BuildStage
from hephaestus.stages.runner import run_stage
from hephaestus.stages.stage import Context, Options
from hephaestus.worlds.world import DirtyPolicy, Policy, TagPolicy

STRICT = Policy(dirty=DirtyPolicy.REFUSE, tag=TagPolicy.REQUIRED)


def project_files(tiny: Mapping[str, str], change: Mapping[str, Any]) -> dict[str, str]:
    """The small project as an example wants it."""
    version = change.get("version", "1.2.3")
    text = tiny["pyproject.toml"].replace('version = "1.2.3"', f'version = "{version}"')
    module = tiny["src/tiny_project/__init__.py"].replace("1.2.3", version)
    return {
        **tiny,
        "pyproject.toml": f"{text}\n{change.get('more', '')}",
        "src/tiny_project/__init__.py": module,
        **change.get("files", {}),
    }


@pytest.mark.parametrize("case", cases("source"), ids=str)
def test_build_refuses(
    case: Case,
    commit: Callable[..., Path],
    context_of: Callable[..., Context],
    tiny: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """build names what is wrong with version, tag or source before any tool is started, and puts nothing out."""
    change = case.change
    root = commit(project_files(tiny, change))
    for words in change.get("git", ()):
        git(root, *words)
    if "then" in change:
        commit(change["then"], message="second")
    if change.get("shallow"):
        git(root, "tag", "v1.2.3")
        commit({"README.md": "later\n"}, message="second")
        git(root, "clone", "-q", "--depth=1", "--no-tags", root.as_uri(), str(tmp_path / "shallow"))
        root = tmp_path / "shallow"
    for name, text in change.get("write", {}).items():
        (root / name).write_text(text, encoding="utf-8")
    if "write_bytes" in change:
        name = os.fsdecode(change["write_bytes"].encode().decode("unicode_escape").encode("latin-1"))
        (root / name).write_bytes(b"")
    if change.get("without_git"):
        shutil.rmtree(root / ".git")
        monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    for name, value in change.get("environ", {}).items():
        monkeypatch.setenv(name, value)
    if "path" in change:
        monkeypatch.setenv("PATH", change["path"])
    policy = dataclasses.replace(STRICT, **change.get("policy", {}))
    world = plain_world(tmp_path, policy=policy) if change.get("strict") else None

    def build() -> None:
        read_source(root)
        context = context_of(root, lock="build", world=world, options=Options(tag=change.get("tag", "")))
        run_stage(BuildStage(ask=lambda *_: {}), context, recorder=context.environment)  # type: ignore[arg-type]

    with pytest.raises(ReleaseError) as raised:
        build()
    holds(case, raised.value)
    assert not list(root.glob("release/rehearsal/*/*/*"))


def damaged(folder: Path, change: Mapping[str, Any], scene: Scene) -> None:
    """Damage one thing of a release directory."""
    for name, text in change.get("text", {}).items():
        (folder / name).write_text(text, encoding="utf-8")
    if name := change.get("cut"):
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: len(content) // 2])
    if replaced := change.get("replace"):
        text = (folder / replaced["file"]).read_text(encoding="utf-8")
        assert replaced["old"] in text
        (folder / replaced["file"]).write_text(text.replace(replaced["old"], replaced["new"], 1), encoding="utf-8")
    missing = change.get("missing", [])
    for name in [missing] if isinstance(missing, str) else missing:
        (folder / name).unlink()
    if name := change.get("flip"):
        content = bytearray((folder / name).read_bytes())
        content[len(content) // 2] ^= 1
        (folder / name).write_bytes(content)
    if name := change.get("link"):
        elsewhere = scene.root / "elsewhere"
        (folder / name).rename(elsewhere)
        (folder / name).symlink_to(elsewhere)
    if copied := change.get("copy"):
        shutil.copyfile(folder / copied["from"], folder / copied["to"])
    if receipt := dict(change.get("receipt", {})):
        edit_receipt(scene.directory, receipt.pop("stage"), **receipt)


@pytest.mark.parametrize("case", cases("state"), ids=str)
def test_upload_refuses_a_damaged_release(case: Case, scene: Scene) -> None:
    """upload-pypi names the file or receipt that is not as it must be; nothing is sent and nothing is changed."""
    damaged(scene.directory.path, case.change, scene)
    held = files_of(scene.directory.path)
    with pytest.raises(ReleaseError) as raised:
        scene.run(stage_of(scene))
    holds(case, raised.value)
    assert files_of(scene.directory.path) == held
    assert scene.sent("pypi") == []
