"""The index rules, applied to the distributions of a release: what the index would refuse, and what else to say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from hephaestus.release.errors import Finding, Severity
from hephaestus.release.metadata import BrokenDistribution, read_core_metadata
from hephaestus.release.rules import Expected, Limits, check_distributions
from hephaestus.stages.proofs import distributions
from hephaestus.stages.stage import Context
from hephaestus.worlds.world import ChildKind

__all__ = ["all_findings", "index_findings"]


def all_findings(context: Context, *, descriptions: bool) -> list[Finding]:
    """Everything the rules say about the distributions, errors and warnings.

    ``descriptions``: render them too; whoever runs `twine check` has that already.
    """
    paths = [context.directory.path / path for path in distributions(context)]
    answer = context.environment.work(
        "index_metadata",
        {"descriptions": list(_descriptions(paths)) if descriptions else []},
        env=context.world.children[ChildKind.PROBE],
        timeout=120,
    )
    budget = context.project.config.check.size_budget
    findings = check_distributions(
        paths,
        expected=Expected(name=context.project.name, version=context.project.version),
        classifiers=frozenset(answer["classifiers"]),
        limits=Limits(file=max(budget, Limits().file)),
    )
    held = [finding for finding in findings if finding.code not in context.world.policy.waived]
    return held + _unrendered(answer["unrendered"]) + _over_budget(paths, budget)


def _descriptions(paths: Sequence[Path]) -> Iterator[dict[str, str | None]]:
    """The description of every file whose metadata can be read; the rules name the others."""
    for path in paths:
        try:
            metadata = read_core_metadata(path)
        except BrokenDistribution:
            continue
        # Bytes that are no UTF-8 are a finding of the rules; here they must only not break the request.
        text = metadata.description.encode("utf-8", "replace").decode("utf-8")
        yield {"file": path.name, "content_type": metadata.first("Description-Content-Type"), "text": text}


def _unrendered(found: Sequence[Mapping[str, str]]) -> list[Finding]:
    return [
        Finding(
            code="description-unrendered",
            subject=entry["file"],
            message=f"its description does not render as reStructuredText, and the index refuses it: {entry['reason']}",
            remedy="correct the readme, or name its `content-type` (text/markdown) in pyproject.toml",
        )
        for entry in found
    ]


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
    return [finding for finding in all_findings(context, descriptions=True) if finding.severity == Severity.ERROR]
