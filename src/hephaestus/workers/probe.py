"""Look at an installed distribution from inside its own environment: does it import, report itself, start?

Run by the Python of that environment, in an empty folder: ``python -I probe.py request.json``. Released code may print
whatever it likes or end the process, so the answer goes into the file that the request names, not to stdout.

Request: ``{"name": str, "imports": [str], "extras": [str], "answer": path}``; no imports means whatever RECORD shows.
Answer: ``{"version", "python", "modules": {name: {"error", "version"}}, "scripts": {name: {"error", "kind"}},
"installed": {name: version}, "missing": [path]}``; an ``error`` is one line, empty when there is none.
"""

from __future__ import annotations

import csv
import importlib
import json
import os
import platform
import sys
import sysconfig
from importlib import metadata
from importlib.machinery import all_suffixes
from pathlib import Path, PurePosixPath
from typing import Any


def main(request_path: str) -> int:
    """Answer one request; every fault of the released code is part of the answer."""
    request = json.loads(Path(request_path).read_text(encoding="utf-8"))
    distribution = metadata.distribution(request["name"])
    modules = request["imports"] or importable(distribution)
    answer = {
        "version": distribution.version,
        "python": platform.python_version(),
        "modules": {name: look(name) for name in modules},
        "scripts": scripts(distribution, frozenset(request["extras"])),
        "installed": {found.metadata["Name"]: found.version for found in metadata.distributions()},
        "missing": [name for name in recorded(distribution) if not Path(str(distribution.locate_file(name))).exists()],
    }
    Path(request["answer"]).write_text(json.dumps(answer), encoding="utf-8")
    return 0


def recorded(distribution: metadata.Distribution) -> list[str]:
    """Every path RECORD lists. ``Distribution.files`` would not do: from Python 3.12 on it leaves out lost files."""
    return [row[0] for row in csv.reader((distribution.read_text("RECORD") or "").splitlines()) if row]


def importable(distribution: metadata.Distribution) -> list[str]:
    """The names to import, from RECORD: top-level modules, and the first real package below each namespace."""
    names = set()
    paths = [PurePosixPath(name) for name in recorded(distribution)]
    code = {path for path in paths if module_name(path.name) and ".." not in path.parts}
    packages = {path.parent for path in code if module_name(path.name) == "__init__"}
    for path in code:
        if any(not part.isidentifier() for part in path.parent.parts):
            continue  # metadata, data and scripts are no packages
        within = next((parent for parent in reversed(path.parents) if parent in packages), None)
        if within is not None:
            names.add(".".join(within.parts))
        elif module_name(path.name) != "__main__":
            names.add(".".join((*path.parent.parts, module_name(path.name))))
    return sorted(names)


def module_name(filename: str) -> str:
    """The module a file holds, or an empty string."""
    for suffix in sorted(all_suffixes(), key=len, reverse=True):
        name = filename[: -len(suffix)]
        if filename.endswith(suffix) and name.isidentifier():
            return name
    return ""


def look(name: str) -> dict[str, str]:
    """Import one module; what it says its version is, when that is text."""
    try:
        module = importlib.import_module(name)
    except BaseException as error:  # noqa: BLE001 - modules raise SystemExit too, and that is a finding
        return {"error": one_line(error), "version": ""}
    version = getattr(module, "__version__", "")
    return {"error": "", "version": version if isinstance(version, str) else ""}


def scripts(distribution: metadata.Distribution, extras: frozenset[str]) -> dict[str, dict[str, str]]:
    """Every console and gui script: is the file there, does its entry point load, can it be called?"""
    found = {}
    for entry in distribution.entry_points:
        kind = entry.group
        if kind not in ("console_scripts", "gui_scripts"):
            continue
        wanted = frozenset(part.strip() for part in (getattr(entry, "extras", None) or ()))
        if not wanted <= extras:
            continue
        found[entry.name] = {"kind": kind, "error": start(entry)}
    return found


def start(entry: Any) -> str:
    """Why the script of this entry point cannot work, or an empty string."""
    folder = Path(sysconfig.get_path("scripts"))
    path = folder / (f"{entry.name}.exe" if os.name == "nt" else entry.name)
    if not path.is_file():
        return "the installer made no such script"
    if not os.access(path, os.X_OK):
        return "the script is not executable"
    try:
        target = entry.load()
    except BaseException as error:  # noqa: BLE001 - see look()
        return one_line(error)
    return "" if callable(target) else f"{entry.value} is a {type(target).__name__}, which cannot be called"


def one_line(error: BaseException) -> str:
    """An exception on one line, with the place in the code it came from."""
    text = f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]
    trace = error.__traceback__
    place = ""
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if "site-packages" in file:
            place = f" ({file.replace(os.sep, '/').rpartition('site-packages/')[2]}:{trace.tb_lineno})"
        trace = trace.tb_next
    return text + place


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
