"""Trusted Publishing: audience, mint and burn, with the rules of facts/pypi section 7."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hephaestus.release.rules import project_refusals
from hephaestus.standins.faults import Faults
from hephaestus.standins.http import Request, Response
from hephaestus.standins.index.answers import json_answer
from hephaestus.standins.index.records import PublisherConfig, State, Token
from hephaestus.standins.index.store import Store, add_project, project_key

__all__ = ["MINT_CODES", "MINT_KINDS", "TOKEN_LIFETIME", "Publishing", "VerifyToken", "new_token", "token_digest"]

TOKEN_LIFETIME = 900
"""Seconds a minted token lives: PyPI's maximum."""

MINT_CODES: Mapping[str, str] = {
    "not-enabled": "Trusted Publishing is not enabled here",
    "invalid-payload": "the request is not a JSON object with a token",
    "invalid-token": "malformed or invalid token",
    "invalid-publisher": "valid token, but no corresponding publisher (Publisher with matching claims was not found)",
    "invalid-pending-publisher": "valid token, but the pending publisher's project name is not available",
    "invalid-reuse-token": "invalid token: already used",
}
MINT_KINDS = (*(f"mint-{code}" for code in MINT_CODES), "mint-html-500", "mint-reset", "mint-hang")
_JTI_KEPT = 24 * 3600

VerifyToken = Callable[[str, str], Mapping[str, Any]]
"""``(jwt, audience) -> claims``; raises ValueError for a bad token, OSError when the issuer cannot be reached."""


class Publishing:
    """The ``/_/oidc/`` part of one index."""

    def __init__(
        self,
        *,
        name: str,
        store: Store,
        clock: Callable[[], float],
        faults: Faults,
        verify_token: VerifyToken,
        publishers: Sequence[PublisherConfig],
    ) -> None:
        self._name = name
        self._store = store
        self._clock = clock
        self._faults = faults
        self._verify_token = verify_token
        self._publishers = tuple(publishers)
        self.enabled = True

    def handle(self, request: Request) -> Response:
        """Answer one request below ``/_/oidc/``."""
        route = (request.method, request.path.removeprefix("/_/oidc/"))
        if route in (("GET", "audience"), ("HEAD", "audience")):
            return self._audience()
        if route == ("POST", "mint-token"):
            return self._mint(request)
        if route == ("POST", "burn-token"):
            return self._burn(request)
        return json_answer(404, {"message": "Not Found"})

    def _audience(self) -> Response:
        fault = self._faults.take(self._name, ("oidc-off",))
        if fault is not None or not self.enabled:
            return json_answer(403, {"message": "Trusted publishing functionality is disabled."})
        return json_answer(200, {"audience": self._name})

    def _mint(self, request: Request) -> Response:
        fault = self._faults.take(self._name, MINT_KINDS)
        kind = fault.kind.removeprefix("mint-") if fault else ""
        if kind == "html-500":
            return _html_500()
        if kind == "reset":
            return Response(wire="reset")
        if kind == "hang":
            return Response(wire="hang")
        if kind:
            return _mint_error(kind)
        if not self.enabled:
            return _mint_error("not-enabled")
        unverified = _payload_token(request.body)
        if unverified is None:
            return _mint_error("invalid-payload")
        try:
            claims = self._verify_token(unverified, self._name)
        except ValueError:
            return _mint_error("invalid-token")
        except OSError:
            # PyPI answers an issuer that it cannot reach with a page, not with JSON [facts: pypi 7].
            return _html_500()
        return self._exchange(claims)

    def _exchange(self, claims: Mapping[str, Any]) -> Response:
        jti = str(claims.get("jti") or "")
        if not jti:
            return _mint_error("invalid-token")
        now = self._clock()
        with self._store.change() as state:
            found = self._matching(state, claims)
            if not found:
                return _mint_error("invalid-publisher")
            if jti in state.used_jtis:
                return _mint_error("invalid-reuse-token")
            pending = [one for one in found if project_key(one.project) not in state.projects]
            if pending:
                if project_refusals(pending[0].project, exists=False):
                    return _mint_error("invalid-pending-publisher")
                add_project(state, pending[0].project, owner=pending[0].repository, now=now)
                found = [one for one in found if project_key(one.project) in state.projects]
            for old in [key for key, used in state.used_jtis.items() if used < now - _JTI_KEPT]:
                del state.used_jtis[old]
            state.used_jtis[jti] = now
            text = new_token(self._name)
            expires = int(now) + TOKEN_LIFETIME
            state.tokens[token_digest(text)] = Token(
                kind="publisher",
                owner=found[0].repository,
                projects=tuple(sorted(project_key(one.project) for one in found)),
                expires=expires,
                publisher=found[0],
            )
        return json_answer(200, {"success": True, "token": text, "expires": expires})

    def _burn(self, request: Request) -> Response:
        token = _payload_token(request.body)
        if token is None:
            return _mint_error("invalid-payload")
        with self._store.change() as state:
            known = state.tokens.get(token_digest(token))
            if known is not None and known.kind == "publisher":
                del state.tokens[token_digest(token)]
        # The same answer whether it was known or not: burning tells nobody which tokens exist.
        return json_answer(202, {"message": "Accepted"})

    def _matching(self, state: State, claims: Mapping[str, Any]) -> list[PublisherConfig]:
        """Publishers these claims belong to: pending first, one with an environment before one without."""
        matching = [one for one in self._publishers if _matches(one, claims)]
        strict = [one for one in matching if one.environment is not None]
        chosen = strict or matching
        pending = [one for one in chosen if project_key(one.project) not in state.projects]
        return pending[:1] + [one for one in chosen if one not in pending]


