"""Trust: which signatures hold, in this process or in the locked environment, and when nobody can say."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tomllib
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import pytest
from stages.releases import IDENTITY, WHEEL

from hephaestus.consumer import trust
from hephaestus.consumer.identity import Identity
from hephaestus.consumer.trust import EXTRA, Claim, Trust, TrustRootError, VerificationUnavailable, install_command
from hephaestus.consumer.verdict import State
from hephaestus.standins.sigstore import CarelessSigner, Serving

ROOT = Path(__file__).resolve().parents[2]
OURS = Identity.of_tag("o/r", "v1.2.3")


@pytest.fixture(scope="module")
def proven(standin_sigstore: Serving, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a wheel, its bundle and its attestation."""
    folder = tmp_path_factory.mktemp("proven")
    content = b"the bytes of a wheel"
    (folder / WHEEL).write_bytes(content)
    token = standin_sigstore.issuer.token(IDENTITY, "sigstore")
    bundle = CarelessSigner(standin_sigstore.sigstore, token).sign(content)
    attester = CarelessSigner(standin_sigstore.sigstore, token, version=1)
    attestation = attester.publish_attestation(WHEEL, hashlib.sha256(content).hexdigest())
    (folder / "bundle").write_text(json.dumps(bundle), encoding="utf-8")
    (folder / "attestation").write_text(json.dumps(attestation), encoding="utf-8")
    return folder


@pytest.fixture
def claims(proven: Path) -> list[Claim]:
    """Both proofs, the attestation first, and one that is not there in between."""
    file = proven / WHEEL
    return [
        Claim(file=file, kind="attestation", proof=proven / "attestation"),
        Claim(file=file, kind="bundle", proof=proven / "nowhere"),
        Claim(file=file, kind="bundle", proof=proven / "bundle"),
    ]


@pytest.fixture(params=["trusted_root", "trust_config"])
def here(request: pytest.FixtureRequest, standin_sigstore: Serving) -> Trust:
    """Trust in the stand-in, from a trusted root and from a client trust configuration."""
    return Trust(trusted_root=getattr(standin_sigstore, request.param), offline=True)


def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make this Python one without the extra."""
    monkeypatch.setattr(trust, "_importable", lambda: False)


@pytest.mark.parametrize("extra", [True, False])
def test_each_claim_gets_its_verdict_in_order(
    extra: bool, here: Trust, claims: list[Claim], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the extra no child is started, without it the locked environment answers the same; order is the claims'."""
    if extra:
        monkeypatch.setattr(trust, "LockedEnvironment", None)
    else:
        elsewhere(monkeypatch)
        Trust(announce=lambda _text: None).prepare()
    attestation, nowhere, bundle = here.verify(OURS, claims)
    assert (attestation.state, bundle.state) == (State.PASS, State.PASS)
    assert attestation.subject == f"attestation of {WHEEL}"
    assert bundle.reason.startswith("signed by o/r publish-pypi.yml at refs/tags/v1.2.3, log entry ")
    assert (nowhere.state, nowhere.reason) == (State.ABSENT, "there is no file nowhere")


def test_a_missing_file_is_absent(here: Trust, proven: Path) -> None:
    """A proof without its file proves nothing, and nobody need be asked."""
    (verdict,) = here.verify(OURS, [Claim(file=proven / "gone.whl", kind="bundle", proof=proven / "bundle")])
    assert (verdict.state, verdict.reason) == (State.ABSENT, "there is no file gone.whl")
    assert here.verify(OURS, []) == ()


def test_a_digest_of_the_callers_is_the_files(here: Trust, proven: Path) -> None:
    """Whoever has hashed the file need not do it twice; another file's digest is not proven by this bundle."""
    claim = Claim(file=proven / WHEEL, kind="bundle", proof=proven / "bundle", sha256="0" * 64)
    assert here.verify(OURS, [claim])[0].state is State.FAIL
    right = hashlib.sha256((proven / WHEEL).read_bytes()).hexdigest()
    claim = Claim(file=proven / WHEEL, kind="bundle", proof=proven / "bundle", sha256=right)
    assert here.verify(OURS, [claim])[0].state is State.PASS


