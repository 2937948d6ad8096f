"""Generators: programs of the project whose output is committed; run over the exported source, they change nothing."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

from hephaestus.release.errors import ReleaseError
from hephaestus.release.sdist_contents import tree_members
from hephaestus.stages.stage import Context
from hephaestus.worlds.world import ChildKind

__all__ = ["GeneratorFailedError", "StaleFilesError", "hold_generated"]

#: Seconds one generator may take.
PATIENCE = 15 * 60.0
_NAMED = 10
#: Python's own library and the project's files, nothing else that happens to be installed here: `-S` leaves out
#: site-packages (those of the build frontend), `-s` the user's, `-E` PYTHONPATH. `-B` leaves no `__pycache__` behind.
_BARE = ("python", "-B", "-E", "-s", "-S")


class GeneratorFailedError(ReleaseError):
    """Raised when a generator ends with a failure."""

    def __init__(self, *, command: str, code: int, output: str) -> None:
        super().__init__(
            what=f"the generator `{command}` ended with exit code {code}",
            why="whether its files are up to date is not known; it runs in the exported source, with Python's own "
            "library alone. Its last lines follow",
            details=[line for line in output.strip().splitlines() if line.strip()][-12:],
            next_step="mend it, or take it out of `generators` in [tool.hephaestus.release.build], then `nox -s build`",
        )


class StaleFilesError(ReleaseError):
    """Raised when generators write something else than what is in the source: ``changes`` by file name."""

    def __init__(self, *, commands: Sequence[str], changes: Mapping[str, str]) -> None:
        self.changes = changes
        names = sorted(changes)
        more = [f"and {len(names) - _NAMED} more"] if len(names) > _NAMED else []
        again = " && ".join(commands)
        super().__init__(
            what=f"{len(names)} generated file{'s are' if len(names) > 1 else ' is'} stale: {', '.join(names[:3])}"
            f"{' ...' if len(names) > 3 else ''}",
            why="what is built from the source would not be what its generators make of it",
            details=[*(f"{name}: {changes[name]}" for name in names[:_NAMED]), *more],
            next_step=f"`{again}`, commit what changes, then `nox -s build`",
        )


def hold_generated(context: Context, tree: Path) -> None:
    """Run the project's generators in ``tree``, an export of the source, which is used for nothing else.

    Raises GeneratorFailedError, and StaleFilesError when any file was changed, removed or added.
    """
    commands = context.project.config.build.generators
    before = tree_members(tree)
    env = {**context.world.children[ChildKind.BUILDER], "PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
    for command in commands:
        context.narrator.step(f"running the generator `{command}` in the exported source")
        argv = [*_BARE, *shlex.split(command)[1:]]
        done = context.environment.run(argv, env=env, cwd=tree, timeout=PATIENCE)
        if not done.ok:
            raise GeneratorFailedError(command=command, code=done.code, output=done.output)
    after = tree_members(tree)
    changes = {
        name: "is not in the source" if name not in before else "is gone" if name not in after else "has other bytes"
        for name in before.keys() | after.keys()
        if before.get(name) != after.get(name)
    }
    if changes:
        raise StaleFilesError(commands=commands, changes=changes)
