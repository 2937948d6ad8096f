"""Targets: the Pythons and platforms a wheelhouse is made for, as ``3.12-manylinux_2_28_x86_64``.

A target is a CPython series and one platform tag. What fits it follows from the tags alone (PEP 425, 600, 656), so
it can be said on any machine; which requirements apply there follows from the marker environments (PEP 508).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from packaging.tags import Tag, compatible_tags, cpython_tags, mac_platforms
from packaging.utils import parse_wheel_filename

__all__ = ["Target", "TargetSyntaxError", "preferred_wheel", "read_targets"]

_TARGET = re.compile(r"3\.(?P<minor>[0-9]{1,2})(?:\.(?P<patch>[0-9]{1,2}))?-(?P<platform>[a-z0-9_]+)\Z")
_MANYLINUX = re.compile(r"manylinux_2_(?P<minor>0|[1-9][0-9]?)_(?P<machine>[a-z0-9_]+)\Z")
_MUSLLINUX = re.compile(r"musllinux_1_(?P<minor>0|[1-9][0-9]?)_(?P<machine>[a-z0-9_]+)\Z")
_MACOS = re.compile(r"macosx_(?P<major>[0-9]{2})_(?P<minor>0|[1-9][0-9]?)_(?P<machine>arm64|x86_64)\Z")

#: The machines of Linux that wheels are made for; manylinux of the first two goes back to glibc 2.5 (PEP 600).
_OLD_MACHINES = frozenset({"x86_64", "i686"})
_MACHINES = _OLD_MACHINES | {"aarch64", "armv7l", "ppc64le", "s390x", "riscv64"}

#: The names manylinux had before PEP 600, by minor version of glibc.
_FORMER = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}

#: What `platform.machine()` says there; a 32-bit Python says what the system is.
_WINDOWS = {"win32": ("x86", "AMD64"), "win_amd64": ("AMD64",), "win_arm64": ("ARM64",)}

#: Stands for the last patch release of a series; none has come near it.
_LAST_PATCH = 99
_FIRST_SERIES = 8


class TargetSyntaxError(ValueError):
    """Raised for a text that names no target; its message goes on after the text."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """CPython 3.``minor`` from patch release ``patch`` on, on one platform."""

    minor: int
    patch: int
    platform: str

    @classmethod
    def parse(cls, text: str) -> Target:
        """Read ``X.Y[.Z]-PLATFORM``; raises TargetSyntaxError."""
        if (found := _TARGET.match(text)) is None:
            raise TargetSyntaxError("is not PYTHON-PLATFORM, such as 3.12-manylinux_2_28_x86_64")
        target = cls(minor=int(found["minor"]), patch=int(found["patch"] or 0), platform=found["platform"])
        if target.minor < _FIRST_SERIES:
            raise TargetSyntaxError(f"is for a Python before 3.{_FIRST_SERIES}")
        if problem := _platform_problem(target.platform):
            raise TargetSyntaxError(problem)
        if target.name != text:
            raise TargetSyntaxError(f"is written {target.name}")
        return target

    @property
    def name(self) -> str:
        """How it is written."""
        return f"{self.python}-{self.platform}"

    @property
    def python(self) -> str:
        """The series, with the patch release where it matters: ``3.12`` or ``3.12.4``."""
        return f"3.{self.minor}.{self.patch}" if self.patch else f"3.{self.minor}"

    @property
    def requires_python(self) -> str:
        """The Pythons it stands for, as a version specifier."""
        return f"==3.{self.minor}.*" + (f",>={self.python}" if self.patch else "")

    @property
    def platforms(self) -> tuple[str, ...]:
        """Every platform tag that fits it, the closest first."""
        return tuple(_platforms(self.platform))

    @property
    def tags(self) -> tuple[Tag, ...]:
        """Every tag of wheels that fits it, the preferred first."""
        python, platforms = (3, self.minor), self.platforms
        short = f"cp3{self.minor}"
        return (
            *cpython_tags(python_version=python, abis=[short], platforms=platforms),
            *compatible_tags(python_version=python, interpreter=short, platforms=platforms),
        )

    @property
    def environments(self) -> tuple[Mapping[str, str], ...]:
        """The marker environments it stands for: its first and its last patch release, on every machine of it."""
        return tuple(
            {
                "implementation_name": "cpython",
                "implementation_version": f"3.{self.minor}.{patch}",
                "platform_python_implementation": "CPython",
                "python_version": f"3.{self.minor}",
                "python_full_version": f"3.{self.minor}.{patch}",
                "platform_release": "",
                "platform_version": "",
                **system,
            }
            for system, patch in product(_systems(self.platform), (self.patch, _LAST_PATCH))
        )

    @property
    def markers(self) -> tuple[str, ...]:
        """What is true there and nowhere else, as markers: one for each machine."""
        return tuple(
            f'implementation_name == "cpython" and sys_platform == "{system["sys_platform"]}"'
            f' and platform_machine == "{system["platform_machine"]}"'
            for system in _systems(self.platform)
        )

    def covers(self, *, implementation: str, version: str, platforms: Iterable[str]) -> bool:
        """Whether an interpreter is one it stands for: its name, ``X.Y.Z``, and the platform tags it accepts."""
        major, minor, patch = (int(number) for number in re.findall(r"\d+", version)[:3])
        here = (major, minor) == (3, self.minor) and patch >= self.patch
        return here and implementation == "CPython" and self.platform in set(platforms)


def read_targets(texts: Sequence[str]) -> tuple[tuple[Target, ...], list[str]]:
    """The targets written in ``texts``, and what is wrong with them, each one named."""
    found: dict[str, Target] = {}
    problems: list[str] = []
    for text in texts:
        try:
            target = Target.parse(text)
        except TargetSyntaxError as error:
            problems.append(f"{text!r} {error}")
            continue
        if text in found:
            problems.append(f"{text!r} stands there twice")
        found[text] = target
    return tuple(found.values()), problems


def preferred_wheel(files: Iterable[str], order: Iterable[Tag]) -> str | None:
    """The wheel among ``files`` whose tag comes first in ``order``, or None when none of them is in it."""
    wheels = {file: parse_wheel_filename(file)[3] for file in files if file.endswith(".whl")}
    ranks: dict[Tag, int] = {}
    for rank, tag in enumerate(order):
        ranks.setdefault(tag, rank)
    fitting = {file: min(ranks[tag] for tag in tags & set(ranks)) for file, tags in wheels.items() if tags & set(ranks)}
    return min(fitting, key=lambda file: (fitting[file], file)) if fitting else None


def _platform_problem(platform: str) -> str:
    """Why no wheel can be for ``platform``, ready to follow the target; empty when one can."""
    if platform in _WINDOWS:
        return ""
    if found := _MANYLINUX.match(platform):
        oldest = 5 if found["machine"] in _OLD_MACHINES else 17
        return _linux_problem(found["machine"], int(found["minor"]), oldest=oldest, library="glibc 2")
    if found := _MUSLLINUX.match(platform):
        return _linux_problem(found["machine"], int(found["minor"]), oldest=0, library="musl 1")
    if found := _MACOS.match(platform):
        major, minor = int(found["major"]), int(found["minor"])
        if major < (11 if found["machine"] == "arm64" else 10):
            return f"is for a macOS before any on {found['machine']}"
        return "has a minor version; from macOS 11 on it is always 0" if major > 10 and minor else ""
    if former := re.match(r"(manylinux(?:1|2010|2014))_(?P<machine>[a-z0-9_]+)\Z", platform):
        minor = next(minor for minor, name in _FORMER.items() if name == former[1])
        return f"has a former name: manylinux_2_{minor}_{former['machine']} is the one in use (PEP 600)"
    if platform.startswith("linux"):
        return "says nothing of the C library: it takes manylinux_2_N or musllinux_1_N"
    if platform.endswith("universal2"):
        return "is two machines: name one target for arm64 and one for x86_64"
    known = "manylinux_2_N_MACHINE, musllinux_1_N_MACHINE, macosx_N_0_arm64, macosx_N_0_x86_64"
    return f"has no known platform; known are {known}, {', '.join(_WINDOWS)}"


def _linux_problem(machine: str, minor: int, *, oldest: int, library: str) -> str:
    if machine not in _MACHINES:
        return f"has no known machine; known are {', '.join(sorted(_MACHINES))}"
    return "" if minor >= oldest else f"is older than any wheel: {library}.{oldest} is the oldest for {machine}"


def _platforms(platform: str) -> Iterator[str]:
    if found := _MANYLINUX.match(platform):
        machine = found["machine"]
        for minor in range(int(found["minor"]), 4 if machine in _OLD_MACHINES else 16, -1):
            yield f"manylinux_2_{minor}_{machine}"
            if minor in _FORMER:
                yield f"{_FORMER[minor]}_{machine}"
    elif found := _MUSLLINUX.match(platform):
        yield from (f"musllinux_1_{minor}_{found['machine']}" for minor in range(int(found["minor"]), -1, -1))
    elif found := _MACOS.match(platform):
        yield from mac_platforms((int(found["major"]), int(found["minor"])), found["machine"])
    else:
        yield platform


def _systems(platform: str) -> list[dict[str, str]]:
    if platform in _WINDOWS:
        system, name, os_name, machines = "win32", "Windows", "nt", _WINDOWS[platform]
    elif found := _MACOS.match(platform):
        system, name, os_name, machines = "darwin", "Darwin", "posix", (found["machine"],)
    else:
        found = _MANYLINUX.match(platform) or _MUSLLINUX.match(platform)
        assert found is not None  # there are no other platforms
        system, name, os_name, machines = "linux", "Linux", "posix", (found["machine"],)
    return [
        {"sys_platform": system, "platform_system": name, "os_name": os_name, "platform_machine": machine}
        for machine in machines
    ]
