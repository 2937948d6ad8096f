"""Credentials for an index that lie on this machine: names and places only, no value is read out or kept."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

__all__ = ["StoredUnreadable", "stored_credentials"]

_VARIABLES = re.compile(
    r"TWINE_(?:USERNAME|PASSWORD)|UV_PUBLISH_(?:TOKEN|USERNAME|PASSWORD)|FLIT_PASSWORD|HATCH_INDEX_AUTH"
    r"|POETRY_(?:PYPI_TOKEN|HTTP_BASIC)_\w+|\w*PYPI\w*(?:TOKEN|PASSWORD|SECRET|KEY)\w*",
    re.IGNORECASE,
)
#: What a CI service says of a job; no credential of an index.
_IDENTITY = re.compile(r"\w*_ID_TOKEN", re.IGNORECASE)


class StoredUnreadable(Exception):
    """Raised when a file that may hold credentials cannot be read; ``path`` names it."""

    def __init__(self, *, path: Path) -> None:
        super().__init__(path)
        self.path = path


def stored_credentials(environ: Mapping[str, str], home: Path) -> Iterator[str]:
    """Where credentials for an index lie: variables, twine's, poetry's, uv's and netrc's files.

    Raises StoredUnreadable. System keyrings are not asked: asking one may open a window.
    """
    for name, value in sorted(environ.items()):
        if value and _VARIABLES.fullmatch(name) and not _IDENTITY.fullmatch(name):
            yield f"variable {name}"
    for path, pattern in dict(_files(environ, home)).items():
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise StoredUnreadable(path=path) from error
        if re.search(pattern, text):
            yield f"{path}"


def _files(environ: Mapping[str, str], home: Path) -> Iterator[tuple[Path, str]]:
    """Each file that a publishing tool keeps credentials in, where each system has it, and what tells of an index."""
    yield home / ".pypirc", r"(?im)^\s*password\s*[:=]\s*\S"
    for name in (".netrc", "_netrc"):
        yield Path(environ.get("NETRC") or home / name), r"(?i)\bmachine\s+(?:[\w.-]+\.)?pypi\.org\b"
    roaming = Path(environ["APPDATA"]) if environ.get("APPDATA") else home / "AppData" / "Roaming"
    configuration = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    for folder in (configuration, home / "Library" / "Application Support", roaming):
        yield folder / "pypoetry" / "auth.toml", r"(?im)^\s*\[?[\w.-]*pypi"
    data = Path(environ.get("XDG_DATA_HOME") or home / ".local" / "share") / "uv"
    for folder in (data, roaming / "uv" / "data"):
        yield folder / "credentials" / "credentials.toml", r"(?i)pypi\.org"
