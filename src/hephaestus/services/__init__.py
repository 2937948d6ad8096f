"""Clients of the outside: package indexes, GitHub Releases, identity providers, Sigstore policy.

They share one way over the network (``services.http``). Importing this package imports no network library.
"""
