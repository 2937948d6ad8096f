"""Clients of the outside: package indexes, GitHub Releases, identity providers, Sigstore policy.

They share one way over the network (``services.http``). Importing this package imports no network library.
"""

from hephaestus import __version__

__all__ = ["USER_AGENT"]

#: How every request of the suite introduces itself.
USER_AGENT = f"hephaestus-toolkit/{__version__}"
