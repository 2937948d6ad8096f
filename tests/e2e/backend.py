"""A whole build backend in one file, copied into the projects that tests release: no build requirement, no network."""

import base64
import gzip
import hashlib
import io
import os
import tarfile
import time
import tomllib
import zipfile
from pathlib import Path


def _project():
    return tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]


def _metadata(project):
    lines = [
        "Metadata-Version: 2.4",
        f"Name: {project['name']}",
        f"Version: {project['version']}",
        f"Summary: {project['description']}",
        f"Requires-Python: {project['requires-python']}",
        f"License-Expression: {project['license']}",
        "License-File: LICENSE",
        *(f"Requires-Dist: {requirement}" for requirement in project.get("dependencies", ())),
        "Description-Content-Type: text/markdown",
        "",
        Path(project["readme"]).read_text(encoding="utf-8"),
    ]
    return "\n".join(lines).encode()


def _sources(folder):
    return [path for path in sorted(Path(folder).rglob("*")) if path.is_file() and "__pycache__" not in path.parts]


def build_sdist(sdist_directory, config_settings=None):
    project = _project()
    stem = f"{project['name'].replace('-', '_')}-{project['version']}"
    moment = int(os.environ.get("SOURCE_DATE_EPOCH", "315532800"))
    members = {path.as_posix(): path.read_bytes() for path in _sources(".")} | {"PKG-INFO": _metadata(project)}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in sorted(members.items()):
            member = tarfile.TarInfo(f"{stem}/{name}")
            member.size, member.mtime, member.mode = len(content), moment, 0o644
            tar.addfile(member, io.BytesIO(content))
    Path(sdist_directory, f"{stem}.tar.gz").write_bytes(gzip.compress(buffer.getvalue(), mtime=moment))
    return f"{stem}.tar.gz"


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    project = _project()
    package = project["name"].replace("-", "_")
    stem = f"{package}-{project['version']}"
    info = f"{stem}.dist-info"
    members = {path.relative_to("src").as_posix(): path.read_bytes() for path in _sources("src")}
    members[f"{info}/licenses/LICENSE"] = Path("LICENSE").read_bytes()
    members[f"{info}/METADATA"] = _metadata(project)
    members[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nGenerator: e2e 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    scripts = "".join(f"{name} = {target}\n" for name, target in sorted(project.get("scripts", {}).items()))
    members[f"{info}/entry_points.txt"] = f"[console_scripts]\n{scripts}".encode()
    record = [
        f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b'=').decode()},{len(content)}"
        for name, content in sorted(members.items())
    ]
    members[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,", ""]).encode()
    moment = time.gmtime(int(os.environ.get("SOURCE_DATE_EPOCH", "315532800")))[:6]
    filename = f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(Path(wheel_directory, filename), "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            member = zipfile.ZipInfo(name, date_time=moment)
            member.compress_type, member.external_attr = zipfile.ZIP_DEFLATED, 0o100644 << 16
            archive.writestr(member, content)
    return filename
