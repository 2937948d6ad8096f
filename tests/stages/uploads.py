"""Uploads and their trouble: what the tests of the upload stages share, and every state an example can ask for."""

from __future__ import annotations

import json
import queue
import shutil
import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import certifi
import pytest
from stages.releases import NAME, SDIST, WHEEL, Spoilt, wheel
from stages.standins import Scene

from hephaestus.services.plan import UploadPlan
from hephaestus.stages.upload import UploadPyPI, UploadStage, UploadTestPyPI
from hephaestus.stages.verification import Proof
from hephaestus.standins.faults import Fault
from hephaestus.standins.index.service import Index
from hephaestus.standins.index.upload import Uploads

BUILD_TAGGED = "tiny_project-1.2.3-1-py3-none-any.whl"
OLD_SDIST = "tiny-project-1.2.3.tar.gz"
DAY = 24 * 3600.0


def believe(_context: object, proofs: Iterable[Proof]) -> list[dict[str, Any]]:
    """Every attestation holds: the answer of the worker, without its second of imports."""
    return [
        {"file": one.file.name, "proof": one.proof.name, "kind": one.kind, "ok": True, "log_index": 1} for one in proofs
    ]


def stage_of(scene: Scene, index: str = "pypi", *, patience: float = 60.0) -> UploadStage:
    """A stage that waits in the stand-ins' time; twine may be silent for ``patience`` real seconds."""
    kind = {"pypi": UploadPyPI, "testpypi": UploadTestPyPI}[index]
    clock = scene.standins.clock
    return kind(sleep=scene.sleep, clock=clock.now, monotonic=clock, patience=patience)


def struck(scene: Scene, patches: pytest.MonkeyPatch) -> Callable[[], bool]:
    """Says once for every fault that strikes a service that it has struck."""
    seen, take = threading.Event(), scene.standins.faults.take

    def noting(service: str, kinds: Collection[str]) -> Fault | None:
        fault = take(service, kinds)
        if fault is not None:
            seen.set()
        return fault

    def say() -> bool:
        was = seen.is_set()
        seen.clear()
        return was

    patches.setattr(scene.standins.faults, "take", noting)
    return say


def silent_when(condition: Callable[[], bool], patches: pytest.MonkeyPatch) -> None:
    """End the time of a child that says nothing when ``condition`` holds: it may take long to come that far."""

    class Lines(queue.SimpleQueue[str | None]):
        def get(self, block: bool = True, timeout: float | None = None) -> str | None:
            for _ in range(12_000):
                try:
                    return super().get(timeout=0.05)
                except queue.Empty:
                    if condition():
                        break
            raise queue.Empty

    patches.setattr("hephaestus.toolchain.process.queue", SimpleNamespace(SimpleQueue=Lines, Empty=queue.Empty))


def other_wheel(scene: Scene, name: str) -> Path:
    """A wheel of the same version with other bytes."""
    folder = scene.root / "others"
    folder.mkdir(exist_ok=True)
    _, content = wheel(Spoilt(filename=name, description="Other bytes.\n"), folder)
    (folder / name).write_bytes(content)
    return folder / name


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def never_other_bytes(scene: Scene, index: str) -> None:
    """Assert that every upload there ever was had the bytes of dist/, and that no other file was sent."""
    assert {(one.filename, one.sha256) for one in scene.sent(index)} <= set(scene.digests.items())


def hide(index: Index, filename: str, *, pages: int = 10_000) -> None:
    """Let the simple page not show a file for so many requests."""
    with index._store.change() as state:
        state.files[filename] = replace(state.files[filename], hidden=pages)


def publish(scene: Scene, index: str, *names: str, age: float = 0.0) -> None:
    """Have files of ours on an index as an upload ``age`` seconds ago left them, attestations included."""
    scene.publish(index, *names, uploaded=scene.standins.clock() - age)
    behind = scene.index(index)
    publisher = behind._publishing._publishers[0]
    with behind._store.change() as state:
        for name in names or (SDIST, WHEEL):
            content = (scene.directory.path / "attestations" / f"{name}.publish.attestation").read_bytes()
            state.files[name] = replace(state.files[name], attestations=(json.loads(content),), publisher=publisher)


