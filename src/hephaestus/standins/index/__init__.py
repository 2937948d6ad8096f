"""The stand-in package index: PyPI's upload rules, Trusted Publishing, the Simple and JSON APIs, on the loopback."""

from __future__ import annotations

from hephaestus.standins.index.attestations import VerifyAttestation, sigstore_verifier
from hephaestus.standins.index.publishing import VerifyToken
from hephaestus.standins.index.records import Attempt, PublisherConfig, StoredFile
from hephaestus.standins.index.service import FAULT_KINDS, Index

__all__ = [
    "FAULT_KINDS",
    "Attempt",
    "Index",
    "PublisherConfig",
    "StoredFile",
    "VerifyAttestation",
    "VerifyToken",
    "sigstore_verifier",
]