def test_an_attestation_is_about_the_published_name(here: Trust, proven: Path) -> None:
    """A file kept under another name is proven under the name it was published with, and under no other."""
    kept = proven / "download.part"
    kept.write_bytes((proven / WHEEL).read_bytes())
    for name, state in ((WHEEL, State.PASS), ("", State.FAIL), ("tiny_project-9.whl", State.FAIL)):
        claim = Claim(file=kept, kind="attestation", proof=proven / "attestation", name=name)
        assert here.verify(OURS, [claim])[0].state is state


@pytest.mark.parametrize(
    ("extra", "content"),
    [
        *((True, text) for text in ("", "{}", "[]", '{"trustedRoot": {}}', '{"mediaType": "text/plain"}', "\udcff")),
        (False, "{}"),
    ],
)
def test_a_file_that_is_no_trust_root_is_refused(
    extra: bool, content: str, claims: list[Claim], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is not a trust root stops the verification with one message, and no traceback, in both places."""
    if not extra:
        elsewhere(monkeypatch)
    root = tmp_path / "root.json"
    root.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(TrustRootError, match=r"root\.json is no trust root: ") as raised:
        Trust(trusted_root=root, offline=True).verify(OURS, claims)
    assert "--trusted-root" in raised.value.next_step
    assert "Traceback" not in str(raised.value)


def test_a_trust_root_out_of_reach_is_said_so(
    claims: list[Claim], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a network Sigstore's own trust root cannot be fetched: nothing is verified, and the way on is named."""
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("no_proxy", "")
    for name in ("XDG_DATA_HOME", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    with pytest.raises(TrustRootError, match=r"Sigstore's trust root cannot be had: TUFError") as raised:
        Trust().verify(OURS, claims)
    assert "--trusted-root" in raised.value.next_step


def test_offline_sigstores_own_root_is_the_one_that_came_with_the_library(
    claims: list[Claim], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, standin_sigstore: Serving
) -> None:
    """Not the library's cache, which anybody may have written: a stand-in's root planted there makes nobody trusted."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    planted = tmp_path / "sigstore-python" / "tuf" / "https%3A%2F%2Ftuf-repo-cdn.sigstore.dev"
    planted.mkdir(parents=True)
    (planted / "trusted_root.json").write_bytes(standin_sigstore.trusted_root.read_bytes())
    states = [verdict.state for verdict in Trust(offline=True).verify(OURS, claims)]
    assert states == [State.FAIL, State.ABSENT, State.FAIL]


def test_a_worker_without_an_answer_is_an_error(
    here: Trust, claims: list[Claim], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An environment in which the worker cannot even begin proves nothing."""
    elsewhere(monkeypatch)
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\nexit 3\n", encoding="utf-8")
    broken.chmod(0o755)
    monkeypatch.setattr(trust, "made_environment", lambda _lock, cache: broken)
    with pytest.raises(VerificationUnavailable, match=r"environment is broken: .*exit code 3") as raised:
        here.verify(OURS, claims)
    assert raised.value.next_step == f"remove {broken.parent.parent}; then run the same command again"
    broken.unlink()
    with pytest.raises(VerificationUnavailable, match=r"environment is broken: .*cannot be started"):
        here.verify(OURS, claims)


def test_a_cache_that_cannot_be_used_is_said_so(
    here: Trust, claims: list[Claim], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file where the cache should be: no environment can be made, and none that is there can be used."""
    elsewhere(monkeypatch)
    (tmp_path / "file").touch()
    environ = {**os.environ, "HEPHAESTUS_CACHE": str(tmp_path / "file" / "cache")}
    online = replace(here, offline=False, environ=environ)
    with pytest.raises(VerificationUnavailable, match="none could be made"):
        online.prepare()
    monkeypatch.setattr(trust, "made_environment", lambda _lock, cache: Path(sys.executable))
    with pytest.raises(VerificationUnavailable, match=r"cannot be used \("):
        online.verify(OURS, claims)


def test_another_version_of_the_libraries_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A library outside of the extra's range may have another interface: the locked environment is used instead."""
    assert trust._importable()
    told = metadata.version
    monkeypatch.setattr(metadata, "version", lambda name: "3.6.5" if name == "sigstore" else told(name))
    assert not trust._importable()


def test_a_library_that_is_not_there_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both libraries are needed, with what tells their versions."""
    monkeypatch.setattr(trust, "_MODULES", ("sigstore", "nowhere_to_be_found"))
    assert not trust._importable()
    monkeypatch.setattr(trust, "_MODULES", ())
    monkeypatch.setattr(trust, "EXTRA", {"nowhere-to-be-found": ">=1"})
    assert not trust._importable()


def test_the_extra_is_what_pyproject_says() -> None:
    """What is looked for in this Python is what ``hephaestus-toolkit[verify]`` installs."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert sorted(f"{name}{wanted}" for name, wanted in EXTRA.items()) == sorted(
        project["optional-dependencies"]["verify"]
    )


@pytest.mark.parametrize(
    ("marker", "command"),
    [
        ("pipx_metadata.json", '`pipx install --force "hephaestus-toolkit[verify]"`'),
        ("uv-receipt.toml", '`uv tool install --force "hephaestus-toolkit[verify]"`'),
        ("pyvenv.cfg", '-m pip install "hephaestus-toolkit[verify]"`'),
    ],
)
def test_the_command_fits_the_installation(marker: str, command: str, tmp_path: Path) -> None:
    """However the tool was installed, the command that adds the extra is the one for that way."""
    (tmp_path / marker).touch()
    assert install_command(tmp_path).endswith(command)


def test_without_extra_and_environment_nothing_is_verified_offline(
    here: Trust, claims: list[Claim], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Offline no environment is made: the error comes before anything else, and names the command."""
    elsewhere(monkeypatch)
    empty = Trust(trusted_root=here.trusted_root, offline=True, environ={"HEPHAESTUS_CACHE": str(tmp_path)})
    for act in (empty.prepare, lambda: empty.verify(OURS, claims)):
        with pytest.raises(VerificationUnavailable, match="offline, none can be made") as raised:
            act()
        assert '"hephaestus-toolkit[verify]"' in raised.value.next_step
    assert list(tmp_path.iterdir()) == []


def test_no_proof_is_so_large(here: Trust, proven: Path, tmp_path: Path) -> None:
    """Gigabytes that call themselves a bundle are not read into memory."""
    huge = tmp_path / "bundle"
    with huge.open("wb") as stream:
        stream.truncate((16 << 20) + 1)
    (verdict,) = here.verify(OURS, [Claim(file=proven / WHEEL, kind="bundle", proof=huge)])
    assert verdict.state is State.FAIL
    assert "larger than 16777216 bytes" in verdict.reason


def test_a_parser_that_panics_is_a_refusal(
    here: Trust, proven: Path, claims: list[Claim], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What libraries in Rust raise is no Exception; it refuses like one. An interrupt still interrupts."""

    class PanicException(BaseException):
        """As pyo3 raises it."""

    def panic(*_: object) -> None:
        raise PanicException("index out of range")

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("hephaestus.workers.verify._bundle", panic)
    attestation, _, bundle = here.verify(OURS, claims)
    assert (attestation.state, bundle.state) == (State.PASS, State.FAIL)
    assert bundle.reason == "PanicException: index out of range"
    monkeypatch.setattr("hephaestus.workers.verify._bundle", interrupt)
    with pytest.raises(KeyboardInterrupt):
        here.verify(OURS, claims)
