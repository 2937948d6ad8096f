"""What pyproject.toml says about this project: the metadata an index and an installer will show."""

from __future__ import annotations

import ast
import importlib
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import trove_classifiers
from packaging.licenses import canonicalize_license_expression
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

import hephaestus

ROOT = Path(__file__).resolve().parents[1]
DATA: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT: dict[str, Any] = DATA["project"]
REPOSITORY = "https://github.com/IAmJonoBo/Hephaestus"

#: The newest Python the project supports; raising it is a line here and a classifier there.
NEWEST = (3, 14)


def names(requirements: list[str]) -> set[str]:
    """The normalized names of requirements."""
    return {canonicalize_name(Requirement(text).name) for text in requirements}


def locked(name: str) -> set[str]:
    """The names a development lock is made from."""
    lines = (ROOT / "dev" / f"{name}.in").read_text(encoding="utf-8").splitlines()
    return names([line for line in lines if line and not line.startswith("#")])


def test_the_name_is_ours() -> None:
    """The distribution is hephaestus-toolkit, in the metadata and in the package; the bare name is someone else's."""
    assert PROJECT["name"] == hephaestus.DISTRIBUTION_NAME == "hephaestus-toolkit"


def test_the_version_is_one() -> None:
    """pyproject.toml, ``__version__`` and the changelog name the same version, in its canonical form."""
    version = PROJECT["version"]
    assert str(Version(version)) == version
    assert hephaestus.__version__ == version
    assert f"\n## [{version}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_description_author_and_keywords_are_as_ordered() -> None:
    """The description is one line, the author has the security address, the six keywords are there."""
    assert PROJECT["description"] == "Developer toolkit for code quality, refactoring, and release automation"
    assert PROJECT["authors"] == [{"name": "Hephaestus Contributors", "email": "security@hephaestus.dev"}]
    assert PROJECT["keywords"] == [
        "quality-gates", "refactoring", "cleanup", "release-automation", "developer-tools", "ci-cd",
    ]  # fmt: skip
    assert PROJECT["readme"] == "README.md"


def test_the_six_addresses_are_there_and_well_known() -> None:
    """Six URLs, all https, five of them below the repository's, labelled as PyPI recognises them."""
    assert set(PROJECT["urls"]) == {"Homepage", "Documentation", "Repository", "Issues", "Changelog", "Security"}
    assert all(url.startswith("https://") for url in PROJECT["urls"].values())
    assert PROJECT["urls"]["Repository"] == REPOSITORY
    elsewhere = {label for label, url in PROJECT["urls"].items() if not url.startswith(REPOSITORY)}
    assert elsewhere == {"Documentation"}


def test_addresses_of_files_name_files_of_this_project() -> None:
    """A URL into the main branch names a file that is here."""
    prefix = f"{REPOSITORY}/blob/main/"
    files = [url.removeprefix(prefix) for url in PROJECT["urls"].values() if url.startswith(prefix)]
    assert sorted(files) == ["CHANGELOG.md", "SECURITY.md"]
    assert [name for name in files if not (ROOT / name).is_file()] == []


def test_the_script_leads_to_the_program() -> None:
    """The one script is ``hephaestus``; what it names can be imported and called."""
    assert PROJECT["scripts"] == {"hephaestus": "hephaestus.cli:app"}
    module, _, attribute = PROJECT["scripts"]["hephaestus"].partition(":")
    assert callable(getattr(importlib.import_module(module), attribute))


def test_the_licence_is_an_expression_with_its_file() -> None:
    """PEP 639: an SPDX expression, the file itself, and no classifier that says it a second time."""
    assert PROJECT["license"] == "MIT" == canonicalize_license_expression(PROJECT["license"])
    assert PROJECT["license-files"] == ["LICENSE"]
    assert "MIT License" in (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert [line for line in PROJECT["classifiers"] if line.startswith("License ::")] == []


def test_the_pythons_are_those_supported_without_a_gap() -> None:
    """>=3.11 with no upper bound, and a classifier for each minor version up to the newest."""
    wanted = SpecifierSet(PROJECT["requires-python"])
    assert str(wanted) == ">=3.11"
    told = [re.fullmatch(r"Programming Language :: Python :: 3\.(\d+)", line) for line in PROJECT["classifiers"]]
    minors = [int(match[1]) for match in told if match is not None]
    assert minors == list(range(11, NEWEST[1] + 1))
    assert all(wanted.contains(f"3.{minor}") for minor in minors)
    assert "Programming Language :: Python :: 3 :: Only" in PROJECT["classifiers"]


def test_every_classifier_is_known_and_stands_once() -> None:
    """No classifier is invented, out of use or doubled."""
    lines = PROJECT["classifiers"]
    assert [line for line in lines if line not in trove_classifiers.classifiers] == []
    assert len(set(lines)) == len(lines)
    assert "Typing :: Typed" in lines
    assert (ROOT / "src" / "hephaestus" / "py.typed").is_file()


def test_the_extras_dev_and_qa_hold_what_the_development_locks_hold() -> None:
    """qa is the linters and the type checker, dev is qa, verify and the test tools; each is in a lock's list."""
    extras = PROJECT["optional-dependencies"]
    assert set(extras) == {"dev", "qa", "verify"}
    (whole,) = [Requirement(text) for text in extras["dev"] if Requirement(text).extras]
    assert canonicalize_name(whole.name) == PROJECT["name"]
    assert whole.extras == {"qa", "verify"}
    assert names(extras["qa"]) <= locked("lint") | locked("types")
    assert names(extras["dev"]) - {PROJECT["name"]} | names(extras["verify"]) <= locked("tests")


@pytest.mark.parametrize("extra", ["dev", "qa", "verify", None])
def test_every_requirement_has_a_lower_bound(extra: str | None) -> None:
    """A requirement says from which version on it is tried; none excludes a newer one but by a major version."""
    lines = PROJECT["dependencies"] if extra is None else PROJECT["optional-dependencies"][extra]
    for requirement in map(Requirement, lines):
        if canonicalize_name(requirement.name) == PROJECT["name"]:
            continue
        operators = {clause.operator for clause in requirement.specifier}
        assert ">=" in operators, requirement
        assert operators <= {">=", "<"}, requirement


def test_the_noxfile_asks_for_what_the_project_asks_for() -> None:
    """The noxfile runs from the source tree: its own list of requirements (PEP 723) is the project's."""
    text = (ROOT / "noxfile.py").read_text(encoding="utf-8")
    lines = re.findall(r"^# (.*)$", text.partition("# /// script\n")[2].partition("# ///\n")[0], re.MULTILINE)
    script = tomllib.loads("\n".join(lines))
    assert script["dependencies"] == PROJECT["dependencies"]
    assert script["requires-python"] == PROJECT["requires-python"]
    assert len(text.splitlines()) <= 25
    assert ast.get_docstring(ast.parse(text))


def test_the_tools_check_against_the_oldest_python() -> None:
    """ruff and mypy judge the code as the oldest supported Python would."""
    oldest = PROJECT["requires-python"].removeprefix(">=")
    assert DATA["tool"]["mypy"]["python_version"] == oldest
    assert DATA["tool"]["ruff"]["target-version"] == f"py{oldest.replace('.', '')}"
