"""What a person asks an installation for: every option with its default, judged as a whole before anything is done."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from hephaestus import DISTRIBUTION_NAME
from hephaestus.consumer.identity import PUBLISH_WORKFLOW, Identity, IdentityRefused
from hephaestus.consumer.pip_arguments import unfit_pip_arguments
from hephaestus.consumer.refusals import OptionsRefused
from hephaestus.release.errors import ReleaseError
from hephaestus.release.tags import prefix_problem, tag_of
from hephaestus.services.github_token import github_token
from hephaestus.toolchain.user_cache import named_folder, user_cache

__all__ = ["REPOSITORY", "InstallOptions", "Source", "default_destination"]

#: Where this project's own releases are.
REPOSITORY = "IAmJonoBo/Hephaestus"

_GITHUB_URL = "https://api.github.com"
_IDENTITY = re.compile(
    r"https://github\.com/(?P<repository>[^/]+/[^/]+)/\.github/workflows/(?P<workflow>[^/@]+)@(?P<ref>.+)\Z"
)
_TOKEN = re.compile(r"(?:gh[oprsu]_[A-Za-z0-9_]{16,}|github_pat_[A-Za-z0-9_]{16,}|[0-9a-f]{40})\Z")
_FROM_GITHUB = (
    "asset_pattern",
    "manifest_pattern",
    "sigstore_pattern",
    "target",
    "token",
    "remove_archive",
    "cleanup",
    "github_url",
)
_FROM_INDEX = ("project", "index_url", "extra_index_url")


class Source(StrEnum):
    """Where a release is installed from."""

    GITHUB = "github"
    PYPI = "pypi"
    TEST_PYPI = "test-pypi"


_INDEX_URLS = {Source.PYPI: "https://pypi.org/simple/", Source.TEST_PYPI: "https://test.pypi.org/simple/"}


def default_destination(environ: Mapping[str, str]) -> Path:
    """Where wheelhouses are kept: HEPHAESTUS_RELEASE_CACHE, else a folder of the user's cache."""
    return named_folder(environ, "HEPHAESTUS_RELEASE_CACHE") or user_cache(environ) / "wheelhouses"


