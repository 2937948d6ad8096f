"""What private indexes answer, translated: those that take a token instead of an identity.

Each of them has its own words; statuses are what they have in common. What the words of PyPI's own server mean, and
what is no answer at all, ``services.uploading`` knows.
"""

from __future__ import annotations

import re

from hephaestus.services.errors import ServiceError, excerpt
from hephaestus.services.uploading import UploadAnswer, explain_upload

__all__ = ["IndexTokenRefused", "explain_token_upload"]


class IndexTokenRefused(ServiceError):
    """Raised when an index does not show its pages to the token it was asked with, or (``given`` False) without one."""

    def __init__(self, *, url: str, status: int, body: str, given: bool = True) -> None:
        said = excerpt(body)
        quoted = f"; the index says: {said}" if said and "<" not in said else ""
        super().__init__(
            url=url,
            what=f"the index does not show its pages to this token: it answered {status}"
            if given
            else f"the index does not show its pages without a token: it answered {status}",
            why="the token is mistyped, expired or revoked, may upload but not read, or belongs to another user"
            + quoted
            if given
            else "it shows them to those it knows, and no token was given" + quoted,
            next_step="give the token of the configured user, allowed to read and to upload, in the index's variable",
        )


#: By what twine prints of an answer, in this order. ``{variable}`` is where the token stands.
_ANSWERS = (
    UploadAnswer(
        pattern=r"HTTPError: 409\b|already (?:exists?|been taken)|does not allow (?:updating|overwrit)|non-volatile",
        meaning="the index has a file of this name already, and keeps it",
        why="its page did not show it with our SHA-256 when it was asked",
        remedy="look at the project on the index; where the file is not ours, raise the version and release that",
    ),
    UploadAnswer(
        pattern=r"HTTPError: 401\b|Credential not found",
        meaning="the index does not accept the token (401)",
        why="it is mistyped, expired, revoked, or does not belong to the configured user",
        remedy="correct {variable}, and `username` in the index's table; then run the same command again",
    ),
    UploadAnswer(
        pattern=r"HTTPError: 403\b",
        meaning="the index knows the token and does not let it upload here (403)",
        why="the token may only read, is for another project, or the index does not take this file a second time",
        remedy="give the token of {variable} the right to upload; then run the same command again",
    ),
    UploadAnswer(
        pattern=r"HTTPError: 407\b",
        meaning="a proxy on the way wants to know who asks (407)",
        remedy="give HTTPS_PROXY its user and password, or except the index in NO_PROXY",
    ),
    UploadAnswer(
        pattern=r"HTTPError: 40[45]\b",
        meaning="nothing takes uploads at this address",
        remedy="correct `upload-url` in the index's table: it is the address that twine posts to",
    ),
    UploadAnswer(
        pattern=r"HTTPError: 413\b",
        meaning="the file is larger than the index, or a proxy before it, takes",
        remedy="raise its limit, then run the same command again",
    ),
    UploadAnswer(
        pattern="CERTIFICATE_VERIFY_FAILED|certificate verify failed",
        meaning="the index's certificate is not trusted here",
        why="a private index often has the certificate of a private authority",
        remedy="let SSL_CERT_FILE name a PEM file with that authority; then run the same command again",
    ),
)


def explain_token_upload(output: str, *, variable: str) -> UploadAnswer:
    """What twine's ``output`` means, of an upload with the token of ``variable``."""
    said = "\n".join(line for line in output.splitlines() if not re.match(r"\s*Uploading ", line))
    for answer in _ANSWERS:
        if re.search(answer.pattern, said):
            remedy = answer.remedy.format(variable=variable)
            return UploadAnswer(
                pattern=answer.pattern,
                meaning=answer.meaning,
                why=answer.why,
                remedy=remedy,
                transient=answer.transient,
            )
    return explain_upload(output)
