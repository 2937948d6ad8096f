"""Installing released files the way a stranger would: a fresh environment, the locked pip, and a look from inside."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from hephaestus.release.errors import Finding, ReleaseError, StageFailed
from hephaestus.release.metadata import read_core_metadata
from hephaestus.stages.stage import Context
from hephaestus.toolchain.process import Completed
from hephaestus.toolchain.virtualenvs import python_of
from hephaestus.worlds.world import ChildKind

__all__ = [
    "FreshEnvironment",
    "Installed",
    "Interpreter",
    "Tampered",
    "check_probe",
    "fitting_wheel",
    "install_finding",
    "interpreters",
    "running_interpreter",
    "same_version",
    "unknown_extras",
]

INSTALL_SECONDS = 1800.0
PROBE_SECONDS = 600.0

_PIP = ("python", "-m", "pip")
_QUIET = ("--no-input", "--disable-pip-version-check", "--progress-bar", "off")
_PROBE = Path(__file__).resolve().parent.parent / "workers" / "probe.py"


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


@dataclass(frozen=True, kw_only=True)
class Interpreter:
    """A Python of this machine: ``wanted`` is how it was asked for, ``version`` X.Y.Z."""

    wanted: str
    executable: str
    version: str
    name: str


def interpreters(context: Context, wanted: Iterable[str]) -> dict[str, Interpreter | None]:
    """Find each interpreter asked for (empty: the one that runs nox); None where this machine has none."""
    env = context.world.children[ChildKind.PROBE]
    answer = context.environment.work("interpreters", {"wanted": list(wanted)}, env=env, timeout=PROBE_SECONDS)
    return {
        name: None if found is None else Interpreter(wanted=name, **found) for name, found in answer["found"].items()
    }


def running_interpreter(context: Context) -> Interpreter:
    """The Python that runs nox: every stage's environment is made from it."""
    return Interpreter(
        wanted="",
        executable=str(context.environment.python),
        version=platform.python_version(),
        name=platform.python_implementation(),
    )


def fitting_wheel(files: Iterable[str], interpreter: Interpreter) -> str | None:
    """The wheel among ``files`` that ``interpreter`` prefers on this platform, or None."""
    wheels = {file: parse_wheel_filename(file)[3] for file in files if file.endswith(".whl")}
    python = tuple(int(part) for part in interpreter.version.split(".")[:2])
    if interpreter.name != "CPython":
        order: list[Tag] = list(compatible_tags(python_version=python))
    else:
        short = f"cp{python[0]}{python[1]}"
        order = [*cpython_tags(python_version=python), *compatible_tags(python_version=python, interpreter=short)]
    ranks = {tag: rank for rank, tag in reversed(list(enumerate(order)))}
    fitting = {file: min(ranks[tag] for tag in tags & set(ranks)) for file, tags in wheels.items() if tags & set(ranks)}
    return min(fitting, key=lambda file: (fitting[file], file)) if fitting else None


@dataclass(frozen=True, kw_only=True)
class Installed:
    """One distribution of pip's installation report: where it came from and what it is."""

    name: str
    version: str
    url: str
    sha256: str
    direct: bool
    yanked: bool


@dataclass(frozen=True, kw_only=True)
class FreshEnvironment:
    """A virtual environment that nothing was in before, without pip; the stage's locked pip drives it."""

    folder: Path
    python: Path

    @classmethod
    def make(cls, context: Context, folder: Path, interpreter: Interpreter) -> FreshEnvironment:
        """Make it with uv where uv is, with virtualenv otherwise. Raises StageFailed, ToolMissingError."""
        env = context.world.children[ChildKind.INSTALLER]
        folder.parent.mkdir(parents=True, exist_ok=True)
        path = os.pathsep.join([str(context.environment.python.parent), env.get("PATH", "")])
        if shutil.which("uv", path=path):
            argv = ["uv", "venv", "--quiet", "--no-project", "--no-config"]
        else:
            argv = ["python", "-m", "virtualenv", "--quiet", "--no-periodic-update", "--no-seed"]
        argv += ["--python", interpreter.executable, str(folder)]
        done = context.environment.run(argv, env=env, timeout=INSTALL_SECONDS)
        if not done.ok:
            raise StageFailed(
                stage="installation",
                command=" ".join(argv[:4]),
                code=done.code,
                output=done.output,
                next_step=f"check that `{interpreter.executable}` works, then run the same command again",
            )
        return cls(folder=folder, python=python_of(folder))

    @property
    def scripts(self) -> Path:
        """Where its programs are."""
        return self.python.parent

    def install(
        self, context: Context, arguments: Sequence[str], *, env: Mapping[str, str], report: Path
    ) -> tuple[Completed, list[Installed]]:
        """``pip install`` into it; what pip says it installed is empty when it failed."""
        argv = [*_PIP, "--python", str(self.python), "install", *_QUIET, "--no-compile", "--report", str(report)]
        done = context.environment.run([*argv, *arguments], env=env, timeout=INSTALL_SECONDS)
        return done, _read_report(report) if done.ok else []

    def check(self, context: Context) -> Completed:
        """``pip check``: whether everything installed has what it requires."""
        env = context.world.children[ChildKind.PROBE]
        argv = [*_PIP, "--python", str(self.python), "--disable-pip-version-check", "check"]
        return context.environment.run(argv, env=env, timeout=PROBE_SECONDS)

    def probe(
        self, context: Context, *, name: str, imports: Sequence[str] = (), extras: Sequence[str] = ()
    ) -> tuple[Completed, dict[str, Any] | None]:
        """Look from inside, in an empty folder (workers/probe.py); None when the released code ended the process."""
        empty = self.folder.parent / f"{self.folder.name}-empty"
        empty.mkdir(exist_ok=True)
        request = self.folder.parent / f"{self.folder.name}-probe.json"
        answer = self.folder.parent / f"{self.folder.name}-answer.json"
        question = {"name": name, "imports": list(imports), "extras": list(extras), "answer": str(answer)}
        request.write_text(json.dumps(question), encoding="utf-8")
        argv = [str(self.python), "-I", str(_PROBE), str(request)]
        env = context.world.children[ChildKind.PROBE]
        done = context.environment.run(argv, env=env, cwd=empty, timeout=PROBE_SECONDS)
        if not answer.is_file():
            return done, None
        return done, dict(json.loads(answer.read_text(encoding="utf-8")))

    def program(self, words: Sequence[str]) -> list[str]:
        """A command line whose first word is this environment's program, where it has one of that name."""
        found = shutil.which(words[0], path=str(self.scripts))
        return [found or words[0], *words[1:]]