@dataclass(frozen=True, kw_only=True)
class InstallOptions:
    """One installation as asked for. ``tag`` is empty for the latest stable release; times are in seconds.

    ``tag_prefix`` says whose releases are meant where a repository holds those of several packages (``core-``).
    ``identities`` are exact certificate identities, any of which may have signed; none means the workflow
    ``workflow`` of ``repository`` at the release's tag.
    """

    source: Source = Source.GITHUB
    repository: str = REPOSITORY
    tag: str = ""
    tag_prefix: str = ""
    workflow: str = PUBLISH_WORKFLOW
    asset_pattern: str = "*wheelhouse*.tar.gz"
    manifest_pattern: str = "*wheelhouse*.sha256"
    sigstore_pattern: str = "*wheelhouse*.sigstore"
    destination: Path
    token: str | None = None
    timeout: float = 10.0
    max_retries: int = 3
    python: str = sys.executable
    target: str = ""
    pip_args: tuple[str, ...] = ()
    project: str = DISTRIBUTION_NAME
    index_url: str = ""
    extra_index_url: str = ""
    allow_unsigned: bool = False
    require_sigstore: bool = False
    sigstore_identity: tuple[str, ...] = ()
    trusted_root: Path | None = None
    overwrite: bool = False
    cleanup: bool = False
    remove_archive: bool = False
    no_upgrade: bool = False
    download_only: bool = False
    dry_run: bool = False
    allow_shared_files: bool = False
    github_url: str = _GITHUB_URL

    @classmethod
    def read(cls, given: Mapping[str, Any], *, environ: Mapping[str, str]) -> InstallOptions:
        """Fill in what was not ``given`` (None or empty) from ``environ`` and the defaults, read now.

        Raises OptionsRefused with everything that cannot be followed.
        """
        asked = {
            name: value for name, value in given.items() if value is not None and value != () and value is not False
        }
        from_environ = {
            "repository": "HEPHAESTUS_RELEASE_REPOSITORY",
            "asset_pattern": "HEPHAESTUS_RELEASE_ASSET_PATTERN",
            "manifest_pattern": "HEPHAESTUS_RELEASE_MANIFEST_PATTERN",
            "sigstore_pattern": "HEPHAESTUS_RELEASE_SIGSTORE_PATTERN",
        }
        said = {name: environ[variable] for name, variable in from_environ.items() if environ.get(variable)}
        values = said | ({"token": token} if (token := github_token(environ)) else {}) | asked
        problems = []
        try:
            source = Source(str(values.pop("source", "github")).strip().lower())
        except ValueError:
            problems.append(
                f"--source {given['source']!r} is none of {', '.join(Source)}; a private index is none of them, since "
                "nothing on it is signed: install its wheelhouse, or let pip take it with --require-hashes"
            )
            source = Source.GITHUB
        destination = values.pop("destination", None)
        options = cls(
            source=source,
            destination=Path(destination).expanduser().absolute() if destination else default_destination(environ),
            **{**values, "index_url": values.get("index_url") or _INDEX_URLS.get(source, "")},
        )
        problems += [*options._misfits(asked), *options._unreadable(asked)]
        if problems:
            raise OptionsRefused(problems=problems)
        return options

    @property
    def python_given(self) -> bool:
        """Whether a Python was named that is not the one that runs this program."""
        return self.python != sys.executable

    @property
    def patterns_given(self) -> bool:
        """Whether the bundle's pattern was changed: then it alone decides which asset is the bundle."""
        return self.sigstore_pattern != type(self).sigstore_pattern

    @property
    def wide_token(self) -> bool:
        """Whether a token is given that does not look like one of GitHub's."""
        return self.token is not None and not _TOKEN.match(self.token)

    def identities(self, tag: str) -> tuple[Identity, ...]:
        """Who may have signed the release ``tag``; raises IdentityRefused for what is no exact identity."""
        if not self.sigstore_identity:
            return (Identity.of_tag(self.repository, tag, workflow=self.workflow),)
        return tuple(_identity(text, tag) for text in self.sigstore_identity)

    def _misfits(self, asked: Mapping[str, Any]) -> Iterator[str]:
        """Options that contradict one another or mean nothing for this source."""
        index = self.source is not Source.GITHUB
        for name in _FROM_GITHUB if index else _FROM_INDEX:
            if name in asked:
                yield f"--{name.replace('_', '-')} means nothing with --source {self.source}"
        if "target" in asked and not index and not self.download_only:
            yield "--target names where an archive is to be used, perhaps elsewhere: it needs --download-only"
        for name in ("destination", "overwrite"):
            if index and name in asked and not self.download_only:
                yield f"--{name} means something with --source {self.source} only together with --download-only"
        for one, other in (
            ("allow_unsigned", "require_sigstore"),
            ("sigstore_identity", "workflow"),
            ("tag", "tag_prefix"),
            ("download_only", "cleanup"),
            ("download_only", "remove_archive"),
            ("download_only", "pip_args"),
            ("target", "python"),
            ("target", "asset_pattern"),
        ):
            if one in asked and other in asked:
                yield f"--{one.replace('_', '-')} and --{_spelled(other)} contradict each other"
        if index and self.project != DISTRIBUTION_NAME and "repository" not in asked and not self.allow_unsigned:
            yield f"--project {self.project} needs --repository OWNER/NAME: whose workflow must have signed it"

    def _unreadable(self, asked: Mapping[str, Any]) -> Iterator[str]:
        """Options whose value cannot be understood."""
        from packaging.utils import InvalidName, canonicalize_name

        from hephaestus.release.targets import read_targets
        from hephaestus.services.address import Address

        for name in ("asset_pattern", "manifest_pattern", "sigstore_pattern", "repository", "python"):
            if not getattr(self, name).strip():
                yield f"--{name.replace('_', '-')} is empty"
        if self.token is not None and not self.token.strip():
            yield "--token is blank: leave it out to ask without one"
        if self.timeout < 0.1:
            yield f"--timeout {self.timeout} is less than 0.1 seconds"
        if self.max_retries < 1:
            yield f"--max-retries {self.max_retries} is less than 1 (the first attempt counts)"
        if "tag" in asked and not self.tag.strip():
            yield "--tag is empty: leave it out for the latest stable release"
        for name in ("index_url", "extra_index_url", "github_url"):
            try:
                if getattr(self, name):
                    Address.parse(getattr(self, name))
            except ReleaseError as error:
                yield f"--{name.replace('_', '-')}: {error.what}"
        if self.extra_index_url and self.extra_index_url.rstrip("/") == self.index_url.rstrip("/"):
            yield "--extra-index-url is where dependencies come from: not the index the release itself is on"
        try:
            canonicalize_name(self.project, validate=True)
        except InvalidName:
            yield f"--project {self.project!r} is no name of a distribution"
        if problem := prefix_problem(self.tag_prefix):
            yield f"--tag-prefix {problem}"
        try:
            self.identities(tag_of("0"))
        except IdentityRefused as error:
            yield error.what
        if self.trusted_root is not None and not self.trusted_root.is_file():
            yield f"--trusted-root {self.trusted_root} is no file"
        if self.target and (wrong := read_targets([self.target])[1]):
            yield f"--target {wrong[0]}"
        yield from unfit_pip_arguments(self.pip_args)


def _identity(text: str, tag: str) -> Identity:
    """An identity as certificates have it; ``@refs/tags/*`` stands for the tag that is installed, and nothing wider."""
    match = _IDENTITY.match(text)
    if match is None:
        form = "https://github.com/OWNER/NAME/.github/workflows/FILE@REF"
        raise IdentityRefused(field="identity", value=text, form=form)
    ref = f"refs/tags/{tag}" if match["ref"] == "refs/tags/*" else match["ref"]
    return Identity(repository=match["repository"], workflow=match["workflow"], ref=ref)


def _spelled(name: str) -> str:
    return {"pip_args": "pip-arg"}.get(name, name.replace("_", "-"))
