"""An sdist against its commit: what is missing, added and changed, and which of it must never be published."""

from __future__ import annotations

from pathlib import Path

import pytest
from standins.index.distributions import make_sdist

from hephaestus.release.errors import Severity
from hephaestus.release.metadata import BrokenDistribution
from hephaestus.release.sdist_contents import (
    SdistContents,
    compare_sdist,
    folded,
    sdist_findings,
    sdist_members,
    tree_members,
)


def codes(*added: str) -> dict[str, str]:
    contents = compare_sdist({}, dict.fromkeys(added, "digest"))
    return {finding.message.split(" ")[0]: finding.code for finding in sdist_findings("x", contents, kept=added)}


@pytest.mark.parametrize(
    "name",
    [
        ".env",
        "conf/.env.production",
        ".venv/lib/x.py",
        "venv/bin/activate",
        "env/bin/python",
        ".nox/a/b",
        ".tox/py311/x",
        "node_modules/a/index.js",
        "a/__pycache__/b.cpython-311.pyc",
        "b.pyc",
        ".mypy_cache/x",
        ".pytest_cache/v/x",
        ".ruff_cache/x",
        ".hypothesis/x",
        ".git/HEAD",
        "sub/.git/config",
        ".hg/store",
        "deploy.pem",
        "tls/server.key",
        "id_rsa",
        ".ssh/id_ed25519",
        ".pypirc",
        ".netrc",
        ".npmrc",
        ".aws/credentials",
        ".coverage",
        ".DS_Store",
    ],
)
def test_secrets_caches_and_environments_are_errors(name: str) -> None:
    """What the commit does not have and nobody should ever get is an error that names the file."""
    assert codes(name) == {name: "sdist-unclean"}


@pytest.mark.parametrize(
    "name", ["keys.py", "environment.py", "src/venv.py", "pycache.txt", "git/config", "a.keys", "env.py", "b.pyci"]
)
def test_names_that_only_look_alike_are_warnings(name: str) -> None:
    """A module about keys is no key."""
    assert codes(name) == {"one": "sdist-added"}


@pytest.mark.parametrize(
    "name", ["PKG-INFO", "setup.cfg", "setup.py", "src/p.egg-info/SOURCES.txt", "p.egg-info/PKG-INFO"]
)
def test_what_backends_generate_is_no_finding(name: str) -> None:
    """The files that setuptools and others write into every sdist belong there, added or rewritten."""
    assert compare_sdist({}, {name: "a"}) == SdistContents()
    assert compare_sdist({name: "a"}, {name: "b"}) == SdistContents()


def test_a_committed_certificate_is_the_projects_own_business() -> None:
    """What stands in the commit is public already; only what it lacks can be an accident."""
    assert compare_sdist({"tests/ca.pem": "a"}, {"tests/ca.pem": "a"}) == SdistContents()


def test_files_are_read_alike_from_folder_and_archive(tmp_path: Path) -> None:
    """The same files in a tree and in an sdist have the same names and digests; links go by their target."""
    tree = tmp_path / "tree"
    (tree / "sub").mkdir(parents=True)
    (tree / "sub" / "ü.txt").write_text("x\n", encoding="utf-8")
    (tree / "link").symlink_to("sub/ü.txt")
    path = make_sdist(tmp_path, files={"sub/ü.txt": "x\n"}, links={"link": "sub/ü.txt"})
    members = sdist_members(path)
    assert set(members) == {"PKG-INFO", "pyproject.toml", "backend.py", "tiny_thing.py", "sub/ü.txt", "link"}
    own = tree_members(tree)
    assert own == {name: members[name] for name in own}


def test_a_link_packed_as_its_file_is_the_same() -> None:
    """Backends may follow a link of the commit."""
    assert compare_sdist({"a": "-> b"}, {"a": "digest"}) == SdistContents()
    assert compare_sdist({"a": "-> b"}, {"a": "-> c"}).changed == ("a",)


def test_what_is_left_out_is_told_by_whole_folders() -> None:
    """A folder that is left out is one line, a file of a packed folder is itself; dotted names are not told."""
    left = ["docs/a.md", "docs/deep/b.md", "src/p/extra.py", ".github/x.yml", "tests/.hidden/y"]
    assert folded(left[:3], kept=["src/p/__init__.py"]) == ["docs/", "src/p/extra.py"]
    (finding,) = sdist_findings("x", SdistContents(left_out=tuple(left)), kept=["src/p/__init__.py"])
    assert finding.severity == Severity.WARNING
    assert finding.message == "3 files of the commit not in it: docs/, src/p/extra.py"
    assert sdist_findings("x", SdistContents(left_out=(".gitignore",)), kept=[]) == []


def test_long_lists_are_cut() -> None:
    """A thousand files are counted, eight are named."""
    names = tuple(f"f{number:04}" for number in range(1000))
    (finding,) = sdist_findings("x", SdistContents(added=names), kept=names)
    assert finding.message.startswith("1000 files")
    assert finding.message.endswith("f0007 and 992 more")


@pytest.mark.parametrize("content", [b"", b"junk", b"\x1f\x8b\x08\x00"])
def test_what_is_no_sdist_is_told(tmp_path: Path, content: bytes) -> None:
    """An unreadable archive is an error of its own, not a traceback."""
    (tmp_path / "x-1.tar.gz").write_bytes(content)
    with pytest.raises(BrokenDistribution, match=r"x-1\.tar\.gz"):
        sdist_members(tmp_path / "x-1.tar.gz")


def test_what_a_build_is_set_to_write_is_passed_over_unless_it_is_no_such_thing() -> None:
    """The file with the version may be added or changed; a name of secrets is told, whatever a setting says."""
    contents = SdistContents(left_out=("a.py",), added=("p/_v.py", ".env", "b.py"), changed=("p/_v.py", "c.py"))
    assert contents.without(["p/_v.py", ".env", "a.py"]) == SdistContents(
        left_out=("a.py",), added=(".env", "b.py"), changed=("c.py",)
    )
