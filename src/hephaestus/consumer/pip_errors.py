"""What pip and uv say when they fail: one finding in one line, and tampering told apart from everything else."""

from __future__ import annotations

import re
from collections.abc import Sequence

from hephaestus.release.errors import Finding, ReleaseError

__all__ = ["Tampered", "install_finding", "last_line"]


class Tampered(ReleaseError):
    """Raised when bytes are served that are not the released ones: never promote, never retry into it."""

    def __init__(self, *, subject: str, source: str, details: Sequence[str] = ()) -> None:
        super().__init__(
            what=f"{subject}: {source} serves other bytes than this release has",
            why="somebody or something changed the file on its way; what users get is not what was built and signed",
            details=details,
            next_step="do not promote this version: compare the index's page with SHA256SUMS, revoke the publisher's "
            "access if it was not you, and release a new version",
        )


def install_finding(output: str, *, place: str, name: str) -> Finding:
    """Why pip failed to install the file ``name``, in one line. Raises Tampered when that file has another hash."""
    if "DO NOT MATCH THE HASHES" in output:
        return _other_bytes(output, place=place, name=name)
    if match := _UV_HASH.search(output):
        return _other_bytes_for_uv(match, place=place, name=name)
    if match := _UV_UNSOLVED.search(output):
        message = f"its requirements cannot be met: {' '.join(match[1].split())[:600]}"
        return Finding(code="dependency-conflict", subject=f"{name} on {place}", message=message)
    for pattern, code, message in _PIP_ERRORS:
        if match := re.search(pattern, output):
            words = {key: value.strip() for key, value in match.groupdict().items()}
            subject = words.get("subject") or name
            reason = {"build-fails": _backend_words, "dependency-conflict": _conflict}.get(code, _nothing)(output)
            told = message.format(**words)
            return Finding(code=code, subject=f"{subject} on {place}", message=f"{told}: {reason}" if reason else told)
    return Finding(
        code="install-fails", subject=f"{name} on {place}", message=f"pip cannot install it: {last_line(output)}"
    )


# uv 0.13's own words, as it writes them to something that is no terminal.
_UV_HASH = re.compile(r"Hash mismatch for `(?P<subject>[^`]+)`(?P<digests>.*)", re.DOTALL)
_UV_UNSOLVED = re.compile(
    r"No solution found when resolving dependencies:?\s+(?:cause:|╰─▶)?\s*(.*?)(?:\n\n|\Z)", re.DOTALL
)

# pip 26.3's own words; the order matters, the most telling first.
_PIP_ERRORS: tuple[tuple[str, str, str], ...] = (
    (
        r"ERROR: Package '(?P<subject>[^']+)' requires a different Python: (?P<have>\S+) not in '(?P<wanted>[^']*)'",
        "python-unsupported",
        "does not allow Python {have} (it requires {wanted})",
    ),
    (
        r"ERROR: No matching distribution found for (?P<subject>[^\n]+)",
        "dependency-missing",
        "no index of this machine's configuration has a file for it",
    ),
    (
        r"ERROR: Cannot install (?P<subject>[^\n]+) because these package versions have conflicting dependencies",
        "dependency-conflict",
        "its requirements cannot be met together",
    ),
    (
        r"ERROR: (?P<subject>\S+) is not a supported wheel on this platform",
        "wheel-unsupported",
        "does not fit this interpreter and platform",
    ),
    (
        r"(?:ERROR: )?Failed to build '?(?P<subject>[^'\n]+?)'?(?: when [^\n]*)?(?:\n|\Z)",
        "build-fails",
        "pip cannot build it from its sdist",
    ),
    (
        r"error: externally-managed-environment",
        "externally-managed",
        "belongs to the operating system, whose own installer looks after it (PEP 668)",
    ),
    (r"metadata-generation-failed|subprocess-exited-with-error", "build-fails", "pip cannot build it from its sdist"),
)


def _other_bytes(output: str, *, place: str, name: str) -> Finding:
    """Tell the released file with other bytes, which is tampering with the release, from a dependency's."""
    lines = output.partition("DO NOT MATCH THE HASHES")[2].splitlines()[1:]
    details = [line.strip() for line in lines if line.strip()][:3]
    culprit = details[0].partition(" (from ")[0] if details else ""
    if name in culprit:
        raise Tampered(subject=name, source="the index", details=details)
    words = " ".join(" ".join(details[1:]).split())
    message = f"its bytes are not the ones promised ({words}): it may have been tampered with"
    return Finding(code="dependency-hash", subject=f"{culprit} on {place}", message=message)


def _other_bytes_for_uv(match: re.Match[str], *, place: str, name: str) -> Finding:
    digests = " ".join(match["digests"].split())
    if name in match["subject"]:
        raise Tampered(subject=name, source="the index", details=[match["subject"], digests])
    message = f"its bytes are not the ones promised ({digests}): it may have been tampered with"
    return Finding(code="dependency-hash", subject=f"{match['subject']} on {place}", message=message)


def _nothing(_output: str) -> str:
    return ""


def _conflict(output: str) -> str:
    """Who requires what, as pip lists it."""
    listed = output.partition("The conflict is caused by:")[2].strip().partition("\n\n")[0]
    return "; ".join(line.strip() for line in listed.splitlines() if line.strip())[:300]


def _backend_words(output: str) -> str:
    """The last line a build backend said, out of the frame pip draws around it."""
    framed = re.findall(r"\[\d+ lines? of output\]\n(.*?)\n\s*\[end of output\]", output, flags=re.DOTALL)
    lines = [line.strip() for line in (framed[-1] if framed else "").splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""


def last_line(output: str) -> str:
    """The last line that says what is wrong, else the last one."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")]
    return (errors or lines or [""])[-1][:300]
