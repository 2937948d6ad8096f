"""The whole stand-in, signed and verified with by the unmodified sigstore library: state, threads, faults."""

from __future__ import annotations

import base64
import json
import re
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sigstore._internal.fulcio.client import FulcioClientError
from sigstore._internal.rekor import RekorClientError
from sigstore.errors import Error as SigstoreError
from sigstore.errors import VerificationError
from sigstore.models import Bundle, ClientTrustConfig, TrustedRoot
from sigstore.oidc import IdentityToken
from sigstore.sign import SigningContext
from sigstore.verify import Verifier, policy

from hephaestus.standins.faults import Fault, Faults
from hephaestus.standins.http import Request
from hephaestus.standins.identity import GITHUB_ISSUER, Issuer, WorkflowIdentity
from hephaestus.standins.sigstore import FAULT_KINDS, CarelessSigner, Serving, Sigstore, serving
from hephaestus.standins.sigstore.careless import CarelessSignerError

pytestmark = pytest.mark.conformance
VERSIONS = pytest.mark.parametrize("version", [1, 2])


def sign(stand_in: Serving, *contents: bytes, version: int = 2) -> list[Bundle]:
    """Bundles made by the unmodified library under one certificate."""
    config = ClientTrustConfig.from_json(stand_in.trust_config.read_text())
    config.force_tlog_version = version
    with SigningContext.from_trust_config(config).signer(IdentityToken(stand_in.token())) as signer:
        return [signer.sign_artifact(content) for content in contents]


def verify(stand_in: Serving, bundle: Bundle, content: bytes) -> None:
    """What the unmodified library thinks of a bundle; raises VerificationError."""
    verifier = Verifier(trusted_root=TrustedRoot.from_file(str(stand_in.trusted_root)))
    expected = policy.Identity(identity=stand_in.identity.certificate_identity, issuer=GITHUB_ISSUER)
    verifier.verify_artifact(content, bundle, expected)


def careless(stand_in: Serving, version: int) -> CarelessSigner:
    return CarelessSigner(stand_in.sigstore, stand_in.token(), version=version)


@VERSIONS
def test_signed_bundles_verify(stand_in: Serving, version: int) -> None:
    """Several artifacts under one certificate verify, and none verifies for other content."""
    first, second = sign(stand_in, b"first", b"second", version=version)
    verify(stand_in, first, b"first")
    verify(stand_in, second, b"second")
    with pytest.raises(VerificationError):
        verify(stand_in, first, b"second")


@VERSIONS
def test_the_careless_signer_makes_true_bundles(stand_in: Serving, version: int) -> None:
    """Without a fault its bundles are as good as a client's: what forgeries fail by is the forgery."""
    bundle = careless(stand_in, version).sign(b"content")
    verify(stand_in, Bundle.from_json(json.dumps(bundle)), b"content")


@VERSIONS
def test_the_careless_signer_makes_true_statements(stand_in: Serving, version: int) -> None:
    """Its DSSE envelopes verify under both logs, and a bent payload does not."""
    bundle = careless(stand_in, version).attest({"_type": "https://in-toto.io/Statement/v1"})
    verifier = Verifier(trusted_root=TrustedRoot.from_file(str(stand_in.trusted_root)))
    _, payload = verifier.verify_dsse(Bundle.from_json(json.dumps(bundle)), policy.UnsafeNoOp())
    assert json.loads(payload) == {"_type": "https://in-toto.io/Statement/v1"}
    bundle["dsseEnvelope"]["payload"] = base64.b64encode(b"{}").decode()
    with pytest.raises(VerificationError):
        verifier.verify_dsse(Bundle.from_json(json.dumps(bundle)), policy.UnsafeNoOp())


@VERSIONS
def test_a_bundle_of_another_job_is_not_ours(stand_in: Serving, identity: WorkflowIdentity, version: int) -> None:
    """A certificate of another workflow fails the identity it is verified under."""
    claims = {**identity.claims(), "job_workflow_ref": f"{identity.repository}/.github/workflows/ci.yml@main"}
    token = stand_in.issuer.token(claims, "sigstore")
    bundle = CarelessSigner(stand_in.sigstore, token, version=version).sign(b"content")
    with pytest.raises(VerificationError, match="SANs do not match"):
        verify(stand_in, Bundle.from_json(json.dumps(bundle)), b"content")


