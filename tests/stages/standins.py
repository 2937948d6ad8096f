"""Every stand-in of a rehearsal in this process: real clients from the front, a hand on everything from behind.

One host for all tests; each test has indexes and a GitHub of its own behind the same addresses, and one signed
release that was made once.
"""

from __future__ import annotations

import hashlib
import io
import math
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stages.conftest import RecordingNarrator
from stages.releases import IDENTITY, NAME, PROJECT, SDIST, VERSION, WHEEL, Spoilt, put, sdist, signatures, wheel
from trove_classifiers import classifiers

from hephaestus.release.archive import write_archive
from hephaestus.release.directory import ReleaseDirectory
from hephaestus.release.manifest import digest_of, render_sums
from hephaestus.release.project import read_project
from hephaestus.release.root import ReleaseRoot
from hephaestus.stages.runner import Outcome, run_stage
from hephaestus.stages.stage import Context, Options, Stage
from hephaestus.standins.faults import Fault, Faults
from hephaestus.standins.github import GitHub
from hephaestus.standins.host import HostProcess
from hephaestus.standins.http import Request, Response
from hephaestus.standins.identity import WorkflowIdentity
from hephaestus.standins.index import Attempt, Index, PublisherConfig, VerifyAttestation, sigstore_verifier
from hephaestus.standins.services import Services
from hephaestus.standins.sigstore import Serving
from hephaestus.toolchain.environment import LockedEnvironment
from hephaestus.toolchain.locks import read_lock
from hephaestus.toolchain.virtualenvs import cache_folder, cached_environment
from hephaestus.worlds.hosting import Host, living_host
from hephaestus.worlds.rehearsal import rehearsal_world
from hephaestus.worlds.world import Policy, World

ARCHIVE = f"{NAME}-{VERSION}-wheelhouse.tar.gz"
TAG = f"v{VERSION}"
ENVIRONMENTS = {"testpypi": "testpypi", "pypi": "pypi"}
UPLOADED = ("build", "sign", "check", "upload-testpypi", "smoke")

CHANGELOG = f"""\
# Changelog

## [Unreleased]

## [{VERSION}] - 2026-01-02

- Tells tiny things.

## [1.2.2] - 2025-01-02

- Older things.
"""


class Clock:
    """The stand-ins' time: the machine's, moved by ``ahead`` seconds."""

    ahead = 0.0

    def __call__(self) -> float:
        """Seconds since the epoch."""
        return time.time() + self.ahead

    def now(self) -> datetime:
        """The same as a moment."""
        return datetime.fromtimestamp(self(), UTC)


def sha256(path: Path) -> str:
    """The digest as indexes write it."""
    return digest_of(path).removeprefix("sha256:")


