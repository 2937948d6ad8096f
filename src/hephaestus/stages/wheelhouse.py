"""Wheelhouse: the project's wheel and every wheel it needs, one archive a target, each proven with no network."""

from __future__ import annotations

import fnmatch
import shutil
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import parse_wheel_filename

from hephaestus.release.directory import Staging
from hephaestus.release.errors import Finding, Severity
from hephaestus.release.manifest import ManifestError, digest_of, parse_sums
from hephaestus.release.metadata import read_core_metadata
from hephaestus.release.names import unfit_member_name
from hephaestus.release.targets import Target, preferred_wheel
from hephaestus.stages.adoption import ADOPTED, adopted_assets, begun_before
from hephaestus.stages.installation import fitting_wheel, running_interpreter, unknown_extras
from hephaestus.stages.proofs import distributions, unproven
from hephaestus.stages.stage import Context, Evidence, Inputs, Stage
from hephaestus.stages.targets import described
from hephaestus.stages.wheelhouse_contents import archive_name
from hephaestus.stages.wheelhouse_needs import PlannedArchive, fetch_wheels
from hephaestus.stages.wheelhouse_packing import SBOM, pack
from hephaestus.stages.wheelhouse_proof import prove

__all__ = [
    "OLD_CLIENT_PATTERN",
    "WheelhouseStage",
    "archive_name",
    "bound",
    "planned_archives",
    "platforms",
    "seen_by_old_clients",
]

_TABLE = "tool.hephaestus.release.wheelhouse"

#: Installed clients take the first asset that matches (facts: consumers, C1 and C5): one may, no other.
OLD_CLIENT_PATTERN = "*wheelhouse*.tar.gz"


def planned_archives(context: Context) -> tuple[list[PlannedArchive], list[Finding]]:
    """Every archive to be made, that with the default name first; and the targets none of our wheels fits."""
    config, files = context.project.config.wheelhouse, [Path(path).name for path in distributions(context)]
    targets = config.parsed_targets()
    wheels: dict[str, tuple[str | None, Target | None, bool]] = {}
    if not targets:
        wheels[archive_name(context)] = (fitting_wheel(files, running_interpreter(context)), None, True)
    elif config.default == "project":
        anywhere = next((file for file in sorted(files) if file.endswith("-none-any.whl")), None)
        wheels[archive_name(context)] = (anywhere, None, False)
    for target in targets:
        name = archive_name(context) if not wheels else archive_name(context, target)
        wheels[name] = (preferred_wheel(files, target.tags), target, True)
    planned, findings = [], []
    for name, (wheel, of, needs) in wheels.items():
        if wheel is not None:
            planned.append(PlannedArchive(name=name, wheel=wheel, target=of, needs=needs))
            continue
        where = described(of) if needs else "every platform, as the default archive must"
        remedy = f"correct {_TABLE}" if targets else "run wheelhouse where one fits"
        message = f"no wheel of this release fits {where}"
        findings.append(Finding(code="wheel-unsupported", subject="wheel", message=message, remedy=remedy))
    return planned, findings


class WheelhouseStage(Stage):
    """Downloads, packs, lists, describes; resolves what it packed, and installs it with no network."""

    name = "wheelhouse"
    lock = "wheelhouse"

    def inputs(self, context: Context) -> Inputs:
        """The distributions, and what is to be in the wheelhouse."""
        return Inputs(files=distributions(context), settings=asdict(context.project.config.wheelhouse))

    def gates(self, context: Context) -> list[Finding]:
        """Build is proven, a wheel of ours fits each target, the extras exist, names are fit for any system."""
        findings = unproven(context, ("build",))
        config = context.project.config.wheelhouse
        if problem := unfit_member_name(archive_name(context)):
            subject, remedy = repr(archive_name(context)), f"correct {_TABLE}.prefix"
            findings.append(Finding(code="archive-name", subject=subject, message=problem, remedy=remedy))
        if findings:
            return findings
        planned, unfit = planned_archives(context)
        for archive in planned:
            unfit += _outside(context, archive)
        files = [Path(path).name for path in distributions(context)]
        return unfit + unknown_extras(context, files, config.extras, field="wheelhouse.extras")

    def act(self, context: Context, staging: Staging) -> Evidence:
        """Raises WheelsMissing, Tampered, DescriptionInvalid, ArchiveRefused, OfflineInstallFailed."""
        planned, _ = planned_archives(context)
        if begun_before(context) and (told := _taken_over(context, staging, [archive.name for archive in planned])):
            return Evidence(data=told)
        made, warnings = [], []
        first = next(archive for archive in planned if archive.needs)  # its bill is the release's own
        for archive in planned:
            sbom = staging.path(f"wheelhouse/{SBOM}") if archive is first else context.work / f"{archive.name}.cdx.json"
            told, found = _make(context, staging, archive, sbom=sbom)
            made.append(told)
            warnings += found
            if not context.options.keep_work:  # several targets' wheels, thrice each, could fill a disk
                shutil.rmtree(archive.folder(context), ignore_errors=True)
        others = [*(Path(path).name for path in distributions(context)), *(told["archive"] for told in made[1:])]
        warnings += _bound_default(context, made[0]) + seen_by_old_clients(others)
        data = {**made[0], "further": made[1:]}
        return Evidence(data=data, warnings=list(dict.fromkeys(warnings)))


