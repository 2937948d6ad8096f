"""Run pip as if on another machine: markers are answered for the target, not for the Python that runs pip.

``target_pip.py TARGET.json PIP-ARGUMENTS``: the file is ``{"environments": [marker environment (PEP 508)], "options":
[str]}``. A requirement counts when its marker holds in any of the environments: so one set of wheels serves every patch
release, and every machine, that the target stands for. Which files fit is pip's own business: the options
(``--platform`` and its kin) are given to it.

pip has no option for this, so the one method that answers markers is replaced; the lock pins the pip it is done to,
and pip is not started when the replacement has no effect.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pip._vendor.packaging.markers import Marker
from pip._vendor.packaging.requirements import Requirement


def main(arguments: Sequence[str]) -> int:
    """Run pip with the arguments after the first, and the target's options."""
    target = json.loads(Path(arguments[0]).read_text(encoding="utf-8"))
    environments = target["environments"]
    answer_for(environments)
    if problem := unanswered(environments):
        print(f"ERROR: this pip answers markers by itself: {problem}", file=sys.stderr)  # noqa: T201 - pip's own way
        return 3
    from pip._internal.cli.main import main as pip

    return int(pip([*arguments[1:], *target["options"]]))


def answer_for(environments: Sequence[Mapping[str, str]]) -> None:
    """Let every marker be answered for the environments."""
    answer = Marker.evaluate

    def evaluate(self: Marker, environment: Mapping[str, Any] | None = None, *more: Any, **options: Any) -> bool:
        return any(answer(self, {**one, **(environment or {})}, *more, **options) for one in environments)

    Marker.evaluate = evaluate


def unanswered(environments: Sequence[Mapping[str, str]]) -> str:
    """The first value of the environments that a requirement, as pip reads one, does not see; or empty."""
    for environment in environments:
        for name, value in environment.items():
            requirement = Requirement(f'a; {name} == "{value}"')
            other = Requirement(f'a; {name} == "0.0.of-no-machine"')
            assert requirement.marker is not None and other.marker is not None  # noqa: PT018 - both were just written
            if not requirement.marker.evaluate({"extra": ""}) or other.marker.evaluate({"extra": ""}):
                return f"{name} is not {value!r}"
    return ""


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
