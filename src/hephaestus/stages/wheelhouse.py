"""Wheelhouse: the project's wheel and every wheel it needs in one archive, proven to install with no network."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from packaging.utils import parse_wheel_filename

from hephaestus.release.archive import Member, Packed, write_archive
from hephaestus.release.directory import Staging
from hephaestus.release.errors import Finding, ReleaseError, Severity
from hephaestus.release.extraction import extract_archive
from hephaestus.release.names import unfit_member_name
from hephaestus.stages.installation import (
    INSTALL_SECONDS,
    FreshEnvironment,
    check_probe,
    fitting_wheel,
    install_finding,
    running_interpreter,
    unknown_extras,
)
from hephaestus.stages.proofs import distributions, unproven
from hephaestus.stages.stage import Context, Evidence, Inputs, Stage
from hephaestus.worlds.world import ChildKind

__all__ = [
    "OfflineInstallFailed",
    "SbomInvalid",
    "WheelhouseStage",
    "WheelsMissing",
    "archive_name",
    "bound",
    "targets",
    "without_network",
]

_LIST = "requirements.txt"
_SBOM = "wheelhouse/sbom.cdx.json"


class WheelsMissing(ReleaseError):
    """Raised when a dependency cannot be had as a wheel; ``code`` of the finding says in which way."""

    def __init__(self, *, finding: Finding, output: str) -> None:
        self.finding = finding
        self.output = output
        super().__init__(
            what=f"wheelhouse: {finding.line()}",
            why="a wheelhouse is installed with no network and no compiler: all of it must be wheels",
            next_step="require something that has wheels for this Python and platform (or have them published), then "
            "`nox -s wheelhouse`",
        )


class OfflineInstallFailed(ReleaseError):
    """Raised when the finished archive does not install, or does not work, with no network."""

    def __init__(self, *, archive: str, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__(
            what=f"wheelhouse: {archive} does not install with no network",
            why="installing with no network is what a wheelhouse is for; it was not kept",
            details=[finding.line() for finding in findings],
            next_step="correct what is named above, then `nox -s wheelhouse`",
        )


class SbomInvalid(ReleaseError):
    """Raised when the bill of materials does not pass CycloneDX's own schema."""

    def __init__(self, *, problem: str) -> None:
        super().__init__(
            what="wheelhouse: the bill of materials is no valid CycloneDX",
            why="tools would refuse it; most likely some wheel's metadata holds what the schema does not allow",
            details=problem.splitlines()[:6],
            next_step="correct or replace the distribution whose metadata is named above, then `nox -s wheelhouse`",
        )


def archive_name(context: Context) -> str:
    """The archive's name; clients look for ``*wheelhouse*.tar.gz`` (facts: consumers, C1)."""
    prefix = context.project.config.wheelhouse.prefix or context.project.normalized
    return f"{prefix}-{context.project.version}-wheelhouse.tar.gz"


class WheelhouseStage(Stage):
    """Downloads, packs, lists, describes, and installs what it packed with no network."""

    name = "wheelhouse"
    lock = "wheelhouse"

    def inputs(self, context: Context) -> Inputs:
        """The distributions, and what is to be in the wheelhouse."""
        return Inputs(files=distributions(context), settings=asdict(context.project.config.wheelhouse))

    def gates(self, context: Context) -> list[Finding]:
        """Build is proven, one wheel fits this Python, the extras exist, the archive's name is fit for any system."""
        findings = unproven(context, ("build",))
        config, files = context.project.config.wheelhouse, _files(context)
        if problem := unfit_member_name(archive_name(context)):
            remedy = "correct tool.hephaestus.release.wheelhouse.prefix"
            findings.append(
                Finding(code="archive-name", subject=repr(archive_name(context)), message=problem, remedy=remedy)
            )
        if findings:
            return findings
        if fitting_wheel(files, running_interpreter(context)) is None:
            message = "no wheel of this release fits this Python and platform"
            remedy = "run wheelhouse where one fits"
            findings.append(Finding(code="wheel-unsupported", subject="wheel", message=message, remedy=remedy))
        return findings + unknown_extras(context, files, config.extras, field="wheelhouse.extras")

    def act(self, context: Context, staging: Staging) -> Evidence:
        """Raises WheelsMissing, Tampered, SbomInvalid, ArchiveRefused, OfflineInstallFailed."""
        wheel = fitting_wheel(_files(context), running_interpreter(context))
        assert wheel is not None  # the gate has proven that there is one
        wheels, warnings = _download(context, wheel)
        warnings += bound(wheels)
        name = archive_name(context)
        archive = staging.path(f"wheelhouse/{name}")
        context.narrator.step(f"packing {len(wheels)} wheels into {name}")
        packed = _pack(context, archive, wheels)
        staging.digests[f"wheelhouse/{name}"] = packed.digest
        digest = packed.digest.removeprefix("sha256:")
        staging.path(f"wheelhouse/{name}.sha256").write_text(f"{digest}  {name}\n", encoding="utf-8", newline="\n")
        context.narrator.step("writing the bill of materials")
        sbom = _describe(context, wheels, packed, staging.path(_SBOM))
        context.narrator.step("installing the archive with no network")
        offline = _prove(context, archive, packed)
        data = {
            "archive": name,
            "sha256": digest,
            "size": packed.size,
            "wheel": wheel,
            "targets": targets(wheels),
            "members": [{"name": m.name, "size": m.size, "sha256": m.digest[7:]} for m in packed.members],
            "count": len(packed.members),
            "bytes": sum(member.size for member in packed.members),
            "offline": offline,
            "sbom": sbom,
        }
        return Evidence(data=data, warnings=warnings)