def _taken_over(context: Context, staging: Staging, archives: list[str]) -> dict[str, Any]:
    """The wheelhouse an earlier run has attached to the tag's release, if all of it is there; else nothing.

    Dependencies may have moved on since, and a published release keeps its assets. Nothing of it is unpacked or run
    here: sign-wheelhouse holds it against the bundles that run has made.
    """
    names = [*archives, *(f"{name}.sha256" for name in archives), SBOM]
    public = adopted_assets(context, names, context.work / "public")
    if set(public) != set(names):
        return {}
    context.narrator.step(f"{archives[0]} is public already: taken over")
    told = []
    for name in archives:
        digest = digest_of(public[name])
        if _listed(public[f"{name}.sha256"]) != {name: digest}:
            context.narrator.warn(f"{name} on the GitHub Release is not what its .sha256 says; made anew")
            return {}
        told.append({"archive": name, "sha256": digest.removeprefix("sha256:"), "size": public[name].stat().st_size})
    for name, path in public.items():
        shutil.copyfile(path, staging.path(f"wheelhouse/{name}"))
    return {"state": ADOPTED, **told[0], "further": told[1:]}


def _listed(sums: Path) -> dict[str, str]:
    """What a checksum file says; nothing where it is none, for it comes from outside."""
    try:
        return parse_sums(sums.read_text(encoding="utf-8"), source=sums.name)
    except (UnicodeDecodeError, ManifestError):
        return {}


def _make(
    context: Context, staging: Staging, planned: PlannedArchive, *, sbom: Path
) -> tuple[dict[str, Any], list[Finding]]:
    """One archive with its checksum, into ``staging``; what it is and was seen to do."""
    wheels, warnings = fetch_wheels(context, planned)
    name = planned.name
    archive = staging.path(f"wheelhouse/{name}")
    context.narrator.step(f"packing {len(wheels)} wheels into {name}")
    packed, described_by = pack(context, planned, wheels, archive, sbom=sbom)
    staging.digests[f"wheelhouse/{name}"] = packed.digest
    digest = packed.digest.removeprefix("sha256:")
    staging.path(f"wheelhouse/{name}.sha256").write_text(f"{digest}  {name}\n", encoding="utf-8", newline="\n")
    seen = prove(context, planned, archive, packed)
    return {
        "archive": name,
        "sha256": digest,
        "size": packed.size,
        "wheel": planned.wheel,
        "target": planned.target.name if planned.target else "",
        "complete": planned.needs,
        "platforms": platforms(wheels),
        "members": [{"name": m.name, "size": m.size, "sha256": m.digest[7:]} for m in packed.members],
        "count": len(packed.members),
        "bytes": sum(member.size for member in packed.members),
        "sbom": described_by,
        **seen,
    }, warnings


def _outside(context: Context, archive: PlannedArchive) -> list[Finding]:
    """A target whose Python our wheel does not allow."""
    if archive.target is None:
        return []
    required = read_core_metadata(context.directory.dist / archive.wheel).first("Requires-Python")
    first = archive.target.environments[0]["python_full_version"]
    try:
        if first in SpecifierSet(required):
            return []
    except InvalidSpecifier:
        return []  # check judges what it says
    message = f"includes Python {first}, which {archive.wheel} does not allow (it requires {required})"
    remedy = f"correct {_TABLE}.targets (X.Y.Z-PLATFORM says from which patch release on)"
    return [Finding(code="python-unsupported", subject=archive.target.name, message=message, remedy=remedy)]


def bound(wheels: Iterable[str], *, remedy: str = "say so beside the download") -> list[Finding]:
    """Old clients give every wheel of an archive to one pip call: one foreign wheel fails it all (consumers, C9)."""
    here = [name for name in wheels if name.endswith(".whl") and not name.endswith("-any.whl")]
    if not here:
        return []
    message = f"is for this platform and Python only, and so is the archive ({', '.join(platforms(here))})"
    subject = ", ".join(sorted(here))
    return [Finding(code="bound", subject=subject, message=message, remedy=remedy, severity=Severity.WARNING)]


def _bound_default(context: Context, default: dict[str, Any]) -> list[Finding]:
    names = [member["name"] for member in default["members"]]
    if len(context.project.config.wheelhouse.targets) < 2:
        return bound(names)
    return bound(names, remedy=f'say so beside the download, or set {_TABLE}.default = "project"')


def seen_by_old_clients(names: Iterable[str]) -> list[Finding]:
    """Which further assets installed clients could take for the wheelhouse, because of the project's own name."""
    return [
        Finding(
            code="old-client",
            subject=name,
            message=f"matches {OLD_CLIENT_PATTERN} too: clients up to 0.2.0 may take it for the wheelhouse",
            remedy="say beside the download that they need --asset-pattern",
            severity=Severity.WARNING,
        )
        for name in fnmatch.filter(names, OLD_CLIENT_PATTERN)
    ]


def platforms(wheels: Iterable[str]) -> list[str]:
    """The platforms the archive is bound to; only ``any`` when every wheel fits everywhere (facts: consumers, C9)."""
    found = {tag.platform for name in wheels for tag in parse_wheel_filename(name)[3]}
    return sorted(found - {"any"}) or ["any"]
