"""Tell what a Python is and what is installed in it: run by that Python itself, ``python -I target.py``.

Answer, on stdout: ``{"version": "X.Y.Z", "implementation": str, "executable": path, "prefix": path, "pip": version or
null, "managed": bool, "distributions": {name: version}}``; ``managed`` is PEP 668's mark, outside of virtual
environments.
"""

from __future__ import annotations

import importlib.util
import json
import platform
import sys
import sysconfig
from importlib import metadata
from pathlib import Path


def main() -> int:
    """Answer."""
    found: dict[str, str] = {}
    for distribution in metadata.distributions():
        name = distribution.metadata["Name"] if "Name" in distribution.metadata else ""
        if name:
            found.setdefault(name, distribution.version)
    virtual = sys.prefix != sys.base_prefix
    answer = {
        "version": platform.python_version(),
        "implementation": platform.python_implementation(),
        "executable": sys.executable,
        "prefix": sys.prefix,
        "pip": found.get("pip") if importlib.util.find_spec("pip") else None,
        "managed": not virtual and Path(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED").is_file(),
        "distributions": found,
    }
    print(json.dumps(answer))  # noqa: T201 - the answer
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
