"""How one GitHub repository is asked: its name and the token, judged before anything is sent, and the headers."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from hephaestus.services.address import Address
from hephaestus.services.refusals import CredentialRefused, RepositoryNameRefused

__all__ = ["RepositoryAccess"]

_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*/(?!\.{1,2}\Z)[A-Za-z0-9._-]+\Z")


@dataclass(frozen=True, kw_only=True)
class RepositoryAccess:
    """``repository`` is ``OWNER/NAME``; ``token`` may be None, and is in no repr; ``api`` is its address in the API."""

    api: str
    repository: str
    token: str | None = field(default=None, repr=False)

    @classmethod
    def of(cls, api_url: str, repository: str, token: str | None) -> RepositoryAccess:
        """The access; raises RepositoryNameRefused, CredentialRefused, AddressRefused."""
        if not _REPOSITORY.match(repository):
            raise RepositoryNameRefused(repository=repository)
        if token is not None and (not token.strip() or not token.isascii() or not token.isprintable()):
            raise CredentialRefused(url=api_url, reason="it is blank or contains characters no token has")
        return cls(
            api=f"{Address.parse(api_url).url.rstrip('/')}/repos/{repository}",
            repository=repository,
            token=token.strip() if token else None,
        )

    def headers(self, *, accept: str) -> dict[str, str]:
        """The headers of every request to the API; never for the storage that downloads redirect to."""
        headers = {"Accept": accept, "X-GitHub-Api-Version": "2022-11-28", "Cache-Control": "no-cache"}
        return headers if self.token is None else {**headers, "Authorization": f"Bearer {self.token}"}
