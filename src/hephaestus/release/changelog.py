"""CHANGELOG.md as people keep it by hand (keepachangelog.com): read by CommonMark, edited by whole lines.

Headings and links are found by a CommonMark parser, so that what stands in code blocks and comments is no heading;
an edit moves lines and leaves every other byte (line ends, byte-order mark, spacing) as it is.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

from hephaestus.release.errors import Finding
from hephaestus.release.tags import tag_of

if TYPE_CHECKING:
    from markdown_it.token import Token

__all__ = [
    "NAME",
    "Changelog",
    "Comparison",
    "Section",
    "parsed",
    "read_changelog",
    "unreleased_findings",
    "with_release",
]

#: The file's name; where a project has it, it is at its root.
NAME = "CHANGELOG.md"

_UNRELEASED = "unreleased"
_BOM = "\ufeff"
_ENDS = "\r\n"
_HEADING = re.compile(r"\[?[vV]?(?P<name>[^\]\s]+)")
_COMPARE = re.compile(r"(?P<base>\S+/compare/)\S+?(?P<dots>\.{2,3})HEAD\Z")


@dataclass(frozen=True, kw_only=True)
class Section:
    """One ``## [name]``: its lines, counted from 0. ``start`` is the heading's, ``body`` the first after it."""

    name: str
    heading: str
    start: int
    body: int
    end: int

    @property
    def version(self) -> Version | None:
        """The version it is about, or None (Unreleased, and headings that are none of ours)."""
        return _version(self.name)


