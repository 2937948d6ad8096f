"""What GitHub refuses, in words: one class per kind, made from its statuses and messages."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from hephaestus.release.tags import read_tag
from hephaestus.release.versions import bump_command
from hephaestus.services.errors import ServiceError, UnexpectedStatus, excerpt

__all__ = [
    "AssetExists",
    "AssetIncomplete",
    "AssetMismatch",
    "AssetNameRefused",
    "CredentialRefused",
    "DraftsAmbiguous",
    "GitHubError",
    "NotThere",
    "NotesTooLong",
    "PermissionMissing",
    "PublicationFailed",
    "Refused",
    "ReleaseExists",
    "ReleaseImmutable",
    "RepositoryNameRefused",
    "TagBurned",
    "translated",
]


def _anew(tag: str) -> str:
    """What is left to do when nothing of ``tag`` can be released any more, with the command where the tag is ours."""
    read = read_tag(tag)
    return "release a new version" + (f" (`{bump_command(str(read[1]))}`)" if read is not None else "")


class GitHubError(ServiceError):
    """Base of what GitHub, or our own look at its answers, refuses."""


class RepositoryNameRefused(GitHubError):
    """Raised when the configured repository is not ``owner/name``."""

    def __init__(self, *, repository: str) -> None:
        super().__init__(
            url="",
            what=f"{repository[:100]!r} is no GitHub repository name",
            why="it has to be written owner/name",
            next_step="correct `repository` in [tool.hephaestus.release] of pyproject.toml",
        )


class CredentialRefused(GitHubError):
    """Raised on 401, and before anything is sent when a token is blank or not printable ASCII."""

    def __init__(self, *, url: str, reason: str) -> None:
        super().__init__(
            url=url,
            what=f"the GitHub token is not accepted: {excerpt(reason)}",
            why="it is missing, mistyped, expired or revoked",
            next_step="set GITHUB_TOKEN to a valid token (in a workflow: `env: GITHUB_TOKEN: ${{ github.token }}`)",
        )


class PermissionMissing(GitHubError):
    """Raised on 403 that is no rate limit."""

    def __init__(self, *, url: str, action: str, reason: str) -> None:
        super().__init__(
            url=url,
            what=f"GitHub does not let this token {action}: {excerpt(reason)}",
            why="the token is valid but lacks the permission",
            next_step="give the job `permissions: contents: write`, or use a token with that right for this repository",
        )


class NotThere(GitHubError):
    """Raised on 404: not there, or not visible to this token."""

    def __init__(self, *, url: str, repository: str, action: str) -> None:
        super().__init__(
            url=url,
            what=f"GitHub knows nothing here for us in {repository} (trying to {action})",
            why="it does not exist, or it is private or a draft and the token may not see it",
            next_step="check the repository's name and that the token belongs to it, then run the same command again",
        )


class Refused(GitHubError):
    """Raised on a 422 of no kind that has its own class."""

    def __init__(self, *, url: str, action: str, reasons: Sequence[str]) -> None:
        self.reasons = tuple(reasons)
        super().__init__(
            url=url,
            what=f"GitHub refuses to {action}: {'; '.join(reasons)}",
            why="the request breaks one of its rules; sending it again changes nothing",
            next_step="correct what it names (tag, notes or asset), then run the same command again",
        )


class ReleaseExists(GitHubError):
    """Raised when a published release has the tag already."""

    def __init__(self, *, url: str, tag: str) -> None:
        super().__init__(
            url=url,
            what=f"a release of tag {tag} is already published",
            why="a tag has one release; it was published by somebody else or by an earlier run",
            next_step=f"run `nox -s verify` to see whether it is complete; else {_anew(tag)}",
        )


class TagBurned(GitHubError):
    """Raised when an immutable release has used the tag's name up."""

    def __init__(self, *, url: str, tag: str) -> None:
        super().__init__(
            url=url,
            what=f"tag {tag} was used by an immutable release",
            why="GitHub never takes that tag name for a release again, even after deletion",
            next_step=_anew(tag),
        )


class ReleaseImmutable(GitHubError):
    """Raised when assets would have to be added to a release that is frozen."""

    def __init__(self, *, url: str, tag: str, missing: Sequence[str]) -> None:
        self.missing = tuple(missing)
        super().__init__(
            url=url,
            what=f"the release of {tag} is immutable and lacks: {', '.join(missing) or 'nothing'}",
            why="a published immutable release takes no asset any more; its tag cannot be used again",
            next_step=f"{_anew(tag)}; say in this release's notes what it lacks",
        )


