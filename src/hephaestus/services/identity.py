"""The client of Trusted Publishing: a job's identity token, its exchange for an upload token, and burning that.

The exchange is PyPI's (facts: pypi, section 7): ``GET /_/oidc/audience``, ``POST /_/oidc/mint-token``,
``POST /_/oidc/burn-token``. Tokens are in no repr, no message and no log.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from hephaestus.services.address import Address
from hephaestus.services.errors import AnswerInvalid, ServiceDown, UnexpectedStatus
from hephaestus.services.http import Answer, HttpClient
from hephaestus.services.minting import (
    ExchangeUnusable,
    IdentityInvalid,
    IdentityMissing,
    IdentityPermissionMissing,
    mint_refused,
)

__all__ = [
    "AmbientIdentity",
    "ClaimDifference",
    "IdentityToken",
    "TokenExchange",
    "UploadToken",
    "claim_differences",
]

_DECISIVE = ("repository", "repository_owner", "job_workflow_ref", "environment", "ref", "event_name")
"""The claims that publishers are matched by, and the ref, which tells which release it is."""

_READY = re.compile(r"[^A-Z0-9_]|^[^A-Z_]")


@dataclass(frozen=True, kw_only=True)
class IdentityToken:
    """What a CI service says about a job, signed by it. ``claims`` are read without checking the signature.

    The index checks the signature; here the claims are only compared with what we expect, which protects nobody
    from a forger and need not: a forged token mints nothing.
    """

    text: str = field(repr=False)
    claims: Mapping[str, Any]

    @classmethod
    def read(cls, text: object, *, url: str = "") -> IdentityToken:
        """Read a compact JSON Web Token (RFC 7519); raises IdentityInvalid, which never quotes it."""
        parts = text.split(".") if isinstance(text, str) else []
        if not isinstance(text, str) or len(parts) != 3 or not all(parts) or not text.isascii():
            raise IdentityInvalid(url=url, defect="it has not three parts")
        try:
            claims = json.loads(base64.b64decode(parts[1] + "=" * (-len(parts[1]) % 4), altchars=b"-_", validate=True))
        except (binascii.Error, ValueError, RecursionError) as error:
            raise IdentityInvalid(url=url, defect="its middle part is no base64url of JSON") from error
        if not isinstance(claims, dict):
            raise IdentityInvalid(url=url, defect="its claims are no JSON object")
        return cls(text=text, claims=claims)

    def claim(self, name: str) -> str:
        """One claim as text; empty where the token lacks it or holds something else."""
        value = self.claims.get(name)
        return value if isinstance(value, str) else ""

    @property
    def decisive(self) -> dict[str, str]:
        """The claims that publishers are matched by; fit to be shown."""
        return {name: self.claim(name) or "(missing)" for name in _DECISIVE}


@dataclass(frozen=True, kw_only=True)
class AmbientIdentity:
    """The way a CI job gets its identity tokens: GitHub's endpoint, or the ready tokens of GitLab.

    ``ready`` maps variable names to tokens that wait there.
    """

    url: str = ""
    bearer: str = field(default="", repr=False)
    ready: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> AmbientIdentity:
        """What the environment offers; raises IdentityMissing, IdentityPermissionMissing.

        The variables are those that the ``id`` library looks for, and with it twine and sigstore.
        """
        if environ.get("GITHUB_ACTIONS") == "true":
            url, bearer = (environ.get(f"ACTIONS_ID_TOKEN_REQUEST_{name}", "") for name in ("URL", "TOKEN"))
            if not url or not bearer:
                raise IdentityPermissionMissing
            return cls(url=url, bearer=bearer)
        if environ.get("GITLAB_CI") == "true":
            return cls(ready={name: value for name, value in environ.items() if name.endswith("_ID_TOKEN") and value})
        raise IdentityMissing

    def token(self, audience: str, *, http: HttpClient) -> IdentityToken:
        """A token for ``audience``: a new one from GitHub at every call, from GitLab the one that is ready.

        Raises IdentityPermissionMissing, IdentityInvalid and what ``HttpClient`` raises.
        """
        if not self.url:
            name = f"{_READY.sub('_', audience.upper())}_ID_TOKEN"
            if name not in self.ready:
                raise IdentityPermissionMissing(reason=f"{name} is not set: `id_tokens:` must make one for {audience}")
            return IdentityToken.read(self.ready[name])
        joint = "&" if "?" in self.url else "?"
        place = f"{self.url}{joint}audience={quote(audience, safe='')}"
        try:
            answer = http.request("GET", place, headers={"Authorization": f"Bearer {self.bearer}"})
        except UnexpectedStatus as error:
            if error.status in (400, 401, 403):
                raise IdentityPermissionMissing(url=error.url, reason=f"status {error.status}") from error
            raise
        told = answer.json()
        return IdentityToken.read(told.get("value") if isinstance(told, dict) else None, url=answer.url)


@dataclass(frozen=True, kw_only=True)
class UploadToken:
    """A minted API token. ``expires`` is in seconds since the epoch, None where the index does not say."""

    text: str = field(repr=False)
    expires: int | None = None


class TokenExchange:
    """The ``/_/oidc/`` part of one index, below ``base_url`` (``https://pypi.org``).

    ``name`` is the index's, for messages. Raises the errors of ``services.minting`` and ``services.errors`` only.
    """

    def __init__(self, base_url: str, *, name: str, http: HttpClient) -> None:
        self._base = f"{Address.parse(base_url).url.rstrip('/')}/_/oidc"
        self._name = name
        self._http = http

    def audience(self) -> str:
        """Whom an identity token must be for; raises PublishingDisabled where the index takes none."""
        answer = self._http.request("GET", f"{self._base}/audience", expect=(200, 403, 404))
        if answer.status == 403:
            raise mint_refused("not-enabled", url=answer.url, index=self._name, claims={})
        audience = _told(answer, "name its audience").get("audience") if answer.status == 200 else None
        if not isinstance(audience, str) or not audience:
            raise ExchangeUnusable(url=answer.url, action="name its audience", defect=f"status {answer.status}")
        return audience

    def mint(self, identity: IdentityToken) -> UploadToken:
        """Exchange ``identity``, which is used up by it; raises one class per code of the answer.

        Never tried again: after a lost answer the identity token may be used up, and a new one is needed.
        """
        action = "mint an upload token"
        answer = self._post("mint-token", identity.text, action=action, expect=(200, 422))
        told = _told(answer, action)
        if answer.status == 422:
            raise mint_refused(_code(told), url=answer.url, index=self._name, claims=identity.decisive)
        token, expires = told.get("token"), told.get("expires")
        if not isinstance(token, str) or not token:
            raise ExchangeUnusable(url=answer.url, action=action, defect="field 'token' is missing")
        known = isinstance(expires, int) and not isinstance(expires, bool)
        return UploadToken(text=token, expires=expires if known else None)

    def burn(self, token: UploadToken) -> bool:
        """Make ``token`` worthless at once; False where the index cannot (404), and it lives until it expires."""
        return self._post("burn-token", token.text, action="burn the token", expect=(200, 202, 404)).status != 404

    def _post(self, route: str, token: str, *, action: str, expect: tuple[int, ...]) -> Answer:
        try:
            return self._http.request(
                "POST",
                f"{self._base}/{route}",
                headers={"Content-Type": "application/json", "Accept": "application/json"},
                body=json.dumps({"token": token}).encode(),
                expect=expect,
                repeat=False,
            )
        except (ServiceDown, UnexpectedStatus) as error:
            # An issuer that it cannot reach makes PyPI answer 500 with a page (facts: pypi, section 7).
            raise ExchangeUnusable(url=error.url, action=action, defect=f"status {error.status}") from error


@dataclass(frozen=True, kw_only=True)
class ClaimDifference:
    """A claim that is not what the configuration says. ``claim`` is its name."""

    claim: str
    expected: str
    actual: str


def claim_differences(
    identity: IdentityToken, *, repository: str, workflow: str, ref: str | None, environment: str
) -> tuple[ClaimDifference, ...]:
    """What in ``identity`` differs from a publisher with these values, judged as PyPI judges.

    ``repository`` is ``OWNER/NAME``, compared without case, as the environment is; ``workflow`` the file's name,
    compared with it. ``ref`` (``refs/tags/...``, None: any) is compared too: no index does, so we must.
    """
    path, _, at = identity.claim("job_workflow_ref").partition("@")
    place, _, file = path.partition("/.github/workflows/")
    event = identity.claim("event_name")
    expected = [
        ("repository", repository, identity.claim("repository"), True),
        ("repository_owner", repository.partition("/")[0], identity.claim("repository_owner"), True),
        ("job_workflow_ref (repository)", repository, place, True),
        ("job_workflow_ref (file)", workflow, file, False),
        ("environment", environment, identity.claim("environment"), True),
    ]
    if ref is not None:
        expected += [("ref", ref, identity.claim("ref"), False), ("job_workflow_ref (ref)", ref, at, False)]
    found = [
        ClaimDifference(claim=claim, expected=wanted, actual=actual or "(missing)")
        for claim, wanted, actual, caseless in expected
        if wanted != actual and not (caseless and wanted.casefold() == actual.casefold())
    ]
    if event in ("", "pull_request_target"):
        wanted = "push or workflow_dispatch"
        found.append(ClaimDifference(claim="event_name", expected=wanted, actual=event or "(missing)"))
    return tuple(found)


def _told(answer: Answer, action: str) -> dict[str, Any]:
    """The JSON object of an answer of the exchange."""
    try:
        told = answer.json()
    except AnswerInvalid as error:
        raise ExchangeUnusable(url=answer.url, action=action, defect=error.defect) from error
    if not isinstance(told, dict):
        raise ExchangeUnusable(url=answer.url, action=action, defect="a JSON object was expected")
    return told


def _code(told: Mapping[str, Any]) -> str:
    """The first code of a refusal; empty where it names none."""
    errors = told.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else None
    code = first.get("code") if isinstance(first, dict) else None
    return code if isinstance(code, str) else ""