def _files(context: Context) -> list[str]:
    return [Path(path).name for path in distributions(context)]


def _download(context: Context, wheel: str) -> tuple[dict[str, Path], list[Finding]]:
    """Our wheel and every wheel it needs, by file name; and what pip had to say about them."""
    folder = context.work / "wheels"
    extras = context.project.config.wheelhouse.extras
    wanted = f"[{','.join(extras)}]" if extras else ""
    requirement = f"{context.project.normalized}{wanted} @ {(context.directory.dist / wheel).resolve().as_uri()}"
    env = context.world.children[ChildKind.INSTALLER]
    argv = ["python", "-m", "pip", "download", "--no-input", "--disable-pip-version-check", "--progress-bar", "off"]
    argv += ["--only-binary", ":all:", "--dest", str(folder), requirement]
    done = context.environment.run(argv, env=env, timeout=INSTALL_SECONDS)
    if not done.ok:
        finding = install_finding(done.output, place="this Python and platform", name=wheel)
        raise WheelsMissing(finding=_told_apart(context, finding, env), output=done.output)
    found = {path.name: path for path in sorted(folder.iterdir())}
    if foreign := [name for name in found if not name.endswith(".whl")]:
        message = "came although only wheels were asked for"
        raise WheelsMissing(finding=Finding(code="no-wheel", subject=foreign[0], message=message), output=done.output)
    yanked = re.findall(r"is a yanked version: '([^']+)' candidate \(version ([^ ]+)", done.output)
    return found, [
        Finding(
            code="yanked",
            subject=f"{name} {version}",
            message="has been yanked from its index; only the exact pin lets it in",
            remedy="widen the requirement",
            severity=Severity.WARNING,
        )
        for name, version in yanked
    ]


def _told_apart(context: Context, finding: Finding, env: Mapping[str, str]) -> Finding:
    """Tell a dependency that no index has from one that is there without a fitting wheel."""
    name = re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", finding.subject)
    if finding.code != "dependency-missing" or name is None:
        return finding
    argv = ["python", "-m", "pip", "index", "versions", "--disable-pip-version-check", "--pre", name[0]]
    done = context.environment.run(argv, env=env, timeout=INSTALL_SECONDS)
    versions = re.search(r"Available versions: (.+)", done.output)
    if not done.ok or versions is None:
        return finding
    message = (
        f"has no wheel that fits (the index has versions {versions[1][:200]}, in other forms or outside the range)"
    )
    return Finding(code="no-wheel", subject=finding.subject, message=message)


def _pack(context: Context, archive: Path, wheels: Mapping[str, Path]) -> Packed:
    def listing(members: Sequence[Member]) -> bytes:
        return _requirements({member.name: member.digest for member in members}).encode()

    with archive.open("xb") as stream:
        return write_archive(
            stream,
            wheels,
            epoch=_epoch(context),
            listing=(_LIST, listing),
            progress=lambda done, total: context.narrator.progress(done, total, "bytes"),
        )


def _requirements(digests: Mapping[str, str]) -> str:
    """The list that ``pip install --require-hashes`` takes: every wheel by exact version and SHA-256."""
    lines = []
    for file in sorted(digests):
        name, version, _build, _tags = parse_wheel_filename(file)
        lines.append(f"{name}=={version} --hash={digests[file]}\n")
    return "".join(lines)


