"""Packing a wheelhouse archive: the wheels, and three files that say what they are to pip, to any installer, to people.

All three are made while the archive is written, from the digests of what was written: each wheel is read once, and
none of the files can speak of other bytes than those beside it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from hephaestus import DISTRIBUTION_NAME
from hephaestus.consumer.wheels import pinned_requirements
from hephaestus.release.archive import Member, Packed, write_archive
from hephaestus.release.errors import ReleaseError
from hephaestus.stages.installation import INSTALL_SECONDS
from hephaestus.stages.stage import Context
from hephaestus.stages.wheelhouse_needs import PlannedArchive
from hephaestus.worlds.world import ChildKind

__all__ = ["LIST", "LOCK", "SBOM", "DescriptionInvalid", "pack"]

LIST = "requirements.txt"
LOCK = "pylock.toml"
SBOM = "sbom.cdx.json"


class DescriptionInvalid(ReleaseError):
    """Raised when the bill of materials or the lock does not pass the check of its own format."""

    def __init__(self, *, file: str, form: str, problem: str) -> None:
        super().__init__(
            what=f"wheelhouse: {file} is no valid {form}",
            why="tools would refuse it; most likely some wheel's metadata holds what the format does not allow",
            details=problem.splitlines()[:6],
            next_step="correct or replace the distribution whose metadata is named above, then `nox -s wheelhouse`",
        )


def pack(
    context: Context, planned: PlannedArchive, wheels: Mapping[str, Path], archive: Path, *, sbom: Path
) -> tuple[Packed, dict[str, Any]]:
    """Write the archive, and the bill of materials also to ``sbom``; what was packed, and the bill's own figures.

    An archive that holds our wheel alone has no list and no lock: nothing could be installed from them alone.
    Raises DescriptionInvalid, ArchiveNotWritten, OSError.
    """
    told: dict[str, Any] = {}

    def describe(members: Sequence[Member]) -> bytes:
        told.update(_describe(context, planned, wheels, members, sbom))
        return sbom.read_bytes()

    composed = {SBOM: describe}
    if planned.needs:
        composed |= {LIST: _requirements, LOCK: partial(_lock, context, planned)}
    with archive.open("xb") as stream:
        packed = write_archive(
            stream,
            wheels,
            epoch=_epoch(context),
            composed=composed,
            progress=lambda done, total: context.narrator.progress(done, total, "bytes"),
        )
    return packed, told


def _requirements(members: Sequence[Member]) -> bytes:
    """The list that ``pip install --require-hashes`` takes: every wheel by exact version and SHA-256."""
    return pinned_requirements({member.name: member.digest for member in members}).encode()


def _lock(context: Context, planned: PlannedArchive, members: Sequence[Member]) -> bytes:
    """The same as a lock for any installer of PEP 751, made and validated by ``packaging`` (workers/pylock.py)."""
    import tomlkit

    target = planned.target
    wheels = [{"file": one.name, "size": one.size, "sha256": one.digest.removeprefix("sha256:")} for one in members]
    request = {
        "wheels": wheels,
        "markers": list(target.markers) if target else None,
        "requires_python": target.requires_python if target else None,
        "created_by": DISTRIBUTION_NAME,
    }
    env = context.world.children[ChildKind.PROBE]
    answer = context.environment.work("pylock", request, env=env, timeout=INSTALL_SECONDS)
    if problem := answer["problem"]:
        raise DescriptionInvalid(file=LOCK, form="lock file (PEP 751)", problem=problem)
    return tomlkit.dumps(answer["lock"]).encode()


def _epoch(context: Context) -> int:
    """The time of every member: the build's SOURCE_DATE_EPOCH, else the commit's."""
    receipt = context.directory.receipt("build")
    recorded = receipt.evidence.get("source_date_epoch") if receipt is not None else None
    if isinstance(recorded, int) and recorded > 0:
        return recorded
    return context.source.epoch if context.source is not None else 0


def _describe(
    context: Context, planned: PlannedArchive, wheels: Mapping[str, Path], members: Sequence[Member], output: Path
) -> dict[str, Any]:
    """The bill of materials, by CycloneDX's own library and validated by it (workers/sbom.py)."""
    context.narrator.step("writing the bill of materials")
    request = {
        "root": context.project.normalized,
        "wheels": [
            {"path": str(wheels[one.name]), "file": one.name, "sha256": one.digest.removeprefix("sha256:")}
            for one in members
        ],
        "extras": list(context.project.config.wheelhouse.extras),
        "environments": [dict(one) for one in planned.target.environments] if planned.target else [{}],
        "epoch": _epoch(context),
        "output": str(output),
    }
    env = context.world.children[ChildKind.PROBE]
    answer = context.environment.work("sbom", request, env=env, timeout=INSTALL_SECONDS)
    if problem := answer.pop("problem"):
        raise DescriptionInvalid(file=SBOM, form="CycloneDX", problem=problem)
    return {**answer, "validated": True}
