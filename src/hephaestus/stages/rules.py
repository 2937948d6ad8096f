"""The index rules, applied to the distributions of a release: what the index would refuse, and what else to say."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hephaestus.release.errors import Finding, Severity
from hephaestus.release.rules import Expected, Limits, check_distributions
from hephaestus.stages.proofs import distributions
from hephaestus.stages.stage import Context
from hephaestus.worlds.world import ChildKind

__all__ = ["all_findings", "index_findings"]


def all_findings(context: Context) -> list[Finding]:
    """Everything the rules say about the distributions, errors and warnings."""
    paths = [context.directory.path / path for path in distributions(context)]
    answer = context.environment.work("classifiers", {}, env=context.world.children[ChildKind.PROBE], timeout=60)
    budget = context.project.config.check.size_budget
    findings = check_distributions(
        paths,
        expected=Expected(name=context.project.name, version=context.project.version),
        classifiers=frozenset(answer["classifiers"]),
        limits=Limits(file=max(budget, Limits().file)),
    )
    return findings + _over_budget(paths, budget)


def _over_budget(paths: Sequence[Path], budget: int) -> list[Finding]:
    """The project's own limit, which a file may break long before the index's."""
    return [
        Finding(
            code="size-budget",
            subject=path.name,
            message=f"has {size} bytes, the project's budget is {budget}",
            remedy="leave out what users do not need, or raise `check.size-budget` in [tool.hephaestus.release]",
        )
        for path in paths
        if (size := path.stat().st_size) > budget
    ]


def index_findings(context: Context) -> list[Finding]:
    """The errors alone: reasons not to sign, because log entries are for ever."""
    return [finding for finding in all_findings(context) if finding.severity == Severity.ERROR]
