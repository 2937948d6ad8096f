"""How a release stands, for people and for programs: what the services answered, beside what the receipts say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from hephaestus.inspection.places import index_title
from hephaestus.inspection.standing import Asked, FileStanding, GitHubStanding, IndexStanding

__all__ = ["moment", "render_services", "services_data"]


def moment(when: datetime) -> str:
    """A time as it is shown everywhere: to the minute, in UTC."""
    return f"{when:%Y-%m-%d %H:%M} UTC"


def services_data(asked: Asked) -> dict[str, Any]:
    """What the services answered as JSON data."""
    indexes: dict[str, Any] = {}
    for name, index in asked.indexes.items():
        data = asdict(index)
        data["deadline"] = index.deadline.isoformat() if index.deadline is not None else None
        indexes[name] = {"state": index.state, **data}
    return {
        "at": asked.at.isoformat(timespec="seconds"),
        "manifest": asked.manifest,
        "indexes": indexes,
        "github": asdict(asked.github) if asked.github is not None else None,
    }


def render_services(asked: Asked, *, next_step: str) -> str:
    """What the services answered: a line an index with one a file below it, a line for GitHub, the next command."""
    against = f", held against {asked.manifest}" if asked.manifest else "; nobody can tell what the bytes should be"
    lines = [f"  asked at {moment(asked.at)}{against}"]
    for index in asked.indexes.values():
        lines.append(f"  {index_title(index.index):10} {_index(index)}")
        lines += [f"    {_file(file)}" for file in index.files]
    if asked.github is not None:
        lines.append(f"  {'GitHub':10} {_github(asked.github)}")
    lines += ["", f"  next: {next_step}" if next_step else "  complete: nothing is left to do", ""]
    return "\n".join(lines)


def _index(index: IndexStanding) -> str:
    if index.trouble:
        return f"no answer: {index.trouble}"
    counted = f"{len(index.present)} of {len(index.files)} files" if index.files else "no files"
    parts = [f"{index.state}: {counted}" if index.state != "complete" else f"complete: {counted}"]
    if index.status != "active":
        parts.append(f"the project is {index.status}{f' ({index.reason})' if index.reason else ''}")
    if index.deadline is not None and index.state not in ("complete", "yanked"):
        parts.append(
            f"takes further files until {moment(index.deadline)} ({_days(index.days_left or 0)} left)"
            if index.days_left
            else f"has taken no more files since {moment(index.deadline)}"
        )
    return "; ".join(parts)


def _days(count: int) -> str:
    return "one day" if count == 1 else f"{count} days"


def _file(file: FileStanding) -> str:
    yanked = "" if file.yanked is None else f"yanked{f' ({file.yanked})' if file.yanked else ''}"
    more = "; ".join(part for part in (file.reason, yanked) if part)
    return f"{file.state:10} {file.filename}{f': {more}' if more else ''}"


def _github(github: GitHubStanding) -> str:
    if github.trouble:
        return f"no answer: {github.trouble}"
    if github.state == "absent":
        return "no release" + (", or a draft that only a token could show (GITHUB_TOKEN)" if github.hidden else "")
    count = f"{github.assets} asset{'' if github.assets == 1 else 's'}"
    parts = [f"{github.state}{', immutable' if github.immutable else ''}: {count}"]
    for label, names in _assets(github).items():
        if names:
            parts.append(f"{label} {', '.join(names)}")
    return f"{'; '.join(parts)}   {github.url}"


def _assets(github: GitHubStanding) -> Mapping[str, tuple[str, ...]]:
    return {"missing": github.missing, "broken off": github.incomplete, "other bytes:": github.different}
