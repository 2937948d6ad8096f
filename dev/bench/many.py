"""A project with many wheels: one per platform, made from a wheel that was really built."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from itertools import islice, product
from pathlib import Path

__all__ = ["retagged"]


def _tags(count: int) -> list[str]:
    pythons = [f"cp3{minor}-cp3{minor}" for minor in range(11, 15)]
    platforms = [f"manylinux_2_{glibc}_{machine}" for glibc in range(17, 35) for machine in ("x86_64", "aarch64")]
    return [f"{python}-{platform}" for python, platform in islice(product(pythons, platforms), count)]


def retagged(wheel: Path, folder: Path, *, count: int) -> None:
    """Write ``wheel`` into ``folder`` under ``count`` platform tags, each with a WHEEL and a RECORD of its own.

    Raises ValueError for more tags than there are.
    """
    tags = _tags(count)
    if len(tags) < count:
        raise ValueError(f"{count} tags asked for, {len(tags)} known")
    folder.mkdir(parents=True)
    name, version = wheel.name.split("-")[:2]
    with zipfile.ZipFile(wheel) as archive:
        content = {info.filename: archive.read(info) for info in archive.infolist()}
    record = f"{name}-{version}.dist-info/RECORD"
    for tag in tags:
        members = {file: data for file, data in content.items() if file != record}
        described = f"{name}-{version}.dist-info/WHEEL"
        members[described] = f"Wheel-Version: 1.0\nGenerator: bench\nRoot-Is-Purelib: false\nTag: {tag}\n".encode()
        lines = [f"{file},sha256={_digest(data)},{len(data)}" for file, data in members.items()]
        members[record] = "\n".join([*lines, f"{record},,", ""]).encode()
        with zipfile.ZipFile(folder / f"{name}-{version}-{tag}.whl", "w", zipfile.ZIP_DEFLATED) as archive:
            for file, data in members.items():
                archive.writestr(zipfile.ZipInfo(file, date_time=(2026, 1, 1, 0, 0, 0)), data)


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
