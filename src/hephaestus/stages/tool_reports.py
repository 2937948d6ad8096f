"""What ``twine check`` and ``check-wheel-contents`` report, read into findings per file.

Both print for people only; the forms read here are those of twine 7.0 and check-wheel-contents 0.6.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePath

from hephaestus.release.errors import Finding

__all__ = ["read_contents_report", "read_twine_report", "tool_broken"]

_VERDICT = re.compile(r"Checking (?P<path>.+?): (?P<verdict>PASSED.*|FAILED.*|ERROR .*|Traceback .*)\Z")
_LEVEL = re.compile(r"(?P<level>ERROR|WARNING) +(?P<text>.*)\Z")
_CONTENTS = re.compile(r"(?P<path>.+?\.whl): (?:OK|(?P<code>W\d+): (?P<text>.*))\Z")

_BUILD_AGAIN = "then `nox -s build -- --redo=build`"


def read_twine_report(output: str) -> tuple[set[str], list[Finding]]:
    """The names of the files that were judged, and a finding for each that did not pass.

    A file that twine cannot read ends the whole run: it is judged (with a finding), those after it are not.
    """
    judged: set[str] = set()
    findings: list[Finding] = []
    name, verdict, told = "", "", list[str]()

    def close() -> None:
        if name and not verdict.startswith("PASSED"):
            findings.append(_twine_finding(name, verdict, told))

    for line in output.splitlines():
        if match := _VERDICT.match(line.rstrip()):
            close()
            name, verdict, told = PurePath(match["path"]).name, match["verdict"], []
            judged.add(name)
        elif line.strip():
            told.append(line.strip())
    close()
    return judged, findings


def _twine_finding(name: str, verdict: str, told: list[str]) -> Finding:
    words = [match["text"].strip() if (match := _LEVEL.match(line)) else line for line in told]
    if verdict.startswith("FAILED"):
        message = f"its description does not pass `twine check --strict`: {'; '.join(words) or verdict}"
        remedy = f"mend the README that pyproject.toml names as `readme` (or its content type), {_BUILD_AGAIN}"
        return Finding(code="description-rendering", subject=name, message=message, remedy=remedy)
    if verdict.startswith("Traceback"):
        message = f"`twine check` cannot read it: {words[-1] if words else verdict}"
    else:
        text = verdict.removeprefix("ERROR").strip()
        message = f"`twine check` refuses it: {' '.join([text, *words])}"
    remedy = f"mend what is named in pyproject.toml, {_BUILD_AGAIN}"
    return Finding(code="twine-refused", subject=name, message=message, remedy=remedy)


def read_contents_report(output: str) -> tuple[set[str], list[Finding]]:
    """The names of the wheels that were judged, and one finding per wheel and check code."""
    judged: set[str] = set()
    found: list[tuple[str, str, str, list[str]]] = []
    for line in output.splitlines():
        if match := _CONTENTS.match(line.rstrip()):
            name = PurePath(match["path"]).name
            judged.add(name)
            if match["code"]:
                found.append((name, match["code"], match["text"].removesuffix(":"), []))
        elif found and line.startswith("  "):
            found[-1][3].append(line.strip())
    findings = [
        Finding(
            code=f"wheel-contents-{code.lower()}",
            subject=name,
            message=f"{code} {text}{': ' if members else ''}{', '.join(members)}",
            remedy=f"correct what the backend packs, or add {code!r} to `check.ignore` in [tool.hephaestus.release]",
        )
        for name, code, text, members in found
    ]
    return judged, findings


def tool_broken(tool: str, names: Iterable[str], *, code: int, output: str) -> list[Finding]:
    """Findings for files that a tool gave no verdict on: no verdict is never taken for a good one."""
    last = next((line.strip() for line in reversed(output.splitlines()) if line.strip()), "no output")
    return [
        Finding(
            code="tool-failed",
            subject=name,
            message=f"`{tool}` ended with exit code {code} and no verdict on it: {last}",
            remedy="run it by hand as printed above; if other findings name this file, mend those first",
        )
        for name in sorted(names)
    ]
