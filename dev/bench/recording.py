"""Runs nox in this process and writes down every child of a stage: argv, environment, folder, what lay there before.

``python dev/bench/recording.py SRC RECORD NOX-WORDS...``: SRC is the suite's ``src``. RECORD gets ``commands.jsonl``
and ``inputs/<n>/``, the files that were in the stage's work folder before command n and that no command had made:
with them the same commands can be run again bare (``replay``). Nothing is timed here: children run one at a time.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

#: How a worker says in its answer that something does not hold: it ends with 0 all the same.
REFUSAL = '"ok": false'

Seen = dict[str, tuple[int, int]]


def work_folder(cwd: Path, temporary: Path) -> Path | None:
    """The stage's work folder above ``cwd``: the child of the temporary folder that the suite has made."""
    for folder in (cwd, *cwd.parents):
        if folder.parent == temporary:
            return folder
    return None


def look(folder: Path) -> Seen:
    """Every file and folder below ``folder``: its size and time of change (0, 0 for folders)."""
    return dict(_look(folder, folder))


def _look(folder: Path, top: Path) -> Iterator[tuple[str, tuple[int, int]]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            name = Path(entry.path).relative_to(top).as_posix()
            if entry.is_dir(follow_symlinks=False):
                yield f"{name}/", (0, 0)
                yield from _look(Path(entry.path), top)
            else:
                told = entry.stat(follow_symlinks=False)
                yield name, (told.st_size, told.st_mtime_ns)


def kind_of(env: Mapping[str, str], kinds: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """Which of the world's environments ``env`` was made from: its name, what was added or changed, what is absent."""

    def distance(kind: str) -> int:
        return len(set(env.items()) ^ set(kinds[kind].items()))

    kind = min(kinds, key=distance)
    base = kinds[kind]
    added = {name: value for name, value in env.items() if base.get(name) != value}
    return {"kind": kind, "added": added, "absent": sorted(set(base) - set(env))}


class Recorder:
    """Stands in for ``run_child`` in the stages' environments; runs it, and notes what it was given."""

    def __init__(self, record: Path, run_child: Any, temporary: Path) -> None:
        self._record = record
        self._run_child = run_child
        self._temporary = temporary
        self._count = 0
        self._after: dict[Path, Seen] = {}
        self._lock = threading.Lock()
        self._kinds: dict[str, dict[str, str]] = {}

    def opened(self, world: Any) -> None:
        """Note the world the next stage acts in: its kinds of children, its volatile addresses."""
        self._kinds = {str(kind): dict(env) for kind, env in world.children.items()}
        self._kinds |= {f"uploader of {name}": dict(env) for name, env in world.uploaders.items()}
        (self._record / "addresses.json").write_text(json.dumps(dict(world.addresses)), encoding="utf-8")

    def __call__(self, argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, **options: Any) -> Any:
        with self._lock:
            return self._recorded(argv, env=env, cwd=cwd, **options)

    def _recorded(self, argv: Sequence[str], *, env: Mapping[str, str], cwd: Path, **options: Any) -> Any:
        work = work_folder(cwd.resolve(), self._temporary)
        if work is None:
            raise RuntimeError(f"a stage's child runs outside its work folder: {cwd}")
        gone = self._inputs(work)
        done = self._run_child(argv, env=env, cwd=cwd, **options)
        self._after[work] = look(work)
        entry = {
            "stage": work.name.split("-", 2)[2].rpartition("-")[0],
            "argv": list(argv),
            **kind_of(env, self._kinds),
            "cwd": str(cwd),
            "work": str(work),
            "umask": options.get("umask"),
            "code": done.code,
            "refusals": done.output.count(REFUSAL),
            "gone": gone,
        }
        with (self._record / "commands.jsonl").open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(entry) + "\n")
        self._count += 1
        return done

    def _inputs(self, work: Path) -> list[str]:
        """Keep what the stage itself has put into its work folder since its last command; what it took away."""
        before, known = look(work), self._after.get(work, {})
        for name, told in before.items():
            # Questions to workers are the stage's own, also when it asked them while another child ran.
            if known.get(name) == told and not name.startswith("requests/"):
                continue
            target = self._record / "inputs" / str(self._count) / name
            if name.endswith("/"):
                target.mkdir(parents=True, exist_ok=True)
            else:
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(work / name, target, follow_symlinks=False)
        return sorted(set(known) - set(before))


def main(words: Sequence[str]) -> None:
    """Patch, then hand over to nox, which ends this process."""
    import tempfile

    source, record, *rest = words
    sys.path[:0] = [source]
    from hephaestus.toolchain import environment, process
    from hephaestus.worlds import rehearsal

    folder = Path(record)
    folder.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.gettempdir()).resolve()
    recorder = Recorder(folder, process.run_child, temporary)
    make = rehearsal.rehearsal_world

    def rehearsal_world(**options: Any) -> Any:
        world = make(**options)
        recorder.opened(world)
        return world

    vars(environment)["run_child"] = recorder
    rehearsal.rehearsal_world = rehearsal_world
    sys.argv = ["nox", *rest]
    import nox

    nox.main()


if __name__ == "__main__":
    main(sys.argv[1:])
