"""A project, its repository and its indexes, all as they should be: what a test then spoils."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from hephaestus.diagnosis.case import Case
from hephaestus.diagnosis.doctor import diagnose
from hephaestus.diagnosis.line import Diagnosis, Line
from hephaestus.diagnosis.machine import clock_question, machine_lines
from hephaestus.diagnosis.publishers import index_lines
from hephaestus.diagnosis.repository import repository_lines
from hephaestus.release.project import read_project
from hephaestus.services.http import HttpClient
from hephaestus.services.patience import Patience
from hephaestus.standins.faults import Fault, Faults
from hephaestus.standins.github import Environment, GitHub, Policy, Ruleset
from hephaestus.standins.http import Handler, Listener, Request, Response
from hephaestus.standins.identity import Issuer, WorkflowIdentity
from hephaestus.standins.index import Index, PublisherConfig
from hephaestus.worlds.addresses import Addresses

__all__ = ["ADMIN", "JOB", "NOW", "READ", "REPOSITORY", "WORKFLOW", "Clinic", "Desk", "new_clone", "sound_policy"]

NOW = 1_800_000_000.0
_IMPATIENT = Patience(attempts=1)
_PARTS: dict[str, str] = {}
REPOSITORY = "Owner/Tiny-Thing"
WORKFLOW = "publish-pypi.yml"
ADMIN, WRITE, READ = "ghp_" + "a" * 36, "ghs_" + "w" * 36, "ghs_" + "r" * 36

PYPROJECT = f"""
[project]
name = "Tiny.Thing"
version = "1.2.3"
[tool.hephaestus.release]
repository = "{REPOSITORY}"
"""

JOB = WorkflowIdentity(
    repository=REPOSITORY, workflow=WORKFLOW, ref="refs/tags/v1.2.3", sha="1" * 40, environment="pypi",
    event_name="push",
)  # fmt: skip


def sound_policy() -> Policy:
    """The settings docs/publishing.md asks for."""
    return Policy(
        rulesets=[
            Ruleset(id=1, name="release", target="tag", rules=["creation"], include=["refs/tags/v*"],
                    bypass=["RepositoryRole"]),
            Ruleset(id=2, name="final", target="tag", rules=["update", "deletion"], include=["refs/tags/v*"]),
            Ruleset(id=3, name="main", target="branch", rules=["pull_request"], include=["~DEFAULT_BRANCH"]),
        ],
        environments={
            "testpypi": Environment(policies=[["tag", "v*"]], can_admins_bypass=False),
            "pypi": Environment(reviewers=["a"], prevent_self_review=True, policies=[["tag", "v*"]],
                                can_admins_bypass=False, secrets=["UNRELATED"], variables=["REGION"]),
        },
        workflows={WORKFLOW: "active"},
        sha_pinning_required=True,
        secrets=["CODECOV"],
        variables=["HEPHAESTUS_TESTPYPI"],
    )  # fmt: skip


def git(root: Path, *words: str) -> str:
    """What git says, in ``root``, with no configuration of this machine."""
    identity = {f"GIT_{role}_{part}": "a@b" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
    settings = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return subprocess.run(
        ["git", *words], cwd=root, env={**kept, **identity, **settings}, check=True, capture_output=True, text=True
    ).stdout.strip()


def new_clone(root: Path) -> None:
    """A small project under git, its workflow committed, its remote on GitHub."""
    (root / ".github" / "workflows").mkdir(parents=True)
    (root / ".github" / "workflows" / WORKFLOW).write_text("on: push\n", "utf-8")
    (root / "pyproject.toml").write_text(PYPROJECT, "utf-8")
    git(root, "init", "-q", "--template=", "-b", "main")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "one")
    git(root, "remote", "add", "origin", f"git@github.com:{REPOSITORY.lower()}.git")


@dataclass
class Desk:
    """One listener for all tests of a process, answering as the running test says."""

    handler: Handler = field(default=lambda _: Response(status=503))

    def __call__(self, request: Request) -> Response:
        return self.handler(request)


@dataclass
class Clinic:
    """The stand-ins behind one listener each, and the diagnosis of the project in ``root``."""

    root: Path
    home: Path
    github: GitHub
    indexes: dict[str, Index]
    issuer: Issuer
    faults: Faults
    listeners: dict[str, Listener]
    desks: dict[str, Desk]
    requests: list[Request]
    environ: dict[str, str]
    now: list[float]

    @classmethod
    def open(cls, folder: Path, template: Path, desks: dict[str, tuple[Desk, Listener]]) -> Clinic:
        """Everything as it should be: an administrator asks, the project is on both indexes."""
        shutil.copytree(template, folder / "project")
        (folder / "home").mkdir()
        faults, now, requests = Faults(), [NOW], []

        def clock() -> float:
            return now[0]

        github = GitHub(
            folder / "github", repository=REPOSITORY, token=WRITE, read_token=READ, admin_token=ADMIN, clock=clock,
            faults=faults,
        )  # fmt: skip
        github.push(["1" * 40])
        github.set_policy(sound_policy())
        github.set_immutable_releases(True)
        issuer = Issuer(folder / "oidc", clock=clock, faults=faults)
        indexes = {
            name: Index(
                name,
                folder / name,
                verify_token=issuer.verify,
                verify_attestation=lambda *_: None,
                publishers=[
                    PublisherConfig(project="tiny-thing", repository=REPOSITORY, workflow=WORKFLOW, environment=name)
                ],
                clock=clock,
                faults=faults,
            )
            for name in ("testpypi", "pypi")
        }
        handlers: dict[str, Handler] = {
            "github": github.handle, "oidc": issuer.handle, **{name: index.handle for name, index in indexes.items()}
        }  # fmt: skip

        def recorded(handler: Handler) -> Handler:
            def handle(request: Request) -> Response:
                requests.append(request)
                return handler(request)

            return handle

        for name, (desk, _) in desks.items():
            desk.handler = recorded(handlers[name])
        made = cls(
            root=folder / "project", home=folder / "home", github=github, indexes=indexes, issuer=issuer,
            faults=faults, listeners={name: listener for name, (_, listener) in desks.items()}, requests=requests,
            desks={name: desk for name, (desk, _) in desks.items()},
            environ={"PATH": os.environ["PATH"], "GH_TOKEN": ADMIN}, now=now,
        )  # fmt: skip
        made.register("testpypi", "pypi")
        return made

    def register(self, *names: str) -> None:
        """Make the project exist on these indexes, as an earlier release would have."""
        for name in names:
            self.publish(name, "tiny-thing")

    def publish(self, index: str, project: str) -> None:
        """Make a project of that name on an index."""
        from hephaestus.standins.index.store import add_project

        with self.indexes[index]._store.change() as state:
            add_project(state, project, owner="owner", now=NOW)

    def forget(self, index: str) -> None:
        """Make the project unknown to an index."""
        with self.indexes[index]._store.change() as state:
            state.projects.clear()

    def policy(self, change: Callable[[Policy], object]) -> None:
        """Change the repository's settings."""
        policy = sound_policy()
        change(policy)
        self.github.set_policy(policy)

    def job(self, **claims: object) -> None:
        """Let this process be a workflow job with these claims."""
        identity = replace(JOB, **claims)  # type: ignore[arg-type]
        self.environ.update(self.issuer.environment(self.listeners["oidc"].url, identity))

    def fault(self, *texts: str) -> None:
        """Arm faults of the stand-ins."""
        self.faults.arm([Fault.parse(text) for text in texts])

    def git(self, *words: str) -> str:
        """Git, in the project."""
        return git(self.root, *words)

    @property
    def case(self) -> Case:
        """The case at hand, with every address on this machine."""
        project = read_project(self.root)
        return Case(
            project=project,
            repository=project.repository,
            addresses=Addresses(
                indexes={name: self.listeners[name].url for name in ("testpypi", "pypi")},
                github_api=self.listeners["github"].url,
                github_uploads=f"{self.listeners['github'].url}/uploads",
            ),
            environ=dict(self.environ),
            home=self.home,
            clock=lambda: self.now[0],
        )

    def diagnose(self, *, mint: bool = False, offline: bool = False) -> Diagnosis:
        """The diagnosis, without patience."""
        return diagnose(self.case, mint=mint, offline=offline, patience=_IMPATIENT)

    def lines(self, *, mint: bool = False, offline: bool = False) -> dict[str, Line]:
        """The diagnosis by code."""
        return {line.code: line for line in self.diagnose(mint=mint, offline=offline).lines}

    def line(self, code: str) -> Line:
        """One line, from the part of the diagnosis it belongs to: git is slow, and most lines need none."""
        case = self.case
        with HttpClient(user_agent="test", patience=_IMPATIENT) as http:
            parts: dict[str, Callable[[], Iterable[Line]]] = {
                "here": lambda: [*machine_lines(case), clock_question(case, http).line()],
                "GitHub": lambda: repository_lines(case, http),
                "indexes": lambda: index_lines(case, http, identity=None),
            }
            for part in [_PARTS[code]] if code in _PARTS else parts:
                found = [line for line in parts[part]() if line.code == code]
                if found:
                    _PARTS[code] = part
                    return found[0]
        raise LookupError(code)

    def asked(self, *, changing: bool) -> Iterator[str]:
        """What was asked of the services: what may change something, or what only reads."""
        for request in self.requests:
            if (request.method not in ("GET", "HEAD")) is changing:
                yield f"{request.method} {request.path}"