def _epoch(context: Context) -> int:
    """The time of every member: the build's SOURCE_DATE_EPOCH, else the commit's."""
    receipt = context.directory.receipt("build")
    recorded = receipt.evidence.get("source_date_epoch") if receipt is not None else None
    if isinstance(recorded, int) and recorded > 0:
        return recorded
    return context.source.epoch if context.source is not None else 0


def _describe(context: Context, wheels: Mapping[str, Path], packed: Packed, output: Path) -> dict[str, Any]:
    """The bill of materials, by CycloneDX's own library and validated by it (workers/sbom.py)."""
    digests = {member.name: member.digest.removeprefix("sha256:") for member in packed.members}
    request = {
        "root": context.project.normalized,
        "wheels": [{"path": str(path), "file": name, "sha256": digests[name]} for name, path in wheels.items()],
        "extras": list(context.project.config.wheelhouse.extras),
        "epoch": _epoch(context),
        "output": str(output),
    }
    env = context.world.children[ChildKind.PROBE]
    answer = context.environment.work("sbom", request, env=env, timeout=INSTALL_SECONDS)
    if problem := answer.pop("problem"):
        raise SbomInvalid(problem=problem)
    return {**answer, "validated": True}


def _prove(context: Context, archive: Path, packed: Packed) -> dict[str, Any]:
    """Read the archive back, install from it into a fresh environment that knows no index, and look at it."""
    folder = context.work.resolve() / "offline" / "wheels"
    expected = {member.name: member.digest for member in packed.members}
    extract_archive(archive, folder, expected=expected)
    interpreter = running_interpreter(context)
    fresh = FreshEnvironment.make(context, context.work / "offline" / "venv", interpreter)
    place, name = f"Python {interpreter.version} with no network", context.project.normalized
    arguments = ["--no-index", "--find-links", str(folder), "--require-hashes", "-r", str(folder / _LIST)]
    env = without_network(context.world.children[ChildKind.INSTALLER])
    done, installed = fresh.install(context, arguments, env=env, report=folder.parent / "report.json")
    if not done.ok:
        raise OfflineInstallFailed(
            archive=archive.name, findings=[install_finding(done.output, place=place, name=archive.name)]
        )
    findings = [
        Finding(code="foreign-origin", subject=one.name, message=f"came from {one.url}, not from the archive")
        for one in installed
        if not one.url.startswith(f"{folder.as_uri()}/")
    ]
    checked = fresh.check(context)
    if not checked.ok:
        lines = [line.strip() for line in checked.output.splitlines() if line.strip()]
        findings += [Finding(code="pip-check", subject="pip check", message=line) for line in lines]
    config = context.project.config
    probed, answer = fresh.probe(context, name=name, imports=config.smoke.imports, extras=config.wheelhouse.extras)
    findings += check_probe(probed, answer, place=place, version=context.project.version, name=name)
    if findings or answer is None:
        raise OfflineInstallFailed(archive=archive.name, findings=findings)
    return {
        "python": interpreter.version,
        "installed": dict(sorted(answer["installed"].items())),
        "imported": sorted(answer["modules"]),
        "scripts": sorted(answer["scripts"]),
    }


def without_network(env: Mapping[str, str]) -> dict[str, str]:
    """``env`` without any index, proxy or configuration file that could reach one, and pip told to use none."""
    kept = {
        name: value
        for name, value in env.items()
        if not name.upper().startswith(("PIP_", "UV_")) and not name.upper().endswith("_PROXY")
    }
    return {**kept, "PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull}


def bound(wheels: Iterable[str]) -> list[Finding]:
    """Old clients give every wheel of an archive to one pip call: one foreign wheel fails it all (consumers, C9)."""
    here = [name for name in wheels if not name.endswith("-any.whl")]
    if not here:
        return []
    message = f"is for this platform and Python only, and so is the archive ({', '.join(targets(here))})"
    remedy = "say so beside the download"
    subject = ", ".join(sorted(here))
    return [Finding(code="bound", subject=subject, message=message, remedy=remedy, severity=Severity.WARNING)]


def targets(wheels: Iterable[str]) -> list[str]:
    """The platforms the archive is bound to; only ``any`` when every wheel fits everywhere (facts: consumers, C9)."""
    platforms = {tag.platform for name in wheels for tag in parse_wheel_filename(name)[3]}
    return sorted(platforms - {"any"}) or ["any"]
