"""check: everything that can be known about the distributions and their signatures before anybody sees them.

All findings are collected and shown at once, errors apart from warnings. Nothing is sent, nothing is put out: the
receipt is the result.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hephaestus.release.directory import Staging
from hephaestus.release.errors import Finding, ReleaseError, Severity
from hephaestus.release.manifest import SUMS, ManifestError, parse_sums
from hephaestus.release.metadata import BrokenDistribution, distribution_kind
from hephaestus.release.receipts import Receipt
from hephaestus.release.source import Source, SourceError, export, read_source
from hephaestus.stages.proofs import distributions, outputs_of, unproven
from hephaestus.stages.rules import all_findings
from hephaestus.stages.stage import Context, Evidence, Inputs, Stage
from hephaestus.stages.tool_reports import read_contents_report, read_twine_report, tool_broken
from hephaestus.stages.verification import Proof, attestation_of, bundle_of, refusals, verify
from hephaestus.worlds.world import ChildKind, DirtyPolicy

__all__ = ["CheckFailed", "CheckStage"]

_TOOL_SECONDS = 300.0
_RESIGN = "nox -s sign -- --redo=sign"


class CheckFailed(ReleaseError):
    """Raised when check found errors: all of them, and the warnings after them."""

    def __init__(self, *, errors: Sequence[Finding], warnings: Sequence[Finding]) -> None:
        self.errors = tuple(errors)
        self.warnings = tuple(warnings)
        found = "one error" if len(errors) == 1 else f"{len(errors)} errors"
        seen = {0: "", 1: " and one warning"}.get(len(warnings), f" and {len(warnings)} warnings")
        super().__init__(
            what=f"check: {found}{seen} in the distributions or their signatures; nothing has been uploaded",
            why="an index takes a file name once, for ever: what is wrong after the upload needs a new version",
            details=[
                *(f"error: {finding.line()}" for finding in errors),
                *(f"warning: {finding.line()}" for finding in warnings),
            ],
            next_step="mend the errors and commit; then `nox -s check` (it builds and signs again what changed)",
        )


class CheckStage(Stage):
    """The last look at a release before it is uploaded."""

    name = "check"
    lock = "check"

    def inputs(self, context: Context) -> Inputs:
        """What build and sign put out, the settings of check, and who must have signed."""
        publisher = context.world.publisher
        return Inputs(
            files={**outputs_of(context, "build"), **outputs_of(context, "sign")},
            settings={
                "check": asdict(context.project.config.check),
                "subject": publisher.subject,
                "issuer": publisher.issuer,
            },
        )

    def gates(self, context: Context) -> list[Finding]:
        """Built and signed, and the files still those bytes."""
        return unproven(context, ["build", "sign"])

    def act(self, context: Context, staging: Staging) -> Evidence:
        """Look at everything; raises CheckFailed with all findings when one is an error."""
        from hephaestus.stages.predecessor import last_publication  # what a skipped check does not pay for

        del staging
        paths = [context.directory.path / path for path in distributions(context)]
        proofs, findings = _proofs(context, paths)
        findings += _sums(context, paths)
        context.narrator.step(f"checking {len(paths)} distributions and {len(proofs)} signatures")
        signatures, *tools = _together(
            context,
            lambda: verify(context, proofs) if proofs else [],
            lambda: [
                *_twine(context, paths),
                *_wheel_contents(context, paths),
                *all_findings(context, descriptions=False),
            ],
        )
        findings += refusals(signatures, subject=context.world.publisher.subject)
        findings += [finding for found in tools for finding in found]
        sdists, against_commit = _sdists(context, paths)
        publication = last_publication(context, [path for path in paths if distribution_kind(path.name) == "wheel"])
        findings = list(dict.fromkeys([*findings, *against_commit, *publication.warnings]))
        errors = [finding for finding in findings if finding.severity == Severity.ERROR]
        warnings = [finding for finding in findings if finding.severity != Severity.ERROR]
        sizes = {path.name: path.stat().st_size for path in paths}
        for line in (*publication.lines(), *(f"{name}: {size} bytes" for name, size in sizes.items())):
            context.narrator.step(line)
        if errors:
            raise CheckFailed(errors=errors, warnings=warnings)
        return Evidence(
            warnings=warnings,
            data={
                "findings": [asdict(finding) for finding in findings],
                "sizes": sizes,
                "size_budget": context.project.config.check.size_budget,
                "sdists": sdists,
                "signatures": [
                    {name: result[name] for name in ("proof", "file", "kind", "log_index")} for result in signatures
                ],
                "identity": context.world.publisher.subject,
                "publication": publication.data(),
            },
        )


def _together(context: Context, *works: Callable[[], list[Any]]) -> list[list[Any]]:
    """Run independent children side by side; the first failure is raised when all have ended."""
    _ = context.environment.python  # made here, before two threads ask for it
    with ThreadPoolExecutor(max_workers=2, thread_name_prefix="check") as pool:
        pending = [pool.submit(work) for work in works]
    return [done.result() for done in pending]


def _twine(context: Context, paths: Sequence[Path]) -> list[Finding]:
    """``twine check --strict``; a file it cannot read ends its run, so the rest gets another one."""
    waiting = {path.name: path for path in paths}
    findings: list[Finding] = []
    while waiting:
        done = context.environment.run(
            ["python", "-m", "twine", "--no-color", "check", "--strict", *map(str, waiting.values())],
            env={**context.world.children[ChildKind.PROBE], "COLUMNS": "1000"},
            timeout=_TOOL_SECONDS,
        )
        judged, found = read_twine_report(done.output)
        findings += found
        judged &= set(waiting)
        if not judged or (not done.ok and not found):
            return findings + tool_broken("twine check", waiting, code=done.code, output=done.output)
        for name in judged:
            del waiting[name]
    return findings


def _wheel_contents(context: Context, paths: Sequence[Path]) -> list[Finding]:
    """``check-wheel-contents`` over every wheel that is a ZIP file (the index rules name the others)."""
    wheels = [path for path in paths if distribution_kind(path.name) == "wheel" and zipfile.is_zipfile(path)]
    if not wheels:
        return []
    ignore = context.project.config.check.ignore
    done = context.environment.run(
        [
            "python",
            "-m",
            "check_wheel_contents",
            "--no-config",
            *(["--ignore", ",".join(ignore)] if ignore else []),
            *map(str, wheels),
        ],
        env=context.world.children[ChildKind.PROBE],
        timeout=_TOOL_SECONDS,
    )
    judged, findings = read_contents_report(done.output)
    names = {path.name for path in wheels}
    lost = names - judged if done.ok or findings or names - judged else names
    return findings + tool_broken("check-wheel-contents", lost, code=done.code, output=done.output)


def _proofs(context: Context, paths: Sequence[Path]) -> tuple[list[Proof], list[Finding]]:
    """Every proof the release must have and has, and what is missing or too much; none where nothing is signed."""
    if not context.world.policy.signed:
        return [], []
    signed = outputs_of(context, "sign")
    wanted = {bundle_of(path.name): (path, "bundle") for path in paths}
    wanted |= {attestation_of(path.name): (path, "attestation") for path in paths}
    wanted[bundle_of(SUMS)] = (context.directory.path / SUMS, "bundle")
    findings = [
        Finding(
            code=f"{kind}-missing",
            subject=place,
            message=f"{path.name} has no {kind}; it cannot be added after the upload",
            remedy=_RESIGN,
        )
        for place, (path, kind) in wanted.items()
        if place not in signed
    ]
    findings += [
        Finding(
            code="signature-foreign",
            subject=place,
            message="signs no file of this release",
            remedy=_RESIGN,
        )
        for place in sorted(set(signed) - set(wanted))
    ]
    proofs = [
        Proof(file=path, proof=context.directory.path / place, kind=kind)
        for place, (path, kind) in wanted.items()
        if place in signed
    ]
    return proofs, findings


def _sums(context: Context, paths: Sequence[Path]) -> list[Finding]:
    """SHA256SUMS names exactly the distributions, with their digests."""
    built = outputs_of(context, "build")
    remedy = "nox -s build -- --redo=build"
    if SUMS not in built:
        message = "is missing: it is what people check their downloads with"
        return [Finding(code="sums-missing", subject=SUMS, message=message, remedy=remedy)]
    try:
        listed = parse_sums((context.directory.path / SUMS).read_text(encoding="utf-8"))
    except (ManifestError, UnicodeDecodeError) as error:
        message = f"cannot be read: {error.what if isinstance(error, ManifestError) else error}"
        return [Finding(code="sums-unreadable", subject=SUMS, message=message, remedy=remedy)]
    actual = {path.name: built[f"dist/{path.name}"] for path in paths}
    return [
        Finding(
            code="sums-wrong",
            subject=SUMS,
            message=f"says {listed.get(name, 'nothing')} of {name}, which has {actual.get(name, 'no place in dist/')}",
            remedy=remedy,
        )
        for name in sorted(set(listed) | set(actual))
        if listed.get(name) != actual.get(name)
    ]


def _sdists(context: Context, paths: Sequence[Path]) -> tuple[dict[str, Any], list[Finding]]:
    """Hold every sdist against the commit that was built."""
    from hephaestus.release.sdist_contents import compare_sdist, sdist_findings, sdist_members, tree_members

    sdists = [path for path in paths if distribution_kind(path.name) == "sdist"]
    build = context.directory.receipt("build")
    if not sdists:
        return {}, []
    source = context.source or _source_here(context)
    if source is None or build is None or not _built_from(source, build):
        changed = " with changes" if source is not None and source.dirty else ""
        here = f"here is {source.commit[:12]}{changed}" if source is not None else "git is silent here"
        built = build.commit[:12] if build is not None else "an unknown commit"
        message = f"not compared with the commit: it was built from {built}, {here}"
        remedy = "check out the commit that was built to compare them"
        # What is published comes from a clean commit: there it can be compared, unless somebody saw to it that not.
        published = context.world.policy.dirty is DirtyPolicy.REFUSE
        severity = Severity.ERROR if published else Severity.WARNING
        return {}, [
            Finding(code="sdist-not-compared", subject=path.name, message=message, remedy=remedy, severity=severity)
            for path in sdists
        ]
    tree = context.work / "commit"
    export(source, tree)
    expected = tree_members(tree)
    compared: dict[str, Any] = {}
    findings: list[Finding] = []
    for path in sdists:
        try:
            members = sdist_members(path)
        except BrokenDistribution as error:
            findings.append(Finding(code="sdist-unreadable", subject=path.name, message=error.reason))
            continue
        contents = compare_sdist(expected, members)
        compared[path.name] = asdict(contents)
        # What the backend is set to write the version into is meant to be there, and to differ.
        told = contents.without(context.project.version_source.written)
        findings += sdist_findings(path.name, told, kept=members)
    return compared, findings


def _built_from(source: Source, build: Receipt) -> bool:
    tree = build.evidence.get("source", {}).get("tree", source.tree)
    return build.commit == source.commit and tree == source.tree


def _source_here(context: Context) -> Source | None:
    """The source in the project's folder, if git can tell; a CI job with the artifact alone has none."""
    try:
        return read_source(context.project.root)
    except SourceError:
        return None
