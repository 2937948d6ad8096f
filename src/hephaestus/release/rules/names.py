"""File names and versions: PEP 427 (wheels), PEP 625 (sdists), PEP 440, and the platform tags PyPI takes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from hephaestus.release.metadata import CoreMetadata, distribution_kind
from hephaestus.release.rules.bans import is_banned, is_stdlib
from hephaestus.release.rules.judgement import Judgement

__all__ = [
    "Expected",
    "expectation_judgements",
    "file_name_judgements",
    "filename_stem",
    "project_name_judgements",
    "version_judgements",
]

_PROJECT_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?\Z")

# What PyPI takes, as written in its upload code and its help page on platform tags [facts: pypi 1].
_LINUX_MACHINES = "x86_64|i686|aarch64|armv7l|ppc64|ppc64le|s390x|riscv64|loongarch64"
_PLATFORMS = re.compile(
    "|".join(
        (
            r"any",
            r"win32|win_amd64|win_arm64|win_ia64",
            r"manylinux1_(?:x86_64|i686)",
            r"manylinux2010_(?:x86_64|i686)",
            r"manylinux2014_(?:x86_64|i686|aarch64|armv7l|ppc64|ppc64le|s390x)",
            rf"manylinux_\d+_\d+_(?:{_LINUX_MACHINES})",
            rf"musllinux_\d+_\d+_(?:{_LINUX_MACHINES})",
            r"linux_armv[67]l",
            r"macosx_(?:10|1[1-9]|2\d)_\d+_(?:ppc|ppc64|i386|x86_64|intel|fat|fat32|fat64|universal|universal2|arm64)",
            r"ios_\d+_\d+_(?:arm64|x86_64)_(?:iphoneos|iphonesimulator)",
            r"android_\d+_(?:armeabi_v7a|arm64_v8a|x86|x86_64)",
            r"(?:pyodide|pyemscripten)_\d+_\d+_wasm32",
        )
    )
)


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What a release is meant to be: project ``name`` and ``version``, as configured."""

    name: str
    version: str


def filename_stem(name: str, version: str) -> str:
    """``name-version`` as a distribution's file name begins (PEP 427, PEP 625): normalised, ``-`` as ``_``.

    Raises InvalidVersion.
    """
    return f"{canonicalize_name(name).replace('-', '_')}-{Version(version)}"


def project_name_judgements(name: str, *, subject: str, taken: bool = False) -> Iterable[Judgement]:
    """The project name alone: the core metadata grammar and, unless ``taken`` is our own project, PyPI's bans.

    PyPI looks at its bans only when a project is created [facts: pypi 1].
    """
    if not _PROJECT_NAME.match(name):
        yield Judgement.refused(
            "name-invalid",
            subject,
            f"the project name {name!r} is not valid: letters, digits, '.', '_' and '-', not at the ends",
            remedy="change `name` in pyproject.toml",
            answer=f"{name!r} is an invalid value for Name.",
        )
    elif not taken and is_stdlib(name):
        yield Judgement.refused(
            "name-stdlib",
            subject,
            f"the project name {name!r} is the name of a standard library module",
            remedy="choose another `name` in pyproject.toml",
            answer=f"The name {name!r} isn't allowed (conflict with Python Standard Library module name).",
        )
    elif not taken and is_banned(name):
        yield Judgement.refused(
            "name-banned",
            subject,
            f"the project name {name!r} is one that PyPI gives to nobody: it is typed for a file of requirements",
            remedy="choose another `name` in pyproject.toml",
            answer=f"The name {name!r} isn't allowed.",
        )


def version_judgements(version: str, *, subject: str, index: str = "pypi") -> Iterable[Judgement]:
    """PEP 440 validity, local versions (refused by the index), epochs and development releases (warnings)."""
    try:
        parsed = Version(version)
    except InvalidVersion:
        yield Judgement.refused(
            "version-invalid",
            subject,
            f"the version {version!r} does not follow PEP 440",
            remedy="write it as N.N.N with an optional aN, bN, rcN, .postN or .devN",
            answer=f"{version!r} is an invalid value for Version.",
        )
        return
    if parsed.local is not None:
        yield Judgement.refused(
            "version-local",
            subject,
            f"the version {version!r} has a local part (+{parsed.local}), which no public index takes",
            remedy="release from a tagged, clean commit so that the version has no +suffix",
            answer=f"The use of local versions in {version!r} is not allowed.",
        )
    if str(parsed) != version:
        yield Judgement.warned(
            "version-not-normalised",
            subject,
            f"the version is written {version!r}; indexes and installers show {str(parsed)!r}",
            remedy=f"write {str(parsed)!r}",
        )
    if parsed.epoch:
        yield Judgement.warned(
            "version-epoch",
            subject,
            f"the version {version!r} has the epoch {parsed.epoch}: every version without it now sorts as older",
            remedy="drop the epoch unless the numbering scheme really restarts",
        )
    if parsed.is_devrelease and index == "pypi":
        yield Judgement.warned(
            "version-dev",
            subject,
            f"the version {version!r} is a development release: a file name on PyPI is used up for ever",
            remedy="keep .devN versions on a test index",
        )


