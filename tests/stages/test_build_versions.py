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

from hephaestus.release.errors import GateRefused
from hephaestus.release.project import read_project
from hephaestus.stages.build import BuildStage
from hephaestus.stages.frontend import WrongDistributionError
from hephaestus.stages.runner import Outcome, run_stage
from hephaestus.stages.stage import Context, Options
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
def build(context_of: Callable[..., Context]) -> Callable[..., tuple[Outcome, Path]]:
    """Run the build stage, as ``--tag`` has it; returns its outcome and the folder of the distributions."""

    def run(root: Path, *, tag: str = "") -> tuple[Outcome, Path]:
        context = context_of(root, lock="build", options=Options(tag=tag))
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
    build: Callable[..., tuple[Outcome, Path]], commit: Callable[..., Path], name: str
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


#: A backend that asks git for the version, as many a tool does, and is told it by a variable besides.
ASKING = """
import os
import subprocess
from pathlib import Path

import tiny


def _version():
    if Path("PKG-INFO").is_file():
        return Path("PKG-INFO").read_text().partition("\\nVersion: ")[2].split()[0]
    asked = subprocess.run(["git", "describe", "--tags", "--dirty"], check=True, capture_output=True, text=True)
    version = asked.stdout.strip().removeprefix("v")
    if os.environ["PDM_BUILD_SCM_VERSION"] != version:
        raise ValueError(f"told {os.environ['PDM_BUILD_SCM_VERSION']}, asked {version}")
    return VERSION or version


VERSION = ""
_all = tiny._files
tiny._read = lambda: ("tiny_project", _version(), {})
tiny._files = lambda tool: ((name, path) for name, path in _all(tool) if not name.startswith(".git"))
build_sdist, build_wheel = tiny.build_sdist, tiny.build_wheel
"""
ASKED = (
    '[build-system]\nrequires = []\nbuild-backend = "asking"\nbackend-path = ["."]\n\n'
    '[project]\nname = "tiny-project"\ndynamic = ["version"]\n\n'
    '[tool.hephaestus.release]\nversion-from = "tag"\n'
)


def asked(commit: Callable[..., Path], *, version: str = "", text: str = ASKED, **more: str) -> Path:
    """A project whose backend asks git; ``version`` is what it makes of the answer."""
    tiny = (Path(__file__).parent / "tiny_backend.py").read_text(encoding="utf-8")
    backend = ASKING.replace('VERSION = ""', f"VERSION = {version!r}")
    init = {"src/tiny_project/__init__.py": INIT}
    return commit({"tiny.py": tiny, "asking.py": backend, "pyproject.toml": text, **init, **more})


def test_a_tool_nobody_knows_finds_the_tag_in_the_export(
    build: Callable[..., tuple[Outcome, Path]], commit: Callable[..., Path]
) -> None:
    """With `version-from = "tag"` both builds are told, and git answers the same in each, from a clean tree."""
    root = asked(commit)
    git(root, "tag", "v2.0rc1")
    outcome, dist = build(root)
    assert metadata(dist) == {".whl": "Version: 2.0rc1", ".gz": "Version: 2.0rc1"}
    assert outcome.receipt is not None
    assert set(outcome.receipt.evidence["reproducible"]["files"].values()) == {True}


def test_a_rehearsal_builds_the_version_of_the_tag_that_is_named(
    build: Callable[..., tuple[Outcome, Path]], commit: Callable[..., Path]
) -> None:
    """Without a tag at the commit `--tag` names it: assumed, as the receipt says."""
    outcome, dist = build(asked(commit), tag="v3.1")
    assert metadata(dist) == {".whl": "Version: 3.1", ".gz": "Version: 3.1"}
    assert outcome.receipt is not None
    source = outcome.receipt.evidence["source"]
    assert (source["tag"], source["tag_assumed"]) == ("v3.1", True)


def test_a_backend_that_makes_another_version_of_it_is_refused(
    build: Callable[..., tuple[Outcome, Path]], commit: Callable[..., Path]
) -> None:
    """What was read without the backend must be what it builds; nothing of it is kept."""
    root = asked(commit, version="2.0.post1")
    git(root, "tag", "v2.0")
    with pytest.raises(WrongDistributionError) as refused:
        build(root)
    assert "this is version 2.0.post1, the release at hand is 2.0" in str(refused.value)


@pytest.mark.parametrize(
    ("files", "subject", "words"),
    [
        ({".gitignore": "V\n", "V": "1.0\n"}, "V", "is not in the source as git exports it with the version in it"),
        ({".gitattributes": "V export-ignore\n", "V": "1.0\n"}, "V", "is not in the source as git exports it"),
        (
            {"V": "1.0\n", "src/tiny_project/__init__.py": "__version__ = '1.1'\n"},
            "__init__.py",
            "says 1.1, V:1 says 1.0",
        ),
    ],
)
def test_a_file_that_git_does_not_export_with_that_version_is_refused(
    build: Callable[..., tuple[Outcome, Path]],
    commit: Callable[..., Path],
    files: dict[str, str],
    subject: str,
    words: str,
) -> None:
    """Ignored, left out, or contradicted elsewhere in the source: a finding before anything is built."""
    text = ASKED.replace('"tag"', '"V"')
    with pytest.raises(GateRefused) as refused:
        build(asked(commit, text=text, **files))
    assert any(subject in finding.subject and words in finding.message for finding in refused.value.findings)
