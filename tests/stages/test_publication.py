"""Which indexes a release must be on, and how it stands on each."""

from __future__ import annotations

import pytest
from stages.releases import NAME, SDIST, VERSION, WHEEL
from stages.standins import Scene

from hephaestus.stages.publication import index_states, promoted, required_indexes
from hephaestus.worlds.world import TestPyPIPolicy


@pytest.mark.parametrize(
    ("version", "testpypi", "prerelease_to_pypi", "wanted"),
    [
        ("1.2.3", TestPyPIPolicy.REQUIRED, False, ("testpypi", "pypi")),
        ("1.2.3", TestPyPIPolicy.OPTIONAL, False, ("pypi",)),
        ("1.2.3rc1", TestPyPIPolicy.REQUIRED, False, ("testpypi",)),
        ("1.2.3.dev0", TestPyPIPolicy.REQUIRED, False, ("testpypi",)),
        ("1.2.3rc1", TestPyPIPolicy.REQUIRED, True, ("testpypi", "pypi")),
        ("1.2.3.post1", TestPyPIPolicy.REQUIRED, False, ("testpypi", "pypi")),
    ],
)
def test_where_a_release_must_be(
    scene: Scene, version: str, testpypi: TestPyPIPolicy, prerelease_to_pypi: bool, wanted: tuple[str, ...]
) -> None:
    """By version and policy: pre-releases stop at Test PyPI, an optional Test PyPI is not waited for."""
    (scene.root / "pyproject.toml").write_text(f'[project]\nname = "{NAME}"\nversion = "{version}"\n', "utf-8")
    scene.policy(testpypi=testpypi, prerelease_to_pypi=prerelease_to_pypi)
    context = scene.context("verify")
    assert required_indexes(context) == wanted
    assert promoted(context) is ("pypi" in wanted)


def test_each_index_is_told_as_it_is(scene: Scene) -> None:
    """Complete, half, yanked, silent: each a state, none an error."""
    both = ("testpypi", "pypi")
    context = scene.context("verify")
    assert not any(state.complete for state in index_states(context, both).values())
    scene.publish("testpypi")
    scene.publish("pypi", WHEEL)
    states = index_states(context, both)
    assert (states["testpypi"].complete, states["pypi"].complete) == (True, False)
    plan = states["pypi"].plan
    assert plan is not None
    assert [file.filename for file in plan.missing] == [SDIST]
    scene.index("testpypi").yank(NAME, VERSION, "")
    scene.standins.arm("pypi:downx99")
    states = index_states(context, both)
    assert set(states["testpypi"].yanked) == {WHEEL, SDIST}
    assert states["pypi"].plan is None
    assert "503" in states["pypi"].trouble
    assert not states["pypi"].complete
