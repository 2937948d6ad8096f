"""What changed since the last stable version: from the changelog, or from the commits where it says nothing.

Candidates are no stop: the notes of 1.3.0 hold what 1.3.0rc1 and 1.3.0rc2 brought, since 1.2.0.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

from hephaestus.release.changelog import Changelog, Section, parsed

if TYPE_CHECKING:
    from markdown_it.token import Token

__all__ = ["Commit", "changes_in", "grouped", "last_stable", "shortened"]

#: Conventional Commits: ``type(scope)!: subject``.
_CONVENTIONAL = re.compile(r"(?P<type>[a-z]+)(?:\((?P<scope>[^()]+)\))?(?P<bang>!)?: +(?P<subject>.+)")

#: Headings of what people notice, in this order, by the types that fill them; other known types are for developers.
_GROUPS = (
    ("Breaking", ()),
    ("Added", ("feat",)),
    ("Fixed", ("fix",)),
    ("Changed", ("perf", "refactor", "revert")),
    ("Documentation", ("docs",)),
)
_INTERNAL = frozenset({"build", "chore", "ci", "style", "test"})


@dataclass(frozen=True, kw_only=True)
class Commit:
    """One commit as notes tell it: its id (40 hex), first line, and whether its message announces a break."""

    id: str
    subject: str
    breaking: bool = False


def last_stable(version: str, known: Mapping[str, Version | None]) -> str:
    """The newest stable version before ``version`` among ``known`` (as written, and as read), as written; or empty."""
    limit = Version(version)
    stable = {word: found for word, found in known.items() if found and found < limit and not found.is_prerelease}
    return max(stable, key=lambda word: stable[word], default="")


def changes_in(log: Changelog, version: str) -> str:
    """What the changelog says of ``version`` and of the candidates since the last stable one; empty if nothing.

    Sections of several candidates are one list: groups of one name are joined, what is said twice is told once.
    """
    limit = Version(version)
    stable = last_stable(version, {section.name: section.version for section in log.versions})
    told = [
        section
        for section in sorted(log.versions, key=lambda section: section.version or limit, reverse=True)
        if section.version is not None
        and section.version <= limit
        and (not stable or section.version > Version(stable))
        and log.filled(section)
    ]
    if not told:
        return ""
    text = log.text(told[0]) if len(told) == 1 else _joined(log, told)
    return "\n".join([text, *_definitions(log, text)])


def grouped(commits: Sequence[Commit], *, since: str = "", repository: str = "") -> str:
    """Commits as Markdown, newest first: in groups where subjects are conventional, else one list.

    Types for developers (build, chore, ci, style, test) are left out unless nothing else is there.
    """
    groups: dict[str, list[str]] = {name: [] for name, _ in _GROUPS}
    plain: list[str] = []
    internal: list[str] = []
    for commit in commits:
        match = _CONVENTIONAL.fullmatch(commit.subject)
        kind = match["type"] if match is not None else ""
        home = next((name for name, types in _GROUPS if kind in types), "")
        breaking = commit.breaking or (match is not None and bool(match["bang"]) and bool(home or kind in _INTERNAL))
        if match is None or not (home or kind in _INTERNAL):
            (groups["Breaking"] if breaking else plain).append(_line(commit, commit.subject, repository))
            continue
        scope = f"**{match['scope']}**: " if match["scope"] else ""
        line = _line(commit, f"{scope}{match['subject']}", repository)
        (groups["Breaking"] if breaking else groups[home] if home else internal).append(line)
    named = [(name, lines) for name, lines in groups.items() if lines]
    rest = plain or ([] if named else internal)
    if named and rest:
        named.append(("Other", rest))
        rest = []
    parts = ["\n".join(rest)] if rest else []
    parts += [f"### {name}\n\n" + "\n".join(lines) for name, lines in named]
    if parts and since:
        parts.insert(0, f"Commits since {since}:")
    return "\n\n".join(parts)


def shortened(text: str, *, limit: int, link: str) -> str:
    """``text`` in at most ``limit`` characters: cut after a whole line, with ``link`` to the rest."""
    if len(text) <= limit:
        return text
    ending = f"\n\nThe rest is too long for this page: {link}"
    kept = text[: max(limit - len(ending) - len("\n```"), 0)]
    kept = kept[: kept.rfind("\n") + 1].rstrip() if "\n" in kept else kept
    fences = len(re.findall(r"^ {0,3}```", kept, re.MULTILINE))
    return f"{kept}{'' if fences % 2 == 0 else chr(10) + '```'}{ending}"


def _line(commit: Commit, subject: str, repository: str) -> str:
    short = commit.id[:7]
    shown = f"[{short}](https://github.com/{repository}/commit/{commit.id})" if repository else short
    return f"- {_plain(subject)} ({shown})"


def _plain(subject: str) -> str:
    """A subject as text: what Markdown or GitHub would read as HTML, or as somebody's name, it must not."""
    return subject.replace("<", "&lt;").replace("@", "@\u200b")


def _joined(log: Changelog, sections: Sequence[Section]) -> str:
    groups: dict[str, list[tuple[str, bool]]] = {}
    for section in sections:
        text = log.text(section)
        lines, group = text.split("\n"), ""
        for block in _blocks(parsed(text)):
            content = "\n".join(lines[slice(*(block.map or (0, 0)))]).rstrip()
            if block.type == "heading_open" and block.tag == "h3":
                group = content.lstrip("# ").rstrip()
                groups.setdefault(group, [])
                continue
            entry = (content, block.type == "list_item_open")
            if entry not in groups.setdefault(group, []):
                groups[group].append(entry)
    parts = []
    for name, entries in groups.items():
        if not entries:
            continue
        if name:
            parts.append(f"### {name}")
        text, in_list = "", False
        for content, item in entries:
            text += ("\n" if item and in_list else "\n\n") + content
            in_list = item
        parts.append(text.strip("\n"))
    return "\n\n".join(parts)


def _blocks(tokens: Sequence[Token]) -> list[Token]:
    """The blocks of a page: those of its first level, and each item of its bulleted lists for itself."""
    found = []
    inside = ""
    for token in tokens:
        if token.level == 0 and token.nesting == 1:
            inside = token.type
        opens = token.nesting >= 0 and token.map is not None and token.type != "inline"
        of_page = token.level == 0 and token.type != "bullet_list_open"
        of_list = token.level == 1 and token.type == "list_item_open" and inside == "bullet_list_open"
        if opens and (of_page or of_list):
            found.append(token)
    return found


def _definitions(log: Changelog, text: str) -> list[str]:
    """The definitions of links that ``text`` uses, which stand at the changelog's end."""
    used = [
        log.lines[line].strip()
        for label, (line, _) in log.links.items()
        if f"[{label}]" in text.lower() and _version(label) is None and log.lines[line].strip() not in text
    ]
    return ["", *used] if used else []


def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None
