"""A built release and the index its needs come from: what every test of the wheelhouse stands on."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from packaging.tags import platform_tags
from stages.conftest import commit_files, make_context
from stages.releases import build, put
from stages.served import ServedIndex, Thing, installing_world

from hephaestus.release.receipts import Receipt
from hephaestus.release.targets import read_targets
from hephaestus.stages.publication import asset_files
from hephaestus.stages.sign import SignWheelhouse
from hephaestus.stages.stage import Context, Evidence
from hephaestus.stages.verification import bundle_of
from hephaestus.stages.wheelhouse import WheelhouseStage
from hephaestus.standins.http import Listener

__all__ = [
    "ARCHIVE",
    "GOOD",
    "HERE",
    "MAC",
    "NATIVE",
    "NEEDS",
    "WINDOWS",
    "Bench",
    "MadeWheelhouse",
    "make_wheelhouse",
    "opened_bench",
    "serve_needs",
]

#: What tells a modern bundle from those the old client knows; nothing here verifies it.
MODERN_BUNDLE = '{"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json"}'
PYPROJECT = '[project]\nname = "tiny-project"\nversion = "1.2.3"\n[tool.hephaestus.release.wheelhouse]\n'
ARCHIVE = "tiny-project-1.2.3-wheelhouse.tar.gz"
GOOD = Thing(scripts={"tiny": "tiny_project:main"}, requires=["need>=1"], extras={"more": ["old==1.0"]})


#: The target that is this machine, at its closest; and two that no machine of these tests is.
HERE = read_targets([f"3.{sys.version_info.minor}-{tag}" for tag in platform_tags()])[0][0]
WINDOWS, MAC = read_targets(["3.10-win_amd64", "3.9-macosx_11_0_arm64"])[0]

#: Needs that differ by system and by patch release, and one that is compiled.
NEEDS = (
    "need>=1",
    "native",
    'only-windows; sys_platform == "win32"',
    'only-mac; sys_platform == "darwin" and platform_machine == "arm64"',
    'late; python_full_version >= "3.9.4"',
    'former; python_version < "3.9"',
)
NATIVE = {
    HERE: f"py3-none-{HERE.platform}",
    WINDOWS: "cp39-abi3-win_amd64",
    MAC: "cp39-cp39-macosx_10_9_universal2",
}


def serve_needs(user: ServedIndex) -> None:
    """Put everything on the index that the targets need, and newer files that none of them can use."""
    for name in ("only-windows", "only-mac", "late", "former"):
        thing = Thing(name=name, version="1.0", code="")
        user.put(thing.wheel_name, thing.wheel())
    for version, tags in (*(("2.0", tags) for tags in NATIVE.values()), ("3.0", "cp39-cp39-win32")):
        thing = Thing(name="native", version=version, code="", tags=tags)
        user.put(thing.wheel_name, thing.wheel())


@dataclass(frozen=True)
class MadeWheelhouse:
    """A release's assets as GitHub has them, side by side in ``folder``, and what the stage said of its archives.

    ``warnings`` are the codes of its warnings.
    """

    folder: Path
    data: dict[str, Any]
    warnings: list[str]

    @property
    def archive(self) -> str:
        """The default wheelhouse."""
        return str(self.data["archive"])

    @property
    def names(self) -> list[str]:
        """The assets, in some order."""
        return sorted(path.name for path in (self.folder / "assets").iterdir())

    @property
    def assets(self) -> Path:
        """Where they lie."""
        return self.folder / "assets"


@dataclass
class Bench:
    """The user's index and a built release."""

    user: ServedIndex
    make: Callable[..., Context]

    def run(self, context: Context) -> tuple[Evidence, dict[str, bytes]]:
        """Gates, which must hold, and the act; what was staged, by path."""
        stage = WheelhouseStage()
        assert [finding.line() for finding in stage.gates(context)] == []
        with context.directory.staging("wheelhouse") as staging:
            evidence = stage.act(context, staging)
            files = staging.folder / "files"
            found = {
                path.relative_to(files).as_posix(): path.read_bytes() for path in files.rglob("*") if path.is_file()
            }
        return evidence, found


@contextmanager
def opened_bench(folder: Path) -> Iterator[Bench]:
    """An index that answers with ``need`` and ``old`` (yanked), and a maker of contexts."""
    user = ServedIndex()
    need = Thing(name="need", version="1.5", code="", fields={"License-Expression": "Apache-2.0 OR MIT"})
    old = Thing(name="old", version="1.0", code="", fields={"License-Expression": "", "License": "my own"})
    for thing in (need, old):
        user.put(thing.wheel_name, thing.wheel())
    user.yanked[old.wheel_name] = "broken"
    with Listener(user) as listener:

        def make(*things: Thing, settings: str = "", epoch: int | None = 1_600_000_000) -> Context:
            things = things or (GOOD,)
            root = commit_files(folder / "project", {"pyproject.toml": PYPROJECT + settings})
            world = installing_world(folder, testpypi="http://127.0.0.1:9", user=listener.url)
            context = make_context(folder, root, lock="wheelhouse", world=world)
            wheels = {thing.wheel_name: thing.wheel() for thing in things}
            build(context, {**wheels, things[0].sdist_name: things[0].sdist()})
            receipt = context.directory.receipt("build")
            assert receipt is not None
            if epoch is not None:
                _rewrite(context, replace(receipt, evidence={"source_date_epoch": epoch}))
            return context

        yield Bench(user=user, make=make)


def _rewrite(context: Context, receipt: Receipt) -> None:
    path = context.directory.path / "receipts" / f"{receipt.stage}.json"
    path.write_text(receipt.render(), encoding="utf-8")


def make_wheelhouse(folder: Path) -> MadeWheelhouse:
    """Built, packed and proven by the stage for three targets, and laid out as assets; made once in a folder."""
    told = folder / "told.json"
    if not told.is_file():
        told.write_text(json.dumps(_make(folder)), encoding="utf-8")
    return MadeWheelhouse(folder=folder, **json.loads(told.read_text(encoding="utf-8")))


def _make(folder: Path) -> dict[str, Any]:
    with opened_bench(folder) as bench:
        serve_needs(bench.user)
        settings = f"targets = {[target.name for target in NATIVE]}\n"
        context = bench.make(replace(GOOD, requires=NEEDS), settings=settings)
        evidence, files = bench.run(context)
    put(context.directory, "wheelhouse", files)
    assets = folder / "assets"
    assets.mkdir()
    for name, path in asset_files(context).items():
        shutil.copyfile(path, assets / name)
    bundles = [Path(bundle_of(Path(path).name)).name for path in SignWheelhouse().subjects(context)]
    for name in bundles:
        (assets / name).write_text(MODERN_BUNDLE, encoding="utf-8")
    return {"data": evidence.data, "warnings": [warning.code for warning in evidence.warnings]}
