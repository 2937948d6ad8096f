"""A stand-in Sigstore that serves for as long as a ``with`` block lasts."""

from __future__ import annotations

import contextlib
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from hephaestus.standins.faults import Faults
from hephaestus.standins.http import Listener
from hephaestus.standins.identity import Issuer, WorkflowIdentity
from hephaestus.standins.sigstore.service import Sigstore

__all__ = ["Serving", "serving"]


@dataclass(frozen=True, kw_only=True)
class Serving:
    """A running stand-in Sigstore.

    ``url`` is the address of all of it; ``trust_config`` and ``trusted_root`` are JSON files that end with
    the block (the trusted root's content is the same tomorrow, the trust configuration's is not).
    """

    url: str
    identity: WorkflowIdentity
    issuer: Issuer
    sigstore: Sigstore
    faults: Faults
    trust_config: Path
    trusted_root: Path

    def environment(self, environment: str = "-", *, identity: WorkflowIdentity | None = None) -> dict[str, str]:
        """What a signing child needs besides its own environment, to be a job of ``identity``.

        ``environment`` names the deployment environment of the job; ``-`` leaves the identity's own.
        """
        return {
            **self.issuer.environment(self.url, identity or self.identity, environment=environment),
            # requests takes a proxy from the environment even for the loopback (facts: Sigstore).
            "NO_PROXY": "127.0.0.1,localhost",
        }

    def token(self, audience: str = "sigstore") -> str:
        """An identity token, without the detour over the endpoint."""
        return self.issuer.token(self.identity, audience)


@contextlib.contextmanager
def serving(
    state: Path,
    identity: WorkflowIdentity,
    *,
    clock: Callable[[], float] = time.time,
    faults: Faults | None = None,
) -> Iterator[Serving]:
    """Serve a Sigstore over ``state``, on the loopback, to jobs of ``identity``."""
    faults = faults or Faults()
    issuer = Issuer(state, clock=clock, faults=faults)
    sigstore = Sigstore(state, issuer=issuer, clock=clock, faults=faults)
    with Listener(sigstore.handle) as listener, tempfile.TemporaryDirectory(prefix="sigstore-") as folder:
        trust_config, trusted_root = Path(folder, "trust_config.json"), Path(folder, "trusted_root.json")
        trust_config.write_text(json.dumps(sigstore.trust_config(**sigstore.urls(listener.url))), "utf-8")
        trusted_root.write_text(json.dumps(sigstore.trusted_root()), "utf-8")
        yield Serving(
            url=listener.url,
            identity=identity,
            issuer=issuer,
            sigstore=sigstore,
            faults=faults,
            trust_config=trust_config,
            trusted_root=trusted_root,
        )
