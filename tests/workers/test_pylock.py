"""The lock inside a wheelhouse, made and judged by packaging's own model in the stage's environment."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from workers.conftest import Ask

WHEELS: list[dict[str, Any]] = [
    {"file": "b_c-1.0-py3-none-any.whl", "size": 5, "sha256": "0" * 64},
    {"file": "a-2.0-py3-none-any.whl", "size": 6, "sha256": "1" * 64},
]
REQUEST: dict[str, Any] = {"wheels": WHEELS, "markers": None, "requires_python": None, "created_by": "me"}


def test_a_lock_names_each_wheel_beside_it_and_where_it_may_be_used(ask_worker: Ask) -> None:
    """Normalized names in order, path, size and hash; without a target, the system and series that made it."""
    code, answer = ask_worker("pylock", "wheelhouse", REQUEST)
    assert (code, answer["problem"]) == (0, "")
    lock = answer["lock"]
    assert [package["name"] for package in lock["packages"]] == ["a", "b-c"]
    assert lock["packages"][0]["wheels"] == [{"path": WHEELS[1]["file"], "size": 6, "hashes": {"sha256": "1" * 64}}]
    (environment,) = lock["environments"]
    assert f'sys_platform == "{sys.platform}"' in environment
    assert lock["requires-python"] == f"==3.{sys.version_info.minor}.*"


def test_a_target_is_written_as_it_is_given(ask_worker: Ask) -> None:
    """Every machine of the target is an environment of its own."""
    markers = ['sys_platform == "win32" and platform_machine == "x86"', 'sys_platform == "win32"']
    _, answer = ask_worker("pylock", "wheelhouse", {**REQUEST, "markers": markers, "requires_python": "==3.12.*"})
    assert (answer["lock"]["environments"], answer["lock"]["requires-python"]) == (markers, "==3.12.*")


@pytest.mark.parametrize(
    ("wheel", "problem"),
    [({**WHEELS[0], "sha256": None}, "hash"), ({**WHEELS[0], "size": "5"}, "size")],
)
def test_what_the_standard_refuses_is_said(ask_worker: Ask, wheel: dict[str, Any], problem: str) -> None:
    """The model is really asked: a value of the wrong type is its problem, named by its place."""
    _, answer = ask_worker("pylock", "wheelhouse", {**REQUEST, "wheels": [wheel]})
    assert problem in answer["problem"]
