"""Whom an archive of wheels is wanted for: a Python of this machine, or one that is somewhere else."""

from __future__ import annotations

import platform
import sys
from collections.abc import Iterable
from dataclasses import dataclass

from packaging.tags import platform_tags
from packaging.utils import parse_wheel_filename

from hephaestus.consumer.wheels import Interpreter, fitting_wheel
from hephaestus.release.targets import Target, preferred_wheel

__all__ = ["Wanted"]


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A Python and its platform: an ``interpreter`` here, or a ``target`` as releases name them.

    ``given`` says that somebody asked for just this one.
    """

    interpreter: Interpreter | None = None
    target: Target | None = None
    given: bool = True

    @classmethod
    def here(cls) -> Wanted:
        """The Python that runs this program, where nobody named one."""
        this = Interpreter(
            wanted="", executable=sys.executable, version=platform.python_version(),
            name=platform.python_implementation(),
        )  # fmt: skip
        return cls(interpreter=this, given=False)

    @property
    def text(self) -> str:
        """How it is called."""
        if self.target is not None:
            return self.target.name
        version = self.interpreter.version if self.interpreter is not None else ""
        return f"Python {version} on this platform"

    def distance(self, target: Target) -> tuple[int, int] | None:
        """How far an archive made for ``target`` is from it, the least first; None where it is not meant for it."""
        platforms = list(self.target.platforms if self.target is not None else platform_tags())
        name, version = "CPython", ""
        if self.target is not None:
            version = f"3.{self.target.minor}.{self.target.patch}"
        elif self.interpreter is not None:
            name, version = self.interpreter.name, self.interpreter.version
        if not target.covers(implementation=name, version=version, platforms=platforms):
            return None
        return platforms.index(target.platform), -target.patch

    def lacks(self, files: Iterable[str]) -> dict[str, list[str]]:
        """The distributions among these wheels of which none fits it, each with the wheels there are."""
        found: dict[str, list[str]] = {}
        for file in files:
            found.setdefault(str(parse_wheel_filename(file)[0]), []).append(file)
        return {name: wheels for name, wheels in found.items() if self._fitting(wheels) is None}

    def _fitting(self, wheels: Iterable[str]) -> str | None:
        if self.target is not None:
            return preferred_wheel(wheels, self.target.tags)
        return fitting_wheel(wheels, self.interpreter) if self.interpreter is not None else None
