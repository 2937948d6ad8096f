"""Find Python interpreters by what people write (``3.12``), with the discovery that virtualenv itself uses.

Request: ``{"wanted": [str]}``; an empty string means the Python this environment was made from.
Answer: ``{"found": {wanted: {"executable", "version", "name"} or null}}``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from python_discovery import get_interpreter


def main(request_path: str) -> int:
    """Answer one request."""
    request = json.loads(Path(request_path).read_text(encoding="utf-8"))
    print(json.dumps({"found": {wanted: describe(wanted) for wanted in request["wanted"]}}))  # noqa: T201 - the answer
    return 0


def describe(wanted: str) -> dict[str, Any] | None:
    """The interpreter for one wish, or None when this machine has none."""
    found = get_interpreter(wanted or sys.executable)
    if found is None:
        return None
    version = found.version_info
    return {
        "executable": found.system_executable or found.executable,
        "version": f"{version.major}.{version.minor}.{version.micro}",
        "name": found.implementation,
    }


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1]))
