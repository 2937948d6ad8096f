"""The whole stand-in Sigstore over one state folder."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from hephaestus.standins.faults import Faults
from hephaestus.standins.http import Request, Response
from hephaestus.standins.identity import Issuer
from hephaestus.standins.keys import ec_key, ed25519_key
from hephaestus.standins.sigstore import trust
from hephaestus.standins.sigstore.authority import LEAF_LIFETIME, Authority, Fulcio
from hephaestus.standins.sigstore.ctlog import CertificateLog
from hephaestus.standins.sigstore.forgeries import CERTIFICATE_KINDS, ENTRY_KINDS, Forgery
from hephaestus.standins.sigstore.log import LogSigner, TransparencyLog
from hephaestus.standins.sigstore.rekor_v1 import RekorV1, tree_id
from hephaestus.standins.sigstore.rekor_v2 import RekorV2
from hephaestus.standins.sigstore.timestamps import TimestampAuthority

__all__ = ["Sigstore"]

_FULCIO_HOST = "fulcio.rehearsal.invalid"
_CTLOG_HOST = "ctlog.rehearsal.invalid"
_REKOR_V1_HOST = "rekor.rehearsal.invalid"
_REKOR_V2_HOST = "log.rehearsal.invalid"
_TIMESTAMP_HOST = "timestamp.rehearsal.invalid"
_LATE = 6 * int(LEAF_LIFETIME.total_seconds())


class Sigstore:
    """Fulcio with its certificate log, Rekor v1 and v2, and a time-stamp authority.

    Keys, certificates and the logs' leaves live in ``state``: a service started there later continues them.
    One service at a time per folder; any number of threads. ``clock`` returns seconds since the epoch.

    Faults of service ``sigstore``, each counted by its own kind of event:

    - one certificate: ``fulcio-500``; ``missing-sct``; ``wrong-sct`` (signed by a stranger); ``self-signed``
      (an authority nobody knows, under the right name); ``expired-certificate`` (until the next certificate
      is issued, log and time stamps say an hour later, when this one is no longer valid);
    - one log entry, v1 or v2: ``rekor-500``; ``wrong-inclusion-proof``; ``wrong-checkpoint-key``;
      ``no-log-entry`` (the log answers, and has recorded nothing);
    - one time stamp: ``tsa-down``.
    """

    def __init__(
        self,
        state: Path,
        *,
        issuer: Issuer,
        clock: Callable[[], float] = time.time,
        faults: Faults | None = None,
    ) -> None:
        state = state / "sigstore"
        self._issuer = issuer
        self._faults = faults or Faults()
        self._late = 0
        self._authority = Authority(state / "fulcio", name="rehearsal-fulcio", clock=clock)
        self._ctlog = CertificateLog(ec_key(state / "ctlog.pem", ec.SECP256R1()))
        signer_v1 = LogSigner(name=_REKOR_V1_HOST, key=ec_key(state / "rekor-v1.pem", ec.SECP256R1()))
        signer_v2 = LogSigner(name=_REKOR_V2_HOST, key=ed25519_key(state / "rekor-v2.pem"))
        self._log_v1 = TransparencyLog(
            state / "rekor-v1.jsonl",
            origin=f"{_REKOR_V1_HOST} - {tree_id(signer_v1.log_id)}",
            signer=signer_v1,
            clock=clock,
        )
        self._log_v2 = TransparencyLog(state / "rekor-v2.jsonl", origin=_REKOR_V2_HOST, signer=signer_v2, clock=clock)
        self._fulcio = Fulcio(
            self._authority,
            ctlog=self._ctlog,
            issuer=issuer,
            strike=lambda: self._struck(CERTIFICATE_KINDS),
            issued=self._issued,
            clock=clock,
        )
        self._rekor_v1 = RekorV1(self._log_v1, strike=lambda: self._struck(ENTRY_KINDS), lateness=lambda: self._late)
        self._rekor_v2 = RekorV2(self._log_v2, strike=lambda: self._struck(ENTRY_KINDS))
        self._timestamps = TimestampAuthority(
            state / "tsa", clock=clock, faults=self._faults, lateness=lambda: self._late
        )

    def fulcio(self, request: Request) -> Response:
        """Fulcio; clients want it at the root of a host."""
        return self._fulcio.handle(request)

    def rekor_v1(self, request: Request) -> Response:
        """Rekor v1 (``/api/v1/log/...``)."""
        return self._rekor_v1.handle(request)

    def rekor_v2(self, request: Request) -> Response:
        """Rekor v2 (``/api/v2/log/...``)."""
        return self._rekor_v2.handle(request)

    def timestamp(self, request: Request) -> Response:
        """The time-stamp authority, at any path."""
        return self._timestamps.handle(request)

    def handle(self, request: Request) -> Response:
        """All of it on one host, at the places ``urls`` names; the issuer's endpoint too."""
        for prefix, handler in (("/rekor-v1", self.rekor_v1), ("/rekor-v2", self.rekor_v2)):
            if request.path.startswith(f"{prefix}/"):
                return handler(replace(request, path=request.path.removeprefix(prefix)))
        if request.path.startswith("/oidc/"):
            return self._issuer.handle(request)
        if request.path == "/timestamp":
            return self.timestamp(request)
        return self.fulcio(request)

    @staticmethod
    def urls(base: str) -> dict[str, str]:
        """Where everything is when ``handle`` answers at ``base``: the arguments of ``trust_config``."""
        return {
            "fulcio_url": base,
            "rekor_v1_url": f"{base}/rekor-v1",
            "rekor_v2_url": f"{base}/rekor-v2",
            "timestamp_url": f"{base}/timestamp",
            "oidc_url": f"{base}/oidc",
        }

    def trusted_root(self) -> dict[str, Any]:
        """The trusted root: the same for every service over this state, free of addresses."""
        since = self._authority.root.not_valid_before_utc
        return trust.trusted_root(
            logs=[
                trust.log_entry(host=signer.name, key=signer.key, log_id=signer.log_id, since=since)
                for signer in (self._log_v1.signer, self._log_v2.signer)
            ],
            certificate_logs=[
                trust.log_entry(host=_CTLOG_HOST, key=self._ctlog.key, log_id=self._ctlog.log_id, since=since)
            ],
            authorities=[trust.authority_entry(host=_FULCIO_HOST, chain=self._authority.chain, since=since)],
            timestamp_authorities=[
                trust.authority_entry(host=_TIMESTAMP_HOST, chain=self._timestamps.chain, since=since)
            ],
        )

    def trust_config(
        self, *, fulcio_url: str, rekor_v1_url: str, rekor_v2_url: str, timestamp_url: str, oidc_url: str
    ) -> dict[str, Any]:
        """The ClientTrustConfig for these addresses: log v2 by default, v1 when asked for."""
        signing = trust.signing_config(
            fulcio_url=fulcio_url,
            rekor_v1_url=rekor_v1_url,
            rekor_v2_url=rekor_v2_url,
            timestamp_url=timestamp_url,
            oidc_url=oidc_url,
            since=self._authority.root.not_valid_before_utc,
        )
        return trust.client_trust_config(root=self.trusted_root(), signing=signing)

    def _struck(self, kinds: tuple[str, ...]) -> Forgery | None:
        fault = self._faults.take("sigstore", kinds)
        return Forgery(fault.kind) if fault else None

    def _issued(self, forgery: Forgery | None) -> None:
        self._late = _LATE if forgery is Forgery.EXPIRED_CERTIFICATE else 0
