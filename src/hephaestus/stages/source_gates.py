"""Gates on the source: everything that must be true of commit, tag, version and configuration before a build."""

from __future__ import annotations

from pathlib import Path

from hephaestus.release.annotation import lightweight_tag
from hephaestus.release.errors import Finding, Severity
from hephaestus.release.metadata import BrokenDistribution, read_core_metadata
from hephaestus.release.prebuilt import Prebuilt, read_prebuilt
from hephaestus.release.rules.names import Expected, expectation_judgements, file_name_judgements
from hephaestus.release.source import Source
from hephaestus.release.version_files import VersionFileError
from hephaestus.release.versions import changelog_findings, tag_findings, version_findings
from hephaestus.stages.stage import Context
from hephaestus.toolchain.locks import LockError, read_lock_file
from hephaestus.worlds.world import DirtyPolicy, TagPolicy

__all__ = [
    "commit_tag_findings",
    "constraint_findings",
    "constraints_of",
    "dirt_findings",
    "epoch_findings",
    "prebuilt_findings",
    "prebuilt_of",
    "tree_findings",
]

#: How many changed files a refusal names.
NAMED = 5


def dirt_findings(context: Context, source: Source) -> list[Finding]:
    """Changes that are in no commit: refused or labelled, as policy says; in a submodule always refused."""
    findings = [
        Finding(
            code="submodule-dirty",
            subject=path,
            message="is a submodule with changes of its own, which are part of no commit here",
            remedy=f"commit them in {path}, then `git add {path}` and commit here",
        )
        for path in source.submodules
    ]
    refuse = context.world.policy.dirty == DirtyPolicy.REFUSE
    # What is published says of itself that it is of that commit: the whole repository must be as the commit has it,
    # though the build takes in one folder of it.
    for code, names, rehearsed in (
        ("dirty", source.dirty, "rehearsing uncommitted changes"),
        ("dirty-elsewhere", source.elsewhere, f"no part of this rehearsal, being outside of {source.prefix}"),
    ):
        if not names:
            continue
        shown = ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
        dirt = Finding(
            code=code,
            subject="git",
            message=f"{f'the work tree differs from {source.commit[:12]}' if refuse else rehearsed}: {shown}",
            remedy=f"commit {'or stash them' if refuse else 'them before the release'}; "
            "nothing but a commit is published",
            severity=Severity.ERROR if refuse else Severity.WARNING,
        )
        findings.append(dirt)
    return findings


def commit_tag_findings(context: Context, source: Source) -> list[Finding]:
    """The tag of this release, where policy wants one, and no tag that contradicts it."""
    required = context.world.policy.tag == TagPolicy.REQUIRED
    # Edits on top of a tagged commit are on their way to the next version; the tag says nothing about them.
    tags = source.tags if required or not source.dirty else ()
    findings = tag_findings(
        version=context.project.version,
        tags=tags,
        commit=source.commit,
        required=required,
        given=context.options.tag,
        prefix=context.project.config.tag_prefix,
        origin=context.project.version_place,
    )
    tag = context.project.tag
    if context.world.policy.annotated_tag and tag in tags and tag not in source.annotated:
        findings.append(lightweight_tag(tag, source.commit))
    missing = any(finding.code == "tag-missing" for finding in findings)
    if not missing or not source.shallow:
        return findings
    shallow = Finding(
        code="shallow-clone",
        subject=context.project.tag,
        message="is not known here: this clone is shallow, and tags may not have been fetched",
        remedy="git fetch --unshallow --tags (in GitHub Actions: actions/checkout with `fetch-depth: 0`)",
    )
    return [shallow, *(finding for finding in findings if finding.code != "tag-missing")]


def epoch_findings(context: Context) -> list[Finding]:
    """Nothing with an epoch in its name gets to GitHub: it would store another name than the one that was signed.

    Indexes and installers take epochs (PEP 440). GitHub gives an asset with a `!` a dot there instead, and what a
    release is checked and installed by are names.
    """
    version = context.project.version
    if "!" not in version or "github-release" in context.world.policy.left_out:
        return []
    return [
        Finding(
            code="asset-name",
            subject="pyproject.toml",
            message=f"files of the version {version!r} cannot be assets of a GitHub Release: it changes the `!` in "
            "their names, after PyPI has them for ever",
            remedy="release under a version without an epoch; private indexes (`-- --publish --index NAME`) take one",
        )
    ]


