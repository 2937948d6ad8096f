"""What every installation works with, whatever its source: options, network, proofs, the Python, its installer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from hephaestus.consumer.installers import INSTALL_SECONDS, Installer, Pip, Uv
from hephaestus.consumer.narration import Narrator
from hephaestus.consumer.options import InstallOptions
from hephaestus.consumer.proofs import Proofs
from hephaestus.consumer.refusals import TargetUnfit
from hephaestus.consumer.target import Target
from hephaestus.services.http import HttpClient
from hephaestus.toolchain.process import Completed, run_child

__all__ = ["COOL_DOWN", "Installation"]

#: A release younger than this is warned about: most tampered releases were found and taken down within days.
COOL_DOWN = timedelta(days=3)


@dataclass(frozen=True, kw_only=True)
class Installation:
    """One installation in progress. ``env`` is the environment of pip and uv; ``now`` says what the time is."""

    options: InstallOptions
    http: HttpClient
    proofs: Proofs
    narrator: Narrator
    env: Mapping[str, str]
    now: datetime
    warnings: list[str] = field(default_factory=list)

    def warn(self, text: str) -> None:
        """Say it, and keep it for the outcome."""
        self.warnings.append(text)
        self.narrator.warn(text)

    def look(self, folder: Path) -> Target:
        """The Python to install into; raises TargetUnfit."""
        target = Target.look(self.options.python, env=self.env, folder=folder)
        if target.managed and "--break-system-packages" not in self.options.pip_args:
            raise TargetUnfit(
                python=self.options.python,
                problem="it belongs to the operating system (PEP 668)",
                next_step="make an environment (`python3 -m venv DIR`) and name it with `--python DIR/bin/python`",
            )
        if target.uv and self.options.pip_args:
            raise TargetUnfit(
                python=self.options.python,
                problem="it has no pip for the arguments of --pip-arg (uv takes other ones)",
                next_step=f"`{self.options.python} -m ensurepip`, or leave --pip-arg out",
            )
        return target

    def settle_names(self, target: Target, names: Sequence[str]) -> None:
        """Refuse, or warn where told to go on, before two distributions share files. Raises FormerNameInstalled."""
        for name in names:
            refusal = target.shares_files(name)
            if refusal is None:
                continue
            if not self.options.allow_shared_files:
                raise refusal
            self.warn(f"{refusal.what}: uninstalling either deletes the other's files; take it out with "
                      f"`{refusal.command}`")  # fmt: skip

    def say_left(self, target: Target, names: Sequence[str]) -> None:
        """Warn about what is installed in the very version already: the installer leaves it as it is, unproven."""
        if not names:
            return
        way = f"`{target.uninstall(' '.join(names))}` first" if target.uv else "`--pip-arg=--force-reinstall`"
        self.warn(
            f"{', '.join(names)}: installed in that version already and left as it is; to replace it with what was "
            f"proven: {way}"
        )

    def settle_age(self, released: datetime | None, subject: str) -> None:
        """Warn about a release that nobody has had time to look at."""
        if released is None:
            return
        age = self.now - released
        if age < COOL_DOWN:
            hours = max(0, int(age.total_seconds() // 3600))
            told = f"{hours} hour{'' if hours == 1 else 's'}" if hours < 48 else f"{hours // 24} days"
            self.warn(f"{subject} was published {told} ago: few can have looked at it yet")

    def pip(self, target: Target, folder: Path) -> Pip:
        """The pip of that Python, run in ``folder``."""
        return Pip(
            words=(target.interpreter.executable, "-m", "pip"), run=lambda argv, env: self.run(argv, env, folder)
        )

    def installer(self, target: Target, folder: Path) -> Installer:
        """What installs into that Python: its pip, else uv."""
        if target.uv:
            python = target.interpreter.executable
            return Uv(program=target.uv, python=python, run=lambda argv, env: self.run(argv, env, folder))
        return self.pip(target, folder)

    def run(self, argv: Sequence[str], env: Mapping[str, str], folder: Path) -> Completed:
        """Run a tool in ``folder`` and say so."""
        import shlex

        self.narrator.command(shlex.join(argv))
        return run_child(argv, env=env, cwd=folder, timeout=INSTALL_SECONDS)
