"""The stand-in for GitHub's OIDC issuer: who a workflow job is, said in a signed token."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from hephaestus.standins.faults import Faults
from hephaestus.standins.http import Request, Response
from hephaestus.standins.keys import ec_key

__all__ = ["FAULT_KINDS", "GITHUB_ISSUER", "Issuer", "TokenRejected", "WorkflowIdentity"]

GITHUB_ISSUER = "https://token.actions.githubusercontent.com"
_LIFETIME = 300
"""Seconds from ``iat`` to ``exp``, as GitHub's tokens have them."""
_BACKDATED = 600
"""Seconds from ``nbf`` to ``iat``, as GitHub's tokens have them."""
_LEEWAY = 5
_GRANT_LIFETIME = 24 * 3600
_GRANT_AUDIENCE = "actions-runtime"
_TOKEN_PATH = re.compile(r"/oidc/(?P<environment>[^/]+)/token\Z")
FAULT_KINDS = ("no-permission", "500", "expired-token", "wrong-audience", "wrong-key", "html", "reset")
"""Every kind of fault that service ``oidc`` knows."""


class TokenRejected(ValueError):
    """Raised when a token is not ours, not for this audience, or not valid now; ``reason`` says which."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, kw_only=True)
class WorkflowIdentity:
    """One job of a GitHub Actions workflow, as far as its OIDC token tells.

    ``repository`` is ``OWNER/NAME``, ``workflow`` the file name below ``.github/workflows``, ``ref`` a full
    ref (``refs/tags/v1.0``), ``sha`` the commit in 40 hex digits. ``environment`` is the deployment
    environment of the job or None. ``workflow_name`` is the workflow's ``name:``; GitHub says the file's
    path when it has none.
    """

    repository: str
    workflow: str
    ref: str
    sha: str
    environment: str | None = None
    event_name: str = "release"
    repository_id: str = "1"
    repository_owner_id: str = "1"
    repository_visibility: str = "public"
    run_id: str = "1"
    run_number: str = "1"
    run_attempt: str = "1"
    actor: str = "rehearsal"
    actor_id: str = "1"
    runner_environment: str = "github-hosted"
    workflow_name: str | None = None

    @property
    def workflow_ref(self) -> str:
        """``OWNER/NAME/.github/workflows/FILE@REF``: what trusted publishing and Sigstore identities pin."""
        return f"{self.repository}/.github/workflows/{self.workflow}@{self.ref}"

    @property
    def certificate_identity(self) -> str:
        """The URI that a Sigstore certificate for this job names as its subject."""
        return f"https://github.com/{self.workflow_ref}"

    @property
    def subject(self) -> str:
        """The ``sub`` claim: by environment if there is one, else by event or ref (GitHub's default template).

        With the ids of owner and repository, as repositories made since July 2026 have it (GitHub's changelog of
        2026-04-23): whoever takes it apart, or compares it, is found out here.
        """
        owner, _, name = self.repository.partition("/")
        here = f"repo:{owner}@{self.repository_owner_id}/{name}@{self.repository_id}"
        if self.environment is not None:
            return f"{here}:environment:{self.environment}"
        if self.event_name == "pull_request":
            return f"{here}:pull_request"
        return f"{here}:ref:{self.ref}"

    def claims(self) -> dict[str, str]:
        """GitHub's whole claim set, without those of the token itself (iss, aud, exp, iat, nbf, jti)."""
        claims = {
            "sub": self.subject,
            "actor": self.actor,
            "actor_id": self.actor_id,
            "base_ref": "",
            "event_name": self.event_name,
            "head_ref": "",
            "job_workflow_ref": self.workflow_ref,
            "job_workflow_sha": self.sha,
            "ref": self.ref,
            "ref_protected": "false",
            "ref_type": "tag" if self.ref.startswith("refs/tags/") else "branch",
            "repository": self.repository,
            "repository_id": self.repository_id,
            "repository_owner": self.repository.partition("/")[0],
            "repository_owner_id": self.repository_owner_id,
            "repository_visibility": self.repository_visibility,
            "run_attempt": self.run_attempt,
            "run_id": self.run_id,
            "run_number": self.run_number,
            "runner_environment": self.runner_environment,
            "sha": self.sha,
            "workflow": self.workflow_name or f".github/workflows/{self.workflow}",
            "workflow_ref": self.workflow_ref,
            "workflow_sha": self.sha,
        }
        if self.environment is not None:
            claims["environment"] = self.environment
        return claims


class Issuer:
    """Signs identity tokens, checks them, and answers as the endpoint GitHub gives to a job.

    The key lives in ``state``; ``clock`` returns seconds since the epoch. Faults of service ``oidc``, one
    event per token asked for over HTTP: no-permission (403), 500, expired-token, wrong-audience, wrong-key
    (signed by a stranger), html (a page instead of JSON), reset (the connection ends).
    """

    def __init__(
        self,
        state: Path,
        *,
        clock: Callable[[], float] = time.time,
        faults: Faults | None = None,
        issuer: str = GITHUB_ISSUER,
    ) -> None:
        self.issuer = issuer
        self._clock = clock
        self._faults = faults or Faults()
        self._key = ec_key(state / "oidc" / "issuer.pem", ec.SECP256R1())
        public = self._key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self._key_id = hashlib.sha256(public).hexdigest()[:32]

    def token(self, claims: WorkflowIdentity | Mapping[str, Any], audience: str) -> str:
        """A signed token saying ``claims`` to ``audience``, valid for five minutes, with a fresh ``jti``."""
        return self._signed(claims, audience, now=int(self._clock()), key=self._key)

    def verify(self, token: str, audience: str) -> dict[str, Any]:
        """The claims of a token of ours that is valid now; raises TokenRejected."""
        claims = self._decoded(token, audience)
        if claims["iss"] != self.issuer:
            raise TokenRejected("token is of another issuer")
        return claims

    def grant(self, identity: WorkflowIdentity) -> str:
        """The bearer token with which a job of ``identity`` may ask for identity tokens (valid for a day).

        GitHub calls it ACTIONS_ID_TOKEN_REQUEST_TOKEN; like GitHub's it carries the job itself, so no table
        of grants has to outlive this process.
        """
        now = int(self._clock())
        return jwt.encode(
            {
                "iss": "rehearsal",
                "aud": _GRANT_AUDIENCE,
                "iat": now,
                "nbf": now,
                "exp": now + _GRANT_LIFETIME,
                "jti": str(uuid.uuid4()),
                "sub": identity.subject,
                "job": asdict(identity),
            },
            self._key,
            algorithm="ES256",
        )

    def environment(self, base: str, identity: WorkflowIdentity, *, environment: str = "-") -> dict[str, str]:
        """The variables that make a child of ours look like a job of ``identity`` to ambient detection.

        ``base`` is where ``handle`` is mounted; ``environment`` names the deployment environment whose job it
        is, ``-`` leaves what ``identity`` says.
        """
        return {
            "GITHUB_ACTIONS": "true",
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{base}/oidc/{environment}/token?api-version=2.0",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": self.grant(identity),
        }

    def handle(self, request: Request) -> Response:
        """Answer ``/oidc/ENVIRONMENT/token`` and the discovery documents below ``/oidc/.well-known/``."""
        if request.method != "GET":
            return _failure(405, "Method Not Allowed")
        if match := _TOKEN_PATH.match(request.path):
            return self._answer_token(request, match["environment"])
        if request.path == "/oidc/.well-known/openid-configuration":
            return _json(
                {
                    "issuer": self.issuer,
                    "jwks_uri": f"{request.base}/oidc/.well-known/jwks",
                    "subject_types_supported": ["public", "pairwise"],
                    "response_types_supported": ["id_token"],
                    "id_token_signing_alg_values_supported": ["ES256"],
                    "scopes_supported": ["openid"],
                }
            )
        if request.path == "/oidc/.well-known/jwks":
            return _json(self.jwks())
        return _failure(404, "Not Found")

    def jwks(self) -> dict[str, Any]:
        """The JSON Web Key Set (RFC 7517) with the one key that signs here."""
        numbers = self._key.public_key().public_numbers()
        key = {
            "kty": "EC",
            "crv": "P-256",
            "alg": "ES256",
            "use": "sig",
            "kid": self._key_id,
            "x": _base64url(numbers.x.to_bytes(32, "big")),
            "y": _base64url(numbers.y.to_bytes(32, "big")),
        }
        return {"keys": [key]}

    def _answer_token(self, request: Request, environment: str) -> Response:
        audiences = request.query.get("audience", [])
        try:
            identity = self._granted(request.headers.get("authorization", ""))
        except TokenRejected as error:
            return _failure(401, error.reason)
        if len(audiences) != 1 or not audiences[0]:
            return _failure(400, "one audience is needed")
        if environment != "-":
            identity = replace(identity, environment=environment)
        fault = self._faults.take("oidc", FAULT_KINDS)
        match fault.kind if fault else "":
            case "no-permission":
                return _failure(403, "Resource not accessible by integration")
            case "500":
                return _failure(500, "Internal Server Error")
            case "html":
                return Response(headers={"Content-Type": "text/html"}, body=b"<!doctype html><title>Sign in</title>")
            case "reset":
                return Response(wire="reset")
            case "expired-token":
                long_ago = int(self._clock()) - 2 * _LIFETIME
                return _token(self._signed(identity, audiences[0], now=long_ago, key=self._key))
            case "wrong-audience":
                return _token(self.token(identity, f"not-{audiences[0]}"))
            case "wrong-key":
                stranger = ec.generate_private_key(ec.SECP256R1())
                return _token(self._signed(identity, audiences[0], now=int(self._clock()), key=stranger))
        return _token(self.token(identity, audiences[0]))

    def _granted(self, authorization: str) -> WorkflowIdentity:
        scheme, _, bearer = authorization.partition(" ")
        if scheme.lower() != "bearer" or not bearer:
            raise TokenRejected("a bearer token is needed")
        claims = self._decoded(bearer.strip(), _GRANT_AUDIENCE)
        try:
            return WorkflowIdentity(**claims.get("job", {}))
        except TypeError as error:
            raise TokenRejected("the bearer token grants no job known here") from error

    def _signed(
        self,
        claims: WorkflowIdentity | Mapping[str, Any],
        audience: str,
        *,
        now: int,
        key: ec.EllipticCurvePrivateKey,
    ) -> str:
        said = claims.claims() if isinstance(claims, WorkflowIdentity) else dict(claims)
        own = {
            "iss": self.issuer,
            "aud": audience,
            "iat": now,
            "nbf": now - _BACKDATED,
            "exp": now + _LIFETIME,
            "jti": str(uuid.uuid4()),
        }
        return jwt.encode({**said, **own}, key, algorithm="ES256", headers={"kid": self._key_id})

    def _decoded(self, token: str, audience: str) -> dict[str, Any]:
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self._key.public_key(),
                algorithms=["ES256"],
                audience=audience,
                # The times are checked below, by our clock: PyJWT knows only the machine's.
                options={
                    "require": ["iss", "aud", "exp", "iat", "nbf", "jti"],
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                },
            )
        except jwt.InvalidAudienceError as error:
            raise TokenRejected(f"token is not for audience {audience}") from error
        except jwt.InvalidSignatureError as error:
            raise TokenRejected("token signature is not ours") from error
        except jwt.InvalidTokenError as error:
            raise TokenRejected(f"token is malformed: {error}") from error
        now = self._clock()
        if not all(isinstance(claims[name], int) for name in ("exp", "nbf", "iat")):
            raise TokenRejected("token is malformed: its times are not numbers")
        if now > claims["exp"] + _LEEWAY:
            raise TokenRejected("token has expired")
        if now < claims["nbf"] - _LEEWAY:
            raise TokenRejected("token is not valid yet")
        return claims


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _json(content: object, *, status: int = 200) -> Response:
    return Response(status=status, headers={"Content-Type": "application/json"}, body=json.dumps(content).encode())


def _token(token: str) -> Response:
    return _json({"count": len(token), "value": token})


def _failure(status: int, message: str) -> Response:
    return _json({"message": message}, status=status)
