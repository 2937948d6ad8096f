"""pip for a target: the stage's own pip, choosing files and requirements for another Python and platform.

pip's options choose the files, but its markers speak of the Python it runs on, so `colorama; sys_platform ==
"win32"` would be left out of a Windows wheelhouse made on Linux (measured; docs/decisions/0011). So for a target pip
is started by workers/target_pip.py, which answers markers for the target.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from packaging.tags import platform_tags

from hephaestus.release.targets import Target
from hephaestus.stages.installation import running_interpreter
from hephaestus.stages.stage import Context

__all__ = ["described", "is_native", "pip_command"]

_WORKER = Path(__file__).resolve().parent.parent / "workers" / "target_pip.py"
_QUIET = ("--no-input", "--disable-pip-version-check", "--progress-bar", "off")


def pip_command(context: Context, target: Target | None, command: str, options: Sequence[str]) -> list[str]:
    """The command line of ``pip COMMAND OPTIONS`` for this Python, or for a target, which is written into a file."""
    if target is None:
        return ["python", "-m", "pip", command, *_QUIET, *options]
    chosen = ["--implementation", "cp", "--python-version", target.python, "--abi", f"cp3{target.minor}"]
    for platform in target.platforms:
        chosen += ["--platform", platform]
    file = context.work / f"{target.name}.json"
    told = {"environments": [dict(one) for one in target.environments], "options": chosen}
    file.write_text(json.dumps(told, indent=1), encoding="utf-8")
    return ["python", "-I", str(_WORKER), str(file), command, *_QUIET, *options]


def is_native(context: Context, target: Target) -> bool:
    """Whether what is made for the target can be installed here."""
    interpreter = running_interpreter(context)
    return target.covers(implementation=interpreter.name, version=interpreter.version, platforms=platform_tags())


def described(target: Target | None) -> str:
    """The target as a sentence names it."""
    return "this Python and platform" if target is None else target.name
