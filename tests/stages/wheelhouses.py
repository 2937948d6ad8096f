"""A built release and the index its needs come from: what every test of the wheelhouse stands on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from stages.releases import build
from stages.served import ServedIndex, Thing, installing_world

from hephaestus.release.receipts import Receipt
from hephaestus.stages.stage import Context, Evidence
from hephaestus.stages.wheelhouse import WheelhouseStage
from hephaestus.standins.http import Listener

__all__ = ["ARCHIVE", "GOOD", "Bench", "opened_bench"]

PYPROJECT = '[project]\nname = "tiny-project"\nversion = "1.2.3"\n[tool.hephaestus.release.wheelhouse]\n'
ARCHIVE = "tiny-project-1.2.3-wheelhouse.tar.gz"
GOOD = Thing(scripts={"tiny": "tiny_project:main"}, requires=["need>=1"], extras={"more": ["old==1.0"]})


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
def opened_bench(commit: Callable[..., Path], context_of: Callable[..., Context], tmp_path: Path) -> Iterator[Bench]:
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
            root = commit({"pyproject.toml": PYPROJECT + settings})
            world = installing_world(tmp_path, testpypi="http://127.0.0.1:9", user=listener.url)
            context = context_of(root, lock="wheelhouse", world=world)
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
