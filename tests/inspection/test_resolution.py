"""What installers take: the rules, and that a real pip comes to the same."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inspection.outside import NAME, Outside, project_at
from packaging.version import Version

from hephaestus.inspection.resolution import Pip, PipFailedError, Resolved, by_rules, locked_pip, requirements_of
from hephaestus.services.project import IndexFile, IndexProject


def page(*versions: str) -> IndexProject:
    """A page with a wheel a version; a version after ``!`` is yanked."""
    return IndexProject(
        name="x",
        files=tuple(
            IndexFile(
                filename=f"x-{one.lstrip('!')}-py3-none-any.whl",
                url="https://x.invalid/",
                sha256=None,
                yanked="why" if one.startswith("!") else False,
            )
            for one in versions
        ),
    )


@pytest.mark.parametrize(
    ("versions", "requirement", "version", "yanked"),
    [
        (["1.0", "1.1"], "x", "1.1", False),
        (["1.0", "!1.1"], "x", "1.0", False),
        (["1.0", "!1.1"], "x==1.1", "1.1", True),
        (["1.0", "!1.1"], "x===1.1", "1.1", True),
        (["1.0", "!1.1"], "x==1.1.*", None, False),
        (["1.0", "!1.1"], "x~=1.1", None, False),
        (["1.0", "!1.1"], "x~=1.0", "1.0", False),
        (["1.0", "!1.1", "1.1.1"], "x~=1.1.0", "1.1.1", False),
        (["!1.0"], "x", None, False),
        (["1.0rc1"], "x", "1.0rc1", False),
        (["!1.0", "2.0rc1"], "x", None, False),
        (["1.0", "2.0rc1"], "x", "1.0", False),
        ([], "x", None, False),
    ],
)
def test_the_rules_of_yanking(versions: list[str], requirement: str, version: str | None, yanked: bool) -> None:
    """PEP 592: a yanked version is passed over unless it alone satisfies an exact pin."""
    found = by_rules(page(*versions), requirement)
    assert (found.version, found.yanked) == (version, yanked)
    assert found.reason == ("why" if yanked else "")


def test_a_version_with_one_free_file_can_still_be_installed() -> None:
    """A yank is of all files: while one of them is free, installers take the version."""
    half = IndexProject(
        name="x",
        files=(
            IndexFile(filename="x-1.0-py3-none-any.whl", url="u", sha256=None, yanked="why"),
            IndexFile(filename="x-1.0.tar.gz", url="u", sha256=None),
        ),
    )
    assert by_rules(half, "x") == Resolved(requirement="x", version="1.0")


@pytest.mark.parametrize(
    ("version", "compatible"),
    [("1.2.3", "x~=1.2.3"), ("1.2.3.post1", "x~=1.2.3"), ("2.0rc1", "x~=2.0rc1"), ("1!2.0", "x~=1!2.0"), ("3", None)],
)
def test_the_compatible_range_begins_with_the_version(version: str, compatible: str | None) -> None:
    """A candidate's range begins with the candidate, a post-release's with its release; one number has no range."""
    found = requirements_of("x", Version(version))
    assert found[:2] == ("x", f"x=={version}")
    assert found[2:] == ((compatible,) if compatible else ())
    assert all(by_rules(page(version), one).version == version for one in found)


@given(
    st.tuples(st.integers(0, 5), st.lists(st.integers(0, 30), min_size=1, max_size=4)).map(
        lambda parts: Version(f"{parts[0]}!{'.'.join(map(str, parts[1]))}")
    )
)
def test_the_three_ways_of_asking_all_mean_this_version(version: Version) -> None:
    """Name, pin and compatible range each take the version when it alone is there."""
    told = page(str(version))
    for requirement in requirements_of("x", version):
        assert Version(by_rules(told, requirement).version or "0+none") == version


@pytest.fixture(scope="session")
def pip() -> Pip:
    """The pip of the suite's lock, called by somebody whose settings would lead it astray if they reached it."""
    astray = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple/", "PIP_UPLOADED_PRIOR_TO": "2001-01-01", "PIP_PRE": "1"}
    return dataclasses.replace(locked_pip(os.environ), environ={**os.environ, **astray})


def test_a_real_pip_takes_what_the_rules_say(outside: Outside, pip: Pip, tmp_path: Path) -> None:
    """The pip of the suite's lock, against the stand-in: the same three answers before and after the yank."""
    project = project_at(tmp_path / "project", "1.2.3")
    places = outside.places(project)
    url = places.indexes["pypi"].simple_url
    for version in ("1.2.2", "1.2.3"):
        outside.upload(version, "pypi", attested=False)
    requirements = requirements_of(NAME, Version("1.2.3"))
    with places.http() as http:
        before = places.index("pypi", http).project(NAME)
        outside.yank("1.2.3", "eats data", "pypi")
        after = places.index("pypi", http).project(NAME)
    found = pip.resolve(url, requirements)
    assert [(one.version, one.yanked) for one in found] == [("1.2.2", False), ("1.2.3", True), (None, False)]
    assert [(one.version, one.yanked) for one in (by_rules(after, r) for r in requirements)] == [
        (one.version, one.yanked) for one in found
    ]
    assert [by_rules(before, one).version for one in requirements] == ["1.2.3"] * 3


def test_a_pip_that_cannot_ask_is_no_answer(pip: Pip) -> None:
    """An index that fails is an error with pip's last lines, not the word that nothing can be installed."""
    with pytest.raises(PipFailedError, match="did not say") as raised:
        pip.resolve("http://[broken/simple/", [NAME])
    assert raised.value.details
