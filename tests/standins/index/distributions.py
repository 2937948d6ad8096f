"""Small wheels and sdists for tests, whole or broken in exactly one way."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

Fields = Mapping[str, str | Sequence[str]]

#: What pip asks of an sdist before it believes its name; needs nothing that would have to be installed.
_BACKEND = """\
import pathlib


def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    folder = pathlib.Path(metadata_directory, {folder!r})
    folder.mkdir()
    (folder / "METADATA").write_text({metadata!r}, encoding="utf-8")
    return folder.name
"""


def core_metadata(name: str, version: str, fields: Fields | None = None, *, description: str = "Long.\n") -> str:
    """METADATA of a good distribution; ``fields`` replaces or adds, an empty value removes."""
    merged: dict[str, str | Sequence[str]] = {
        "Metadata-Version": "2.4",
        "Name": name,
        "Version": version,
        "Summary": "A small thing",
        "License-Expression": "MIT",
        "Requires-Python": ">=3.8",
        "Description-Content-Type": "text/markdown",
        **(fields or {}),
    }
    lines = [
        f"{field}: {value}"
        for field, values in merged.items()
        for value in ([values] if isinstance(values, str) else values)
        if value
    ]
    return "\n".join(lines) + f"\n\n{description}"


def digest_line(name: str, content: bytes) -> str:
    """One line of RECORD."""
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{len(content)}"


def wheel_members(
    name: str = "tiny-thing",
    version: str = "1.0",
    *,
    fields: Fields | None = None,
    files: Mapping[str, str] | None = None,
    tags: str = "py3-none-any",
    wheel_tags: Sequence[str] | None = None,
) -> dict[str, bytes]:
    """The members of a wheel by name, RECORD last and true."""
    stem = f"{name.replace('-', '_').lower()}-{version}"
    members = {f"{name.replace('-', '_').lower()}.py": f"VERSION = {version!r}\n".encode()}
    members |= {path: text.encode() for path, text in (files or {}).items()}
    members[f"{stem}.dist-info/METADATA"] = core_metadata(name, version, fields).encode()
    tag_lines = "".join(f"Tag: {tag}\n" for tag in (wheel_tags or [tags]))
    members[f"{stem}.dist-info/WHEEL"] = (
        f"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\n{tag_lines}".encode()
    )
    record = f"{stem}.dist-info/RECORD"
    members[record] = "\n".join(
        [*(digest_line(path, content) for path, content in members.items()), f"{record},,", ""]
    ).encode()
    return members


def write_wheel(path: Path, members: Mapping[str, bytes]) -> Path:
    """Write members as a ZIP file with fixed times."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name, (2020, 2, 2, 0, 0, 0))
            info.external_attr = 0o644 << 16
            archive.writestr(info, content, compress_type=zipfile.ZIP_DEFLATED)
    return path


def make_wheel(
    folder: Path,
    name: str = "tiny-thing",
    version: str = "1.0",
    *,
    fields: Fields | None = None,
    files: Mapping[str, str] | None = None,
    tags: str = "py3-none-any",
    wheel_tags: Sequence[str] | None = None,
    filename: str | None = None,
) -> Path:
    """A good wheel, but for what the arguments spoil."""
    members = wheel_members(name, version, fields=fields, files=files, tags=tags, wheel_tags=wheel_tags)
    return write_wheel(folder / (filename or f"{name.replace('-', '_').lower()}-{version}-{tags}.whl"), members)


def make_sdist(
    folder: Path,
    name: str = "tiny-thing",
    version: str = "1.0",
    *,
    fields: Fields | None = None,
    files: Mapping[str, str] | None = None,
    top: str | None = None,
    filename: str | None = None,
    links: Mapping[str, str] | None = None,
    pkg_info: bool = True,
) -> Path:
    """A good sdist, but for what the arguments spoil; a back end of its own tells its metadata."""
    stem = f"{name.replace('-', '_').lower()}-{version}"
    top = stem if top is None else top
    module = name.replace("-", "_").lower()
    members = {
        f"{top}/pyproject.toml": f'[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        f'[project]\nname = "{name}"\nversion = "{version}"\n',
        f"{top}/backend.py": _BACKEND.format(folder=f"{stem}.dist-info", metadata=core_metadata(name, version)),
        f"{top}/{module}.py": f"VERSION = {version!r}\n",
    }
    if pkg_info:
        members[f"{top}/PKG-INFO"] = core_metadata(name, version, fields)
    members |= {f"{top}/{path}": text for path, text in (files or {}).items()}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, text in members.items():
            info = tarfile.TarInfo(path)
            info.size = len(text.encode())
            info.mtime = 1580601600
            archive.addfile(info, io.BytesIO(text.encode()))
        for path, target in (links or {}).items():
            info = tarfile.TarInfo(f"{top}/{path}")
            info.type = tarfile.SYMTYPE
            info.linkname = target
            archive.addfile(info)
    path = folder / (filename or f"{stem}.tar.gz")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(buffer.getvalue(), mtime=0))
    return path
