"""Sign one PEP 740 publish attestation per distribution, with the ambient identity of the job.

Request: ``{"files": [path], "output": folder, "trust_config": path or null}``.
Answer: ``{"made": [path], "error": ""}``; ``error`` names what Sigstore refused. Nothing is retried here.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def main(request_path: str) -> int:
    """Answer one request."""
    request = json.loads(Path(request_path).read_text(encoding="utf-8"))
    made: list[str] = []
    try:
        _attest(request, made)
    except Exception as error:  # noqa: BLE001 - whatever Sigstore raises is this worker's answer, in one sentence
        # An expired certificate is told by its type only, and only as the cause.
        told = [f"{type(one).__name__}: {one}" for one in (error, error.__cause__) if one is not None]
        print(json.dumps({"made": made, "error": "; ".join(told)}))  # noqa: T201
        return 1
    print(json.dumps({"made": made, "error": ""}))  # noqa: T201
    return 0


def _attest(request: dict[str, Any], made: list[str]) -> None:
    from pypi_attestations import Attestation, Distribution
    from sigstore.models import ClientTrustConfig
    from sigstore.oidc import IdentityToken, detect_credential
    from sigstore.sign import SigningContext

    if request["trust_config"]:
        trust = ClientTrustConfig.from_json(Path(request["trust_config"]).read_text(encoding="utf-8"))
    else:
        trust = ClientTrustConfig.production()
    # An attestation holds no RFC 3161 timestamp, so the log must give the time: Rekor v1 (facts: sigstore, section 4).
    trust.force_tlog_version = 1
    credential = detect_credential()
    if credential is None:
        raise LookupError("there is no ambient identity")
    token = IdentityToken(credential)
    output = Path(request["output"])
    with SigningContext.from_trust_config(trust).signer(token) as signer:
        for name in request["files"]:
            attestation = Attestation.sign(signer, Distribution.from_file(Path(name)))
            target = output / f"{Path(name).name}.publish.attestation"
            target.write_text(attestation.model_dump_json(), encoding="utf-8")
            made.append(str(target))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