class AssetMismatch(GitHubError):
    """Raised when a release holds assets of our names with other bytes. ``different``: name to (ours, theirs)."""

    def __init__(self, *, url: str, tag: str, different: Mapping[str, tuple[str, str]]) -> None:
        self.different = dict(different)
        lines = [f"{name}: ours sha256 {ours}, there {theirs}" for name, (ours, theirs) in different.items()]
        super().__init__(
            url=url,
            what=f"the release of {tag} holds other bytes under our names: {'; '.join(lines)}",
            why="two builds under one name cannot both be the release; nothing was replaced and nothing was sent",
            next_step=f"find out who uploaded them; delete the draft by hand if it is stale, else {_anew(tag)}",
        )


class AssetIncomplete(GitHubError):
    """Raised when a published release holds the rest of a broken transfer, or one does not get through."""

    def __init__(self, *, url: str, tag: str, name: str) -> None:
        super().__init__(
            url=url,
            what=f"asset {name} of the release of {tag} is incomplete",
            why="a transfer broke; only in a draft is such a rest removed and sent again",
            next_step="run the same command again; in a published release delete that asset by hand first",
        )


class AssetExists(GitHubError):
    """Raised when an asset of the name is there already, whatever its bytes."""

    def __init__(self, *, url: str, name: str) -> None:
        super().__init__(
            url=url,
            what=f"an asset {name} is already there",
            why="another run uploads to the same release",
            next_step="wait for the other run to end, then run the same command again",
        )


class AssetNameRefused(GitHubError):
    """Raised for a file that cannot be an asset under its own name."""

    def __init__(self, *, name: str, reason: str) -> None:
        super().__init__(
            url="",
            what=f"{name!r} cannot be a release asset: {reason}",
            why="GitHub would refuse or rename it, and nobody would find it under the name we signed",
            next_step="rename the file",
        )


class DraftsAmbiguous(GitHubError):
    """Raised when more than one draft has the tag."""

    def __init__(self, *, url: str, tag: str, drafts: Sequence[str]) -> None:
        super().__init__(
            url=url,
            what=f"{len(drafts)} drafts have tag {tag}: {', '.join(drafts)}",
            why="we cannot know which one is to be published",
            next_step="delete all but one of them on GitHub, then run the same command again",
        )


class NotesTooLong(GitHubError):
    """Raised before release notes are sent that GitHub would refuse."""

    def __init__(self, *, length: int, limit: int) -> None:
        super().__init__(
            url="",
            what=f"the release notes have {length} characters; GitHub takes {limit}",
            why="the release could not be made",
            next_step="shorten this version's section in CHANGELOG.md, or link to it",
        )


class PublicationFailed(GitHubError):
    """Raised when a release reads back otherwise than it was published."""

    def __init__(self, *, url: str, tag: str, defect: str) -> None:
        super().__init__(
            url=url,
            what=f"the release of {tag} reads back wrongly: {defect}",
            why="tag, version and GitHub's flags have to agree",
            next_step=f"look at {url} and correct it by hand, then run `nox -s verify`",
        )


def translated(error: UnexpectedStatus, *, repository: str, action: str, tag: str, name: str = "") -> ServiceError:
    """The kind of refusal that a status of GitHub's means; ``action`` completes "GitHub does not let us ..."."""
    reasons = _reasons(error.body)
    said = "; ".join(reasons) or f"status {error.status}"
    if error.status == 401:
        return CredentialRefused(url=error.url, reason=said)
    if error.status == 403:
        return PermissionMissing(url=error.url, action=action, reason=said)
    if error.status == 404:
        return NotThere(url=error.url, repository=repository, action=action)
    if error.status != 422:
        return error
    if "was used by an immutable release" in said:
        return TagBurned(url=error.url, tag=tag)
    if "immutable release" in said:
        return ReleaseImmutable(url=error.url, tag=tag, missing=[name] if name else [])
    if "tag_name already_exists" in said:
        return ReleaseExists(url=error.url, tag=tag)
    if "name already_exists" in said:
        return AssetExists(url=error.url, name=name)
    return Refused(url=error.url, action=action, reasons=reasons or [said])


def _reasons(body: str) -> list[str]:
    """The message and the errors of an API answer, one line each; nothing for what is not such an answer."""
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return []
    if not isinstance(data, dict):
        return []
    errors = data.get("errors")
    lines = [data.get("message")]
    for error in errors if isinstance(errors, list) else []:
        if isinstance(error, dict):
            lines.append(error.get("message") or f"{error.get('field')} {error.get('code')}")
        else:
            lines.append(error)
    return [excerpt(line) for line in lines if isinstance(line, str) and line]
