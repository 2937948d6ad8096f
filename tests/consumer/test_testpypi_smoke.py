"""tests/smoke/test_testpypi_install.py really runs, and really passes: here against the stand-in of Test PyPI."""

from __future__ import annotations

import hashlib
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from stages.releases import IDENTITY
from stages.served import Thing
from stages.standins import Scene
from stages.test_verify import attest

from hephaestus.consumer.options import REPOSITORY
from hephaestus.standins.identity import WorkflowIdentity
from hephaestus.standins.sigstore import CarelessSigner

ROOT = Path(__file__).resolve().parents[2]
FILE = "tests/smoke/test_testpypi_install.py"
CODE = 'def main():\n    print("hephaestus-toolkit 1.2.3")\n'
OURS = Thing(name="hephaestus-toolkit", code=CODE, scripts={"hephaestus": "hephaestus_toolkit:main"})


def smoke(**environ: str) -> str:
    """What pytest says about the file, run with these variables."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HEPHAESTUS_", "PYTEST_"))}
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", FILE]
    done = subprocess.run(words, cwd=ROOT, env={**kept, **environ}, capture_output=True, text=True, check=False)
    return done.stdout


def test_it_passes_against_the_stand_in(scene: Scene, empty_index: str, tmp_path: Path) -> None:
    """A wheel of this project's name, attested under its identity, on the stand-in's Test PyPI: one test, passed."""
    import json

    identity = WorkflowIdentity(repository=REPOSITORY, workflow=IDENTITY.workflow, ref=IDENTITY.ref, sha=IDENTITY.sha)
    serving, content = scene.standins.serving, OURS.wheel()
    signer = CarelessSigner(serving.sigstore, serving.issuer.token(identity, "sigstore"), version=1)
    attestation = signer.publish_attestation(OURS.wheel_name, hashlib.sha256(content).hexdigest())
    wheel = tmp_path / OURS.wheel_name
    wheel.write_bytes(content)
    scene.index("testpypi").seed(wheel, owner=REPOSITORY)
    path = f"attestations/{OURS.wheel_name}.publish.attestation"
    attest(scene, "testpypi", [OURS.wheel_name], signed={path: json.dumps(attestation).encode()})
    simple = scene.world.indexes["testpypi"].simple_url
    words = ["--index-url", simple, "--trusted-root", str(serving.trusted_root)]
    said = smoke(
        HEPHAESTUS_TESTPYPI_SMOKE="1",
        HEPHAESTUS_TESTPYPI_VERSION="1.2.3",
        HEPHAESTUS_TESTPYPI_ARGUMENTS=shlex.join(words),
        PIP_INDEX_URL=empty_index,
        PIP_CONFIG_FILE=os.devnull,
    )
    assert "1 passed" in said, said


@pytest.mark.parametrize(
    ("environ", "expected"),
    [({}, "1 skipped"), ({"HEPHAESTUS_TESTPYPI_SMOKE": "1"}, "set HEPHAESTUS_TESTPYPI_VERSION")],
)
def test_it_asks_nobody_unless_told_to(environ: dict[str, str], expected: str) -> None:
    """Without the gate it is skipped; with the gate and no version it fails and says what lacks."""
    assert expected in smoke(**environ)
