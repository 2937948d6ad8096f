"""The steps back and the proof, where the stand-in cannot lead: half a yank, a pip that fails."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from inspection.outside import Outside, project_at
from inspection.test_withdrawal import page
from packaging.version import Version

from hephaestus.inspection.resolution import Pip, PipFailedError, Resolved
from hephaestus.inspection.rollback import prove, steps
from hephaestus.inspection.withdrawal import Category, Reason, decide
from hephaestus.toolchain.virtualenvs import EnvironmentNotMadeError

V = Version("1.1")


def no_pip() -> Pip:
    """No pip can be had."""
    raise EnvironmentNotMadeError(lock="smoke", output="")


@pytest.mark.parametrize(
    ("versions", "in_force"), [(["1.0", "!1.1"], True), (["1.0", "?1.1"], False), (["1.0", "1.1"], False)]
)
def test_a_yank_is_in_force_when_every_file_is_yanked(
    outside: Outside, tmp_path: Path, versions: list[str], in_force: bool
) -> None:
    """One file that is free keeps the version installable: that is no yank."""
    project = project_at(tmp_path / "project", "1.1")
    (proof,) = prove(project, outside.places(project), V, {"pypi": page(*versions), "testpypi": None}, pip=no_pip)
    assert proof.in_force is in_force


class Stubborn(Pip):
    """A pip that still installs the yanked version for everybody."""

    def resolve(self, simple_url: str, requirements: Iterable[str]) -> tuple[Resolved, ...]:
        return tuple(Resolved(requirement=one, version="1.1") for one in requirements)


def test_what_pip_takes_outweighs_what_the_page_says(outside: Outside, tmp_path: Path) -> None:
    """Every file marked, and yet a pip that takes the version unpinned: the yank is not in force."""
    project = project_at(tmp_path / "project", "1.1")
    wheels = page("1.0", "!1.1")
    pip = Stubborn(python=Path("python"), version="0", environ={})
    (proof,) = prove(project, outside.places(project), V, {"pypi": wheels}, pip=lambda: pip)
    assert not proof.in_force
    assert proof.by == "pip 0 against the index itself"


def test_a_free_sdist_is_no_yank_although_pip_takes_wheels_only(outside: Outside, tmp_path: Path) -> None:
    """The wheel is yanked and the sdist is not: a pip that looks at wheels alone cannot tell, the page does."""

    class Wheels(Pip):
        def resolve(self, simple_url: str, requirements: Iterable[str]) -> tuple[Resolved, ...]:
            return tuple(Resolved(requirement=one, version="1.1" if "==" in one else "1.0", yanked="==" in one)
                         for one in requirements)  # fmt: skip

    project = project_at(tmp_path / "project", "1.1")
    files = tuple(
        replace(file, yanked="why" if file.filename.endswith(".whl") else False) for file in page("1.1").files
    )
    pip = Wheels(python=Path("python"), version="0", environ={})
    served = replace(page("1.0"), files=(*page("1.0").files, *files))
    (proof,) = prove(project, outside.places(project), V, {"pypi": served}, pip=lambda: pip)
    assert not proof.in_force


def test_a_pip_that_fails_is_no_proof(outside: Outside, tmp_path: Path) -> None:
    """A pip that is there and does not answer is an error; the rules stand in only where there is none."""

    class Failing(Pip):
        def resolve(self, simple_url: str, requirements: Iterable[str]) -> tuple[Resolved, ...]:
            raise PipFailedError(requirement="x", output="boom")

    project = project_at(tmp_path / "project", "1.1")
    pip = Failing(python=Path("python"), version="0", environ={})
    with pytest.raises(PipFailedError):
        prove(project, outside.places(project), V, {"pypi": page("1.0", "!1.1")}, pip=lambda: pip)


@pytest.mark.parametrize("category", list(Category))
@pytest.mark.parametrize("versions", [["1.1"], ["1.0", "1.1"], ["1.0", "1.1", "1.2"]])
def test_every_plan_is_whole(outside: Outside, tmp_path: Path, category: Category, versions: list[str]) -> None:
    """A yank names a page for each index and ends in its proof; what is done for ever says so; nothing has no step."""
    project = project_at(tmp_path / "project", "1.1")
    places = outside.places(project)
    reason = Reason(category=category)
    decision = decide("tiny-thing", V, reason, {name: page(*versions) for name in places.indexes})
    todo = steps(project, places, decision, reason, today=date(2026, 11, 22))
    assert bool(todo) is (decision.way != "nothing")
    pages = [step.page for step in todo if "/manage/project/tiny-thing/release/1.1/" in step.page]
    assert len(pages) == (2 if decision.way == "yank" else 0)
    assert any("--verify" in step.command for step in todo) is (decision.way == "yank")
    bumps = [number for number, step in enumerate(todo) if step.command.startswith("nox -s bump")]
    assert all(todo[number].undo.startswith("never") for number in bumps)
    assert bool(bumps) is (bool(todo) and not decision.exists)
    if decision.way == "yank" and bumps:
        first_yank = next(number for number, step in enumerate(todo) if step.page in pages)
        assert (bumps[0] < first_yank) is decision.fix_first
        assert not (decision.fix_first and category in (Category.SECURITY, Category.COMPROMISED))


@pytest.mark.parametrize(("label", "option"), [("publish", ""), ("rehearsal", " --rehearsal")])
def test_the_proof_looks_where_the_decision_looked(outside: Outside, tmp_path: Path, label: str, option: str) -> None:
    """The command that proves a rehearsed yank names the rehearsal: without it the real indexes would be asked."""
    project = project_at(tmp_path / "project", "1.1")
    places = replace(outside.places(project), label=label)
    reason = Reason(category=Category.BROKEN)
    decision = decide("tiny-thing", V, reason, {name: page("1.0", "1.1", "1.2") for name in places.indexes})
    todo = steps(project, places, decision, reason, today=date(2026, 11, 22))
    proofs = [step.command for step in todo if "--verify" in step.command]
    assert proofs == [f"hephaestus release rollback 1.1 --verify{option}"]
