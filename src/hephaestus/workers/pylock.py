"""Make and validate a lock file (PEP 751) of wheels that lie beside it, with the reference model of ``packaging``.

Request: ``{"wheels": [{"file", "size", "sha256"}], "markers": [str] or null, "requires_python": str or null,
"created_by": str}``; null stands for the Python and platform that runs this.
Answer: ``{"lock": the TOML document as data, "problem": str}``; with a ``problem`` it is no valid lock.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from packaging.markers import Marker, default_environment
from packaging.pylock import Package, PackageWheel, Pylock, PylockValidationError
from packaging.specifiers import SpecifierSet
from packaging.utils import parse_wheel_filename
from packaging.version import Version

_TELLING = ("implementation_name", "sys_platform", "platform_machine")


def main(request_path: str) -> int:
    """Answer one request."""
    data = json.loads(json.dumps(lock_of(json.loads(Path(request_path).read_text(encoding="utf-8"))).to_dict()))
    problem = ""
    try:
        Pylock.from_dict(data)
    except PylockValidationError as error:
        problem = str(error)
    print(json.dumps({"lock": data, "problem": problem}))  # noqa: T201 - the answer
    return 0


def lock_of(request: Mapping[str, Any]) -> Pylock:
    """The lock: every wheel by its path beside the lock, its size and its SHA-256, and where it may be used."""
    here: Mapping[str, object] = {**default_environment()}
    markers = request["markers"] or [" and ".join(f'{name} == "{here[name]}"' for name in _TELLING)]
    packages = []
    for wheel in request["wheels"]:
        name, version, _build, _tags = parse_wheel_filename(wheel["file"])
        found = PackageWheel(path=wheel["file"], size=wheel["size"], hashes={"sha256": wheel["sha256"]})
        packages.append(Package(name=name, version=version, wheels=[found]))
    return Pylock(
        lock_version=Version("1.0"),
        environments=[Marker(marker) for marker in markers],
        requires_python=SpecifierSet(request["requires_python"] or f"=={here['python_version']}.*"),
        created_by=request["created_by"],
        packages=sorted(packages, key=lambda package: package.name),
    )


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