def _matches(publisher: PublisherConfig, claims: Mapping[str, Any]) -> bool:
    repository = str(claims.get("repository", ""))
    owner = publisher.repository.partition("/")[0]
    if repository.casefold() != publisher.repository.casefold():
        return False
    if str(claims.get("repository_owner", "")).casefold() != owner.casefold():
        return False
    if publisher.owner_id not in (None, str(claims.get("repository_owner_id", ""))):
        return False
    if claims.get("event_name") in (None, "", "pull_request_target"):
        return False
    environment = claims.get("environment")
    if publisher.environment is not None and (
        not isinstance(environment, str) or environment.casefold() != publisher.environment.casefold()
    ):
        return False
    workflow, at, ref = str(claims.get("job_workflow_ref", "")).partition("@")
    return (
        bool(at)
        and ref in {str(claims[name]) for name in ("ref", "sha") if claims.get(name)}
        and workflow == f"{repository}/.github/workflows/{publisher.workflow}"
    )


def new_token(index: str) -> str:
    """A fresh API token shaped like PyPI's: ``pypi-`` and the base64 beginning that names the service."""
    location = (b"test." if index == "testpypi" else b"") + b"pypi.org"
    body = bytes([2, 1, len(location)]) + location + bytes([2]) + secrets.token_bytes(48)
    return f"pypi-{base64.urlsafe_b64encode(body).rstrip(b'=').decode()}"


def token_digest(text: str) -> str:
    """Under what a token is kept."""
    return hashlib.sha256(text.encode()).hexdigest()


def _payload_token(body: bytes) -> str | None:
    try:
        payload = json.loads(body)
    except ValueError:
        return None
    token = payload.get("token") if isinstance(payload, dict) else None
    return token if isinstance(token, str) and token else None


def _mint_error(code: str) -> Response:
    return json_answer(
        422,
        {"message": "Token request failed", "errors": [{"code": code, "description": MINT_CODES[code]}]},
    )


def _html_500() -> Response:
    return Response(
        status=500, body=b"<html><h1>Internal Server Error</h1></html>", headers={"Content-Type": "text/html"}
    )
