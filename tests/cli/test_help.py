"""The help of all commands side by side: one word for one thing, whichever command says it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import typer.main

from hephaestus.cli import app

#: Said alike wherever they are. Other options of one name may mean more than one thing: `--index` takes one or several.
SAME = ("--rehearsal", "--publish", "--trusted-root", "--github-url", "--workflow")


def commands(group: Any, *before: str) -> Iterator[tuple[str, Any]]:
    """Every command with its name, groups left out."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, *before, name)
        else:
            yield " ".join((*before, name)), command


ALL = dict(commands(typer.main.get_command(app)))


def options() -> Iterator[tuple[str, str, Any]]:
    """Every option that is shown: its command, its long name, itself."""
    for command, told in ALL.items():
        for option in told.params:
            if option.param_type_name == "option" and not option.hidden:
                yield command, max(option.opts, key=len), option


@pytest.mark.parametrize("name", ALL)
def test_the_first_sentence_says_what_the_command_does(name: str) -> None:
    """Every command begins with one sentence that stands in the list of commands."""
    assert (ALL[name].help or "").split("\n")[0].endswith(".")


def test_every_value_has_a_name_of_its_own() -> None:
    """No option shows the type of a program's variable; what is one option has one placeholder everywhere.

    `release verify --index` takes an address, too: whoever verifies need not have the project's configuration.
    """
    shown: dict[str, dict[str, list[str]]] = {}
    for command, name, option in options():
        if not option.is_flag and (command, name) != ("release verify", "--index"):
            shown.setdefault(name, {}).setdefault(str(option.metavar), []).append(command)
    assert {name: list(words) for name, words in shown.items() if "None" in words or len(words) > 1} == {}


def test_an_option_of_many_commands_is_explained_alike() -> None:
    """What means the same in every command is said in the same words; `--json` begins so, and may add to it."""
    told: dict[str, set[str]] = {}
    for _command, name, option in options():
        if name in SAME:
            told.setdefault(name, set()).add(option.help)
        if name == "--json":
            assert option.help.startswith("The same as JSON")
    assert set(told) == set(SAME)
    assert {name: texts for name, texts in told.items() if len(texts) > 1} == {}


def test_what_may_be_repeated_says_so() -> None:
    """Every option that collects values ends its text with that."""
    assert [
        f"{command} {name}"
        for command, name, option in options()
        if option.multiple and "repeatable" not in option.help
    ] == []
