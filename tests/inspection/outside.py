"""Everything a look at a release can ask, in this process: two indexes and GitHub with their rules, and a project.

One listener a service for the whole session; each test has services of its own behind the same addresses.
"""

from __future__ import annotations

import dataclasses
import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from standins.index.bench import Bench
from standins.index.distributions import make_sdist, make_wheel

from hephaestus.inspection.places import Places
from hephaestus.release.manifest import render_sums
from hephaestus.release.project import Project, read_project
from hephaestus.services.github import GitHubClient
from hephaestus.services.http import HttpClient
from hephaestus.services.patience import Patience
from hephaestus.services.releases import Release
from hephaestus.standins.faults import Fault, Faults
from hephaestus.standins.github import GitHub
from hephaestus.standins.http import Handler, Listener, Request, Response
from hephaestus.standins.index import PublisherConfig
from hephaestus.worlds.addresses import Addresses
from hephaestus.worlds.world import GitHub as GitHubPlace
from hephaestus.worlds.world import Index as IndexPlace
from hephaestus.worlds.world import Publisher

NAME = "tiny-thing"
REPOSITORY = "Owner/repo"
TOKEN = "ghs_" + "a" * 36
ADMIN_TOKEN = "ghp_" + "b" * 36
COMMIT = "c" * 40
PYPROJECT = """\
[project]
name = "Tiny.Thing"
version = "{version}"

[tool.hephaestus.release]
repository = "Owner/repo"
"""
#: Nobody waits in a test: a service that stumbles is asked twice, at once.
PATIENCE = Patience(attempts=2, first_wait=0.0, longest_wait=0.0)


@dataclass
class Clock:
    """The stand-ins' time: the machine's, moved by ``ahead`` seconds."""

    ahead: float = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@dataclass
class Listeners:
    """The session's listeners; ``handlers`` is who answers now, ``requests`` what was asked."""

    handlers: dict[str, Handler] = field(default_factory=dict)
    urls: dict[str, str] = field(default_factory=dict)
    requests: list[tuple[str, Request]] = field(default_factory=list)

    @contextmanager
    def running(self, *names: str) -> Iterator[Listeners]:
        """Listen under each name for as long as the block lasts."""

        def answer(name: str) -> Handler:
            def handle(request: Request) -> Response:
                self.requests.append((name, request))
                return self.handlers[name](request)

            return handle

        with ExitStack() as stack:
            for name in names:
                self.urls[name] = stack.enter_context(Listener(answer(name))).url
            yield self


class Outside:
    """Indexes and GitHub of one test, and the files that were released on them."""

    def __init__(self, folder: Path, listeners: Listeners) -> None:
        self.folder = folder
        self.listeners = listeners
        self.clock = Clock()
        self.faults = Faults()
        self.files: dict[str, dict[str, Path]] = {}
        self.benches = {
            name: Bench(
                folder / name, name=name, clock=self.clock, faults=self.faults,  # type: ignore[arg-type]
                publishers=[PublisherConfig(project=NAME, repository="owner/repo", workflow="publish-pypi.yml")],
            )
            for name in ("testpypi", "pypi")
        }  # fmt: skip
        self.github = GitHub(
            folder / "github",
            repository=REPOSITORY,
            token=TOKEN,
            admin_token=ADMIN_TOKEN,
            clock=self.clock,
            faults=self.faults,
        )
        self.github.push([COMMIT])
        listeners.requests.clear()
        for name, bench in self.benches.items():
            listeners.handlers[name] = bench.index.handle
        listeners.handlers["github"] = self.github.handle

    def fault(self, *texts: str) -> None:
        """Arm faults by their text."""
        self.faults.arm([Fault.parse(text) for text in texts])

    def make(self, version: str, *, sdist: bool = True) -> dict[str, Path]:
        """The distributions of a version by file name, made once."""
        if version not in self.files:
            made = [make_wheel(self.folder / "dist", NAME, version)]
            made += [make_sdist(self.folder / "dist", NAME, version)] if sdist else []
            self.files[version] = {path.name: path for path in made}
        return self.files[version]

    def upload(self, version: str, *indexes: str, only: Sequence[str] | None = None, attested: bool = True) -> None:
        """Upload a version's files as the publisher does, to both indexes unless named."""
        for name in indexes or ("testpypi", "pypi"):
            bench = self.benches[name]
            for file, path in self.make(version).items():
                if only is None or file in only:
                    answer = bench.upload(path, bench.mint(), attestations=bench.attested(path) if attested else None)
                    assert answer.status == 200, answer.reason

    def digests(self, version: str) -> dict[str, str]:
        """File name to sha256 (hex)."""
        return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in self.make(version).items()}

    def yank(self, version: str, reason: str, *indexes: str) -> None:
        """Yank a version as a person does on the page."""
        for name in indexes or ("testpypi", "pypi"):
            self.benches[name].index.yank(NAME, version, reason)

    def release(
        self,
        version: str,
        *,
        publish: bool = True,
        sums: Mapping[str, str] | None = None,
        content: str = "",
        prefix: str = "",
    ) -> Release:
        """Tag a version and make its GitHub Release with SHA256SUMS, of ``sums`` or of just that ``content``."""
        tag = f"{prefix}v{version}"
        self.github.push_tag(tag, COMMIT)
        digests = {name: f"sha256:{digest}" for name, digest in (sums or self.digests(version)).items()}
        path = self.folder / f"sums-{version}" / "SHA256SUMS"
        path.parent.mkdir(exist_ok=True)
        path.write_text(content or render_sums(digests), encoding="utf-8")
        with HttpClient(user_agent="tests", patience=PATIENCE) as http:
            url = self.listeners.urls["github"]
            client = GitHubClient(url, f"{url}/uploads", REPOSITORY, TOKEN, http=http)
            draft = client.create_draft(tag=tag, name=version, notes="Notes.", prerelease=False)
            release = client.upload_assets(draft, [path])
            return client.publish(release, prerelease=False) if publish else release

    @property
    def addresses(self) -> Addresses:
        """Where a publish would find these services."""
        urls = self.listeners.urls
        return Addresses(
            indexes={name: urls[name] for name in ("testpypi", "pypi")},
            github_api=urls["github"],
            github_uploads=f"{urls['github']}/uploads",
        )

    def places(self, project: Project, *, token: str = TOKEN) -> Places:
        """These services as a look at a release sees them."""
        from hephaestus.worlds.publish import PUBLISH_POLICY

        addresses = self.addresses
        return Places(
            label="publish",
            indexes={name: IndexPlace.at(url, name=name) for name, url in addresses.indexes.items()},
            sites=addresses.indexes,
            github=GitHubPlace(
                api_url=addresses.github_api, uploads_url=addresses.github_uploads, repository=REPOSITORY, token=token
            ),
            github_site="https://github.com",
            publisher=Publisher(repository=REPOSITORY, workflow="publish-pypi.yml", ref=f"refs/tags/{project.tag}"),
            policy=PUBLISH_POLICY,
            patience=PATIENCE,
        )


def project_at(root: Path, version: str, *, settings: str = "", **changes: str) -> Project:
    """A project folder of that version, with further ``settings``."""
    root.mkdir(exist_ok=True)
    (root / "pyproject.toml").write_text(PYPROJECT.format(version=version) + settings, encoding="utf-8")
    return dataclasses.replace(read_project(root), **changes)
