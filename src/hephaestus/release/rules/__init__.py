"""What a package index accepts: pure rules over distribution files, no network, nothing extracted.

The same rules serve two masters. :func:`check_distributions` gives the ``check`` stage everything worth saying,
errors and warnings, at once. :func:`form_refusals` and :func:`file_refusals` give the stand-in index the subset
that PyPI itself refuses, each with PyPI's status code and the beginning of its message
(tested against the recorded answers, independently of this code).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hephaestus.release.errors import Finding
from hephaestus.release.metadata import (
    BrokenDistribution,
    CoreMetadata,
    distribution_kind,
    read_core_metadata,
)
from hephaestus.release.rules.fields import METADATA_VERSIONS, field_judgements
from hephaestus.release.rules.judgement import Judgement, Refusal
from hephaestus.release.rules.names import (
    Expected,
    expectation_judgements,
    file_name_judgements,
    filename_stem,
    project_name_judgements,
    version_judgements,
)
from hephaestus.release.rules.sdists import sdist_judgements
from hephaestus.release.rules.sets import set_judgements
from hephaestus.release.rules.wheels import wheel_judgements

__all__ = [
    "METADATA_VERSIONS",
    "Expected",
    "Judgement",
    "Limits",
    "Refusal",
    "check_distribution",
    "check_distributions",
    "file_refusals",
    "filename_stem",
    "form_refusals",
    "index_refusals",
    "project_refusals",
]

MIB = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Sizes in bytes that the index allows: one file, and all files of a project [facts: pypi 1]."""

    file: int = 100 * MIB
    project: int = 10 * 1024 * MIB


def check_distributions(
    paths: Sequence[Path],
    *,
    expected: Expected | None = None,
    classifiers: Collection[str] | None = None,
    limits: Limits | None = None,
    published: int = 0,
    exists: bool = False,
) -> list[Finding]:
    """Everything to say about the distributions of one release: each file, then the set.

    ``classifiers`` are the known trove classifiers; with None they are not checked, and a warning says so.
    ``published`` is the number of bytes the project has on the index already; ``exists`` whether it is there at all
    (a project that is there keeps a name that no new one gets). A file that cannot be read is a
    finding, not an exception; raises OSError only when a path is not there at all.
    """
    allowed = limits or Limits()
    judgements: list[Judgement] = []
    metadata: dict[Path, CoreMetadata | None] = {}
    for path in paths:
        judged, metadata[path] = _judge(path, expected=expected, classifiers=classifiers, limits=allowed, exists=exists)
        judgements.extend(judged)
    judgements.extend(set_judgements(paths, metadata))
    judgements.extend(_project_size(paths, published, allowed))
    return _unique(judgement.finding for judgement in judgements)


def check_distribution(
    path: Path,
    *,
    expected: Expected | None = None,
    classifiers: Collection[str] | None = None,
    limits: Limits | None = None,
) -> list[Finding]:
    """Everything to say about one distribution alone."""
    return check_distributions([path], expected=expected, classifiers=classifiers, limits=limits)


def index_refusals(
    path: Path,
    *,
    filename: str | None = None,
    classifiers: Collection[str] | None = None,
    limits: Limits | None = None,
    exists: bool = False,
) -> list[Refusal]:
    """Every answer with which PyPI would refuse this file by itself, in the order PyPI looks."""
    name = filename or path.name
    judged, _ = _judge(path, filename=name, classifiers=classifiers, limits=limits or Limits(), exists=exists)
    return [judgement.refusal for judgement in judged if judgement.refusal]


def form_refusals(
    metadata: CoreMetadata, *, filename: str, classifiers: Collection[str] | None = None
) -> list[Refusal]:
    """What the index refuses from the metadata of an upload form, before it reads the file."""
    judgements = [
        *field_judgements(metadata, subject=filename, classifiers=classifiers),
        *version_judgements(metadata.version, subject=filename),
    ]
    return [judgement.refusal for judgement in judgements if judgement.refusal]


def project_refusals(name: str, *, exists: bool) -> list[Refusal]:
    """What the index refuses from the project's name; names it gives to nobody only while it does not exist."""
    judgements = project_name_judgements(name, subject=name, taken=exists)
    return [judgement.refusal for judgement in judgements if judgement.refusal]


def file_refusals(path: Path, *, filename: str, metadata: CoreMetadata) -> list[Refusal]:
    """What the index refuses from the file's name and inside, given the metadata that came with it."""
    judgements = [*file_name_judgements(filename, metadata), *_inside(path, filename, metadata)]
    return [judgement.refusal for judgement in judgements if judgement.refusal]


def _judge(
    path: Path,
    *,
    classifiers: Collection[str] | None,
    limits: Limits,
    exists: bool,
    expected: Expected | None = None,
    filename: str | None = None,
) -> tuple[list[Judgement], CoreMetadata | None]:
    name = filename or path.name
    judgements: list[Judgement] = []
    metadata: CoreMetadata | None = None
    try:
        metadata = read_core_metadata(path, filename=name)
    except BrokenDistribution as error:
        if distribution_kind(name) is not None:
            judgements.append(
                Judgement.refused(
                    "metadata-unreadable",
                    name,
                    f"its core metadata cannot be read: {error.reason}",
                    remedy="build it again",
                    answer="Invalid distribution file.",
                )
            )
    else:
        judgements.extend(field_judgements(metadata, subject=name, classifiers=classifiers))
        if metadata.version:
            judgements.extend(version_judgements(metadata.version, subject=name))
        if metadata.name:
            judgements.extend(project_name_judgements(metadata.name, subject=name, taken=exists))
    if expected is not None:
        judgements.extend(expectation_judgements(name, metadata, expected))
    judgements.extend(_file_size(path, name, metadata, limits))
    judgements.extend(file_name_judgements(name, metadata))
    judgements.extend(_inside(path, name, metadata))
    return judgements, metadata


def _inside(path: Path, filename: str, metadata: CoreMetadata | None) -> Iterable[Judgement]:
    kind = distribution_kind(filename)
    if kind == "wheel":
        return wheel_judgements(path, filename=filename, metadata=metadata)
    if kind == "sdist":
        return sdist_judgements(path, filename=filename, metadata=metadata)
    return ()


def _file_size(path: Path, filename: str, metadata: CoreMetadata | None, limits: Limits) -> Iterable[Judgement]:
    size = path.stat().st_size
    project = metadata.name if metadata else filename.split("-")[0]
    if size > limits.file:
        yield Judgement.refused(
            "file-size",
            filename,
            f"it has {size / MIB:.1f} MiB, the index takes {limits.file / MIB:.0f}",
            remedy="leave bulk data out, or ask the index for a higher limit before the release",
            answer=f"File too large. Limit for project {project!r} is {limits.file // MIB} MB.",
        )
    elif size > limits.file * 0.8:
        yield Judgement.warned(
            "file-size-near",
            filename,
            f"it has {size / MIB:.1f} MiB, close to the limit of {limits.file / MIB:.0f}",
            remedy="leave bulk data out before the next release",
        )


def _project_size(paths: Sequence[Path], published: int, limits: Limits) -> Iterable[Judgement]:
    total = published + sum(path.stat().st_size for path in paths)
    if paths and total > limits.project:
        yield Judgement.refused(
            "project-size",
            paths[0].name,
            f"with these files the project has {total / MIB:.0f} MiB, the index allows "
            f"{limits.project / MIB:.0f}; yanking frees nothing",
            remedy="ask the index for a higher limit before the release",
            answer="Project size too large.",
        )


def _unique(findings: Iterable[Finding]) -> list[Finding]:
    return list(dict.fromkeys(findings))
