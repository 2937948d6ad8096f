"""A whole rehearsal of a project whose version comes from the tag, by hatch-vcs, and what its refusals say in nox."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from e2e.projects import Project, git

from hephaestus.toolchain.locks import read_lock_file

VERSIONS = read_lock_file(Path(__file__).parents[2] / "dev" / "backends.txt").versions

PYPROJECT = f"""\
[build-system]
requires = ["hatchling=={VERSIONS["hatchling"]}", "hatch-vcs=={VERSIONS["hatch-vcs"]}"]
build-backend = "hatchling.build"

[project]
name = "tiny-thing"
dynamic = ["version"]
description = "A project that only tests release"
readme = "README.md"
requires-python = ">=3.9"
license = "MIT"
license-files = ["LICENSE"]

[project.scripts]
tiny-thing = "tiny_thing:main"

[tool.hatch.version]
source = "vcs"

[tool.hatch.build.hooks.vcs]
version-file = "src/tiny_thing/_made.py"

[tool.hephaestus.release]
repository = "example/tiny-thing"

[tool.hephaestus.release.build]
reproducible = "off"  # both builds of hatch-vcs are compared in tests/stages/test_build_versions.py
"""

INIT = (
    '"""Tiny."""\n\nfrom tiny_thing._made import __version__\n\n\ndef main():\n    print(f"tiny-thing {__version__}")\n'
)


def test_a_version_of_the_tag_is_released_bumped_and_refused_where_there_is_none(make: Callable[..., Project]) -> None:
    """No tag: refused, both ways named. bump makes one. Then the whole chain; a moved version is not built yet."""
    project = make(version="0.1.0")
    project.write("pyproject.toml", PYPROJECT)
    project.write("src/tiny_thing/__init__.py", INIT)
    project.write(".gitignore", "__pycache__/\n/release/\n_made.py\n")
    git(project.root, "add", "--all")
    git(project.root, "commit", "-q", "-m", "Take the version from the tag")
    ran = project.nox("-s", "build")
    assert ran.code == 1
    assert "no release's tag is at this commit" in ran.output
    assert "nox -s release -- --tag vX.Y.Z" in ran.output
    ran = project.nox("-s", "build", "--", "--publish", "--tag", "v0.2.0")
    assert ran.code == 1
    assert "no release's tag is at this commit" in ran.output
    git(project.root, "config", "user.name", "A")
    git(project.root, "config", "user.email", "a@example.org")
    ran = project.nox("-s", "bump", "--", "minor")
    assert ran.code == 0, ran.output
    assert "comes from the tag (tool.hatch.version.source): what is made is the tag" in ran.output
    assert git(project.root, "tag", "--points-at", "HEAD").split() == ["v0.1.0"]
    ran = project.nox("-s", "release")
    assert ran.code == 0, ran.output
    assert project.served("pypi") == project.digests()
    assert sorted(project.digests()) == ["tiny_thing-0.1.0-py3-none-any.whl", "tiny_thing-0.1.0.tar.gz"]
    assert project.receipt("build")["evidence"]["source"]["tag_assumed"] is False
    assert "that the commit does not have" not in ran.output
    git(project.root, "tag", "-d", "v0.1.0")
    ran = project.nox("-s", "verify", "--no-dependencies", "--", "--tag", "v0.1.1")
    assert ran.code == 1
    assert "0.1.1 has not been built" in ran.output
    assert "every `nox` command ends in `-- --tag v0.1.1`" in ran.output