class Trouble:
    """The state of one index and of its surroundings that an example asks for; ``heal`` takes it away."""

    def __init__(self, scene: Scene, index: str, *, patches: pytest.MonkeyPatch) -> None:
        self._scene = scene
        self._index = index
        self._behind = scene.index(index)
        self._patches = patches
        self._world = scene.world
        self._publishers = self._behind._publishing._publishers

    def begin(self, change: Mapping[str, Any]) -> None:
        """Bring about one change."""
        acts: Mapping[str, Callable[[Mapping[str, Any]], None]] = {
            name.removeprefix("_do_").replace("_", "-"): getattr(self, name)
            for name in dir(self)
            if name.startswith("_do_")
        }
        acts[change["do"]](change)

    def heal(self) -> None:
        """No fault, no read-only mode, nothing hidden, the project active, the publisher there, all clocks right."""
        self._patches.undo()
        self._scene.standins.arm()
        self._scene.world = self._world
        self._behind.set_read_only(read_only=False)
        self._behind._publishing._publishers = self._publishers
        if self._behind.project(NAME) is not None:
            self._behind.set_status(NAME, "active")
        with self._behind._store.change() as state:
            for name, file in list(state.files.items()):
                state.files[name] = replace(file, hidden=0)

    def _do_publish(self, change: Mapping[str, Any]) -> None:
        publish(self._scene, self._index, *change.get("files", ()), age=change.get("age", 0))

    def _do_other_bytes(self, _: Mapping[str, Any]) -> None:
        self._behind.seed(other_wheel(self._scene, WHEEL), owner="o/r")

    def _do_foreign(self, _: Mapping[str, Any]) -> None:
        self._behind.seed(other_wheel(self._scene, BUILD_TAGGED), owner="o/r")

    def _do_same_bytes(self, _: Mapping[str, Any]) -> None:
        copy = self._scene.root / BUILD_TAGGED
        shutil.copyfile(self._scene.directory.dist / WHEEL, copy)
        self._behind.seed(copy, owner="o/r")

    def _do_another_sdist(self, _: Mapping[str, Any]) -> None:
        copy = self._scene.root / OLD_SDIST
        shutil.copyfile(self._scene.directory.dist / SDIST, copy)
        with copy.open("ab") as stream:
            stream.write(b"\0" * 512)
        self._behind.seed(copy, owner="o/r")

    def _do_hide(self, change: Mapping[str, Any]) -> None:
        hide(self._behind, change["file"])

    def _do_burn(self, change: Mapping[str, Any]) -> None:
        self._behind.burn_filename(change["file"])

    def _do_status(self, change: Mapping[str, Any]) -> None:
        self._behind.set_status(NAME, change["status"], change.get("reason", ""))

    def _do_read_only(self, _: Mapping[str, Any]) -> None:
        self._behind.set_read_only(read_only=True)

    def _do_no_publisher(self, _: Mapping[str, Any]) -> None:
        self._behind._publishing._publishers = ()

    def _do_time(self, change: Mapping[str, Any]) -> None:
        self._scene.standins.clock.ahead += change["days"] * DAY

    def _do_our_clock_is_behind(self, _: Mapping[str, Any]) -> None:
        self._patches.setattr(UploadPlan, "too_late", lambda *_: False)

    def _do_unknown_authority(self, _: Mapping[str, Any]) -> None:
        uploaders = {
            name: {**environment, "REQUESTS_CA_BUNDLE": certifi.where(), "SSL_CERT_FILE": certifi.where()}
            for name, environment in self._scene.world.uploaders.items()
        }
        self._scene.world = replace(self._scene.world, uploaders=uploaders)

    def _do_swallow(self, _: Mapping[str, Any]) -> None:
        self._patches.setattr(Uploads, "accept", lambda *_: None)

    def _do_lose_attestations(self, _: Mapping[str, Any]) -> None:
        self._patches.setattr("hephaestus.standins.index.upload.accept_attestations", lambda *_, **__: ())

    def _do_lie(self, _: Mapping[str, Any]) -> None:
        from hephaestus.standins.index import simple

        honest = simple._entry
        self._patches.setattr(simple, "_entry", lambda *given: {**honest(*given), "hashes": {"sha256": "0" * 64}})
