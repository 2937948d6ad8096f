"""A GitHub that releases wheelhouses: real clients in front, a hand on every byte from behind."""

from __future__ import annotations

import functools
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import uv
from stages.releases import IDENTITY
from stages.served import Thing
from typer.testing import CliRunner

from hephaestus.cli import app
from hephaestus.consumer.wheels import pinned_requirements
from hephaestus.release.archive import write_archive
from hephaestus.services.github import GitHubClient
from hephaestus.services.http import HttpClient
from hephaestus.services.releases import Release
from hephaestus.standins.faults import Faults
from hephaestus.standins.github import GitHub
from hephaestus.standins.http import Handler, Listener, Request, Response
from hephaestus.standins.identity import WorkflowIdentity
from hephaestus.standins.sigstore import CarelessSigner, Serving

ARCHIVE = "tiny-1.2.3-wheelhouse.tar.gz"
REPOSITORY = IDENTITY.repository
TAG = "v1.2.3"
TOKEN = "ghs_" + "a" * 36
NEED = Thing(name="need", version="1.0", code="NEEDED = True\n")
TINY = Thing(requires=["need"], code='__version__ = "1.2.3"\nimport need\n', scripts={"tiny": "tiny_project:main"})
_DAY = 86_400.0


def wheels(*things: Thing) -> dict[str, bytes]:
    """File name to bytes of each thing's wheel; without any, the tiny project and what it needs."""
    return {thing.wheel_name: thing.wheel() for thing in things or (TINY, NEED)}


def packed(files: Mapping[str, bytes], *, listed: bool = True) -> bytes:
    """A wheelhouse as the stage packs it."""
    digests = {name: f"sha256:{sha256(content)}" for name, content in files.items() if name.endswith(".whl")}
    listing = {"requirements.txt": pinned_requirements(digests).encode()} if listed else {}
    stream = io.BytesIO()
    write_archive(stream, {**listing, **files}, epoch=1_700_000_000)
    return stream.getvalue()


def sha256(content: bytes) -> str:
    """In hex."""
    return hashlib.sha256(content).hexdigest()


@dataclass
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """What it says as JSON."""
        return json.loads(self.out)


@dataclass
class Shop:
    """One repository's releases; ``before`` may answer a request in its place."""

    github: GitHub
    url: str
    serving: Serving
    folder: Path
    now: list[float]
    http: HttpClient
    requests: list[Request] = field(default_factory=list)
    before: Callable[[Request], Response | None] | None = None
    environ: dict[str, str] = field(default_factory=dict)

    def handle(self, request: Request) -> Response:
        self.requests.append(request)
        answer = self.before(request) if self.before else None
        return answer or self.github.handle(request)

    def bundle(self, content: bytes, *, identity: WorkflowIdentity = IDENTITY) -> bytes:
        """A bundle of these bytes, signed under ``identity``."""
        signer = CarelessSigner(self.serving.sigstore, self.serving.issuer.token(identity, "sigstore"))
        return json.dumps(signer.sign(content)).encode()

    def assets(self, archive: bytes | None = None, *, name: str = ARCHIVE, **instead: bytes | None) -> dict[str, bytes]:
        """What a release holds: archive, checksum, bundle; ``sums`` and ``bundle`` replace theirs, None leaves out."""
        archive = packed(wheels()) if archive is None else archive
        sums = instead.get("sums", f"{sha256(archive)}  {name}\n".encode())
        bundle = instead["bundle"] if "bundle" in instead else self.bundle(archive)
        files = {name: archive, f"{name}.sha256": sums, f"{name}.sigstore.json": bundle}
        return {name: content for name, content in files.items() if content is not None}

    def release(
        self,
        files: Mapping[str, bytes],
        *,
        tag: str = TAG,
        prerelease: bool = False,
        draft: bool = False,
        token: str = TOKEN,
    ) -> Release:
        """Put a release there."""
        client = GitHubClient(self.url, f"{self.url}/uploads", REPOSITORY, token, http=self.http)
        self.github.push_tag(tag, "2" * 40)
        release = client.create_draft(tag=tag, name=tag, notes="", prerelease=prerelease)
        folder = self.folder / f"assets-{tag}"
        folder.mkdir()
        for name, content in files.items():
            (folder / name).write_bytes(content)
        release = client.upload_assets(release, [folder / name for name in files])
        release = release if draft else client.publish(release, prerelease=prerelease)
        self.requests.clear()
        return release

    def served(self, name: str) -> Path:
        """The file behind an asset, to be changed from behind."""
        store = self.github._store
        (asset,) = [asset for _release, asset in store.repository.assets() if asset.name == name]
        return store.asset_path(asset)

    def downloads(self) -> list[str]:
        """The names of the assets that were fetched, in order."""
        names = {asset.id: asset.name for _release, asset in self.github._store.repository.assets()}
        found = [request.path for request in self.requests if request.path.startswith("/objects/")]
        return [names[int(path.removeprefix("/objects/"))] for path in found]

    @property
    def cache(self) -> Path:
        """Where downloads are kept."""
        return self.folder / "cache"

    def words(self, *words: object) -> list[str]:
        """The command line of an installation from here."""
        asked = list(map(str, words))
        led = [] if {"pypi", "test-pypi"} & set(asked) else ["--github-url", self.url]
        given = [*led, "--trusted-root", str(self.serving.trusted_root), "--repository", REPOSITORY]
        return ["release", "install", *given, *asked]

    def install(self, *words: object) -> Done:
        """Run ``hephaestus release install`` in this process."""
        return self._ran(self.words(*words))

    def verify(self, *words: object) -> Done:
        """Run ``hephaestus release verify`` in this process."""
        return self._ran(["release", "verify", *self.words()[2:], *map(str, words)])

    def _ran(self, words: list[str]) -> Done:
        done = CliRunner().invoke(app, words, prog_name="hephaestus")
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return Done(code=done.exit_code, out=done.stdout, err=done.stderr)

    def left(self) -> list[str]:
        """What the cache holds, without the lock."""
        there = self.cache.rglob("*") if self.cache.is_dir() else []
        return sorted(path.relative_to(self.cache).as_posix() for path in there if path.name != ".hephaestus.lock")