def tree_findings(context: Context, tree: Path) -> list[Finding]:
    """What the exported source says about itself: only what is in it can be released."""
    project = context.project
    here, there = project.root / "pyproject.toml", tree / "pyproject.toml"
    # Git for Windows turns line ends in the work tree, and calls it clean.
    if not there.is_file() or _lines(there) != _lines(here):
        message = "is not in the source as git exports it, or not with these contents"
        remedy = "commit it; it must be neither ignored nor marked `export-ignore`"
        return [Finding(code="source-differs", subject="pyproject.toml", message=message, remedy=remedy)]
    files = project.config.version_files
    return [
        *_moved_findings(context, tree),
        *version_findings(
            tree,
            version=project.version,
            package=project.file_name,
            version_files=files,
            origin=project.version_place,
            written=project.version_source.written,
        ),
        *changelog_findings(tree, version=project.version),
    ]


def _lines(path: Path) -> bytes:
    return path.read_bytes().replace(b"\r\n", b"\n")


def _moved_findings(context: Context, tree: Path) -> list[Finding]:
    """The file a dynamic version is written in, as git exports it: there, and with the same version."""
    project = context.project
    try:
        places = project.version_source.occurrences(tree)
    except VersionFileError as error:
        message = f"is not in the source as git exports it with the version in it: {error.what}"
        remedy = f"commit it, or correct {project.version_source.setting}"
        return [Finding(code="source-differs", subject=error.place, message=message, remedy=remedy)]
    return [
        Finding(
            code="version-differs",
            subject=place.place,
            message=f"says {place.version} in the source as git exports it, but {project.version} here",
            remedy="commit it; it must not be marked `export-ignore` or changed by a filter",
        )
        for place in places
        if place.version != project.version
    ]


def constraint_findings(context: Context) -> list[Finding]:
    """The constraints file, where one is configured: there, not empty, every line pinned and hashed."""
    path = constraints_of(context)
    if path is None:
        return []
    name = context.project.config.build.constraints
    remedy = f"uv pip compile --universal --generate-hashes -o {name} ..."
    try:
        lock = read_lock_file(path)
    except LockError as error:
        return [Finding(code="constraints-unhashed", subject=name, message=error.what, remedy=remedy)]
    except (OSError, UnicodeDecodeError) as error:
        message = f"is configured as build.constraints, but cannot be read: {error}"
        return [Finding(code="constraints-missing", subject=name, message=message, remedy=remedy)]
    if not lock.versions:
        message = "names no requirement: the frontend would install whatever it finds"
        return [Finding(code="constraints-empty", subject=name, message=message, remedy=remedy)]
    return []


def prebuilt_findings(context: Context) -> list[Finding]:
    """The prebuilt wheels, where a folder of them is given: whole, and of this project and version."""
    prebuilt = prebuilt_of(context)
    if prebuilt is None:
        return []
    expected = Expected(name=context.project.name, version=context.project.version)
    findings = list(prebuilt.findings)
    for name in prebuilt.digests:
        try:
            metadata = read_core_metadata(prebuilt.folder / name)
        except BrokenDistribution as error:
            findings.append(Finding(code="prebuilt-broken", subject=name, message=error.reason, remedy="build it anew"))
            continue
        judgements = [*file_name_judgements(name, metadata), *expectation_judgements(name, metadata, expected)]
        findings += [judgement.finding for judgement in judgements]
    return findings


def prebuilt_of(context: Context) -> Prebuilt | None:
    """The folder of prebuilt wheels as it is now, or None where none is asked for."""
    return read_prebuilt(context.options.prebuilt) if context.options.prebuilt is not None else None


def constraints_of(context: Context) -> Path | None:
    """Where the configured constraints file is, or None."""
    name = context.project.config.build.constraints
    return context.project.root / name if name else None
