"""The table of stages: every name of the chain, and each class under its own name."""

from __future__ import annotations

import pytest

from hephaestus.release.directory import STAGES
from hephaestus.stages.catalogue import stage_of


@pytest.mark.parametrize("name", STAGES)
def test_each_session_gets_the_stage_of_its_name(name: str) -> None:
    """The class found for a session calls itself by that session's name."""
    assert stage_of(name).name == name


def test_what_is_no_stage_is_refused() -> None:
    """A name that no session has is a KeyError, not a module looked for."""
    with pytest.raises(KeyError):
        stage_of("release")
