"""The client of 0.2.0, re-enacted from a description of what it does (facts: consumers, sections 2 to 6).

Not its code: nobody's but ours. It keeps to what was read and measured there, its weaknesses included, so that a
release can be tried against what is installed out there.
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
import re
import subprocess
import sys
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["OldClient", "OldClientError"]


class OldClientError(Exception):
    """Whatever made it end with 1."""


@dataclass
class OldClient:
    """``hephaestus release install`` of 0.2.0; ``names`` are a release's assets in the order GitHub's API gives."""

    assets: Path
    names: Sequence[str]
    asset_pattern: str = "*wheelhouse*.tar.gz"
    manifest_pattern: str = "*wheelhouse*.sha256"
    sigstore_pattern: str = "*wheelhouse*.sigstore"
    warnings: list[str] = field(default_factory=list)

    def pick(self, pattern: str) -> str | None:
        """The first name that matches; case counts."""
        return next((name for name in self.names if fnmatch.fnmatchcase(name, pattern)), None)

    def install(self, python: Path, folder: Path, *, env: Mapping[str, str]) -> list[str]:
        """Fetch, check, unpack into ``folder``, and hand every wheel to one pip; the wheels it installed."""
        name = self.pick(self.asset_pattern)
        if name is None:
            raise OldClientError(f"no asset matches; there are {', '.join(self.names)}")
        archive = self.assets / name
        self._check_sum(archive)
        self._check_bundle()
        self._unpack(archive, folder)
        wheels = sorted(folder.glob("*.whl"))
        if not wheels:
            raise OldClientError("no wheel in it")
        argv = [sys.executable, "-m", "pip", "--python", str(python), "install", "--upgrade", *map(str, wheels)]
        done = subprocess.run(argv, env=dict(env), capture_output=True, text=True, check=False)
        if done.returncode:
            raise OldClientError(done.stdout + done.stderr)
        return [wheel.name for wheel in wheels]

    def _check_sum(self, archive: Path) -> None:
        manifest = self.pick(self.manifest_pattern)
        if manifest is None:
            raise OldClientError("no checksum manifest")
        listed: dict[str, str] = {}
        for number, line in enumerate((self.assets / manifest).read_text(encoding="utf-8").splitlines(), 1):
            if not line.strip() or line.startswith("#"):
                continue
            if (found := re.fullmatch(r"([0-9a-fA-F]{64})\s+\*?(.+)", line.strip())) is None:
                raise OldClientError(f"line {number} is no checksum")
            if listed.setdefault(found[2], found[1].lower()) != found[1].lower():
                raise OldClientError(f"{found[2]} is listed twice")
        if not listed:
            raise OldClientError("the manifest is empty")
        if listed.get(archive.name) != hashlib.sha256(archive.read_bytes()).hexdigest():
            raise OldClientError("the checksum does not match")

    def _check_bundle(self) -> None:
        name = self.pick(self.sigstore_pattern)
        if name is None:
            self.warnings.append("no Sigstore bundle; going on with the checksum")
            return
        bundle = json.loads((self.assets / name).read_text(encoding="utf-8"))
        if "v0.3" in bundle["mediaType"]:  # C4, measured: it wants a chain, a modern bundle has one certificate
            raise OldClientError("the bundle has no certificate chain")

    def _unpack(self, archive: Path, folder: Path) -> None:
        with tarfile.open(archive, "r:gz") as packed:
            for member in packed.getmembers():
                if not str((folder / member.name).resolve()).startswith(str(folder.resolve())):
                    raise OldClientError(f"{member.name} leads outside")
            packed.extractall(folder, filter="data")
        if [path for path in folder.rglob("*") if path.name.startswith("._") or path.name in (".DS_Store", "__MACOSX")]:
            raise OldClientError("resource forks remain")
