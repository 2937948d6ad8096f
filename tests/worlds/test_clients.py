"""Unmodified clients in a rehearsal's world: twine, uv and the workers, through the whole host."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from standins.index.distributions import make_sdist, make_wheel
from worlds.hosts import Hosts, alive, make_world, until

import hephaestus
from hephaestus.standins.http import Listener, Request, Response
from hephaestus.standins.proxy import ConnectProxy
from hephaestus.standins.services import INDEX_NAMES
from hephaestus.standins.tls import ServerCertificate
from hephaestus.worlds.hosting import Host, living_host
from hephaestus.worlds.world import ChildKind, World

pytestmark = pytest.mark.conformance


def _run(*argv: object, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(argument) for argument in argv],
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        check=False,
    )


def _upload(
    world: World, index: str, files: list[Path], *options: str, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return _run(
        sys.executable, "-m", "twine", "upload", "--non-interactive", "--disable-progress-bar",
        "--repository", index, *options, *files,
        env=world.uploaders[index] if env is None else env,
    )  # fmt: skip


def _attest(world: World, files: list[Path], folder: Path) -> list[Path]:
    """Attestations made by the suite's own worker, as the job of the world's signer."""
    folder.mkdir(exist_ok=True)
    request = folder / "request.json"
    request.write_text(
        json.dumps(
            {
                "files": [str(file) for file in files],
                "output": str(folder),
                "trust_config": str(world.sigstore.trust_config),
            }
        )
    )
    worker = Path(hephaestus.__file__).parent / "workers/attest.py"
    done = _run(sys.executable, "-I", worker, request, env=world.children[ChildKind.SIGNER])
    assert done.returncode == 0, done.stdout
    return [Path(name) for name in json.loads(done.stdout.splitlines()[-1])["made"]]


def _page(world: World, index: str, project: str) -> dict[str, Any]:
    request = urllib.request.Request(
        f"{world.indexes[index].simple_url}{project}/", headers={"Accept": "application/vnd.pypi.simple.v1+json"}
    )
    with urllib.request.urlopen(request) as response:
        page: dict[str, Any] = json.load(response)
    return page


def _shown(world: World, index: str, project: str = "tiny-thing") -> dict[str, str]:
    return {file["filename"]: file["hashes"]["sha256"] for file in _page(world, index, project)["files"]}


def _digests(files: list[Path]) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def _made(folder: Path, version: str) -> list[Path]:
    return [make_sdist(folder, version=version), make_wheel(folder, version=version)]


@pytest.fixture(scope="module")
def world(shared: Host) -> World:
    return make_world(shared)


@pytest.mark.parametrize("index", ["testpypi", "pypi"])
def test_twine_publishes_with_attestations(world: World, shared: Host, tmp_path: Path, index: str) -> None:
    """Trusted Publishing by unmodified twine, one set of attestations, real names: served with hash and provenance.

    The same command again finds identical bytes and succeeds.
    """
    files = _made(tmp_path, f"1.{len(index)}")
    attestations = _attest(world, files, tmp_path)
    assert len(attestations) == 2
    before = len(shared.journal())
    for _ in range(2):
        done = _upload(world, index, files, "--attestations", *map(str, attestations))
        assert done.returncode == 0, done.stdout
    assert _digests(files).items() <= _shown(world, index).items()
    for file in _page(world, index, "tiny-thing")["files"]:
        if file["filename"] in _digests(files):
            with urllib.request.urlopen(file["provenance"]) as response:
                (bundle,) = json.load(response)["attestation_bundles"]
            assert bundle["publisher"]["environment"] == index
    asked = shared.journal(after=before)
    upload_host = {"pypi": "upload.pypi.org", "testpypi": "test.pypi.org"}[index]
    assert {entry["host"] for entry in asked if entry["method"] == "CONNECT"} == {upload_host}
    assert [entry["status"] for entry in asked if entry["path"] == "/legacy/"] == [200] * 4
    assert [entry["path"] for entry in asked if entry["service"] == "oidc"] == [f"/oidc/{index}/token"] * 2


def test_twine_says_what_the_index_says(world: World, tmp_path: Path) -> None:
    """Other bytes under a used name: twine shows the index's words and fails."""
    files = [make_wheel(tmp_path / "a", version="2.0")]
    assert _upload(world, "pypi", files).returncode == 0
    other = [make_wheel(tmp_path / "b", version="2.0", files={"more.py": "x = 1\n"})]
    done = _upload(world, "pypi", other)
    assert done.returncode == 1
    assert "File already exists" in done.stdout


