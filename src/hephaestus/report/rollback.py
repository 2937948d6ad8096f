"""The way back as people read it, and as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from hephaestus.inspection.places import index_title
from hephaestus.inspection.resolution import Resolved
from hephaestus.inspection.rollback import Proof, Step
from hephaestus.inspection.withdrawal import Decision, Shelf, Way

__all__ = ["proof_data", "render_proof", "render_rollback", "rollback_data"]

#: What whoever logs in to withdraw a release owes everybody else; SECURITY.md says it at length.
_DUTIES = (
    "the second factor stays yours: nobody asks for it, and no command of this suite does",
    "a recovery code you use is gone: make new ones the same day and put them into the vault",
)
_HEADLINES = {
    Way.YANK: "yank",
    Way.POST_RELEASE: "publish a post-release; no yank",
    Way.NOTHING: "nothing to do on an index",
}


def render_rollback(
    name: str,
    decision: Decision,
    shelves: Mapping[str, Shelf],
    steps: Iterable[Step],
    *,
    notes: Iterable[str] = (),
    private: bool = False,
) -> str:
    """Decision, reasons, facts, what installers take afterwards, and the steps. ``private``: of a private index."""
    lines = ["", f"{name} {decision.version}: {_HEADLINES[decision.way]}", ""]
    lines += [f"  why: {why}" for why in decision.why]
    lines += [f"  note: {note}" for note in notes]
    lines.append("")
    lines += [f"  {index_title(shelf.index):10} {_shelf(shelf, decision)}" for shelf in shelves.values()]
    for index, resolved in decision.after.items():
        lines += ["", f"  after the yank, from {index_title(index)}:"]
        lines += [f"    {_resolved(one)}" for one in resolved]
    for number, step in enumerate(steps, start=1):
        lines += ["", f"  {number}. {step.title}"]
        lines += [f"     {part}" for part in (step.page, step.command) if part]
        if step.text:
            lines += [f"     paste:  {step.text}"]
        if step.undo:
            lines.append(f"     [{step.undo}]")
    if decision.way is not Way.NOTHING and private:
        lines += ["", "  How it is done is the index's own affair: nothing was changed by this command."]
    elif decision.way is not Way.NOTHING:
        lines += ["", "  No index has an API to yank: nothing was changed by this command.", ""]
        lines += [f"  duty: {duty}" for duty in _DUTIES]
    return "\n".join([*lines, ""])


def rollback_data(
    name: str, decision: Decision, shelves: Mapping[str, Shelf], steps: Iterable[Step], *, notes: Iterable[str] = ()
) -> dict[str, Any]:
    """The same as JSON data."""
    return {
        "schema": 1,
        "project": name,
        "version": str(decision.version),
        "decision": str(decision.way),
        "why": list(decision.why),
        "notes": list(notes),
        "on": list(decision.on),
        "instead": decision.instead,
        "exists": decision.exists,
        "fix_first": decision.fix_first,
        "indexes": {
            index: {
                "status": shelf.status,
                "versions": {str(version): yanked for version, yanked in sorted(shelf.versions.items())},
            }
            for index, shelf in shelves.items()
        },
        "after": {index: [asdict(one) for one in resolved] for index, resolved in decision.after.items()},
        "steps": [asdict(step) for step in steps],
    }


def render_proof(name: str, version: str, proofs: Iterable[Proof]) -> str:
    """Whether the yank is in force, file by file, and what installers take now."""
    lines = ["", f"{name} {version}"]
    for proof in proofs:
        force = "the yank is in force" if proof.files else "it has no file of it any more"
        lines.append(f"  {index_title(proof.index)}: {force if proof.in_force else 'NOT in force'}")
        lines += [f"    {_yank(reason)}  {file}" for file, reason in proof.files.items()]
        lines.append(f"    installers take (by {proof.by}):")
        lines += [f"      {_resolved(one)}" for one in proof.resolved]
    return "\n".join([*lines, ""])


def proof_data(name: str, version: str, proofs: Iterable[Proof]) -> dict[str, Any]:
    """The same as JSON data."""
    return {
        "schema": 1,
        "project": name,
        "version": version,
        "proofs": [{**asdict(proof), "in_force": proof.in_force} for proof in proofs],
    }


def _yank(reason: str | None) -> str:
    if reason is None:
        return "FAIL   not yanked"
    return f"PASS   yanked ({reason})" if reason else "PASS   yanked"


def _shelf(shelf: Shelf, decision: Decision) -> str:
    if shelf.status == "quarantined":
        return "quarantined"
    archived = "; the project is archived: unarchive it before a fix can be uploaded" * (shelf.status == "archived")
    if decision.version not in shelf.versions:
        return f"does not have it{archived}"
    yanked = shelf.versions[decision.version]
    state = "not yanked" if yanked is None else f"yanked{f' ({yanked})' if yanked else ''}"
    count = shelf.files[decision.version]
    others = [str(version) for version in shelf.free(prereleases=True) if version != decision.version]
    rest = f"others not yanked: {', '.join(others[-5:])}" if others else "no other version that is not yanked"
    return f"{count} file{'s' if count != 1 else ''}, {state}; {rest}{archived}"


def _resolved(one: Resolved) -> str:
    if one.version is None:
        return f"{one.requirement:30} -> nothing: the installation fails"
    pinned = f", yanked: shown with a warning{f' ({one.reason})' if one.reason else ''}" if one.yanked else ""
    return f"{one.requirement:30} -> {one.version}{pinned}"
