"""Forgeries: signatures that look right and are not, made when a fault asks for them."""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import replace

from hephaestus.standins.sigstore.log import Inclusion, TransparencyLog

__all__ = ["CERTIFICATE_KINDS", "ENTRY_KINDS", "FAULT_KINDS", "TIMESTAMP_KINDS", "Forgery", "Strike", "forged"]


class Forgery(enum.Enum):
    """What goes wrong, by the name of the fault that asks for it."""

    REFUSE_CERTIFICATE = "fulcio-500"
    MISSING_SCT = "missing-sct"
    WRONG_SCT = "wrong-sct"
    SELF_SIGNED = "self-signed"
    EXPIRED_CERTIFICATE = "expired-certificate"
    REFUSE = "rekor-500"
    WRONG_INCLUSION_PROOF = "wrong-inclusion-proof"
    WRONG_CHECKPOINT_KEY = "wrong-checkpoint-key"
    NO_LOG_ENTRY = "no-log-entry"


CERTIFICATE_KINDS = tuple(
    forgery.value
    for forgery in (
        Forgery.REFUSE_CERTIFICATE,
        Forgery.MISSING_SCT,
        Forgery.WRONG_SCT,
        Forgery.SELF_SIGNED,
        Forgery.EXPIRED_CERTIFICATE,
    )
)
"""Faults that strike a certificate asked of Fulcio."""

ENTRY_KINDS = tuple(
    forgery.value
    for forgery in (
        Forgery.REFUSE,
        Forgery.WRONG_INCLUSION_PROOF,
        Forgery.WRONG_CHECKPOINT_KEY,
        Forgery.NO_LOG_ENTRY,
    )
)
"""Faults that strike an entry sent to either log."""

TIMESTAMP_KINDS = ("tsa-down",)
"""Faults that strike a time stamp."""

FAULT_KINDS = (*CERTIFICATE_KINDS, *ENTRY_KINDS, *TIMESTAMP_KINDS)
"""Every kind of fault that service ``sigstore`` knows."""

Strike = Callable[[], Forgery | None]


def forged(inclusion: Inclusion, forgery: Forgery | None, log: TransparencyLog) -> Inclusion:
    """``inclusion`` as the log would answer it under ``forgery``; the log itself stays true."""
    match forgery:
        case Forgery.WRONG_INCLUSION_PROOF:
            # The length of a path follows from index and size, so that of a lone leaf can only be lengthened.
            bent = bytes(byte ^ 0xFF for byte in (inclusion.path or (inclusion.root,))[0])
            return replace(inclusion, path=(bent, *inclusion.path[1:]))
        case Forgery.WRONG_CHECKPOINT_KEY:
            note = log.signer.forged_checkpoint(log.origin, inclusion.size, inclusion.root)
            return replace(inclusion, checkpoint=note)
    return inclusion