@VERSIONS
def test_a_later_service_continues(tmp_path: Path, identity: WorkflowIdentity, version: int) -> None:
    """Over the same state a second service verifies yesterday's bundle, and its log goes on."""
    with serving(tmp_path / "state", identity) as first:
        root, (before,) = first.trusted_root.read_bytes(), sign(first, b"before", version=version)
    with serving(tmp_path / "state", identity) as second:
        assert second.trusted_root.read_bytes() == root
        verify(second, before, b"before")
        (after,) = sign(second, b"after", version=version)
        verify(second, after, b"after")
    assert after.log_entry._inner.log_index == before.log_entry._inner.log_index + 1 == 1


def test_a_bundle_of_another_instance_fails(stand_in: Serving, tmp_path: Path, identity: WorkflowIdentity) -> None:
    """A second state folder is another world: same names, other keys."""
    with serving(tmp_path / "elsewhere", identity) as elsewhere:
        for version in (1, 2):
            (bundle,) = sign(elsewhere, b"content", version=version)
            with pytest.raises(VerificationError):
                verify(stand_in, bundle, b"content")


def test_nothing_kept_holds_an_address(stand_in: Serving, tmp_path: Path) -> None:
    """Neither bundles nor the trusted root nor any file of the state knows the port or the loopback."""
    bundles = [bundle.to_json() for version in (1, 2) for bundle in sign(stand_in, b"content", version=version)]
    port = stand_in.url.rpartition(":")[2].encode()
    kept = [text.encode() for text in bundles] + [stand_in.trusted_root.read_bytes()]
    kept += [
        base64.b64decode(entry["canonicalizedBody"])
        for text in bundles
        for entry in json.loads(text)["verificationMaterial"]["tlogEntries"]
    ]
    files = [path for path in (tmp_path / "state").rglob("*") if path.is_file()]
    kept += [path.read_bytes() for path in files]
    assert len(files) > 10
    for content in kept:
        assert b"127.0.0.1" not in content
        assert re.search(rb"(?<![0-9A-Za-z+/=])" + port + rb"(?![0-9A-Za-z+/=])", content) is None
    assert port in stand_in.trust_config.read_bytes()


def test_concurrent_signers_all_verify(stand_in: Serving) -> None:
    """Many clients at once, on both logs: every bundle verifies, every index is given once."""
    done: list[tuple[int, bytes, Bundle]] = []
    barrier = threading.Barrier(6)

    def work(number: int) -> None:
        barrier.wait()
        version = number % 2 + 1
        contents = [f"{number}-{turn}".encode() for turn in range(4)]
        for content, bundle in zip(contents, sign(stand_in, *contents, version=version), strict=True):
            done.append((version, content, bundle))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for version in (1, 2):
        indexes = [bundle.log_entry._inner.log_index for made, _, bundle in done if made == version]
        assert sorted(indexes) == list(range(12))
    for _, content, bundle in done:
        verify(stand_in, bundle, content)


@VERSIONS
def test_the_log_refuses_the_nth_entry(stand_in: Serving, version: int) -> None:
    """rekor-500@3 fails the third entry and no other, and leaves no trace in the log."""
    stand_in.faults.arm([Fault.parse("sigstore:rekor-500@3")])
    first, second = sign(stand_in, b"1", b"2", version=version)
    with pytest.raises(RekorClientError):
        sign(stand_in, b"3", version=version)
    (fourth,) = sign(stand_in, b"4", version=version)
    assert [one.log_entry._inner.log_index for one in (first, second, fourth)] == [0, 1, 2]
    verify(stand_in, fourth, b"4")


def test_the_authority_refuses_a_certificate(stand_in: Serving) -> None:
    """fulcio-500 fails the certificate; the next one is issued."""
    stand_in.faults.arm([Fault.parse("sigstore:fulcio-500")])
    with pytest.raises(FulcioClientError):
        sign(stand_in, b"content")
    assert sign(stand_in, b"content")


