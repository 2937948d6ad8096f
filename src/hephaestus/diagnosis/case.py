"""What is looked at: the project, where its services are, and who asks."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hephaestus.release.project import Project
from hephaestus.services.github_token import github_token
from hephaestus.worlds.addresses import Addresses

__all__ = ["Case"]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One project before its release. ``repository`` is ``OWNER/NAME``; ``environ`` is the caller's environment.

    ``home`` is where a person's configuration files are; ``clock`` gives seconds since the epoch.
    """

    project: Project
    repository: str
    addresses: Addresses
    environ: Mapping[str, str] = field(repr=False)
    home: Path
    clock: Callable[[], float] = time.time

    @property
    def workflow(self) -> str:
        """The file name of the publishing workflow."""
        return self.project.config.workflow

    @property
    def token(self) -> str | None:
        """The GitHub token of the environment, or None."""
        return github_token(self.environ) or None

    @property
    def site(self) -> str:
        """The repository's page, for people."""
        return f"https://github.com/{self.repository}"

    def environment(self, index: str) -> str:
        """The deployment environment from which ``index`` is uploaded to: it has the index's name."""
        return index
