"""A company's own index: pages in HTML behind a password, files that were released there, and who else was asked."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path

from diagnosis.clinic import git
from inspection.outside import NAME, Outside
from private_index import PrivateIndex
from report.releases import receipt

from hephaestus.release.directory import ReleaseDirectory

__all__ = ["Company"]


class Company:
    """The index ``internal`` of a test; ``server`` is what stands behind it."""

    USER, PASSWORD = "releaser", "correct-horse-battery-9"
    HEADER = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()

    def __init__(self, folder: Path, outside: Outside) -> None:
        self.outside = outside
        self.server = PrivateIndex(folder, user=self.USER, password=self.PASSWORD)
        outside.listeners.handlers["internal"] = self.server.handle
        self.url = outside.listeners.urls["internal"]

    @property
    def settings(self) -> str:
        """What a project configures."""
        return f"""
[tool.hephaestus.release.indexes.internal]
upload-url = "{self.url}/upload/"
simple-url = "{self.url}/simple"
username = "{self.USER}"
token-variable = "COMPANY_TOKEN"
"""

    def configure(self, root: Path) -> None:
        """Name the index in the project of ``root``."""
        with (root / "pyproject.toml").open("a", encoding="utf-8") as stream:
            stream.write(self.settings)

    def seed(self, version: str, *, only: Sequence[str] | None = None) -> None:
        """Put a version's files (or just ``only``) on the index."""
        for name, path in self.outside.make(version).items():
            if only is None or name in only:
                self.server.index.seed(path)

    def yank(self, version: str, reason: str) -> None:
        """Yank a version, as an index does that can."""
        self.server.index.yank(NAME, version, reason)

    def released(
        self,
        root: Path,
        version: str,
        *stages: str,
        world: str = "publish:internal",
        more: bytes = b"",
        commit: str = "",
    ) -> ReleaseDirectory:
        """What a release to this index leaves in ``root``: receipts of ``stages``, the files with ``more`` in them.

        ``commit`` is what git calls the commit they are of.
        """
        of = {"commit": git(root, "rev-parse", commit)} if commit else {}
        directory = ReleaseDirectory(path=root / "release" / version)
        for stage in stages:
            with directory.staging(stage) as staging:
                for name, path in self.outside.make(version).items() if stage == "build" else ():
                    staging.path(f"dist/{name}").write_bytes(path.read_bytes() + more)
                directory.commit(staging, receipt(stage, world=world, version=version, **of))
        return directory

    @property
    def others_asked(self) -> list[str]:
        """Which other services were asked anything."""
        return [name for name, _ in self.outside.listeners.requests if name != "internal"]
