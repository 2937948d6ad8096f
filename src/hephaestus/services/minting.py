"""What an index answers when an identity is exchanged for an upload token, translated: one class per kind.

::

    IdentityError
    ├── IdentityMissing              no job of a CI service that vouches for it
    ├── IdentityPermissionMissing    a job without `id-token: write`
    ├── IdentityInvalid              what was given as an identity token is none
    ├── ExchangeUnusable             the index answers, but not as the interface promises
    └── MintRefused                  one class per code
        ├── PublishingDisabled       not-enabled, and the audience's 403
        ├── PayloadRefused           invalid-payload
        ├── IdentityRefused          invalid-token
        ├── PublisherUnknown         invalid-publisher
        ├── PendingPublisherRefused  invalid-pending-publisher
        ├── IdentityReused           invalid-reuse-token
        └── MintCodeUnknown          a code that did not exist when this was written

The codes are PyPI's (facts: pypi, section 7). ``explain_mint`` holds their meaning for whoever meets one elsewhere,
as in what twine prints.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from hephaestus.services.errors import ServiceError, excerpt

__all__ = [
    "MINT_ANSWERS",
    "ExchangeUnusable",
    "IdentityError",
    "IdentityInvalid",
    "IdentityMissing",
    "IdentityPermissionMissing",
    "IdentityRefused",
    "IdentityReused",
    "MintAnswer",
    "MintCodeUnknown",
    "MintRefused",
    "PayloadRefused",
    "PendingPublisherRefused",
    "PublisherUnknown",
    "PublishingDisabled",
    "explain_mint",
    "mint_refused",
]


@dataclass(frozen=True, kw_only=True)
class MintAnswer:
    """One code of the mint answer. ``transient``: the same exchange may succeed later, unchanged.

    ``meaning`` completes "the index says: ..."; ``why`` is the usual cause, ``remedy`` what to do.
    """

    code: str
    meaning: str
    why: str
    remedy: str
    transient: bool = False


MINT_ANSWERS: Mapping[str, MintAnswer] = MappingProxyType({
    answer.code: answer
    for answer in (
        MintAnswer(
            code="not-enabled",
            meaning="Trusted Publishing is switched off there at the moment",
            why="the index's administrators have disabled it, for all or for this kind of publisher",
            remedy="look at the index's status page; re-run the job when it is on again",
            transient=True,
        ),
        MintAnswer(
            code="invalid-payload",
            meaning="it does not understand the request for an upload token",
            why="something between us and the index changed the request, or its interface has changed",
            remedy="re-run the job; if it stays, update the suite",
        ),
        MintAnswer(
            code="invalid-token",
            meaning="it does not accept the identity token",
            why="the token is expired or not yet valid (a wrong clock), for another index, or not from a known issuer",
            remedy="compare the clock of the machine; then re-run the job, which gets a new token",
        ),
        MintAnswer(
            code="invalid-publisher",
            meaning="it knows no Trusted Publisher with the claims of this run",
            why="owner, repository, workflow file or environment differ from what its form holds, by a letter perhaps",
            remedy="compare these four with the publisher in the project's settings; `hephaestus doctor` shows them",
        ),
        MintAnswer(
            code="invalid-pending-publisher",
            meaning="the pending publisher's project name is not to be had",
            why="another project has taken the name, or one too similar, since the publisher was added",
            remedy="choose another name, or add the publisher to the project of that name if it is yours",
        ),
        MintAnswer(
            code="invalid-reuse-token",
            meaning="the identity token was exchanged before",
            why="each identity token works once; this one was used already, by an earlier attempt or by somebody else",
            remedy="re-run the job: it gets a new one; if nobody tried before, treat it as stolen",
        ),
    )
})  # fmt: skip
"""Every code PyPI's mint answers with."""


def explain_mint(code: str) -> MintAnswer:
    """The meaning of a code; for one that is not known, an answer that says so."""
    known = MINT_ANSWERS.get(code)
    return known or MintAnswer(
        code=code,
        meaning=f"it refuses with {excerpt(code, limit=60)!r}" if code else "it refuses and gives no reason",
        why="this suite does not know that answer",
        remedy="see https://docs.pypi.org/trusted-publishers/troubleshooting/; then re-run the job",
    )


