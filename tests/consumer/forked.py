"""Runs the command in children of this program, as asked on standard input: killed at a boundary, or short of space.

Everything is imported once, so that a child costs what the command itself costs. Each request is a line of JSON,
``{"argv": [...], "kill": N or null, "space": bytes or null, "trace": path or null}``; each answer is
JSON too: its status (``-9`` for SIGKILL) and what it and its own children said, until the last of them has ended.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import sys
from pathlib import Path
from typing import Any


def main() -> None:
    """Answer until standard input ends."""
    for module in ("hephaestus.consumer.from_github", "hephaestus.workers.verify", "sigstore.verify"):
        importlib.import_module(module)
    for line in sys.stdin:
        heard, said = os.pipe()
        child = os.fork()
        if child == 0:
            run(json.loads(line), said)
        os.close(said)
        with os.fdopen(heard, encoding="utf-8") as stream:
            words = stream.read()
        _, status = os.waitpid(child, 0)
        sys.stdout.write(json.dumps([os.waitstatus_to_exitcode(status), words]) + "\n")
        sys.stdout.flush()


def run(request: dict[str, Any], said: int) -> None:
    """The child: never comes back."""
    from hephaestus.cli import app
    from hephaestus.release.boundary import BoundaryFault, arm

    os.dup2(said, 1)
    os.dup2(said, 2)
    os.close(said)
    if request["space"] is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (request["space"], request["space"]))
    trace = Path(request["trace"]) if request["trace"] else None
    arm(BoundaryFault(kill_at=request["kill"], trace=trace))
    code = 70
    try:
        app(request["argv"], prog_name="hephaestus")
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 0
    finally:
        sys.stdout.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
