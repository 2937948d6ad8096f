"""An ephemeral Sigstore: everything a client needs to sign and to verify, on the loopback.

Identity tokens come from ``hephaestus.standins.identity``. Nothing that is kept - bundles, attestations,
the trusted root - holds an address: logs and authorities have stable names below ``rehearsal.invalid``.
"""

from hephaestus.standins.sigstore.careless import CarelessSigner
from hephaestus.standins.sigstore.forgeries import FAULT_KINDS
from hephaestus.standins.sigstore.service import Sigstore
from hephaestus.standins.sigstore.serving import Serving, serving

__all__ = ["FAULT_KINDS", "CarelessSigner", "Serving", "Sigstore", "serving"]