class IdentityError(ServiceError):
    """Base of what goes wrong between a job's identity and an upload token. No message holds a token."""


class IdentityMissing(IdentityError):
    """Raised where no CI service vouches for this process."""

    def __init__(self) -> None:
        super().__init__(
            url="",
            what="no identity here: this is no job of GitHub Actions or GitLab CI",
            why="Trusted Publishing takes the word of a CI service for who is asking; a person's machine has none",
            next_step="run it in the publishing workflow: `gh workflow run <workflow> --ref <tag>`",
        )


class IdentityPermissionMissing(IdentityError):
    """Raised in a job that may not ask for identity tokens."""

    def __init__(self, *, url: str = "", reason: str = "") -> None:
        super().__init__(
            url=url,
            what="this job may not ask for an identity token" + (f": {excerpt(reason)}" if reason else ""),
            why="the job lacks `id-token: write`, or it runs for a pull request from a fork, which never gets it",
            next_step="give this job, and no other one, `permissions: id-token: write`; then run the workflow again",
        )


class IdentityInvalid(IdentityError):
    """Raised when what was given as an identity token is no JSON Web Token with claims."""

    def __init__(self, *, url: str, defect: str) -> None:
        self.defect = defect
        super().__init__(
            url=url,
            what=f"the identity token is not usable: {defect}",
            why="an identity token is three parts in base64url, and its middle is a JSON object of claims",
            next_step="re-run the job; if it stays, look at what sets the variables of the identity endpoint",
        )


class ExchangeUnusable(IdentityError):
    """Raised when an index answers the exchange with something that is no answer to it."""

    def __init__(self, *, url: str, action: str, defect: str) -> None:
        self.defect = defect
        super().__init__(
            url=url,
            what=f"the index did not {action} properly: {excerpt(defect)}",
            why="it has trouble of its own, or cannot reach the issuer of the identity token at the moment",
            next_step="re-run the job in a few minutes: it gets a new identity token, which each exchange needs",
        )


class MintRefused(IdentityError):
    """Raised when an index refuses to mint; ``answer`` is the meaning of the code, ``index`` the index's name.

    ``claims`` are those that decide, as the identity token has them.
    """

    def __init__(self, *, url: str, index: str, answer: MintAnswer, claims: Mapping[str, str]) -> None:
        self.index = index
        self.answer = answer
        self.claims = dict(claims)
        super().__init__(
            url=url,
            what=f"{index} mints no upload token ({excerpt(answer.code, limit=60)}): {answer.meaning}",
            why=answer.why,
            next_step=answer.remedy,
        )
        self.details = tuple(f"{name}: {excerpt(value)}" for name, value in claims.items())


class PublishingDisabled(MintRefused):
    """Raised on not-enabled, and when the index gives no audience (403)."""


class PayloadRefused(MintRefused):
    """Raised on invalid-payload."""


class IdentityRefused(MintRefused):
    """Raised on invalid-token."""


class PublisherUnknown(MintRefused):
    """Raised on invalid-publisher."""


class PendingPublisherRefused(MintRefused):
    """Raised on invalid-pending-publisher."""


class IdentityReused(MintRefused):
    """Raised on invalid-reuse-token."""


class MintCodeUnknown(MintRefused):
    """Raised on a code that is not PyPI's as we know it."""


_CLASSES: Mapping[str, type[MintRefused]] = MappingProxyType({
    "not-enabled": PublishingDisabled,
    "invalid-payload": PayloadRefused,
    "invalid-token": IdentityRefused,
    "invalid-publisher": PublisherUnknown,
    "invalid-pending-publisher": PendingPublisherRefused,
    "invalid-reuse-token": IdentityReused,
})  # fmt: skip


def mint_refused(code: str, *, url: str, index: str, claims: Mapping[str, str]) -> MintRefused:
    """The error of that code."""
    kind = _CLASSES.get(code, MintCodeUnknown)
    return kind(url=url, index=index, answer=explain_mint(code), claims=claims)
