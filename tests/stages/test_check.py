"""check: real tools over distributions and signatures, good and bad."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from stages.conftest import plain_world
from stages.releases import PROJECT, SDIST, WHEEL, Spoilt, build, put, sdist, signatures, signing_world, wheel

from hephaestus.stages.check import CheckStage
from hephaestus.stages.runner import Outcome, run_stage
from hephaestus.stages.stage import Context
from hephaestus.standins.sigstore import Serving

MakeContext = Callable[..., Context]
MakeRelease = Callable[..., Context]


@pytest.fixture
def release(
    commit: Callable[..., Path], context_of: MakeContext, standin_sigstore: Serving, empty_index: str, tmp_path: Path
) -> MakeRelease:
    """Make a project with distributions built and signed, each spoilt as asked; returns the context of check."""

    def make(
        *,
        files: dict[str, str] | None = None,
        wheel_spoilt: Spoilt | None = None,
        sdist_spoilt: Spoilt | None = None,
        simple: str = empty_index,
    ) -> Context:
        project = {**PROJECT, **(files or {})}
        root = commit(project)
        world = signing_world(plain_world(tmp_path, simple=simple), standin_sigstore)
        context = context_of(root, lock="check", world=world)
        made = dict([wheel(wheel_spoilt or Spoilt(), tmp_path), sdist(sdist_spoilt or Spoilt(), project)])
        build(context, made)
        put(context.directory, "sign", signatures(context.directory, standin_sigstore))
        return context

    return make


def check(context: Context) -> Outcome:
    return run_stage(CheckStage(), context, recorder=context.environment)  # type: ignore[arg-type]


def test_a_good_release_passes_with_its_evidence(release: MakeRelease) -> None:
    """A whole release passes the real tools, and the receipt holds sizes, log indexes and the first publication."""
    outcome = check(release())
    assert outcome.receipt is not None
    evidence = outcome.receipt.evidence
    assert evidence["findings"] == []
    assert set(evidence["sizes"]) == {WHEEL, SDIST}
    assert len(evidence["signatures"]) == 5
    assert evidence["publication"]["state"] == "first release"
