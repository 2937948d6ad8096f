"""What is signed as a wheelhouse: archives of our names that hold our wheels as they were built, and their bill.

The job that packs them runs foreign code, and one that is taken over was made by another run: neither can vouch that
the wheel of ours in it is the one that was built, signed and uploaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from hephaestus.release.archive import Member
from hephaestus.release.errors import Finding
from hephaestus.release.extraction import ArchiveRefused, archive_members
from hephaestus.release.targets import Target
from hephaestus.stages.proofs import distributions, outputs_of
from hephaestus.stages.stage import Context
from hephaestus.stages.wheelhouse_packing import SBOM

__all__ = ["archive_name", "contents_findings"]

_REDO = "nox -s wheelhouse -- --redo=wheelhouse"


def archive_name(context: Context, target: Target | None = None) -> str:
    """An archive's name: the one that installed clients look for, or that of one target, which they must not see."""
    prefix = context.project.config.wheelhouse.prefix or context.project.normalized
    kind = "wheelhouse" if target is None else f"wheels-{target.name}"
    return f"{prefix}-{context.project.version}-{kind}.tar.gz"


def contents_findings(context: Context) -> list[Finding]:
    """Everything among the outputs of wheelhouse that is not to be signed; reads every archive once."""
    targets = context.project.config.wheelhouse.parsed_targets()
    archives = {archive_name(context), *(archive_name(context, target) for target in targets)}
    names = {*archives, *(f"{name}.sha256" for name in archives), SBOM}
    findings = []
    for path, digest in outputs_of(context, "wheelhouse").items():
        name = Path(path).name
        if path != f"wheelhouse/{name}" or name not in names:
            message = "is no archive of this release, nor its checksum or bill"
            findings.append(Finding(code="wheelhouse-foreign", subject=path, message=message, remedy=_REDO))
        elif name in archives:
            findings += _archive_findings(context, context.directory.path / path, digest)
    return findings


def _archive_findings(context: Context, archive: Path, digest: str) -> list[Finding]:
    try:
        members = archive_members(archive, sha256=digest.removeprefix("sha256:"))
    except ArchiveRefused as error:
        return [Finding(code="wheelhouse-broken", subject=archive.name, message=error.problem, remedy=_REDO)]
    built = {Path(path).name: found for path, found in distributions(context).items()}
    ours = _ours(members, context.project.normalized)
    findings = [
        Finding(
            code="wheelhouse-other-wheel",
            subject=archive.name,
            message=f"its {one.name} has {one.digest}, built was {built.get(one.name, 'no such file')}",
            remedy=_REDO,
        )
        for one in ours
        if built.get(one.name) != one.digest
    ]
    if not ours:
        message = f"holds no wheel of {context.project.normalized}"
        findings.append(Finding(code="wheelhouse-other-wheel", subject=archive.name, message=message, remedy=_REDO))
    return findings


def _ours(members: Sequence[Member], project: str) -> list[Member]:
    """The wheels of the project itself."""
    found = []
    for member in members:
        try:
            if member.name.endswith(".whl") and parse_wheel_filename(member.name)[0] == project:
                found.append(member)
        except InvalidWheelFilename:
            continue  # named like no wheel of anybody: no installer takes it
    return found
