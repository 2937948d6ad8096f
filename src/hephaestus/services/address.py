"""The addresses a client may talk to, and the proxy the environment names for them."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit, urlunsplit
from urllib.request import getproxies_environment
from urllib.request import proxy_bypass_environment as bypassed  # type: ignore[attr-defined]

from hephaestus.services.errors import AddressRefused

__all__ = ["Address", "Proxy"]

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, kw_only=True)
class Proxy:
    """A proxy: its address without credentials, and the headers that carry those."""

    url: str
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Address:
    """An address that is fit to talk to: https, or http on the loopback; no user or password in it."""

    url: str
    scheme: str
    host: str
    port: int

    @classmethod
    def parse(cls, url: str) -> Address:
        """Read ``url``; raises AddressRefused."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError as error:
            raise AddressRefused(url="", reason=f"{url[:80]!r}: {error}") from error
        if parts.scheme not in _PORTS or not host:
            raise AddressRefused(url=url, reason="it is not https://HOST/...")
        if parts.username is not None or parts.password is not None:
            raise AddressRefused(url=url, reason="it carries a user or a password")
        if any(sign.isspace() or not sign.isprintable() for sign in url):
            raise AddressRefused(url=url, reason="it contains white space or control characters")
        address = cls(url=url, scheme=parts.scheme, host=host, port=port or _PORTS[parts.scheme])
        if address.scheme == "http" and not address.loopback:
            raise AddressRefused(url=url, reason="http is taken on the loopback only")
        return address

    @property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and port: what a credential is bound to."""
        return self.scheme, self.host, self.port

    @property
    def loopback(self) -> bool:
        """Whether the host is this machine by its own name or number."""
        if self.host == "localhost" or self.host.endswith(".localhost"):
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def proxy(self) -> str | None:
        """The proxy that the environment names for this address; never one for the loopback."""
        proxies = getproxies_environment()
        if self.loopback or bypassed(f"{self.host}:{self.port}", proxies):
            return None
        return proxies.get(self.scheme) or proxies.get("all") or None

    @staticmethod
    def proxy_parts(text: str) -> Proxy:
        """Split a proxy's address from the credentials in it; raises AddressRefused."""
        from urllib3.util import make_headers

        parts = urlsplit(text if "://" in text else f"http://{text}")
        host = parts.netloc.rpartition("@")[2]
        if parts.scheme not in _PORTS or not host:
            raise AddressRefused(url=text, reason="proxies are http:// or https:// ones")
        if parts.username is None:
            return Proxy(url=urlunsplit((parts.scheme, host, "", "", "")))
        credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        return Proxy(
            url=urlunsplit((parts.scheme, host, "", "", "")),
            headers=dict(make_headers(proxy_basic_auth=credentials)),
        )