def unknown_extras(context: Context, files: Iterable[str], extras: Sequence[str], *, field: str) -> list[Finding]:
    """The extras asked for that the release's wheel does not have: pip would pass over them with a warning."""
    wheel = next((file for file in files if file.endswith(".whl")), None)
    if wheel is None or not extras:
        return []
    known = {
        canonicalize_name(extra) for extra in read_core_metadata(context.directory.dist / wheel).all("Provides-Extra")
    }
    return [
        Finding(
            code="extra-unknown",
            subject=extra,
            message=f"is no extra of {wheel} (it has {', '.join(sorted(known)) or 'none'})",
            remedy=f"correct tool.hephaestus.release.{field}",
        )
        for extra in extras
        if canonicalize_name(extra) not in known
    ]


def check_probe(
    done: Completed, answer: Mapping[str, Any] | None, *, place: str, version: str, name: str
) -> list[Finding]:
    """What a look from inside found wrong."""
    if answer is None:
        last = _last_line(done.output) or "without a word"
        message = f"importing it ended the process with exit code {done.code} ({last})"
        return [Finding(code="import-crashes", subject=f"{name} on {place}", message=message)]
    findings = []

    def found(code: str, subject: str, message: str) -> None:
        findings.append(Finding(code=code, subject=f"{subject} on {place}", message=message))

    if not same_version(answer["version"], version):
        found("wrong-version", name, f"its installed metadata says {answer['version']}, this release is {version}")
    for path in answer["missing"]:
        found("file-missing", path, "is in RECORD but was not installed")
    for module, result in answer["modules"].items():
        if result["error"]:
            found("import-fails", module, f"does not import: {result['error']}")
        elif result["version"] and not same_version(result["version"], version):
            found("wrong-version", f"{module}.__version__", f"is {result['version']}, this release is {version}")
    for script, result in answer["scripts"].items():
        if result["error"]:
            found("dead-script", script, f"cannot start: {result['error']}")
    return findings


def install_finding(output: str, *, place: str, name: str) -> Finding:
    """Why pip failed to install the file ``name``, in one line. Raises Tampered when that file has another hash."""
    if "DO NOT MATCH THE HASHES" in output:
        return _other_bytes(output, place=place, name=name)
    for pattern, code, message in _PIP_ERRORS:
        if match := re.search(pattern, output):
            words = {key: value.strip() for key, value in match.groupdict().items()}
            subject = words.get("subject") or name
            reason = {"build-fails": _backend_words, "dependency-conflict": _conflict}.get(code, lambda _output: "")(
                output
            )
            message = f"{message}: {reason}" if reason else message
            return Finding(code=code, subject=f"{subject} on {place}", message=message.format(**words))
    return Finding(
        code="install-fails", subject=f"{name} on {place}", message=f"pip cannot install it: {_last_line(output)}"
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
    (r"metadata-generation-failed|subprocess-exited-with-error", "build-fails", "pip cannot build it from its sdist"),
)


def same_version(one: str, other: str) -> bool:
    """Whether two versions are equal by PEP 440; what is no version equals nothing."""
    try:
        return Version(one) == Version(other)
    except InvalidVersion:
        return False


def _read_report(path: Path) -> list[Installed]:
    data = json.loads(path.read_text(encoding="utf-8"))
    found = []
    for entry in data["install"]:
        download = entry["download_info"]
        archive = download.get("archive_info") or {}
        found.append(
            Installed(
                name=canonicalize_name(entry["metadata"]["name"]),
                version=entry["metadata"]["version"],
                url=download["url"],
                sha256=(archive.get("hashes") or {}).get("sha256", ""),
                direct=bool(entry.get("is_direct")),
                yanked=bool(entry.get("is_yanked")),
            )
        )
    return found


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


def _conflict(output: str) -> str:
    """Who requires what, as pip lists it."""
    listed = output.partition("The conflict is caused by:")[2].strip().partition("\n\n")[0]
    return "; ".join(line.strip() for line in listed.splitlines() if line.strip())[:300]


def _backend_words(output: str) -> str:
    """The last line a build backend said, out of the frame pip draws around it."""
    framed = re.findall(r"\[\d+ lines? of output\]\n(.*?)\n\s*\[end of output\]", output, flags=re.DOTALL)
    lines = [line.strip() for line in (framed[-1] if framed else "").splitlines() if line.strip()]
    return lines[-1][:300] if lines else ""


def _last_line(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("ERROR:")]
    return (errors or lines or [""])[-1][:300]