@dataclass(frozen=True, kw_only=True)
class Changelog:
    """A changelog as read: ``lines`` keep their ends; ``links`` are the definitions by their label, small letters."""

    lines: tuple[str, ...] = ()
    sections: tuple[Section, ...] = ()
    links: Mapping[str, tuple[int, str]] = field(default_factory=dict)

    @property
    def shaped(self) -> bool:
        """Whether it has sections of versions, or Unreleased, at all."""
        return bool(self.unreleased or self.versions)

    @cached_property
    def unreleased(self) -> list[Section]:
        """The sections called Unreleased (there should be one)."""
        return [section for section in self.sections if section.name.lower() == _UNRELEASED]

    @cached_property
    def versions(self) -> list[Section]:
        """The sections of versions, as they stand."""
        return [section for section in self.sections if section.version is not None]

    def of(self, version: str) -> list[Section]:
        """The sections of a version, however it is spelled."""
        return [section for section in self.versions if section.version == _version(version)]

    def text(self, section: Section) -> str:
        """What stands in a section, without white space around it and with LF."""
        return "".join(f"{line.rstrip(_ENDS)}\n" for line in self.lines[section.body : section.end]).strip()

    def filled(self, section: Section) -> bool:
        """Whether a section says anything besides headings of groups and comments."""
        said = re.sub(r"<!--.*?-->", "", self.text(section), flags=re.DOTALL)
        return any(line.strip() and not re.match(r" {0,3}#{3,6}(\s|$)", line) for line in said.splitlines())


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Where links that compare versions lead: ``base`` ends in ``/compare/``; ``since`` is the tag before, or empty.

    ``prefix`` is what the project's tags begin with.
    """

    base: str = ""
    since: str = ""
    prefix: str = ""


def parsed(text: str, known: dict[str, object] | None = None) -> list[Token]:
    """The blocks of a CommonMark text, their inside left as text; ``known`` takes the definitions of its links."""
    import logging

    from markdown_it import MarkdownIt

    # The parser tells every step to its loggers, and nox shows the debug lines of all.
    logging.getLogger("markdown_it").setLevel(logging.WARNING)
    return MarkdownIt("commonmark").disable("inline").parse(text, known if known is not None else {})


def read_changelog(text: str) -> Changelog:
    """Read a changelog; any text has one, possibly without sections."""
    lines = re.split(r"(?<=\n)|(?<=\r)(?!\n)", text)
    known: dict[str, object] = {}
    tokens = parsed(text.removeprefix(_BOM), known)
    links = {}
    references = known.get("references", {})
    for label, found in references.items() if isinstance(references, Mapping) else ():
        links[str(label).lower()] = (int(found["map"][0]), str(found["href"]))
    end = _end_of_sections(tokens, lines, {line for line, _ in links.values()})
    sections: list[Section] = []
    for level, start, body, heading in _headings(tokens):
        if sections and sections[-1].end == end:
            sections[-1] = _ended(sections[-1], start)
        if level == 2 and (match := _HEADING.match(heading)) is not None:
            sections.append(Section(name=match["name"], heading=heading, start=start, body=body, end=end))
    return Changelog(lines=tuple(lines), sections=tuple(sections), links=links)


def unreleased_findings(log: Changelog, *, version: str, present: str) -> list[Finding]:
    """Why Unreleased cannot become the section of ``version``; ``present`` is the version now."""
    findings = []
    if not log.shaped:
        return [_finding("changelog-shape", "has no `## [Unreleased]` and no version's section", _ADD)]
    if not _closed(log):
        message = "ends inside of a code block or a comment that is never closed: what stands there is no section"
        return [_finding("changelog-open", message, "close it (``` or -->)")]
    ours = log.of(version)
    if len(log.unreleased) > 1 or len(ours) > 1:
        double = log.unreleased if len(log.unreleased) > 1 else ours
        numbers = ", ".join(str(section.start + 1) for section in double)
        message = f"has {len(double)} sections {double[0].name} (lines {numbers})"
        return [_finding("changelog-double", message, "make them one")]
    filled = [section for section in log.unreleased if log.filled(section)]
    if ours and filled:
        message = f"has a section {version} already (line {ours[0].start + 1}), and an [Unreleased] that is not empty"
        findings.append(_finding("changelog-taken", message, "move its lines to the section they belong to"))
    if ours and Version(version) != Version(present) and not filled:
        message = f"has a section {version} already (line {ours[0].start + 1})"
        findings.append(_finding("changelog-taken", message, "call it [Unreleased] until the version is made"))
    if not ours and not log.unreleased:
        findings.append(_finding("changelog-unreleased", "has no `## [Unreleased]`", _ADD))
    wanted = Version(version)
    tried = [section for section in log.versions if _candidate_of(section, wanted) and log.filled(section)]
    if not ours and log.unreleased and not filled and not tried and not wanted.is_prerelease:
        message = f"says nothing about {version}: [Unreleased] is empty"
        findings.append(_finding("changelog-empty", message, "write what people who use it will notice"))
    return findings


def with_release(log: Changelog, *, version: str, date: str, compare: Comparison | None) -> str:
    """The text in which what was unreleased is ``version`` of ``date``; ``compare`` keeps links, None leaves them.

    A candidate about which nothing is written gets no section. Call it when unreleased_findings found nothing.
    """
    ours, lines = log.of(version), list(log.lines)
    if ours:
        line = lines[ours[0].start]
        if re.search(r"\d{4}-\d{2}-\d{2}", line) is None:
            lines[ours[0].start] = f"{line.rstrip(_ENDS).rstrip()} - {date}{_end(line)}"
        return "".join(lines)
    unreleased = log.unreleased[0]
    if not log.filled(unreleased) and Version(version).is_prerelease:
        return "".join(lines)
    bracketed = unreleased.heading.startswith("[")
    newest = next((section.heading for section in log.versions), "")
    name = f"v{version}" if re.match(r"\[?v\d", newest) else version
    shown = f"[{name}]" if bracketed else name
    end = _end(lines[unreleased.start]) or "\n"
    links = list(_links(log, name, version, compare, end)) if compare is not None and bracketed else []
    # From the end to the beginning, so that what is written moves no line that is still to be found.
    for at, text, replaces in sorted([*links, (unreleased.body, f"{end}## {shown} - {date}{end}", 0)], key=_from_end):
        if at == len(lines) and lines[-1] and not lines[-1].endswith(("\n", "\r")):
            lines[-1] += end
        lines[at : at + replaces] = [text]
    return "".join(lines)


def _from_end(edit: tuple[int, str, int]) -> int:
    return -edit[0]


def _closed(log: Changelog) -> bool:
    """Whether a definition written at the end would be one."""
    probe = "hephaestus-probe"
    return probe in read_changelog(f"{''.join(log.lines)}\n\n[{probe}]: x\n").links


def _links(log: Changelog, name: str, version: str, compare: Comparison, end: str) -> Iterator[tuple[int, str, int]]:
    """Definitions to write: at which line, the text, how many lines it replaces."""
    tag = tag_of(version, compare.prefix)
    known = log.links.get(_UNRELEASED)
    match = _COMPARE.match(known[1]) if known is not None else None
    if known is not None and match is None:
        return
    base = match["base"] if match is not None else compare.base
    dots = match["dots"] if match is not None else "..."
    if not base:
        return
    if compare.since:
        ours = f"[{name}]: {base}{compare.since}{dots}{tag}{end}"
    else:
        ours = f"[{name}]: {base.removesuffix('compare/')}releases/tag/{tag}{end}"
    ours = "" if name.lower() in log.links else ours
    if known is not None:
        label = log.lines[known[0]].partition(":")[0].strip()
        yield known[0], f"{label}: {base}{tag}{dots}HEAD{end}{ours}", 1
        return
    new = f"[Unreleased]: {base}{tag}{dots}HEAD{end}{ours}"
    versions = [line for label, (line, _) in log.links.items() if _version(label) is not None]
    if versions:
        yield min(versions), new, 0
    else:
        # Below a paragraph a definition would be a line of it; below another definition it needs no empty line.
        filled = [number for number, line in enumerate(log.lines) if line.strip()]
        joins = bool(filled) and filled[-1] in {line for line, _ in log.links.values()}
        yield len(log.lines), new if joins else f"{end}{new}", 0


def _candidate_of(section: Section, version: Version) -> bool:
    found = section.version
    return found is not None and found.is_prerelease and found.base_version == version.base_version


def _headings(tokens: list[Token]) -> Iterator[tuple[int, int, int, str]]:
    """Level, first line, line after it, and text of every heading of the page's own (in no list, in no quotation)."""
    for token, inner in itertools.pairwise(tokens):
        if token.type == "heading_open" and token.level == 0 and token.map is not None and token.tag in ("h1", "h2"):
            yield int(token.tag[1]), token.map[0], token.map[1], inner.content.strip()


def _end_of_sections(tokens: list[Token], lines: list[str], definitions: set[int]) -> int:
    """The line where the last section ends: the definitions of links after all text belong to no section."""
    last = max((token.map[1] for token in tokens if token.map is not None), default=0)
    after = [line for line in sorted(definitions) if line >= last]
    return after[0] if after else len([line for line in lines if line])


def _ended(section: Section, end: int) -> Section:
    return Section(name=section.name, heading=section.heading, start=section.start, body=section.body, end=end)


def _end(line: str) -> str:
    return line[len(line.rstrip(_ENDS)) :]


def _version(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None


_ADD = "add `## [Unreleased]` below the title, and below it what people who use it will notice"


def _finding(code: str, message: str, remedy: str) -> Finding:
    return Finding(code=code, subject=NAME, message=message, remedy=remedy)