def test_a_dead_timestamp_authority(stand_in: Serving) -> None:
    """tsa-down: a v2 bundle cannot be made without a time, a v1 bundle can."""
    stand_in.faults.arm([Fault.parse("sigstore:tsa-down")])
    with pytest.raises(SigstoreError, match="signed timestamp"):
        sign(stand_in, b"content", version=2)
    stand_in.faults.arm([Fault.parse("sigstore:tsa-down")])
    (bundle,) = sign(stand_in, b"content", version=1)
    assert bundle.verification_material.timestamp_verification_data is None
    verify(stand_in, bundle, b"content")


@VERSIONS
@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("wrong-inclusion-proof", "inclusion proof"),
        ("wrong-checkpoint-key", "checkpoint: invalid signature"),
        ("self-signed", "certificate chain"),
        ("expired-certificate", "certificate chain|expired at time of signing"),
    ],
)
def test_forgeries_that_a_client_signs(stand_in: Serving, version: int, kind: str, message: str) -> None:
    """Forgeries a client cannot see while signing: the bundle is made, verification stops, the next is good."""
    sign(stand_in, b"an older entry", version=version)
    stand_in.faults.arm([Fault.parse(f"sigstore:{kind}")])
    (bundle,) = sign(stand_in, b"content", version=version)
    with pytest.raises(VerificationError, match=message):
        verify(stand_in, bundle, b"content")
    (good,) = sign(stand_in, b"content", version=version)
    verify(stand_in, good, b"content")


@VERSIONS
def test_a_lone_leaf_can_be_given_a_wrong_proof_too(stand_in: Serving, version: int) -> None:
    """In a tree of one leaf the right path is empty; the forged one is not."""
    stand_in.faults.arm([Fault.parse("sigstore:wrong-inclusion-proof")])
    (bundle,) = sign(stand_in, b"content", version=version)
    with pytest.raises(VerificationError, match="inclusion proof"):
        verify(stand_in, bundle, b"content")


@VERSIONS
@pytest.mark.parametrize(
    ("kind", "message"),
    [("missing-sct", "signed certificate timestamp"), ("wrong-sct", "SCT verify failed")],
)
def test_forgeries_that_a_client_refuses(stand_in: Serving, version: int, kind: str, message: str) -> None:
    """A certificate without a true SCT stops the client; made all the same, the bundle stops the verifier."""
    fault = Fault.parse(f"sigstore:{kind}")
    stand_in.faults.arm([fault])
    with pytest.raises(VerificationError, match=message):
        sign(stand_in, b"content", version=version)
    stand_in.faults.arm([fault])
    bundle = Bundle.from_json(json.dumps(careless(stand_in, version).sign(b"content")))
    with pytest.raises(VerificationError, match=message):
        verify(stand_in, bundle, b"content")


@VERSIONS
def test_an_entry_that_the_log_never_made(stand_in: Serving, version: int) -> None:
    """no-log-entry: the client fails, the careless bundle holds no entry and is refused, the log is empty."""
    fault = Fault.parse("sigstore:no-log-entry")
    stand_in.faults.arm([fault])
    with pytest.raises(ValueError):
        sign(stand_in, b"content", version=version)
    stand_in.faults.arm([fault])
    bundle = careless(stand_in, version).sign(b"content")
    assert bundle["verificationMaterial"]["tlogEntries"] == []
    with pytest.raises(SigstoreError):
        verify(stand_in, Bundle.from_json(json.dumps(bundle)), b"content")
    assert careless(stand_in, version).sign(b"content")["verificationMaterial"]["tlogEntries"][0]["logIndex"] == "0"


@pytest.mark.parametrize("kind", ["fulcio-500", "rekor-500", "tsa-down"])
def test_the_careless_signer_stops_at_a_refusal(stand_in: Serving, kind: str) -> None:
    """Careless is not blind: when a service refuses, there is no bundle."""
    stand_in.faults.arm([Fault.parse(f"sigstore:{kind}")])
    with pytest.raises(CarelessSignerError):
        careless(stand_in, 1).sign(b"content")