def test_twine_asks_the_old_name_for_what_exists(world: World, shared: Host, tmp_path: Path) -> None:
    """``--skip-existing`` asks the index under its former name; the stand-in answers there too."""
    files = [make_wheel(tmp_path, version="2.5")]
    assert _upload(world, "pypi", files).returncode == 0
    before = len(shared.journal())
    done = _upload(world, "pypi", files, "--skip-existing")
    assert done.returncode == 0
    assert "Skipping" in done.stdout
    assert "pypi.python.org" in {entry["host"] for entry in shared.journal(after=before)}


def test_attestations_of_other_files_are_refused(world: World, tmp_path: Path) -> None:
    """The index verifies what it is given: an attestation of other bytes stops the upload, nothing is stored."""
    (right,) = [make_wheel(tmp_path / "a", version="3.0")]
    (attestation,) = _attest(world, [right], tmp_path)
    other = make_wheel(tmp_path, version="3.0", files={"more.py": "x = 1\n"})
    done = _upload(world, "pypi", [other], "--attestations", str(attestation))
    assert done.returncode == 1
    assert "Invalid attestations supplied during upload" in done.stdout
    assert other.name not in _shown(world, "pypi")


def test_a_job_of_another_workflow_may_not_upload(shared: Host, tmp_path: Path) -> None:
    """An identity that the index's publisher does not name gets no token."""
    stranger = make_world(shared, workflow="other.yml")
    done = _upload(stranger, "pypi", [make_wheel(tmp_path, version="4.0")])
    assert done.returncode == 1
    assert "invalid-publisher" in done.stdout


def test_without_an_identity_twine_gives_up(world: World, tmp_path: Path) -> None:
    """A child without the job's variables has no other credential to fall back to."""
    bare = {name: value for name, value in world.uploaders["pypi"].items() if not name.startswith(("ACTIONS_", "GIT"))}
    done = _upload(world, "pypi", [make_wheel(tmp_path, version="5.0")], env=bare)
    assert done.returncode == 1
    assert "not supported for trusted publishing" in done.stdout


@contextmanager
def _somebody_else(folder: Path) -> Iterator[tuple[str, list[Request]]]:
    """A server under the real names with a certificate of another authority, as the real ones have; and a way there."""
    names = [name for names in INDEX_NAMES.values() for name in names]
    certificate = ServerCertificate.open(folder, names=names, clock=time.time)
    reached: list[Request] = []

    def handle(request: Request) -> Response:
        reached.append(request)
        return Response()

    with Listener(handle, tls=certificate.context()) as server:
        proxy = ConnectProxy(ports=dict.fromkeys(names, server.port), observe=lambda target, status: None)
        with Listener(proxy.handle, connect=proxy.connect) as listener:
            yield listener.url, reached


@pytest.mark.parametrize("client", ["twine", "uv"])
def test_a_client_that_gets_past_the_proxy_fails(world: World, tmp_path: Path, client: str) -> None:
    """Whoever reaches a server of another authority under the real name ends at TLS: not one request arrives."""
    wheel = make_wheel(tmp_path, version="6.0")
    with _somebody_else(tmp_path / "tls") as (proxy, reached):
        env = {**world.uploaders["pypi"], "HTTPS_PROXY": proxy, "UV_HTTP_RETRIES": "0"}
        if client == "twine":
            done = _upload(world, "pypi", [wheel], env=env)
            assert "CERTIFICATE_VERIFY_FAILED" in done.stdout
        else:
            done = _publish_with_uv(wheel, url="https://upload.pypi.org/legacy/", env=env)
            assert "certificate" in done.stdout
        assert done.returncode != 0
        assert reached == []


def test_the_proxy_leads_nowhere_else(world: World, shared: Host, tmp_path: Path) -> None:
    """An upload to any other address is stopped at the proxy, though it brings a password."""
    before = len(shared.journal())
    done = _run(
        sys.executable, "-m", "twine", "upload", "--non-interactive", "--username", "u", "--password", "p",
        "--repository-url", "https://packages.example/legacy/", make_wheel(tmp_path, version="7.0"),
        env=world.uploaders["pypi"],
    )  # fmt: skip
    assert done.returncode == 1
    assert "403 Forbidden" in done.stdout
    (refused, *_) = shared.journal(after=before)
    assert (refused["method"], refused["host"], refused["status"]) == ("CONNECT", "packages.example", 403)


