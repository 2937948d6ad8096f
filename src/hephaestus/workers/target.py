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
        # What is left of a half removed distribution has no name; asking for it will be an error in later Pythons.
        if "Name" in distribution.metadata:
            found.setdefault(distribution.metadata["Name"], distribution.version)
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