class Standins:
    """The one host; ``fresh`` puts new indexes and a new GitHub behind its addresses."""

    def __init__(self, state: Path, serving: Serving) -> None:
        self.serving = serving
        self.clock = Clock()
        self.faults = Faults()
        self.indexes: dict[str, Index] = {}
        self.github: GitHub
        self._token = ""
        self._verify: VerifyAttestation = sigstore_verifier(serving.sigstore.trusted_root())
        self.host: Host
        self._process = HostProcess(
            state=state, services=self._services, idle_seconds=math.inf, code="tests", configuration="tests"
        )

    @contextmanager
    def running(self, state: Path) -> Iterator[Standins]:
        """Serve for as long as the block lasts."""
        ready = threading.Event()
        thread = threading.Thread(target=lambda: self._process.serve(ready=ready.set))
        thread.start()
        try:
            assert ready.wait(300)
            host = living_host(state)
            assert host is not None
            self.host = host
            yield self
        finally:
            self._process.stop()
            thread.join(300)
        assert not thread.is_alive()

    def fresh(self, folder: Path, *, publishers: Sequence[PublisherConfig] | None = None) -> None:
        """Begin anew: nothing uploaded, nothing released, no fault, the machine's time."""
        self.clock.ahead = 0.0
        self.faults.arm([])
        self.serving.faults.arm([])
        for name in ENVIRONMENTS:
            own = PublisherConfig(
                project=NAME, repository=IDENTITY.repository, workflow=IDENTITY.workflow, environment=name
            )
            self.indexes[name] = Index(
                name,
                folder / name,
                verify_token=self.serving.issuer.verify,
                verify_attestation=self._verify,
                publishers=[own] if publishers is None else publishers,
                clock=self.clock,
                faults=self.faults,
                classifiers=classifiers,
            )
        self.github = GitHub(
            folder / "github", repository=IDENTITY.repository, token=self._token, clock=self.clock, faults=self.faults
        )
        # The world pushes through the host, which remembers what it has pushed before.
        self._push([IDENTITY.sha], TAG)

    def arm(self, *texts: str) -> None:
        """Arm faults by their text; those of the identity provider strike there."""
        parsed = [Fault.parse(text) for text in texts]
        self.faults.arm([fault for fault in parsed if fault.service != "oidc"])
        self.serving.faults.arm([fault for fault in parsed if fault.service == "oidc"])

    def _push(self, commits: Sequence[str], tag: str) -> None:
        self.github.push(commits)
        self.github.push_tag(tag, commits[-1])

    def _services(self, faults: Faults, token: str) -> Services:
        self.faults, self._token = faults, token
        sigstore = self.serving.sigstore
        trust = sigstore.trust_config(**sigstore.urls(self.serving.url))

        def index(name: str) -> Callable[[Request], Response]:
            return lambda request: self.indexes[name].handle(request)

        def job(url: str, identity: Mapping[str, Any], environment: str) -> Mapping[str, str]:
            return self.serving.issuer.environment(url, WorkflowIdentity(**identity), environment=environment)

        return Services(
            handlers={
                **{name: index(name) for name in ENVIRONMENTS},
                "oidc": self.serving.issuer.handle,
                "fulcio": sigstore.fulcio,
                "rekor-v1": sigstore.rekor_v1,
                "rekor-v2": sigstore.rekor_v2,
                "timestamp": sigstore.timestamp,
                "github": lambda request: self.github.handle(request),
            },
            trust_config=lambda _urls: trust,
            job=job,
            push=self._push,
            faults={},
        )


def archived(files: Mapping[str, bytes]) -> bytes:
    """A wheelhouse that holds these files."""
    stream = io.BytesIO()
    write_archive(stream, files, epoch=1_700_000_000)
    return stream.getvalue()


def make_release(root: Path, serving: Serving) -> ReleaseDirectory:
    """A whole release up to the signed wheelhouse: real distributions, real signatures, receipts of every stage."""
    release = ReleaseRoot(path=root / "release", rehearsal=True)
    root.mkdir(parents=True, exist_ok=True)
    release.prepare()
    directory = release.directory(VERSION)
    directory.path.mkdir(parents=True)
    scratch = root / "scratch"
    distributions = dict([wheel(Spoilt(), scratch), sdist(Spoilt(), PROJECT)])
    shutil.rmtree(scratch)
    for name, content in distributions.items():
        (root / name).write_bytes(content)
    sums = render_sums({name: digest_of(root / name) for name in distributions}).encode()
    built = {**{f"dist/{name}": content for name, content in distributions.items()}, "SHA256SUMS": sums}
    told = {"text": "- Tells tiny things.", "from": "changelog"}
    evidence_of_build = {"source_date_epoch": 1_700_000_000, "changes": told}
    put(directory, "build", built, commit=IDENTITY.sha, evidence=evidence_of_build)
    evidence = {"identity": IDENTITY.certificate_identity}
    put(directory, "sign", signatures(directory, serving), commit=IDENTITY.sha, evidence=evidence)
    for stage in ("check", "upload-testpypi", "smoke"):
        put(directory, stage, {}, commit=IDENTITY.sha, evidence={"state": "complete"})
    archive = archived({WHEEL: distributions[WHEEL]})
    housed = {
        f"wheelhouse/{ARCHIVE}": archive,
        f"wheelhouse/{ARCHIVE}.sha256": f"{hashlib.sha256(archive).hexdigest()}  {ARCHIVE}\n".encode(),
        "wheelhouse/sbom.cdx.json": b"{}",
    }
    put(directory, "wheelhouse", housed, commit=IDENTITY.sha)
    signed = signatures(directory, serving)
    wanted = {f"bundles/{name}.sigstore.json" for name in (ARCHIVE, "sbom.cdx.json")}
    put(directory, "sign-wheelhouse", {path: signed[path] for path in wanted}, commit=IDENTITY.sha, evidence=evidence)
    for name in distributions:
        (root / name).unlink()
    return directory