def _publish_with_uv(wheel: Path, *, url: str, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    uv = Path(sys.executable).with_name("uv")
    return _run(uv, "publish", "--trusted-publishing", "always", "--publish-url", url, wheel, env=env)


@pytest.mark.parametrize("way", ["proxy", "address"])
def test_uv_publishes(world: World, shared: Host, tmp_path: Path, way: str) -> None:
    """uv's own Trusted Publishing passes under the real name through the proxy, and at the https address itself."""
    wheel = make_wheel(tmp_path, version=f"8.{len(way)}")
    env = dict(world.uploaders["pypi"])
    url = "https://upload.pypi.org/legacy/"
    if way == "address":
        url = f"{shared.url('pypi-tls')}/legacy/"
        del env["HTTPS_PROXY"]
    done = _publish_with_uv(wheel, url=url, env=env)
    assert done.returncode == 0, done.stdout
    assert _digests([wheel]).items() <= _shown(world, "pypi").items()


def test_pip_installs_what_was_published(world: World, tmp_path: Path) -> None:
    """pip, in the installer's environment, reads the index past any proxy and gets the same bytes."""
    wheel = make_wheel(tmp_path, version="9.0")
    assert _upload(world, "testpypi", [wheel]).returncode == 0
    env = {
        **world.children[ChildKind.INSTALLER],
        "HTTP_PROXY": "http://127.0.0.1:1",
        "HTTPS_PROXY": "http://127.0.0.1:1",
    }
    done = _run(
        sys.executable, "-m", "pip", "download", "--no-deps", "--no-cache-dir", "--disable-pip-version-check",
        "--index-url", world.indexes["testpypi"].simple_url, "--dest", tmp_path / "got", "tiny-thing==9.0",
        env=env,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert _digests([tmp_path / "got" / wheel.name]) == _digests([wheel])


def test_everything_goes_on_after_a_restart(start: Hosts, tmp_path: Path) -> None:
    """The next host has new ports and the same keys: files are served, old bundles verify, nothing kept has a port."""
    state = tmp_path / "state"
    first = start(state)
    world = make_world(first)
    files = _made(tmp_path, "1.0")
    attestations = _attest(world, files, tmp_path)
    assert _upload(world, "pypi", files, "--attestations", *map(str, attestations)).returncode == 0
    sigstore = [sys.executable, "-m", "sigstore"]
    signed = _run(
        *sigstore, *world.sigstore.options, "sign", "--output-directory", tmp_path / "bundles", files[0],
        env=world.children[ChildKind.SIGNER],
    )  # fmt: skip
    assert signed.returncode == 0, signed.stdout
    served, authority = _shown(world, "pypi"), first.authority.read_bytes()
    root = json.loads(first.trust_config.read_bytes())["trustedRoot"]
    ports = list(first.ports.values())
    assert {path.name for path in _with_address(state, ports)} == {"host.json", "trust_config.json"}
    first.shut_down()
    assert until(lambda: not alive(first.pid))
    assert living_host(state) is None
    assert _with_address(state, ports) == []
    assert _with_address(tmp_path / "bundles", ports) == []
    private = [*state.rglob("*.pem"), *state.rglob("*.json*")]
    assert {path.name for path in private if path.stat().st_mode & 0o077} <= {"configuration.json"}

    second = start(state)
    again = make_world(second)
    assert second.pid != first.pid
    assert _shown(again, "pypi") == served == _digests(files)
    with pytest.raises(urllib.error.HTTPError, match="404") as caught:
        _page(again, "testpypi", "tiny-thing")
    caught.value.close()
    assert second.authority.read_bytes() == authority
    assert json.loads(second.trust_config.read_bytes())["trustedRoot"] == root
    verified = _run(
        *sigstore, *again.sigstore.options, "verify", "identity",
        "--bundle", tmp_path / "bundles" / f"{files[0].name}.sigstore.json",
        "--cert-identity", again.publisher.subject, "--cert-oidc-issuer", again.publisher.issuer, files[0],
        env=again.children[ChildKind.PROBE],
    )  # fmt: skip
    assert verified.returncode == 0, verified.stdout
    assert _upload(again, "pypi", files, "--attestations", *map(str, attestations)).returncode == 0


def _with_address(folder: Path, ports: list[int]) -> list[Path]:
    """Files that hold any loopback address, or one of ``ports`` as a number of its own."""
    numbers = "|".join(str(port) for port in ports)
    address = re.compile(rf"(?:127\.0\.0\.1|localhost)(?::|%3[Aa])\d|[:=]\s*(?:{numbers})\b".encode())
    return [path for path in folder.rglob("*") if path.is_file() and address.search(path.read_bytes())]