@dataclass
class Switchboard:
    """One listener for all tests, answering as the running one says."""

    handler: Handler = field(default=lambda _: Response(status=503))

    def __call__(self, request: Request) -> Response:
        return self.handler(request)


@pytest.fixture(scope="session")
def shop_front() -> Iterator[tuple[Switchboard, Listener]]:
    """The shared listener."""
    board = Switchboard()
    with Listener(board) as listener:
        yield board, listener


@pytest.fixture
def shop(
    shop_front: tuple[Switchboard, Listener],
    standin_sigstore: Serving,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Shop:
    """A repository without releases; clients of the command wait in no time."""
    now = [time.time() - 30 * _DAY]
    github = GitHub(
        tmp_path / "github",
        repository=REPOSITORY,
        token=TOKEN,
        clock=lambda: now[0],
        faults=Faults(),
        anonymous_limit=9999,
    )
    github.push(["1" * 40, "2" * 40])
    waiting = functools.partial(HttpClient, sleep=lambda _seconds: None)
    monkeypatch.setattr("hephaestus.services.http.HttpClient", waiting)
    for name in list(os.environ):
        if name.startswith("HEPHAESTUS_") or name in ("GITHUB_TOKEN", "GH_TOKEN"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HEPHAESTUS_RELEASE_CACHE", str(tmp_path / "cache"))
    made = Shop(
        github=github,
        url=shop_front[1].url,
        serving=standin_sigstore,
        folder=tmp_path,
        now=now,
        http=HttpClient(user_agent="tests"),
    )
    shop_front[0].handler = made.handle
    return made


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    """The Python of a fresh environment without pip."""
    folder = tmp_path / "venv"
    subprocess.run(
        [uv.find_uv_bin(), "venv", "--quiet", "--no-project", "--python", sys.executable, folder], check=True
    )
    return folder / "bin" / "python"


@pytest.fixture(scope="session")
def pip_venv_made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with pip, made once."""
    folder = tmp_path_factory.mktemp("pip") / "venv"
    words = [sys.executable, "-m", "virtualenv", "--quiet", "--no-periodic-update", str(folder)]
    subprocess.run(words, check=True, capture_output=True)
    return folder / "bin" / "python"


@pytest.fixture
def pip_venv(pip_venv_made: Path) -> Iterator[Path]:
    """The Python of an environment with pip and nothing else; what a test put in is taken out again."""
    folders = [pip_venv_made.parent, *pip_venv_made.parents[1].glob("lib/python*/site-packages")]
    before = {path for folder in folders for path in folder.iterdir()}
    yield pip_venv_made
    for path in {path for folder in folders for path in folder.iterdir()} - before:
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def installed(python: Path) -> dict[str, str]:
    """Name to version of what is in an environment, but for its tools."""
    found = {}
    for folder in python.parents[1].glob("lib/python*/site-packages/*.dist-info"):
        lines = (folder / "METADATA").read_text(encoding="utf-8").splitlines()
        fields = dict(line.split(": ", 1) for line in lines if ": " in line)
        found[fields["Name"]] = fields["Version"]
    return {name: version for name, version in found.items() if name not in ("pip", "setuptools", "wheel")}
