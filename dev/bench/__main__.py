"""``python -m dev.bench``: measure, print the table and the commands, write ``bench.json``."""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import sys
import tempfile
from pathlib import Path

SUITE = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(SUITE / "src")]

from dev.bench.cases import CASES, Bench, data  # noqa: E402
from dev.bench.figures import Figure, table  # noqa: E402
from dev.bench.projects import Project  # noqa: E402

_ROUNDS, _QUICK = 5, 2


def main(words: list[str]) -> int:
    """Run the cases asked for; 0, also where a goal is missed, unless ``--strict`` is given (then 1)."""
    given = _parser().parse_args(words)
    rounds = given.rounds or (_QUICK if given.quick else _ROUNDS)
    # Stages work in folders outside the project: theirs must lie outside this clone too.
    workspace = Path(tempfile.mkdtemp(prefix="bench-")).resolve()
    bench = Bench(workspace=workspace, project=given.project, rounds=rounds, said=_said)
    figures: list[Figure] = []
    try:
        for name in given.cases or CASES:
            _said(f"case {name}")
            found = CASES[name](bench)
            figures += found
            sys.stdout.write(table(found))
            sys.stdout.flush()
    finally:
        for root in {path.parent for path in workspace.glob("*/release")}:
            Project(root=root, workspace=workspace, version="").rest()
        if given.keep:
            _said(f"kept {workspace}")
        else:
            shutil.rmtree(workspace, ignore_errors=True)
    _show(figures)
    given.output.parent.mkdir(parents=True, exist_ok=True)
    given.output.write_text(data(figures), encoding="utf-8")
    _said(f"written: {given.output}")
    missed = [figure.name for figure in figures if figure.met is False]
    return 1 if missed and given.strict else 0


def _show(figures: list[Figure]) -> None:
    out = ["", "The commands that were compared", ""]
    for figure in figures:
        for side, lines in figure.commands.items():
            out += [f"{figure.name.strip()}, {side}:", *(f"    {line}" for line in lines)]
    load = os.getloadavg()[0]
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    out += [
        "",
        f"{platform.platform()}, {platform.python_implementation()} {platform.python_version()}, "
        f"{os.cpu_count()} cores, load {load:.1f}, uv {'there' if shutil.which('uv', path=path) else 'absent'}",
        "CPU is user + system of the whole process tree and of the stand-ins; ratios are taken round by round.",
        "",
        table(figures),
    ]
    sys.stdout.write("\n".join(out))
    sys.stdout.flush()


def _said(line: str) -> None:
    sys.stderr.write(f"bench: {line}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="nox -s bench --", description="What a release costs beside its bare tools.")
    parser.add_argument("cases", nargs="*", choices=[[], *CASES], metavar="CASE", help=f"some of: {', '.join(CASES)}")
    parser.add_argument("--project", choices=["own", "small"], default="own", help="what is released (default: this)")
    parser.add_argument("--quick", action="store_true", help=f"{_QUICK} rounds instead of {_ROUNDS}")
    parser.add_argument("--rounds", type=int, default=0, help="so many rounds")
    parser.add_argument("--strict", action="store_true", help="end with 1 when a goal is not met")
    parser.add_argument("--keep", action="store_true", help="keep the workspace and say where it is")
    parser.add_argument("--output", type=Path, default=SUITE / "release" / "bench.json", help="where the JSON goes")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
