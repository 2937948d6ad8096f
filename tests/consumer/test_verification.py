"""``hephaestus release verify`` over a release that is public on stand-ins: whole, and out of step in every way."""

from __future__ import annotations

import pytest
from consumer.conftest import Verify
from stages.releases import IDENTITY, SDIST, WHEEL
from stages.standins import ARCHIVE, TAG, Scene


@pytest.mark.parametrize("target", ["tiny-project==1.2.3", "folder", TAG])
def test_a_whole_release_is_verified(public: Scene, verify: Verify, target: str) -> None:
    """The version, the release directory and the GitHub Release of the tag: every fact passes, exit code 0."""
    words = {"folder": [public.directory.path], TAG: ["--tag", TAG]}.get(target, [target])
    code, out, err = verify(*words)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert "FAIL" not in out
    assert lines[-1].startswith("verified: ")
    assert lines[-1].endswith(f"signer expected: {IDENTITY.certificate_identity}")
    for name in (WHEEL, SDIST, "SHA256SUMS", *([] if "==" in target else [ARCHIVE, "sbom.cdx.json"])):
        assert any(line.startswith(f"PASS   signature bundle of {name}: signed by o/r") for line in lines), name
    for name in (WHEEL, SDIST):
        assert f"PASS   manifest  {name}: its SHA-256 is that of SHA256SUMS" in lines
