"""What can go wrong on the way to a service, whichever service it is.

::

    ServiceError
    ├── AddressRefused        not https (and not the loopback), or no host
    ├── Unreachable           no connection, or cut, or silent, until the patience ended
    ├── CertificateRefused    TLS could not be trusted; never retried
    ├── ServiceDown           5xx until the patience ended
    ├── RateLimited           429, or 403 for the rate, with a wait longer than the patience
    ├── UnexpectedStatus      any other status that the caller did not ask for
    ├── RedirectRefused       sent elsewhere where that is not followed
    ├── AnswerTooLarge        more bytes than such an answer can have
    ├── AnswerInvalid         HTML for JSON, wrong content type, a field missing
    ├── DownloadMismatch      other bytes or another size than promised
    └── FileNotWritten        the disk refused what was downloaded
"""

from __future__ import annotations

from urllib.parse import urlsplit, urlunsplit

from hephaestus.release.errors import ReleaseError
from hephaestus.release.redaction import without_secrets

__all__ = [
    "AddressRefused",
    "AnswerInvalid",
    "AnswerTooLarge",
    "CertificateRefused",
    "DownloadMismatch",
    "FileNotWritten",
    "RateLimited",
    "RedirectRefused",
    "ServiceDown",
    "ServiceError",
    "UnexpectedStatus",
    "Unreachable",
    "displayed",
    "excerpt",
]

_RERUN = "run the same command again; what is already done is kept"


def displayed(url: str) -> str:
    """``url`` without what may be secret: user, password, query, fragment."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def excerpt(text: str, *, limit: int = 200) -> str:
    """The beginning of foreign text on one line, printable, with token-like strings struck out."""
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in without_secrets(text)).split())
    return line if len(line) <= limit else f"{line[:limit]}..."


class ServiceError(ReleaseError):
    """Base of the failures on the way to a service. ``url`` is fit to be shown."""

    def __init__(self, *, url: str, what: str, why: str, next_step: str = _RERUN) -> None:
        self.url = displayed(url)
        super().__init__(what=what, why=why, next_step=next_step)


class AddressRefused(ServiceError):
    """Raised before anything is sent to an address that is no proper service address."""

    def __init__(self, *, url: str, reason: str) -> None:
        super().__init__(
            url=url,
            what=f"{displayed(url)!r} is no address to talk to: {reason}",
            why="credentials and releases travel over https only, or over the loopback in a rehearsal",
            next_step="correct the address in the configuration",
        )


class Unreachable(ServiceError):
    """Raised when no answer came: refused, cut, or silent. ``sent``: whether the request may have arrived."""

    def __init__(self, *, url: str, cause: str, attempts: int, sent: bool) -> None:
        self.sent = sent
        tries = "one attempt" if attempts == 1 else f"{attempts} attempts"
        super().__init__(
            url=url,
            what=f"no answer from {displayed(url)} in {tries}: {excerpt(cause)}",
            why="the network, a proxy or the service is down" + ("; the request may have arrived" if sent else ""),
        )


class CertificateRefused(ServiceError):
    """Raised when the other side's TLS certificate cannot be trusted."""

    def __init__(self, *, url: str, cause: str) -> None:
        super().__init__(
            url=url,
            what=f"the TLS certificate of {displayed(url)} is not trusted: {excerpt(cause)}",
            why="somebody may be between us and the service; nothing was sent",
            next_step="check the address, the clock and, behind a company proxy, SSL_CERT_FILE",
        )


class ServiceDown(ServiceError):
    """Raised when the service went on answering 5xx."""

    def __init__(self, *, url: str, status: int, reason: str, attempts: int) -> None:
        self.status = status
        super().__init__(
            url=url,
            what=f"{displayed(url)} answered {status} {excerpt(reason)} (attempts: {attempts})",
            why="the service has trouble of its own",
        )


class RateLimited(ServiceError):
    """Raised when the service asks to wait longer than we are willing to. ``retry_after`` is in seconds."""

    def __init__(self, *, url: str, status: int, retry_after: float) -> None:
        self.status = status
        self.retry_after = retry_after
        super().__init__(
            url=url,
            what=f"{displayed(url)} answered {status}: too many requests; it asks for {retry_after:.0f} s of patience",
            why="the service limits how often one client may ask",
            next_step=f"wait {retry_after:.0f} s, then {_RERUN}",
        )


class UnexpectedStatus(ServiceError):
    """Raised when the answer's status is none the caller can act on. ``body`` is the answer's text."""

    def __init__(self, *, url: str, method: str, status: int, body: str) -> None:
        self.status = status
        self.body = body
        super().__init__(
            url=url,
            what=f"{method} {displayed(url)} answered {status}",
            why=excerpt(body) or "the answer gives no reason",
            next_step="check the address and the credentials in the configuration",
        )


class RedirectRefused(ServiceError):
    """Raised when a service sends us elsewhere and following would be wrong; ``location`` is fit to be shown."""

    def __init__(self, *, url: str, location: str) -> None:
        self.location = displayed(location)
        super().__init__(
            url=url,
            what=f"{displayed(url)} redirects to {displayed(location) or 'nowhere'}, which is not followed",
            why="what is meant for one service, credentials above all, must not end up at another",
            next_step="put the service's final address into the configuration",
        )


class AnswerTooLarge(ServiceError):
    """Raised when an answer exceeds what such an answer can have. ``limit`` is in bytes."""

    def __init__(self, *, url: str, limit: int) -> None:
        super().__init__(
            url=url,
            what=f"the answer of {displayed(url)} is larger than {limit} bytes",
            why="no honest answer to this request has that size; the rest was not read",
            next_step="check the address in the configuration",
        )


class AnswerInvalid(ServiceError):
    """Raised when an answer is not what the interface promises: ``defect`` names the content type or the field."""

    def __init__(self, *, url: str, defect: str) -> None:
        self.defect = defect
        super().__init__(
            url=url,
            what=f"the answer of {displayed(url)} is not usable: {excerpt(defect)}",
            why="a login page, a proxy's page, or another service answers at this address",
            next_step="open the address in a browser; correct it in the configuration, or run the command again later",
        )


class DownloadMismatch(ServiceError):
    """Raised when a downloaded file is not the promised one; nothing of it is kept."""

    def __init__(self, *, url: str, subject: str, expected: str, actual: str) -> None:
        self.expected = expected
        self.actual = actual
        super().__init__(
            url=url,
            what=f"{displayed(url)}: {subject} is {actual}, expected {expected}",
            why="the file was changed or cut on its way, or it is another file; it was thrown away",
            next_step="do not use this file; run the command again, and if it stays so, treat it as tampering",
        )


class FileNotWritten(ServiceError):
    """Raised when a download cannot be written; what was at its place before is still there."""

    def __init__(self, *, url: str, path: str, cause: str) -> None:
        super().__init__(
            url=url,
            what=f"cannot write {path}: {cause}",
            why="the disk is full, or the folder is missing or not ours to write to",
            next_step=f"make room, or correct the folder; then {_RERUN}",
        )
