"""The proof of a wheelhouse archive: read back, resolved from nothing but itself, installed where that is possible."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hephaestus.consumer.installers import without_network
from hephaestus.consumer.origins import read_report
from hephaestus.release.archive import Packed
from hephaestus.release.errors import Finding, ReleaseError
from hephaestus.release.extraction import extract_archive
from hephaestus.release.targets import Target
from hephaestus.stages.installation import (
    INSTALL_SECONDS,
    FreshEnvironment,
    check_probe,
    install_finding,
    running_interpreter,
)
from hephaestus.stages.stage import Context
from hephaestus.stages.targets import is_native, pip_command
from hephaestus.stages.wheelhouse_needs import PlannedArchive
from hephaestus.stages.wheelhouse_packing import LIST
from hephaestus.worlds.world import ChildKind

__all__ = ["OfflineInstallFailed", "prove"]


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


def prove(context: Context, planned: PlannedArchive, archive: Path, packed: Packed) -> dict[str, Any]:
    """What the archive was seen to do: ``resolved`` for its target, ``offline`` where it was installed.

    Raises ArchiveRefused when it does not read back as it was packed, OfflineInstallFailed.
    """
    place = planned.folder(context).resolve() / "offline"
    folder = place / "wheels"
    extract_archive(archive, folder, expected={member.name: member.digest for member in packed.members})
    if not planned.needs:
        return {}
    seen: dict[str, Any] = {}
    if planned.target is not None:
        context.narrator.step(f"resolving {archive.name} for {planned.target.name} from nothing but itself")
        seen["resolved"] = _resolve(context, planned.target, folder, archive=archive.name)
    if planned.target is None or is_native(context, planned.target):
        context.narrator.step(f"installing {archive.name} with no network")
        seen["offline"] = _install(context, folder, place, archive=archive.name)
    return seen


def _resolve(context: Context, target: Target, folder: Path, *, archive: str) -> dict[str, str]:
    """Let pip resolve the archive's own list for the target, with no index, every hash required; name to version."""
    report = folder.parent / "resolution.json"
    options = ["--dry-run", "--ignore-installed", "--report", str(report), "--only-binary", ":all:"]
    options += ["--no-index", "--find-links", str(folder), "--require-hashes", "-r", str(folder / LIST)]
    env = without_network(context.world.children[ChildKind.INSTALLER])
    done = context.environment.run(pip_command(context, target, "install", options), env=env, timeout=INSTALL_SECONDS)
    if not done.ok:
        raise OfflineInstallFailed(
            archive=archive, findings=[install_finding(done.output, place=target.name, name=archive)]
        )
    return {one.name: one.version for one in sorted(read_report(report), key=lambda one: one.name)}


def _install(context: Context, folder: Path, place: Path, *, archive: str) -> dict[str, Any]:
    """Install it into a fresh environment that knows no index, and look at it."""
    interpreter = running_interpreter(context)
    fresh = FreshEnvironment.make(context, place / "venv", interpreter)
    where, name = f"Python {interpreter.version} with no network", context.project.normalized
    arguments = ["--no-index", "--find-links", str(folder), "--require-hashes", "-r", str(folder / LIST)]
    env = without_network(context.world.children[ChildKind.INSTALLER])
    done, installed = fresh.install(context, arguments, env=env, report=place / "report.json")
    if not done.ok:
        finding = install_finding(done.output, place=where, name=archive)
        raise OfflineInstallFailed(archive=archive, findings=[finding])
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
    findings += check_probe(probed, answer, place=where, version=context.project.version, name=name)
    if findings or answer is None:
        raise OfflineInstallFailed(archive=archive, findings=findings)
    return {
        "python": interpreter.version,
        "installed": dict(sorted(answer["installed"].items())),
        "imported": sorted(answer["modules"]),
        "scripts": sorted(answer["scripts"]),
    }
