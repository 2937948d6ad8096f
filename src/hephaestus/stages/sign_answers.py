"""What the signing client says when it fails, in one sentence each: tracebacks and certificates left out."""

from __future__ import annotations

import re

from hephaestus.release.errors import ReleaseError, StageFailed

__all__ = ["IdentityMissingError", "SigningServiceError", "expired", "explained"]


class IdentityMissingError(ReleaseError):
    """Raised when the signer has no ambient identity; it would otherwise ask a person, who is not there."""

    def __init__(self, *, stage: str) -> None:
        super().__init__(
            what=f"{stage}: there is no identity to sign with",
            why="signing takes the identity of a CI job (OIDC); it is never asked for interactively",
            next_step="in the workflow, give this job `permissions: id-token: write`, then re-run the failed jobs",
        )


class SigningServiceError(ReleaseError):
    """Raised when Sigstore did not answer as it should; nothing of this attempt is kept."""

    def __init__(self, *, stage: str, service: str, output: str) -> None:
        super().__init__(
            what=f"{stage}: {service} failed; no signature of this attempt is kept",
            why="Sigstore's public services have outages of minutes; signing is a stage of its own for that reason",
            details=_said(output),
            next_step=f"`nox -s {stage}` again in a few minutes; nothing has been uploaded",
        )


def expired(output: str) -> bool:
    """Whether the identity ran out meanwhile: tokens live for minutes, and one token serves all files."""
    return _EXPIRED.search(output) is not None


def explained(output: str, *, stage: str, code: int, command: str, retry: str) -> ReleaseError:
    """One error for what the client ended with (facts: sigstore, sections 1 and 2)."""
    if re.search(r"EOFError|no ambient identity|ACTIONS_ID_TOKEN|OIDC token request failed \(code=40[13]", output):
        return IdentityMissingError(stage=stage)
    for service, pattern in _SERVICES.items():
        if re.search(pattern, "\n".join(_said(output))):
            return SigningServiceError(stage=stage, service=service, output=output)
    return StageFailed(stage=stage, command=command, code=code, output=output, next_step=f"`{retry}`")


def _said(output: str) -> list[str]:
    """What the client says in the end: without certificates, and without the tracebacks it says it with."""
    said: list[str] = []
    inside = False
    for line in output.splitlines():
        inside = (inside and line.startswith(" ")) or line.startswith("Traceback ")
        text = " ".join(line.split())
        if text and not inside and not _NOISE.match(text):
            said.append(text)
    errors = [number for number, text in enumerate(said) if _ERROR.match(text)]
    return said[errors[-1] :][:4] if errors else said[-4:]


#: A log line of the client (its text may follow on the next lines), or the last line of a traceback.
_ERROR = re.compile(r"(?:\[[\d:]+\] )?ERROR\b|[A-Za-z_][\w.]*(?:Error|Exception|Expired\w+)(?::|\Z)")
_NOISE = re.compile(
    r"For detailed error information|(?:The above exception|During handling of the above)|Additional context"
)

_EXPIRED = re.compile(r"Expired(?:Identity|Certificate)|has expired|Identity token is (?:malformed|not within)")

#: What the client prints when one of Sigstore's services fails (sigstore 4.5.1).
_SERVICES = {
    "the trust root (TUF)": r"\bTUF\b",
    "the identity provider (OIDC)": r"OIDC token|Identity ?token|IdentityError|audience claim|malformed or incomplete",
    "the transparency log (Rekor)": r"(?i)rekor|transparency log|tlog",
    "the certificate authority (Fulcio)": r"(?i)fulcio|signing certificate",
    "the timestamp authority": r"(?i)timestamp(?!.*extension)",
    "a Sigstore service": r"Connection(Error| refused)|ReadTimeout|Max retries exceeded",
}