def file_name_judgements(filename: str, metadata: CoreMetadata | None) -> Iterable[Judgement]:
    """The file's name by itself and against its own metadata (PEP 427, PEP 625)."""
    if not filename.isascii() or re.search(r"[\s/\\\x00-\x1f]", filename):
        yield Judgement.refused(
            "filename-characters",
            filename,
            "the file name holds spaces, separators, control or non-ASCII characters",
            remedy="let the build backend name the file; never rename a distribution",
            answer="Cannot upload a file with '/', '\\', spaces or control characters in its name.",
        )
        return
    kind = distribution_kind(filename)
    if kind is None:
        yield Judgement.refused(
            "filename-extension",
            filename,
            "the file is neither a wheel (.whl) nor an sdist (.tar.gz, PEP 625)",
            remedy="build with `python -m build`",
            answer="Invalid file extension: Use .tar.gz or .whl extension.",
        )
    elif kind == "wheel":
        yield from _wheel_name(filename, metadata)
    else:
        yield from _sdist_name(filename, metadata)


def expectation_judgements(filename: str, metadata: CoreMetadata | None, expected: Expected) -> Iterable[Judgement]:
    """The file belongs to the release at hand: same project, same version. Ours only; an index cannot know."""
    name = metadata.name if metadata else filename.split("-")[0]
    if canonicalize_name(name) != canonicalize_name(expected.name):
        yield Judgement.ours(
            "project-unexpected",
            filename,
            f"this is a distribution of {name!r}, the project configured is {expected.name!r}",
            remedy="remove the file, or correct `name` in pyproject.toml",
        )
    version = metadata.version if metadata else ""
    if version and _normal(version) != _normal(expected.version):
        yield Judgement.ours(
            "version-unexpected",
            filename,
            f"this is version {version}, the release at hand is {expected.version}",
            remedy="remove the stale file and build again, or tag the version that was built",
        )


def _normal(version: str) -> str:
    try:
        return str(Version(version))
    except InvalidVersion:
        return version


def _stem(metadata: CoreMetadata | None) -> str | None:
    try:
        return filename_stem(metadata.name, metadata.version) if metadata and metadata.name else None
    except InvalidVersion:
        return None


def _wrong_name(filename: str, wanted: str) -> Judgement:
    return Judgement.refused(
        "filename-mismatch",
        filename,
        f"its own metadata asks for the file name {wanted!r}",
        remedy="build again with a current backend; never rename a distribution",
        answer=f"Filename {filename!r} is invalid, should be {wanted!r}.",
    )


def _sdist_name(filename: str, metadata: CoreMetadata | None) -> Iterable[Judgement]:
    stem = _stem(metadata)
    if stem is not None and filename != f"{stem}.tar.gz":
        yield _wrong_name(filename, f"{stem}.tar.gz")


def _wheel_name(filename: str, metadata: CoreMetadata | None) -> Iterable[Judgement]:
    try:
        _, _, _, tags = parse_wheel_filename(filename)
    except (InvalidWheelFilename, InvalidVersion) as error:
        yield Judgement.refused(
            "filename-wheel",
            filename,
            f"not a wheel file name: {error}",
            remedy="build again; a wheel is named name-version-python-abi-platform.whl (PEP 427)",
            answer=f"Invalid wheel filename: {filename!r}.",
        )
        return
    parts = filename.removesuffix(".whl").split("-")
    stem = _stem(metadata)
    if stem is not None and "-".join(parts[:2]) != stem:
        yield _wrong_name(filename, "-".join([stem, *parts[2:]]) + ".whl")
    for platform in sorted({tag.platform for tag in tags}):
        if not _PLATFORMS.fullmatch(platform):
            yield Judgement.refused(
                "platform-tag",
                filename,
                f"the platform tag {platform!r} says nothing an installer elsewhere could rely on",
                remedy="repair the wheel (auditwheel, delocate) or build it with cibuildwheel",
                answer=f"Binary wheel {filename!r} has an unsupported platform tag {platform!r}.",
            )
