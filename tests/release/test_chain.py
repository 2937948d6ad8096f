"""The chain's table of needs."""

from __future__ import annotations

import pytest

from hephaestus.release.chain import REQUIRES, closure
from hephaestus.release.directory import STAGES


def test_every_stage_needs_only_stages_before_it() -> None:
    """The table names each stage once, in the order of the chain, and nothing needs what comes later."""
    assert tuple(REQUIRES) == STAGES
    for stage, needed in REQUIRES.items():
        assert all(STAGES.index(other) < STAGES.index(stage) for other in needed), stage


def test_the_wheelhouse_and_the_draft_do_not_wait_for_an_index() -> None:
    """What makes the GitHub draft rests on no upload: a PyPI that is down stops neither."""
    assert closure("github-release") == ("build", "sign", "check", "wheelhouse", "sign-wheelhouse", "github-release")


def test_closure_of_the_last_upload() -> None:
    """upload-pypi rests on everything up to smoke, and on no wheelhouse."""
    assert closure("upload-pypi") == ("build", "sign", "check", "upload-testpypi", "smoke", "upload-pypi")


def test_no_such_stage() -> None:
    """A word that is no stage has no closure."""
    with pytest.raises(KeyError):
        closure("release")
