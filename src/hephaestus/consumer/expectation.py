"""What is to be verified, and who must have signed it: read from the command line, the files' names, the defaults."""

from __future__ import annotations

import errno
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from hephaestus import DISTRIBUTION_NAME
from hephaestus.consumer.identity import GITHUB_ISSUER, PUBLISH_WORKFLOW, Identity
from hephaestus.consumer.options import REPOSITORY
from hephaestus.release.errors import ReleaseError
from hephaestus.release.tags import tag_of
from hephaestus.services.errors import excerpt

__all__ = ["Expectation", "ExpectationUnclear", "Pinned", "TargetRefused", "read_target", "release_of"]

REPOSITORY_VARIABLE = "HEPHAESTUS_RELEASE_REPOSITORY"

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?\Z")
_WHEELHOUSE = re.compile(r"(?P<name>[A-Za-z0-9._-]+?)-(?P<version>[^-]+)-(?:wheelhouse|wheels-.+)\.tar\.gz\Z")

#: How a system says that there is no such file; EINVAL is what Windows says of a name that no file can have.
_ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR, errno.EINVAL})

#: Names under which this project's files are known: its distribution and its wheelhouse (decisions/0004).
_OURS = frozenset({DISTRIBUTION_NAME, "hephaestus"})


class TargetRefused(ReleaseError):
    """Raised when what is to be verified cannot be understood, or is not there."""

    def __init__(self, *, target: str, problem: str) -> None:
        super().__init__(
            what=f"{target!r} cannot be verified: {problem}" if target else f"there is nothing to verify: {problem}",
            why="a target is NAME==VERSION, a folder, files, or with --tag alone a GitHub Release",
            next_step="see `hephaestus release verify --help`",
        )


class ExpectationUnclear(ReleaseError):
    """Raised when nobody said who must have signed, and it cannot be told."""

    def __init__(self, *, problem: str, option: str) -> None:
        super().__init__(
            what=f"who must have signed is not clear: {problem}",
            why="a signature proves something only under the one identity that was expected beforehand",
            next_step=f"say it with {option}",
        )


@dataclass(frozen=True, kw_only=True)
class Pinned:
    """One version of one project."""

    name: str
    version: Version

    @property
    def text(self) -> str:
        """As it is asked for."""
        return f"{self.name}=={self.version}"


def read_target(text: str) -> Pinned | Path:
    """A target as it was typed; raises TargetRefused."""
    path = Path(text)
    try:
        path.stat()  # not `exists`, which from Python 3.14 on takes what cannot be read for absent
    except ValueError:
        pass  # no file has a null character in its name
    except OSError as error:
        if error.errno not in _ABSENT:
            raise TargetRefused(target=excerpt(text), problem=f"it cannot be read ({error.strerror})") from error
    else:
        return path
    name, pin, version = text.partition("==")
    if not pin:
        raise TargetRefused(target=text, problem="there is no such file or folder")
    if not _NAME.match(name.strip()):
        raise TargetRefused(target=text, problem=f"{name.strip()!r} is no name of a project")
    try:
        return Pinned(name=canonicalize_name(name.strip()), version=Version(version))
    except InvalidVersion as error:
        raise TargetRefused(target=text, problem=f"{version!r} is no exact version") from error


def release_of(filename: str) -> Pinned | None:
    """The project and version that a file's name says it belongs to; None when the name says nothing."""
    try:
        if filename.endswith(".whl"):
            name, version, _, _ = parse_wheel_filename(filename)
            return Pinned(name=name, version=version)
        if match := _WHEELHOUSE.match(filename):
            return Pinned(name=match["name"], version=Version(match["version"]))
        name, version = parse_sdist_filename(filename)
        return Pinned(name=name, version=version)
    except (InvalidWheelFilename, InvalidSdistFilename, InvalidVersion):
        return None


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """Who must have signed, as far as somebody said: empty fields are told from the files' names and the defaults."""

    repository: str = ""
    workflow: str = PUBLISH_WORKFLOW
    tag: str = ""
    ref: str = ""
    issuer: str = GITHUB_ISSUER

    @classmethod
    def read(cls, given: Mapping[str, str | None], *, environ: Mapping[str, str]) -> Expectation:
        """Fill in what was not ``given`` from ``environ``; raises ExpectationUnclear for a tag and a ref at once."""
        said = {name: value for name, value in given.items() if value is not None}
        if "tag" in said and "ref" in said:
            raise ExpectationUnclear(problem="a tag and a ref were given", option="--tag or --ref, not both")
        if environ.get(REPOSITORY_VARIABLE):
            said.setdefault("repository", environ[REPOSITORY_VARIABLE])
        return cls(**said)

    def identity(self, releases: Collection[Pinned]) -> Identity:
        """The one identity for files of ``releases``; raises ExpectationUnclear and IdentityRefused.

        The tag of a version is ``v<version>``: a file that was renamed to another version was not signed at its tag.
        """
        versions = {release.version for release in releases}
        names = {release.name for release in releases}
        ref = self.ref or (f"refs/tags/{self.tag}" if self.tag else "")
        if not ref and len(versions) != 1:
            told = ", ".join(sorted(map(str, versions))) or "none"
            raise ExpectationUnclear(problem=f"versions in the files' names: {told}", option="--tag vX.Y.Z")
        repository = self.repository or (REPOSITORY if names and names <= _OURS else "")
        if not repository:
            told = ", ".join(sorted(names)) or "files whose names tell nothing"
            raise ExpectationUnclear(problem=f"the repository of {told} is not known", option="--repository OWNER/NAME")
        return Identity(
            repository=repository,
            workflow=self.workflow,
            ref=ref or f"refs/tags/{tag_of(versions.pop())}",
            issuer=self.issuer,
        )
