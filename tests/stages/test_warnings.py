"""Warnings: whoever reads one is told what to do about it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import hephaestus
from hephaestus.stages.reproduction import Verdict

SOURCES = sorted(Path(hephaestus.__file__).parent.rglob("*.py"))
#: Rooms whose findings are shown to people who release.
ROOMS = ("stages", "release", "consumer")


def warnings(source: str) -> Iterator[ast.Call]:
    """Every construction of a Finding that is a warning, or may be one."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Finding":
            severity = next((word.value for word in node.keywords if word.arg == "severity"), None)
            if severity is not None and ast.unparse(severity) != "Severity.ERROR":
                yield node


def says_what_to_do(call: ast.Call) -> bool:
    """Whether a Finding has a remedy, and none of the texts it may have is empty."""
    remedy = next((word.value for word in call.keywords if word.arg == "remedy"), None)
    return remedy is not None and not any(
        isinstance(part, ast.Constant) and part.value == "" for part in ast.walk(remedy)
    )


@pytest.mark.parametrize("room", ROOMS)
def test_every_warning_says_what_to_do(room: str) -> None:
    """No Finding that may be a warning is made without a remedy, anywhere in the room."""
    found = [
        (path.name, call.lineno, says_what_to_do(call))
        for path in SOURCES
        if room in path.parts
        for call in warnings(path.read_text(encoding="utf-8"))
    ]
    assert found, "the search itself has found nothing"
    assert [place for place in found if not place[2]] == []


@pytest.mark.parametrize(
    ("call", "whole"),
    [
        ("Finding(message='x', remedy='y', severity=Severity.WARNING)", True),
        ("Finding(message='x', severity=Severity.WARNING)", False),
        ("Finding(message='x', remedy='', severity=severity)", False),
        (
            "Finding(message='x', remedy='y' if bad else '', severity=Severity.ERROR if bad else Severity.WARNING)",
            False,
        ),
    ],
)
def test_the_search_sees_what_is_missing(call: str, whole: bool) -> None:
    """A warning without a remedy, or with one that may be empty, is found by the search above."""
    (found,) = warnings(call)
    assert says_what_to_do(found) is whole


@pytest.mark.parametrize(
    ("lines", "remedy"),
    [
        (["a.py: mode 0644 / 0600"], "under one umask"),
        (["a.py: mode 0644 / 0600", "b.py: mode 0755 / 0700"], "under one umask"),
        (["a.py: mode 0644 / 0600", "b.py: size 3 / 4"], "independent of time"),
        (["a.py: mode 0644 / 0600", "... and 3 more differences"], "independent of time"),
    ],
)
def test_a_build_that_differs_says_how_it_would_not(lines: list[str], remedy: str) -> None:
    """Where nothing but modes differs (setuptools) the umask is named; anything else asks for an independent build."""
    (warning,) = Verdict(differences={"x.whl": lines}).warnings()
    assert remedy in warning.remedy
    assert warning.remedy in warning.line()
