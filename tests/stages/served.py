"""A package index in a few lines, and a tiny project's distributions to put on it: for what installs from one."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from stages.conftest import plain_world
from standins.index.distributions import wheel_members

from hephaestus.standins.http import Request, Response
from hephaestus.worlds.world import ChildKind, Policy, World

BACKEND = '''\
import os, zipfile


def build_wheel(directory, config_settings=None, metadata_directory=None):
    """Zip what lies in payload/."""
    name = open("wheel-name").read()
    with zipfile.ZipFile(os.path.join(directory, name), "w") as archive:
        for folder, _folders, files in os.walk("payload"):
            for file in files:
                path = os.path.join(folder, file)
                inner = zipfile.ZipInfo(os.path.relpath(path, "payload"))
                archive.writestr(inner, open(path, "rb").read())
    return name
'''


@dataclass
class ServedIndex:
    """Files by name; ``hidden`` page requests are answered as if the project were not there yet.

    ``blink``: the page request, counted from one, that alone is answered so.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    yanked: dict[str, str] = field(default_factory=dict)
    pretended: dict[str, str] = field(default_factory=dict)
    hidden: int = 0
    blink: int = 0
    pages: int = 0
    known_to_api: bool = True
    seen: list[str] = field(default_factory=list)

    def put(self, name: str, content: bytes) -> None:
        """Have one more file."""
        self.files[name] = content

    def __call__(self, request: Request) -> Response:
        """Answer as an index does."""
        self.seen.append(request.path)
        parts = request.path.strip("/").split("/")
        if parts[0] == "files" and parts[1] in self.files:
            return Response(body=self.files[parts[1]])
        if parts[0] == "simple" and len(parts) == 2:
            return self._page(parts[1])
        if parts[0] == "pypi" and len(parts) == 4 and self.known_to_api:
            urls = [{"filename": n, "digests": {"sha256": _sha256(c)}} for n, c in self._of(parts[1]).items()]
            return Response(body=json.dumps({"urls": urls}).encode(), headers={"Content-Type": "application/json"})
        return Response(status=404)

    def _of(self, project: str) -> dict[str, bytes]:
        return {name: body for name, body in self.files.items() if name.split("-")[0].replace("_", "-") == project}

    def _page(self, project: str) -> Response:
        found = self._of(project)
        self.pages += 1
        if self.hidden > 0 or self.pages == self.blink:
            self.hidden = max(0, self.hidden - 1)
            found = {}
        if not found:
            return Response(status=404)
        files = [
            {
                "filename": name,
                "url": f"/files/{name}",
                "hashes": {"sha256": self.pretended.get(name, _sha256(body))},
                "yanked": self.yanked.get(name, False),
            }
            for name, body in found.items()
        ]
        page = {"meta": {"api-version": "1.1"}, "name": project, "files": files, "versions": ["1.0"]}
        return Response(body=json.dumps(page).encode(), headers={"Content-Type": "application/vnd.pypi.simple.v1+json"})


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Thing:
    """A distribution made in code; ``code`` is its one module's text, ``files`` are more of them."""

    name: str = "tiny-project"
    version: str = "1.2.3"
    code: str = '__version__ = "1.2.3"\n\n\ndef main():\n    print("tiny", __version__)\n'
    requires: Sequence[str] = ()
    extras: Mapping[str, Sequence[str]] = field(default_factory=dict)
    scripts: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    tags: str = "py3-none-any"
    fields: Mapping[str, str] = field(default_factory=dict)

    @property
    def module(self) -> str:
        return self.name.replace("-", "_")

    @property
    def wheel_name(self) -> str:
        return f"{self.module}-{self.version}-{self.tags}.whl"

    @property
    def sdist_name(self) -> str:
        return f"{self.module}-{self.version}.tar.gz"

    def members(self) -> dict[str, bytes]:
        files = {f"{self.module}.py": self.code, **self.files}
        if self.scripts:
            lines = [f"{script} = {target}\n" for script, target in self.scripts.items()]
            files[f"{self.module}-{self.version}.dist-info/entry_points.txt"] = "[console_scripts]\n" + "".join(lines)
        needs = [*self.requires]
        for extra, requirements in self.extras.items():
            needs += [f'{requirement} ; extra == "{extra}"' for requirement in requirements]
        fields = {"Requires-Dist": needs, "Provides-Extra": list(self.extras), **self.fields}
        return wheel_members(self.name, self.version, fields=fields, files=files, tags=self.tags)

    def wheel(self) -> bytes:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            for name, content in self.members().items():
                archive.writestr(zipfile.ZipInfo(name, (2020, 2, 2, 0, 0, 0)), content)
        return buffer.getvalue()

    def sdist(self, *, backend: str = BACKEND) -> bytes:
        top = f"{self.module}-{self.version}"
        members = {
            "pyproject.toml": b'[build-system]\nrequires = []\nbuild-backend = "tiny"\nbackend-path = ["."]\n',
            "tiny.py": backend.encode(),
            "wheel-name": self.wheel_name.encode(),
            "PKG-INFO": f"Metadata-Version: 2.1\nName: {self.name}\nVersion: {self.version}\n".encode(),
            **{f"payload/{name}": content for name, content in self.members().items()},
        }
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            for name, content in members.items():
                info = tarfile.TarInfo(f"{top}/{name}")
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
        return gzip.compress(buffer.getvalue(), mtime=0)


def installing_world(root: Path, *, testpypi: str, user: str, policy: Policy | None = None, **more: str) -> World:
    """A world whose Test PyPI is ``testpypi`` and whose users' default index is ``user`` (base addresses)."""
    world = plain_world(root, policy=policy, simple=f"{testpypi}/simple/")
    index = {
        name: replace(one, simple_url=f"{testpypi}/simple/", json_url=f"{testpypi}/pypi")
        for name, one in world.indexes.items()
    }
    base = {
        name: value for name, value in world.children[ChildKind.PROBE].items() if not name.startswith(("PIP_", "UV_"))
    }
    installer = {
        **base,
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": f"{user}/simple/",
        "PIP_CACHE_DIR": str(root / "pip-cache"),
        **more,
    }
    return replace(
        world,
        indexes=index,
        children={**dict.fromkeys(ChildKind, base), ChildKind.INSTALLER: installer},
        addresses={testpypi: "{testpypi}", user: "{index}"},
    )
