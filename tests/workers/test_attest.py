"""The attest worker: PEP 740 attestations by the job's own identity, or one sentence why not."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from standins.index.distributions import make_sdist, make_wheel
from workers.conftest import Ask

from hephaestus.standins.faults import Fault
from hephaestus.standins.sigstore import Serving


@pytest.fixture
def request_of(tmp_path: Path, running: Serving) -> Iterator[dict[str, Any]]:
    """A request for a wheel and an sdist."""
    files = [make_wheel(tmp_path / "dist"), make_sdist(tmp_path / "dist")]
    (tmp_path / "out").mkdir()
    yield {
        "files": [str(file) for file in files],
        "output": str(tmp_path / "out"),
        "trust_config": str(running.trust_config),
    }
    running.faults.arm([])


def test_each_distribution_gets_an_attestation_with_a_logged_time(
    ask_worker: Ask, request_of: dict[str, Any], running: Serving
) -> None:
    """The statement names file and digest, the predicate is publish/v1, and the log (v1) gives the time."""
    code, answer = ask_worker("attest", "sign", request_of, **running.environment())
    assert (code, answer["error"]) == (0, "")
    assert [Path(made).name for made in answer["made"]] == [
        f"{Path(file).name}.publish.attestation" for file in request_of["files"]
    ]
    for file, made in zip(request_of["files"], answer["made"], strict=True):
        attestation = json.loads(Path(made).read_text(encoding="utf-8"))
        statement = json.loads(base64.b64decode(attestation["envelope"]["statement"]))
        digest = hashlib.sha256(Path(file).read_bytes()).hexdigest()
        assert statement["subject"] == [{"name": Path(file).name, "digest": {"sha256": digest}}]
        assert statement["predicateType"] == "https://docs.pypi.org/attestations/publish/v1"
        (entry,) = attestation["verification_material"]["transparency_entries"]
        assert int(entry["integratedTime"]) > 0


def test_without_an_identity_nothing_is_signed(ask_worker: Ask, request_of: dict[str, Any]) -> None:
    """No ambient identity is one sentence, not a question."""
    code, answer = ask_worker("attest", "sign", request_of)
    assert code == 1
    assert answer == {"made": [], "error": "LookupError: there is no ambient identity"}


@pytest.mark.parametrize(
    ("fault", "made", "words"),
    [
        ("sigstore:rekor-500@2x99", 1, "Rekor"),
        ("sigstore:fulcio-500x99", 0, "Fulcio"),
        ("oidc:500x99", 0, "IdentityError"),
    ],
)
def test_a_service_that_fails_is_told_with_what_was_made(
    ask_worker: Ask, request_of: dict[str, Any], running: Serving, fault: str, made: int, words: str
) -> None:
    """The answer names the failing service, and how far it came."""
    running.faults.arm([Fault.parse(fault)])
    code, answer = ask_worker("attest", "sign", request_of, **running.environment())
    assert code == 1
    assert len(answer["made"]) == made
    assert words in answer["error"]


def test_what_is_no_distribution_is_not_attested(
    ask_worker: Ask, request_of: dict[str, Any], running: Serving, tmp_path: Path
) -> None:
    """A file whose name no index would take is refused by name."""
    (tmp_path / "notes.txt").write_text("x", encoding="utf-8")
    code, answer = ask_worker(
        "attest", "sign", {**request_of, "files": [str(tmp_path / "notes.txt")]}, **running.environment()
    )
    assert (code, answer["made"]) == (1, [])
    assert "notes.txt" in answer["error"]
