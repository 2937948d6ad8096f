"""What a stage does outside this machine, and whether any of it could be taken back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from hephaestus.inspection.places import index_title
from hephaestus.inspection.standing import Asked, Held
from hephaestus.stages.proofs import distributions, outputs_of
from hephaestus.stages.publication import required_indexes
from hephaestus.stages.stage import Context

__all__ = ["NEVER", "REVERSIBLE", "Effect", "effects_of", "until"]

REVERSIBLE = "reversible"
NEVER = "never"


@dataclass(frozen=True, kw_only=True)
class Effect:
    """One thing that would be so afterwards; ``label`` is ``reversible``, ``until <date>`` or ``never``."""

    what: str
    label: str


def until(moment: datetime) -> str:
    """The label of what is possible for a while."""
    return f"until {moment:%Y-%m-%d}"


def effects_of(
    stage: str,
    context: Context,
    *,
    asked: Asked | None,
    deadlines: Mapping[str, datetime | None],
    immutable: bool | None,
) -> tuple[Effect, ...]:
    """The effects of a stage that would run. ``deadlines``: until when an index takes more files, None for ever."""
    if stage in ("sign", "sign-wheelhouse"):
        return tuple(_signing(stage, context))
    if stage.startswith("upload-"):
        index = context.world.indexes[stage.removeprefix("upload-")].name
        return tuple(_upload(index, context, asked=asked, deadline=deadlines[index]))
    if stage == "github-release":
        return tuple(_release(context, asked=asked, immutable=immutable))
    return (Effect(what="files in the release directory only", label=REVERSIBLE),) if stage in _LOCAL else ()


_LOCAL = ("build", "wheelhouse")


def _signing(stage: str, context: Context) -> Iterator[Effect]:
    made = outputs_of(context, "build" if stage == "sign" else "wheelhouse")
    count = len([path for path in made if not path.endswith(".sha256")])
    entries = f"{count} files" if count else "every file"
    yield Effect(
        what=f"entries for {entries} in the transparency log, with the workflow's name, for all to see", label=NEVER
    )


def _upload(index: str, context: Context, *, asked: Asked | None, deadline: datetime | None) -> Iterator[Effect]:
    title = index_title(index)
    there = asked.indexes[index] if asked is not None and index in asked.indexes else None
    if there is not None and there.present and not there.having(Held.MISSING, Held.UNCOMPARED):
        yield Effect(what=f"nothing: {title} has every file already", label=REVERSIBLE)
        return
    missing = [file.filename for file in there.having(Held.MISSING)] if there is not None else []
    made = [Path(path).name for path in distributions(context)]
    names = ", ".join(missing or made) or "the files that build makes"
    if deadline is None:
        yield from _private_upload(title, names)
        return
    yield Effect(what=f"{names} on {title}, public at once, under names that are used up by it", label=NEVER)
    yield Effect(what=f"completing or extending the release on {title}", label=until(deadline))
    yield Effect(what=f"being offered to installers: a yank on {title}'s page stops that", label=REVERSIBLE)


def _private_upload(index: str, names: str) -> Iterator[Effect]:
    """What nobody here knows how to take back is counted as final: products differ in what they can do."""
    yield Effect(
        what=f"{names} on {index}, at once for all who may read it: who has fetched them keeps them", label=NEVER
    )
    yield Effect(
        what=f"their names, as far as is known: whether {index} lets files be deleted, yanked or replaced depends on "
        "the index; no deadline for completing the release is known of it",
        label=NEVER,
    )


def _release(context: Context, *, asked: Asked | None, immutable: bool | None) -> Iterator[Effect]:
    state = asked.github.state if asked is not None and asked.github is not None else "absent"
    if state != "published":
        yield Effect(what="a draft with every asset, seen by maintainers only", label=REVERSIBLE)
    where = " and ".join(index_title(name) for name in required_indexes(context))
    when = f"once {where} are complete" if " and " in where else f"once {where} is complete"
    if immutable is None:
        yield Effect(what=f"its publication, {when} (if the repository makes releases immutable)", label=NEVER)
    elif immutable:
        yield Effect(what=f"its publication, {when}: immutable, its tag used up", label=NEVER)
    else:
        yield Effect(what=f"its publication, {when}: not immutable, so it could be deleted again", label=REVERSIBLE)
    yield Effect(what="the text of its notes", label=REVERSIBLE)
