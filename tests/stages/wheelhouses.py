"""A built release and the index its needs come from: what every test of the wheelhouse stands on."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from packaging.tags import platform_tags
from stages.conftest import commit_files, make_context
from stages.releases import build
from stages.served import ServedIndex, Thing, installing_world

from hephaestus.release.archive import write_archive
from hephaestus.release.receipts import Receipt
from hephaestus.release.targets import read_targets
from hephaestus.stages.stage import Context, Evidence
from hephaestus.stages.verification import bundle_of
from hephaestus.stages.wheelhouse import WheelhouseStage
from hephaestus.standins.http import Listener

__all__ = ["ARCHIVE", "FOREIGN", "GOOD", "HERE", "Bench", "MadeWheelhouse", "make_wheelhouse", "opened_bench"]

#: What tells a modern bundle from those the old client knows; nothing here verifies it.
MODERN_BUNDLE = '{"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json"}'
PYPROJECT = '[project]\nname = "tiny-project"\nversion = "1.2.3"\n[tool.hephaestus.release.wheelhouse]\n'
ARCHIVE = "tiny-project-1.2.3-wheelhouse.tar.gz"
GOOD = Thing(scripts={"tiny": "tiny_project:main"}, requires=["need>=1"], extras={"more": ["old==1.0"]})


_SERIES = f"3.{sys.version_info.minor}"
#: The target that is this machine, at its closest; and one that it is not.
HERE = read_targets([f"{_SERIES}-{tag}" for tag in platform_tags()])[0][0]
FOREIGN = read_targets(["3.13-win_arm64"])[0][0]


@dataclass(frozen=True)
class MadeWheelhouse:
    """A release's assets as GitHub has them, side by side in ``folder``; ``archive`` is the default wheelhouse."""

    folder: Path
    archive: str
    evidence: Evidence

    @property
    def names(self) -> list[str]:
        """The assets, in the order in which they were sent."""
        return sorted(path.name for path in self.folder.iterdir())


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
    """Built, packed and proven by the stage for two targets, with one compiled need, and laid out as assets."""
    tags = {HERE.name: f"py3-none-{HERE.platform}", FOREIGN.name: f"py3-none-{FOREIGN.platform}"}
    requires = ["need>=1", "compiled", 'only-windows; sys_platform == "win32"']
    with opened_bench(folder) as bench:
        for thing in (
            *(Thing(name="compiled", version="1.0", code="", tags=tag) for tag in tags.values()),
            Thing(name="only-windows", version="1.0", code=""),
        ):
            bench.user.put(thing.wheel_name, thing.wheel())
        settings = f"targets = {[HERE.name, FOREIGN.name]}\n"
        context = bench.make(replace(GOOD, requires=requires), settings=settings)
        evidence, files = bench.run(context)
    assets = folder / "assets"
    assets.mkdir()
    for path in context.directory.manifest():
        shutil.copyfile(context.directory.path / path, assets / Path(path).name)
    for name, content in files.items():
        (assets / Path(name).name).write_bytes(content)
    for name in [path.name for path in assets.iterdir() if path.suffix != ".sha256"]:
        (assets / Path(bundle_of(name)).name).write_text(MODERN_BUNDLE, encoding="utf-8")
    with (assets / f"sigstore-bundles-{context.project.tag}.tar.gz").open("wb") as stream:
        write_archive(stream, {path.name: path for path in assets.glob("*.sigstore.json")}, epoch=0)
    return MadeWheelhouse(folder=assets, archive=evidence.data["archive"], evidence=evidence)