@dataclass(kw_only=True)
class Scene:
    """One test's release, world and stand-ins."""

    standins: Standins
    root: Path
    world: World
    directory: ReleaseDirectory
    narrator: RecordingNarrator = field(default_factory=RecordingNarrator)
    options: Options = field(default_factory=Options)
    slept: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        """Let the stand-ins' time pass instead of ours."""
        self.slept.append(seconds)
        self.standins.clock.ahead += seconds

    def context(self, lock: str) -> Context:
        """What a stage of that lock works with."""
        work = self.root / "work" / lock
        work.mkdir(parents=True, exist_ok=True)

        def provision() -> Path:
            environ = dict(os.environ)
            return cached_environment(read_lock(lock), env=environ, cache=cache_folder(environ))

        return Context(
            project=read_project(self.root),
            world=self.world,
            directory=self.directory,
            environment=LockedEnvironment(provision=provision, work=work / "commands", announce=self.narrator.command),
            narrator=self.narrator,
            options=self.options,
            work=work,
        )

    def run(self, stage: Stage) -> Outcome:
        """Run one stage as a session would."""
        context = self.context(stage.lock)
        return run_stage(stage, context, recorder=context.environment)  # type: ignore[arg-type]

    def policy(self, **changes: Any) -> None:
        """Change the world's policy."""
        self.world = replace(self.world, policy=replace(self.world.policy, **changes))

    def index(self, name: str) -> Index:
        """An index, from behind."""
        return self.standins.indexes[name]

    def sent(self, name: str) -> list[Attempt]:
        """Everything an index was sent, oldest first."""
        return self.standins.indexes[name].journal()

    def served(self, name: str) -> dict[str, str]:
        """File name to sha256 of what an index has."""
        return {file.filename: file.sha256 for file in self.standins.indexes[name].files(NAME)}

    @property
    def digests(self) -> dict[str, str]:
        """File name to sha256 of the distributions."""
        return {name: sha256(self.directory.dist / name) for name in (SDIST, WHEEL)}

    def said(self) -> str:
        """Everything the stages told so far."""
        return "\n".join(self.narrator.lines)

    def publish(self, name: str, *names: str, uploaded: float | None = None) -> None:
        """Have distributions of ours on an index already, as if uploaded before (unattested)."""
        for one in names or (SDIST, WHEEL):
            self.index(name).seed(self.directory.dist / one, uploaded=uploaded, owner=IDENTITY.repository)


def make_scene(standins: Standins, original: ReleaseDirectory, folder: Path, *, policy: Policy | None = None) -> Scene:
    """A scene with the signed release in place and nothing public; ``github-release`` and later have not run."""
    standins.fresh(folder / "state")
    root = folder / "project"
    root.mkdir()
    for name, text in {**PROJECT, "CHANGELOG.md": CHANGELOG}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    release = ReleaseRoot(path=root / "release", rehearsal=True)
    release.prepare()
    directory = release.directory(VERSION)
    shutil.copytree(original.path, directory.path)
    world = rehearsal_world(
        version=VERSION,
        commit=IDENTITY.sha,
        repository=IDENTITY.repository,
        workflow=IDENTITY.workflow,
        environments=ENVIRONMENTS,
        host=standins.host,
        environ=os.environ,
    )
    scene = Scene(standins=standins, root=root, world=world, directory=directory)
    if policy is not None:
        scene.world = replace(scene.world, policy=policy)
    return scene


def forget(directory: ReleaseDirectory, *stages: str) -> None:
    """Remove receipts, as if these stages had never run."""
    for stage in stages:
        (directory.path / "receipts" / f"{stage}.json").unlink()


def edit_receipt(directory: ReleaseDirectory, stage: str, **changes: Any) -> None:
    """Put another receipt of the stage in place of its own: whole and true to itself, but for what it says."""
    receipt = directory.receipt(stage)
    assert receipt is not None
    path = directory.path / "receipts" / f"{stage}.json"
    path.write_text(replace(receipt, **changes).render(), encoding="utf-8")
