"""Where a release is served, as a consumer reaches it: the indexes, GitHub, and how long to wait for them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from hephaestus.services import USER_AGENT
from hephaestus.services.address import Address
from hephaestus.services.github import GitHubClient
from hephaestus.services.http import HttpClient
from hephaestus.services.patience import Patience

__all__ = ["Services"]


@dataclass(frozen=True, kw_only=True)
class Services:
    """Where a release is served; raises AddressRefused for what is no address of a service.

    ``timeout`` is in seconds, of connecting and of silence; the token never shows.
    """

    index_url: str = "https://pypi.org/simple/"
    test_index_url: str = "https://test.pypi.org/simple/"
    github_url: str = "https://api.github.com"
    token: str | None = field(default=None, repr=False)
    timeout: float = 30.0

    def __post_init__(self) -> None:
        for url in (self.index_url, self.test_index_url, self.github_url):
            Address.parse(url)

    @contextmanager
    def http(self) -> Iterator[HttpClient]:
        """A client with this patience."""
        patience = Patience(connect_seconds=self.timeout, silence_seconds=self.timeout)
        with HttpClient(user_agent=USER_AGENT, patience=patience) as http:
            yield http

    def github(self, repository: str, http: HttpClient) -> GitHubClient:
        """A client of the repository's releases; the token goes to this one host only."""
        return GitHubClient(self.github_url, self.github_url, repository, self.token, http=http)
