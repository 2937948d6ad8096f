"""An sdist held against the commit it was made from: what was left out, what was added, what was changed.

Read in place, nothing is extracted; contents are only hashed.
"""

from __future__ import annotations

import gzip
import hashlib
import re
import tarfile
import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO

from hephaestus.release.errors import Finding, Severity
from hephaestus.release.metadata import BrokenDistribution

__all__ = ["SdistContents", "compare_sdist", "sdist_findings", "sdist_members", "tree_members"]

#: Files that build backends write into an sdist by themselves (setuptools, hatchling, flit, PDM, poetry-core).
_GENERATED = re.compile(r"(?:PKG-INFO|setup\.(?:cfg|py)|(?:.*/)?[^/]+\.egg-info(?:/.*)?|\.hatch_build_info)\Z")

#: What never belongs to a source tree, although a careless build may pack it: environments, caches, keys.
_UNCLEAN: Mapping[str, re.Pattern[str]] = {
    "an environment": re.compile(r"(?:^|/)(?:\.?v?env|\.nox|\.tox|virtualenv|node_modules)/|(?:^|/)pyvenv\.cfg\Z"),
    "a cache": re.compile(
        r"(?:^|/)(?:__pycache__|\.(?:mypy|pytest|ruff|hypothesis)(?:_cache)?|\.cache|\.eggs)/|\.py[co]\Z"
        r"|(?:^|/)\.(?:coverage(?:\.[^/]*)?|DS_Store)\Z"
    ),
    "part of a repository": re.compile(r"(?:^|/)\.(?:git|hg|svn)/"),
    "possibly a secret": re.compile(
        r"(?:^|/)(?:\.env(?:\.[^/]*)?|\.pypirc|\.netrc|\.npmrc|credentials(?:\.json)?|id_(?:rsa|dsa|ecdsa|ed25519))\Z"
        r"|\.(?:pem|key|p12|pfx|jks|keystore)\Z|(?:^|/)\.(?:ssh|aws|gnupg)/"
    ),
}

_NAMED = 8
_UNREADABLE = (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error, OSError, ValueError)


@dataclass(frozen=True, kw_only=True)
class SdistContents:
    """The difference between a commit and its sdist, by paths below the project's root.

    ``left_out``: in the commit only; ``added``: in the sdist only, and no backend's own; ``changed``: other bytes.
    """

    left_out: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    def without(self, written: Collection[str]) -> SdistContents:
        """The same but for these files having been added or changed; what never belongs there is told all the same."""
        meant = {name for name in written if not any(pattern.search(name) for pattern in _UNCLEAN.values())}
        added, changed = (tuple(name for name in names if name not in meant) for names in (self.added, self.changed))
        return replace(self, added=added, changed=changed)


def tree_members(root: Path) -> dict[str, str]:
    """Every regular file below ``root`` with the SHA-256 of its bytes; a link counts by its target's name."""
    found: dict[str, str] = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_symlink():
            found[name] = f"-> {path.readlink().as_posix()}"
        elif path.is_file():
            with path.open("rb") as stream:
                found[name] = hashlib.file_digest(stream, "sha256").hexdigest()
    return found


def sdist_members(path: Path) -> dict[str, str]:
    """Every file of an sdist below its top folder, as ``tree_members`` tells them; raises BrokenDistribution."""
    found: dict[str, str] = {}
    try:
        with tarfile.open(path, mode="r:gz") as archive:
            for member in archive:
                name = member.name.removeprefix("./").partition("/")[2]
                if not name or member.isdir():
                    continue
                stream = archive.extractfile(member) if member.isreg() else None
                found[name] = _digest(stream) if stream is not None else f"-> {member.linkname}"
    except _UNREADABLE as error:
        raise BrokenDistribution(file=path.name, reason=f"it cannot be read as an sdist ({error})") from error
    return found


def compare_sdist(tree: Mapping[str, str], sdist: Mapping[str, str]) -> SdistContents:
    """Hold the members of an sdist against those of the commit."""
    both = set(tree) & set(sdist)
    changed = (name for name in both if tree[name] != sdist[name] and not _resolved(tree[name], sdist[name]))
    return SdistContents(
        left_out=tuple(sorted(set(tree) - set(sdist))),
        added=tuple(sorted(name for name in set(sdist) - set(tree) if not _GENERATED.match(name))),
        changed=tuple(sorted(name for name in changed if not _GENERATED.match(name))),
    )


def sdist_findings(filename: str, contents: SdistContents, *, kept: Collection[str]) -> list[Finding]:
    """What people should know of the difference; ``kept`` are the members of the sdist.

    Errors are only what must not be published: caches, environments and keys that the commit does not have. Files
    beginning with a dot (settings of the repository and its CI) may be left out without a word.
    """
    findings: list[Finding] = []
    strange: list[str] = []
    for name in contents.added:
        kind = next((kind for kind, pattern in _UNCLEAN.items() if pattern.search(name)), None)
        if kind is None:
            strange.append(name)
            continue
        findings.append(
            Finding(
                code="sdist-unclean",
                subject=filename,
                message=f"{name} is {kind}; the commit does not have it",
                remedy="exclude it from the sdist in pyproject.toml, then `nox -s build -- --redo=build`; "
                "if it holds a secret, revoke that secret",
            )
        )
    if strange:
        findings.append(
            _warning(
                "sdist-added",
                filename,
                f"{_count(strange, 'file')} that the commit does not have: {_listed(strange)}",
                "commit them, or make sure that the build is meant to generate them",
            )
        )
    if contents.changed:
        findings.append(
            _warning(
                "sdist-changed",
                filename,
                f"{_count(contents.changed, 'file')} with other bytes than in the commit: {_listed(contents.changed)}",
                "make sure that the build is meant to rewrite them",
            )
        )
    if out := [name for name in contents.left_out if not any(part.startswith(".") for part in name.split("/"))]:
        findings.append(
            _warning(
                "sdist-left-out",
                filename,
                f"{_count(out, 'file')} of the commit not in it: {_listed(folded(out, kept=kept))}",
                "include them if users need them to build or test the project",
            )
        )
    return findings


def folded(names: Collection[str], *, kept: Collection[str]) -> list[str]:
    """``names`` with every folder that is left out as a whole told as ``folder/`` once."""
    alive = {folder for name in kept for folder in _folders(name)}
    told = {next((f"{folder}/" for folder in _folders(name) if folder not in alive), name) for name in names}
    return sorted(told)


def _folders(name: str) -> list[str]:
    parts = name.split("/")[:-1]
    return ["/".join(parts[: depth + 1]) for depth in range(len(parts))]


def _resolved(tree: str, sdist: str) -> bool:
    # A link of the commit may be packed as the file it points to.
    return tree.startswith("-> ") and not sdist.startswith("-> ")


def _digest(stream: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while block := stream.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()


def _warning(code: str, subject: str, message: str, remedy: str) -> Finding:
    return Finding(code=code, subject=subject, message=message, remedy=remedy, severity=Severity.WARNING)


def _count(names: Collection[str], noun: str) -> str:
    return f"one {noun}" if len(names) == 1 else f"{len(names)} {noun}s"


def _listed(names: Collection[str]) -> str:
    shown = ", ".join(sorted(names)[:_NAMED])
    return f"{shown} and {len(names) - _NAMED} more" if len(names) > _NAMED else shown
