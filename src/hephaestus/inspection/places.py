"""The places that are looked at: the real services, a private index, or the stand-ins of the last rehearsal.

Nothing is started and nothing is pushed: stand-ins are looked at where they still live, and a place that is not there
is a state, which the caller says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from hephaestus.release.indexes import PUBLIC_INDEXES
from hephaestus.release.project import Project
from hephaestus.release.root import ReleaseRoot
from hephaestus.services import USER_AGENT
from hephaestus.services.github import GitHubClient
from hephaestus.services.github_token import github_token
from hephaestus.services.http import HttpClient
from hephaestus.services.index import IndexClient
from hephaestus.services.patience import Patience
from hephaestus.stages.indexes import index_client
from hephaestus.worlds.addresses import read_addresses
from hephaestus.worlds.hosting import living_host
from hephaestus.worlds.opening import configured_policy
from hephaestus.worlds.private import PrivateTarget, private_index, private_policy
from hephaestus.worlds.publish import PUBLISH_POLICY
from hephaestus.worlds.rehearsal import REHEARSAL_POLICY
from hephaestus.worlds.world import GitHub, Index, Policy, Publisher

__all__ = ["Places", "index_title", "policy_of", "private", "published", "publisher_of", "rehearsed"]

#: A person waits for the answer: a service that stumbles is asked three times, not for minutes.
_PATIENCE = Patience(connect_seconds=10.0, silence_seconds=20.0, attempts=3, longest_wait=4.0, budget_seconds=30.0)


@dataclass(frozen=True, kw_only=True)
class Places:
    """Where a release is looked for. ``label`` is that of the world a release there has.

    ``sites`` is each index's address for people, without a trailing slash; ``github_site`` is GitHub's.
    ``trust_config`` None means the production Sigstore. ``target`` is the private index that takes PyPI's part: it is
    the only one then, by its own name, and nobody asks GitHub or knows a page for people.
    """

    label: str
    indexes: Mapping[str, Index]
    sites: Mapping[str, str]
    github: GitHub
    github_site: str
    publisher: Publisher
    policy: Policy
    trust_config: Path | None = None
    target: PrivateTarget | None = None
    patience: Patience = field(default=_PATIENCE, repr=False)

    @property
    def unnamed(self) -> str:
        """Why GitHub cannot be asked at all: nothing names the repository; empty where something does."""
        if self.label != "publish" or not self.publisher.assumed:
            return ""
        return "pyproject.toml names no repository: set `repository` in [tool.hephaestus.release], or a GitHub URL"

    @property
    def main(self) -> str:
        """The index that counts: the one installers ask."""
        return self.target.name if self.target is not None else "pypi"

    @property
    def parts(self) -> Mapping[str, Index]:
        """The indexes by the part they have in the chain: a private one has PyPI's."""
        return {"pypi": self.indexes[self.main]} if self.target is not None else self.indexes

    @property
    def option(self) -> str:
        """What makes a command look here that otherwise looks at the public services, with a space before it."""
        if self.target is not None:
            return f" --index {self.target.name}"
        return " --rehearsal" if self.label == "rehearsal" else ""

    @contextmanager
    def http(self) -> Iterator[HttpClient]:
        """A client that gives up while a person still waits."""
        with HttpClient(user_agent=USER_AGENT, patience=self.patience) as client:
            yield client

    def index(self, name: str, http: HttpClient) -> IndexClient:
        """A client of the index ``name``."""
        return index_client(self.indexes[name], http)

    def releases(self, http: HttpClient) -> GitHubClient:
        """A client of the project's GitHub repository."""
        github = self.github
        return GitHubClient(github.api_url, github.uploads_url, github.repository, github.token or None, http=http)

    def release_page(self, index: str, name: str, version: str) -> str:
        """Where a person yanks: the index's page of one release, as its owners see it."""
        return f"{self.sites[index]}/manage/project/{name}/release/{version}/"


def index_title(name: str) -> str:
    """An index as people call it."""
    return PUBLIC_INDEXES.get(name, name)


def published(project: Project, *, environ: Mapping[str, str]) -> Places:
    """The services a publish would act on. Raises AddressesRefusedError.

    A GitHub token in ``environ`` shows drafts too; none is needed for what is public.
    """
    addresses = read_addresses(environ)
    return Places(
        label="publish",
        indexes={name: Index.at(url, name=name) for name, url in addresses.indexes.items()},
        sites=addresses.indexes,
        github=GitHub(
            api_url=addresses.github_api,
            uploads_url=addresses.github_uploads,
            repository=project.repository,
            token=github_token(environ),
        ),
        github_site="https://github.com",
        publisher=publisher_of(project),
        policy=policy_of(project, label="publish", environ=environ),
        trust_config=addresses.trust_config,
    )


def private(project: Project, target: PrivateTarget, *, environ: Mapping[str, str]) -> Places:
    """One private index and nobody else: no public service hears of the project. Raises IndexTokenError.

    Without a token it is asked all the same: its pages may be open to whoever stands inside the firewall.
    """
    return Places(
        label=target.label,
        indexes={target.name: private_index(target, environ=environ)},
        sites={},
        github=GitHub(api_url="", uploads_url="", repository=project.repository, token=""),
        github_site="",
        publisher=publisher_of(project),
        policy=private_policy(project, target, environ=environ),
        target=target,
    )


def rehearsed(project: Project, root: ReleaseRoot, *, environ: Mapping[str, str]) -> Places | None:
    """The stand-ins of this version's last rehearsal, where their process lives; None where it does not."""
    source = str(root.pointer(project.version).get("source", ""))
    host = living_host(root.standins(source).resolve()) if source else None
    if host is None:
        return None
    urls = {name: host.url(name) for name in PUBLIC_INDEXES}
    return Places(
        label="rehearsal",
        indexes={name: Index.at(url, name=name) for name, url in urls.items()},
        sites=urls,
        github=GitHub(
            api_url=host.url("github"),
            uploads_url=f"{host.url('github')}/uploads",
            repository=project.repository,
            token=host.github_token,
        ),
        github_site=host.url("github"),
        publisher=replace(publisher_of(project), assumed=True),
        policy=policy_of(project, label="rehearsal", environ=environ),
        trust_config=host.trust_config,
    )


def publisher_of(project: Project) -> Publisher:
    """The identity of the project's publish workflow at this version's tag."""
    return Publisher(
        repository=project.repository,
        workflow=project.config.workflow,
        ref=f"refs/tags/{project.tag}",
        assumed=project.repository_assumed,
    )


def policy_of(project: Project, *, label: str, environ: Mapping[str, str]) -> Policy:
    """What is allowed in the world of that label, as a run would have it. Raises TestPyPIVariableError."""
    return configured_policy(PUBLISH_POLICY if label == "publish" else REHEARSAL_POLICY, project, environ)
