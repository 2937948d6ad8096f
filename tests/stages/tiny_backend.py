"""A build backend of a few lines, put into the projects that tests build; ``[tool.tiny] fault`` makes it misbehave."""

import base64
import gzip
import hashlib
import io
import os
import random
import sys
import tarfile
import time
import tomllib
import zipfile
from pathlib import Path


def _read():
    data = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))
    project, tool = data["project"], data.get("tool", {}).get("tiny", {})
    name = project["name"].replace("-", "_")
    return name, tool.get("claims", project["version"]), tool


def _metadata(name, version, tool):
    lines = ["Metadata-Version: 2.4", f"Name: {tool.get('called', name.replace('_', '-'))}", f"Version: {version}"]
    lines += [f"License-File: {path}" for path in tool.get("licenses", ())]
    return ("\n".join(lines) + "\n").encode()


def _files(tool):
    for path in sorted(Path().rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts and str(path) not in tool.get("forget", ()):
            yield path.as_posix(), path


def build_sdist(sdist_directory, config_settings=None):
    name, version, tool = _read()
    fault = tool.get("fault", "")
    if fault == "raise":
        raise RuntimeError("the tiny backend gives up, as it was told")
    if fault == "public only" and not Path("README.md").stat().st_mode & 0o004:
        raise PermissionError("the tiny backend wants files that everybody can read")
    stem = f"{name}-{version}"
    filename = f"{stem}.tar.gz"
    if fault == "no sdist":
        return filename
    if fault == "stray":
        Path(sdist_directory, "notes.txt").write_text("stray")
    moment = int(os.environ["SOURCE_DATE_EPOCH"])
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:

        def add(path, content, mode=0o644):
            member = tarfile.TarInfo(f"{stem}/{path}")
            member.size, member.mtime, member.mode = len(content), moment, mode
            if fault == "careless sdist":
                member.mtime, member.uname = int(time.time()) + os.getpid(), "somebody"
            tar.addfile(member, io.BytesIO(content))

        add("PKG-INFO", _metadata(name, version, tool))
        for path, source in _files(tool):
            add(path, source.read_bytes(), source.stat().st_mode if fault == "careless sdist" else 0o644)
    Path(sdist_directory, filename).write_bytes(gzip.compress(buffer.getvalue(), mtime=moment))
    return filename


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    name, version, tool = _read()
    fault = tool.get("fault", "")
    for path in tool.get("needs", ()):
        Path(path).read_bytes()
    filename = f"{name}-{version}-py3-none-any.whl"
    if fault == "no wheel":
        return filename
    info = f"{name}-{version}.dist-info"
    members = {path.removeprefix("src/"): source.read_bytes() for path, source in _files({}) if path.startswith("src/")}
    if fault == "random":
        members[f"{name}/dice.py"] = f"ROLL = {random.SystemRandom().random()}\n".encode()
    if fault == "zone":
        members[f"{name}/zone.py"] = f"ZONE = {time.strftime('%z')!r}\n".encode()
    if fault == "umask":
        fresh = Path("fresh.txt")
        fresh.write_text("fresh")
        members[f"{name}/mode.py"] = f"MODE = {fresh.stat().st_mode & 0o777:#o}\n".encode()
    if fault == "path":
        members[f"{name}/path.py"] = f"PATH = {str(Path.cwd())!r}\n".encode()
    if fault == "tree":
        members[f"{name}/origin.py"] = f"SDIST = {Path('PKG-INFO').exists()}\n".encode()
    members[f"{info}/METADATA"] = _metadata(name, version, tool)
    members[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: tiny 0.1\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    for path in tool.get("licenses", ()):
        if Path(path).is_file():
            members[f"{info}/licenses/{path}"] = Path(path).read_bytes()
    record = "".join(
        f"{path},sha256={base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b'=').decode()},"
        f"{len(content)}\n"
        for path, content in sorted(members.items())
    )
    members[f"{info}/RECORD"] = (record + f"{info}/RECORD,,\n").encode()
    names = [filename, filename.replace("-py3", "-py2.py3")] if fault == "two wheels" else [filename]
    for written in names:
        with zipfile.ZipFile(Path(wheel_directory, written), "w", zipfile.ZIP_DEFLATED) as archive:
            moment = time.gmtime(int(os.environ["SOURCE_DATE_EPOCH"]))
            for path, content in members.items():
                member = zipfile.ZipInfo(path, date_time=moment[:6])
                member.compress_type, member.external_attr = zipfile.ZIP_DEFLATED, 0o100644 << 16
                archive.writestr(member, content)
    if fault == "write":
        sys.stderr.write("the tiny backend has something to say\n")
    return filename
