"""The project's pages as data: their links, their code blocks, and every command they show."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

__all__ = ["PAGES", "ROOT", "Command", "anchors", "blocks", "commands", "links", "page", "section", "spans"]

ROOT = Path(__file__).resolve().parents[2]

#: Every page that tells a reader what to do or what is so. The changelog tells what was so.
PAGES = tuple(
    path.relative_to(ROOT).as_posix()
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted(ROOT.glob("docs/**/*.md")))
)

#: A span or a line that begins so, and goes on, is a command a reader may type.
_PROGRAMS = frozenset({
    "actionlint", "check-wheel-contents", "docker", "gh", "git", "hephaestus", "lint-imports", "mypy", "nox", "pip",
    "pytest", "python", "python3", "ruff", "rm", "sha256sum", "sigstore", "twine", "uv", "uvx", "zizmor",
})  # fmt: skip
_FENCE = re.compile(r"^(?P<fence>`{3,})(?P<language>[\w-]*)\n(?P<text>.*?)^(?P=fence)$", re.DOTALL | re.MULTILINE)
_SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} +(.+)$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Command:
    """One command as it stands on a page; ``block`` tells whether in a console block or within a sentence."""

    page: str
    text: str
    block: bool

    @property
    def words(self) -> list[str]:
        """The command as a shell splits it."""
        return shlex.split(self.text, comments=True)

    def __str__(self) -> str:
        """Where it stands, for the names of tests."""
        return f"{self.page}: {self.text}"


def page(name: str) -> str:
    """The text of a page."""
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(name: str, language: str) -> list[str]:
    """The fenced blocks of one language on a page."""
    return [match["text"] for match in _FENCE.finditer(page(name)) if match["language"] == language]


def spans(name: str) -> list[str]:
    """Everything a page sets as code within a sentence or a table; what it calls **open** is not there yet."""
    return _SPAN.findall("\n".join(_built(line) for line in _FENCE.sub("", page(name)).splitlines()))


def _built(line: str) -> str:
    """The part of a line that speaks of what exists: a row with no other proof than **open** has none."""
    before, mark, _ = line.partition("**open**")
    return "" if mark and before.rstrip().endswith("|") else before


def links(name: str) -> list[str]:
    """The targets of a page's links."""
    return _LINK.findall(_SPAN.sub("", _FENCE.sub("", page(name))))


def anchors(name: str) -> set[str]:
    """The fragments a link may name, as GitHub makes them from headings."""
    headings = _HEADING.findall(_FENCE.sub("", page(name)))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def section(name: str, heading: str) -> str:
    """The text below a heading, up to the next one of any level."""
    match = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#+ |\Z)", page(name), re.DOTALL | re.MULTILINE)
    assert match is not None, f"{name} has no section {heading!r}"
    return match[1]


def commands() -> Iterator[Command]:
    """Every command of every page: each ``$`` line of a console block, each span that begins with a program."""
    for name in PAGES:
        for block in blocks(name, "console"):
            for line in block.splitlines():
                if line.startswith("$ "):
                    yield Command(page=name, text=line.removeprefix("$ "), block=True)
        for span in spans(name):
            program, _, rest = span.partition(" ")
            if rest and program in _PROGRAMS:
                yield Command(page=name, text=span, block=False)
