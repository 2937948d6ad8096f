"""What goes into a wheelhouse archive: one wheel of ours and every wheel it needs, fetched with pip as wheels only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hephaestus.release.errors import Finding, ReleaseError, Severity
from hephaestus.release.targets import Target
from hephaestus.stages.installation import INSTALL_SECONDS, install_finding
from hephaestus.stages.stage import Context
from hephaestus.stages.targets import described, pip_command
from hephaestus.worlds.world import ChildKind

__all__ = ["PlannedArchive", "WheelsMissing", "fetch_wheels"]


class WheelsMissing(ReleaseError):
    """Raised when a dependency cannot be had as a wheel; ``code`` of the finding says in which way."""

    def __init__(self, *, finding: Finding, output: str, target: Target | None) -> None:
        self.finding = finding
        self.output = output
        where = "this Python and platform" if target is None else f"{target.name} (or leave that target out)"
        super().__init__(
            what=f"wheelhouse: {finding.line()}",
            why="a wheelhouse is installed with no network and no compiler: all of it must be wheels",
            next_step=f"require something that has wheels for {where}, or have them published; then "
            "`nox -s wheelhouse`",
        )


@dataclass(frozen=True, kw_only=True)
class PlannedArchive:
    """One archive to be made: its name, our wheel in it, for which target (None: this Python and platform).

    Without ``needs`` it holds our wheel alone.
    """

    name: str
    wheel: str
    target: Target | None = None
    needs: bool = True

    def folder(self, context: Context) -> Path:
        """Where it is worked on: its wheels, and what it is proven with."""
        return context.work / (self.name.removesuffix(".tar.gz") if self.target is None else self.target.name)


def fetch_wheels(context: Context, planned: PlannedArchive) -> tuple[dict[str, Path], list[Finding]]:
    """Our wheel and every wheel it needs, by file name; and what pip had to say about them. Raises WheelsMissing."""
    ours = (context.directory.dist / planned.wheel).resolve()
    if not planned.needs:
        return {planned.wheel: ours}, []
    target = planned.target
    folder = planned.folder(context) / "wheels"
    extras = context.project.config.wheelhouse.extras
    wanted = f"[{','.join(extras)}]" if extras else ""
    requirement = f"{context.project.normalized}{wanted} @ {ours.as_uri()}"
    env = context.world.children[ChildKind.INSTALLER]
    options = ["--only-binary", ":all:", "--dest", str(folder), requirement]
    done = context.environment.run(pip_command(context, target, "download", options), env=env, timeout=INSTALL_SECONDS)
    if not done.ok:
        finding = install_finding(done.output, place=described(target), name=planned.wheel)
        raise WheelsMissing(finding=_told_apart(context, finding, env), output=done.output, target=target)
    found = {path.name: path for path in sorted(folder.iterdir())}
    if foreign := [name for name in found if not name.endswith(".whl")]:
        message = "came although only wheels were asked for"
        finding = Finding(code="no-wheel", subject=foreign[0], message=message)
        raise WheelsMissing(finding=finding, output=done.output, target=target)
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
