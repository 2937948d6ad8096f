"""The build stage with versions that are not in [project]: real backends, whose metadata must say what was read here.

The versions of the backends are those of dev/backends.txt.
"""

from __future__ import annotations

import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from stages.conftest import git

from hephaestus.release.project import read_project
from hephaestus.stages.build import BuildStage
from hephaestus.stages.runner import Outcome, run_stage
from hephaestus.stages.stage import Context
from hephaestus.toolchain.locks import read_lock_file

VERSIONS = read_lock_file(Path(__file__).parents[2] / "dev" / "backends.txt").versions
TOP = '[project]\nname = "Demo.Thing"\ndynamic = ["version"]\ndescription = "A demo"\nrequires-python = ">=3.11"\n'
INIT = '"""Demo."""\n'
WRITTEN = f'{INIT}\n__version__ = "1.4.0"\n'

#: what is recognised: backend, what it requires, settings, further files; the file the version is in (empty: the tag)
PROJECTS: dict[str, tuple[str, tuple[str, ...], str, dict[str, str], str]] = {
    "hatchling": (
        "hatchling.build", ("hatchling",),
        '[tool.hatch.version]\npath = "src/demo_thing/about.py"\n',
        {"src/demo_thing/about.py": "VERSION = 'v1.4.0'  # here\n"}, "src/demo_thing/about.py:1",
    ),
    "hatch-vcs": (
        "hatchling.build", ("hatchling", "hatch-vcs"),
        '[tool.hatch.version]\nsource = "vcs"\n[tool.hatch.build.hooks.vcs]\nversion-file = "src/demo_thing/_v.py"\n',
        {".gitignore": "_v.py\n"}, "",
    ),
    "setuptools": (
        "setuptools.build_meta", ("setuptools",),
        '[tool.setuptools.dynamic]\nversion = {attr = "demo_thing.about.release"}\n',
        {"src/demo_thing/about.py": 'import sys\n\nrelease = "1.4.0"\nsys.exit("run")\n'}, "src/demo_thing/about.py:3",
    ),
    "setuptools-scm": (
        "setuptools.build_meta", ("setuptools", "setuptools-scm"),
        '[tool.setuptools_scm]\nversion_file = "src/demo_thing/_v.py"\n',
        {".gitignore": "_v.py\n", "src/demo_thing/data.txt": "packed because git lists it\n"}, "",
    ),
    "flit": (
        "flit_core.buildapi", ("flit-core",), "",
        {"src/Demo_Thing.py": WRITTEN}, "src/Demo_Thing.py:3",
    ),
    "pdm": (
        "pdm.backend", ("pdm-backend",),
        '[tool.pdm.version]\nsource = "file"\npath = "src/demo_thing/about.py"\n',
        {"src/demo_thing/about.py": "__version__ = '1.4.0'\n"}, "src/demo_thing/about.py:1",
    ),
}  # fmt: skip


def project(commit: Callable[..., Path], name: str, *, tag: str = "", **more: str) -> Path:
    """A committed project of that kind, tagged where its version comes from the tag."""
    backend, requires, settings, files, _ = PROJECTS[name]
    pinned = [f"{one}=={VERSIONS[one]}" for one in requires]
    head = f'[build-system]\nrequires = {pinned}\nbuild-backend = "{backend}"\n\n{TOP}'.replace("'", '"')
    package = {} if name == "flit" else {"src/demo_thing/__init__.py": INIT}
    module = '[tool.flit.module]\nname = "Demo_Thing"\n' if name == "flit" else ""
    if PROJECTS[name][4]:
        # Only what is told a version from outside could be told another one the second time.
        module += '[tool.hephaestus.release.build]\nreproducible = "off"\n'
    root = commit({**package, **files, "pyproject.toml": f"{head}\n{settings}{module}", **more})
    if tag:
        git(root, "tag", tag)
    return root


@pytest.fixture
def build(context_of: Callable[..., Context]) -> Callable[[Path], tuple[Outcome, Path]]:
    """Run the build stage; returns its outcome and the folder of the distributions."""

    def run(root: Path) -> tuple[Outcome, Path]:
        context = context_of(root, lock="build")
        try:
            outcome = run_stage(BuildStage(ask=lambda *_: {}), context, recorder=context.environment)
        finally:
            shutil.rmtree(context.work)
        return outcome, context.directory.path / "dist"

    return run


def metadata(dist: Path) -> dict[str, str]:
    """The version in the metadata of every distribution, by the kind of file."""
    found = {}
    for path in dist.iterdir():
        if path.suffix == ".whl":
            with zipfile.ZipFile(path) as wheel:
                name = next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
                text = wheel.read(name).decode()
        else:
            with tarfile.open(path) as sdist:
                name = next(name for name in sdist.getnames() if name.count("/") == 1 and name.endswith("/PKG-INFO"))
                stream = sdist.extractfile(name)
                assert stream is not None
                text = stream.read().decode()
        found[path.suffix] = next(line for line in text.splitlines() if line.startswith("Version: "))
    return found


@pytest.mark.parametrize("name", PROJECTS)
def test_what_is_read_is_what_the_backend_builds(
    build: Callable[[Path], tuple[Outcome, Path]], commit: Callable[..., Path], name: str
) -> None:
    """Read without the backend, built by it twice, once from an export without the tag: one and the same version."""
    place = PROJECTS[name][4]
    root = project(commit, name, tag="" if place else "v1.4.0")
    found = read_project(root)
    assert (found.version, found.tag, found.version_place) == ("1.4.0", "v1.4.0", place or "the tag v1.4.0")
    outcome, dist = build(root)
    assert outcome.receipt is not None
    assert metadata(dist) == {".whl": "Version: 1.4.0", ".gz": "Version: 1.4.0"}
    assert {path.name for path in dist.iterdir()} >= {"demo_thing-1.4.0.tar.gz"}
    assert outcome.receipt.evidence["source"]["tag_assumed"] is bool(place)
    if name == "setuptools-scm":
        (wheel,) = dist.glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            assert "demo_thing/data.txt" in archive.namelist()
            assert b"1.4.0" in archive.read("demo_thing/_v.py")