@pytest.mark.parametrize("key", ["tlogs", "ctlogs", "certificateAuthorities", "timestampAuthorities"])
def test_every_part_of_the_trusted_root_is_needed(stand_in: Serving, tmp_path: Path, key: str) -> None:
    """Take one kind of key out of the trusted root and a v2 bundle no longer verifies."""
    (bundle,) = sign(stand_in, b"content")
    root = stand_in.sigstore.trusted_root()
    root[key] = []
    path = tmp_path / "root.json"
    path.write_text(json.dumps(root))
    # Clients up to 4.2 stumble over a root without logs instead of refusing it.
    with pytest.raises((SigstoreError, IndexError)):
        Verifier(trusted_root=TrustedRoot.from_file(str(path))).verify_artifact(b"content", bundle, policy.UnsafeNoOp())


def test_separate_hosts(tmp_path: Path, identity: WorkflowIdentity) -> None:
    """Each part answers at the root of a host of its own, and on one host below the places ``urls`` names."""
    sigstore = Sigstore(tmp_path, issuer=Issuer(tmp_path), faults=Faults())
    places = sigstore.urls("http://h")
    assert set(places) == {"fulcio_url", "rekor_v1_url", "rekor_v2_url", "timestamp_url", "oidc_url"}
    for handler, path, place in [
        (sigstore.fulcio, "/api/v2/trustBundle", places["fulcio_url"]),
        (sigstore.rekor_v1, "/api/v1/log/publicKey", places["rekor_v1_url"]),
        (sigstore.rekor_v2, "/api/v2/checkpoint", places["rekor_v2_url"]),
    ]:
        alone = handler(Request(method="GET", path=path))
        together = sigstore.handle(Request(method="GET", path=f"{place}{path}".removeprefix("http://h")))
        assert alone == together
        assert alone.status == 200
    discovery = f"{places['oidc_url']}/.well-known/jwks".removeprefix("http://h")
    assert sigstore.handle(Request(method="GET", path=discovery)).status == 200
    assert sigstore.handle(Request(method="GET", path="/timestamp")).status == 405


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "kind",
                    "apiVersion",
                    "spec",
                    "data",
                    "hash",
                    "signature",
                    "content",
                    "publicKey",
                    "proposedContent",
                    "envelope",
                    "verifiers",
                    "entries",
                    "hashedRekordRequestV002",
                    "dsseRequestV002",
                    "digest",
                    "verifier",
                    "certificateSigningRequest",
                    "credentials",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@pytest.fixture(scope="module")
def idle(tmp_path_factory: pytest.TempPathFactory) -> Sigstore:
    state = tmp_path_factory.mktemp("idle")
    return Sigstore(state, issuer=Issuer(state))


@given(
    content=JSON,
    raw=st.binary(max_size=8),
    path=st.sampled_from(
        [
            "/api/v2/signingCert",
            "/rekor-v1/api/v1/log/entries",
            "/rekor-v1/api/v1/log/entries/retrieve",
            "/rekor-v2/api/v2/log/entries",
            "/timestamp",
            "/oidc/-/token",
            "/elsewhere",
        ]
    ),
)
def test_no_request_breaks_a_service(idle: Sigstore, content: object, raw: bytes, path: str) -> None:
    """Whatever is posted is refused as the client's fault or answered; nothing raises, nothing is a 500."""
    for body in (raw, json.dumps(content).encode()):
        answer = idle.handle(Request(method="POST", path=path, body=body))
        assert answer.status < 500


def test_every_fault_is_named() -> None:
    """What a rehearsal may ask of this service is one list, each kind written as a fault can be."""
    assert set(FAULT_KINDS) == {
        *("fulcio-500", "missing-sct", "wrong-sct", "self-signed", "expired-certificate"),
        *("rekor-500", "wrong-inclusion-proof", "wrong-checkpoint-key", "no-log-entry"),
        "tsa-down",
    }
    assert [Fault.parse(f"sigstore:{kind}@2").kind for kind in FAULT_KINDS] == list(FAULT_KINDS)
