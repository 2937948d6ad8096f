"""What is pinned is kept up: Dependabot watches every lock and every action; `nox -s lock` makes every lock."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from workflows.documents import GITHUB, ROOT

from hephaestus.toolchain.locks import INSTALL_OPTIONS, read_lock_file

sys.path.insert(0, str(ROOT))

from dev.sessions import LOCK_FOLDERS

UPDATES = YAML(typ="safe", pure=True).load((GITHUB / "dependabot.yml").read_text(encoding="utf-8"))["updates"]
FOLDERS = [ROOT / folder for folder in LOCK_FOLDERS]
LOCKS = sorted(path for folder in FOLDERS for path in folder.glob("*.txt"))
TREES = ("src", "tests", "dev", "docs", ".github")


def watched(ecosystem: str) -> set[str]:
    """The folders Dependabot watches for one ecosystem, relative to the project."""
    return {
        folder.strip("/")
        for update in UPDATES
        if update["package-ecosystem"] == ecosystem
        for folder in update.get("directories", [update.get("directory")])
    }


def test_dependabot_watches_the_actions_and_every_lock() -> None:
    """Actions, each folder of locks, and each package-lock.json: nothing pinned grows old unseen."""
    assert watched("github-actions") == {""}
    assert watched("uv") == {folder.as_posix() for folder in LOCK_FOLDERS}
    found = {path.parent.relative_to(ROOT).as_posix() for path in ROOT.glob("tests/**/package-lock.json")}
    assert watched("npm") == found
    assert {update["package-ecosystem"] for update in UPDATES} == {"github-actions", "uv", "npm"}


def test_nothing_newer_than_a_week_is_proposed() -> None:
    """Each ecosystem waits seven days (zizmor asks for them; GitHub waits three) and is one pull request."""
    for update in UPDATES:
        assert update["cooldown"]["default-days"] >= 7
        assert [group["patterns"] for group in update["groups"].values()] == [["*"]]


def test_no_list_with_hashes_lies_where_nobody_makes_it_again() -> None:
    """Every requirements file with hashes in the project is in a folder that `nox -s lock` goes through."""
    hashed = {
        path for tree in TREES for path in (ROOT / tree).rglob("*.txt")
        if "node_modules" not in path.parts and "--hash=sha256:" in path.read_text(encoding="utf-8", errors="replace")
    }  # fmt: skip
    assert hashed == set(LOCKS)


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.stem)
def test_every_lock_can_be_made_again(path: Path) -> None:
    """A lock has its source beside it, hashes throughout, and a head that lets Dependabot's uv do as ours."""
    assert path.with_suffix(".in").is_file()
    assert read_lock_file(path).versions
    head = "".join(line for line in path.read_text(encoding="utf-8").splitlines(keepends=True)[:2] if line[0] == "#")
    assert "--universal" in head
    assert re.search(r"--python-version 3\.11\b", head)
    assert "--generate-hashes" in head
    # Dependabot would copy build options into the lock if it read one here.
    assert "--only-binary" not in head
    assert "://" not in head


def test_every_source_has_its_lock() -> None:
    """No ``.in`` file waits for a lock."""
    sources = {path for folder in FOLDERS for path in folder.glob("*.in")}
    assert {path.with_suffix(".txt") for path in sources} == set(LOCKS)


def test_a_release_job_installs_what_the_suite_needs_and_no_more() -> None:
    """dev/release.in names nox and the project's dependencies, nothing else; its lock holds no tool that builds."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = {re.split(r"[<>=~!\[; ]", each, maxsplit=1)[0] for each in project["dependencies"]}
    named = (ROOT / "dev" / "release.in").read_text(encoding="utf-8").split()
    assert {re.split(r"[<>=~!\[; ]", each, maxsplit=1)[0] for each in named} == wanted
    versions = read_lock_file(ROOT / "dev" / "release.txt").versions
    assert {"nox", "virtualenv"} <= set(versions)
    foreign = {"build", "hatchling", "pip", "pytest", "setuptools", "sigstore", "twine"} & set(versions)
    assert not foreign
    shown = (GITHUB / "workflows" / "publish-pypi.yml").read_text(encoding="utf-8")
    assert " ".join(INSTALL_OPTIONS) in shown


def test_files_have_the_same_bytes_on_every_system(tmp_path: Path) -> None:
    """A checkout as Git for Windows makes it (autocrlf) writes no CRLF, whatever the file: .gitattributes says so."""
    git = ["git", "-c", "core.autocrlf=true", "-c", "core.eol=crlf", "-c", "core.safecrlf=false"]
    for folder, attributes in (("with", (ROOT / ".gitattributes").read_bytes()), ("without", b"")):
        root = tmp_path / folder
        root.mkdir()
        (root / ".gitattributes").write_bytes(attributes)
        (root / "a.txt").write_bytes(b"a\n")
        for words in ("init -q", "add --all"):
            subprocess.run([*git, *words.split()], cwd=root, check=True)
        (root / "a.txt").unlink()
        subprocess.run([*git, "checkout-index", "--all", "--force"], cwd=root, check=True)
    assert (tmp_path / "with" / "a.txt").read_bytes() == b"a\n"
    assert (tmp_path / "without" / "a.txt").read_bytes() == b"a\r\n"


def test_owners_look_at_whatever_decides_what_is_released() -> None:
    """CODEOWNERS names an owner for the workflows, the locks, the noxfile, the metadata and the worlds; all exist."""
    lines = (GITHUB / "CODEOWNERS").read_text(encoding="utf-8").splitlines()
    owned = dict(line.split(" ", 1) for line in lines if line and not line.startswith("#"))
    needed = {
        "/.github/",
        "/dev/",
        "/noxfile.py",
        "/pyproject.toml",
        "/src/hephaestus/toolchain/",
        "/src/hephaestus/worlds/",
    }
    assert needed <= set(owned)
    assert all(owner.startswith("@") for owner in owned.values())
    assert [path for path in owned if not (ROOT / path.strip("/")).exists()] == []


@pytest.mark.parametrize("path", sorted(ROOT.glob("tests/**/package-lock.json")), ids=lambda path: path.parent.name)
def test_every_package_of_node_has_its_hash(path: Path) -> None:
    """A package-lock.json pins each package by SHA-512, from no address of its own and without scripts to run."""
    packages = json.loads(path.read_text(encoding="utf-8"))["packages"]
    others = {name: package for name, package in packages.items() if name}
    assert others
    for name, package in others.items():
        assert package["integrity"].startswith("sha512-"), name
        assert not package.get("hasInstallScript"), name
        assert "resolved" not in package, name
