"""The world of one private index: named in the configuration, entered with a token, without identity and GitHub.

Such an index trusts whoever holds its token: no workflow, no attestation, no Test PyPI before it. What is left is what
makes a release one: a clean commit under its tag, the same bytes throughout, a plan by SHA-256, the index's own word.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hephaestus.release.chain import REQUIRES
from hephaestus.release.errors import Finding, GateRefused, ReleaseError
from hephaestus.release.handover import handover_findings, read_words
from hephaestus.release.indexes import IndexConfig
from hephaestus.release.project import Project
from hephaestus.release.root import ReleaseRoot
from hephaestus.release.source import Source
from hephaestus.worlds.addresses import PUBLIC
from hephaestus.worlds.children import builder, credential_names, installer, isolated
from hephaestus.worlds.opening import MANIFEST_VARIABLE, NothingBuiltError, Opened, configured_policy
from hephaestus.worlds.publish import PUBLISH_POLICY, Consent, PublishNotAskedForError
from hephaestus.worlds.world import ChildKind, GitHub, Index, Policy, Publisher, Sigstore, World

__all__ = [
    "INDEX_VARIABLE",
    "IndexTokenError",
    "PrivateTarget",
    "UnknownIndexError",
    "open_private",
    "private_index",
    "private_policy",
    "private_target",
    "private_world",
    "token_problem",
]

#: Names the private index of a publish where no option can be given.
INDEX_VARIABLE = "HEPHAESTUS_INDEX"

#: What public indexes refuse and a private one may well take.
_WAIVED = frozenset({"classifier-private", "dependency-direct-url"})
#: A shorter token could be a word of any output, and is not struck from it (toolchain/redaction.py).
_SHORTEST_TOKEN = 8


class UnknownIndexError(ReleaseError):
    """Raised when a publish is to go to an index that the configuration does not name."""

    def __init__(self, *, given: str, known: Sequence[str]) -> None:
        public = given in PUBLIC.indexes
        super().__init__(
            what=f"--index {given[:80]}: " + ("that is a public index" if public else "no such index is configured"),
            why="a public index is published to by the workflow, without --index"
            if public
            else "a private index is one that pyproject.toml names, with its addresses",
            details=[f"configured: {', '.join(known) or 'none'}"],
            next_step="leave --index (and HEPHAESTUS_INDEX) out"
            if public
            else "name one of them, or add a table `[tool.hephaestus.release.indexes.NAME]` with `upload-url` and "
            "`simple-url`",
        )


class IndexTokenError(ReleaseError):
    """Raised before anything is done when the token of a private index is missing, or no token."""

    def __init__(self, *, index: str, variable: str, problem: str) -> None:
        super().__init__(
            what=f"there is no token for {index}: {variable} {problem}",
            why="it is what the index knows us by; it is read from the environment, and kept in no file",
            next_step=f"set {variable}, then run the same command again",
        )


@dataclass(frozen=True, kw_only=True)
class PrivateTarget:
    """A private index as the target of a publish."""

    name: str
    config: IndexConfig

    @property
    def label(self) -> str:
        """What receipts say of a release there: never what they say of one to the public indexes."""
        return f"publish:{self.name}"

    @property
    def options(self) -> str:
        """What ends every nox command of a run there."""
        return f"-- --publish --index {self.name}"

    @property
    def unasked(self) -> str:
        """What a release there does without, beside whole stages."""
        return f"not asked of a release to {self.name}: whether the commit is on the default branch (GitHub would know)"

    @property
    def left_out(self) -> dict[str, str]:
        """The stages without a part in it, each with the reason."""
        unsigned = f"{self.name} takes no attestations, and there is no workflow identity to sign with"
        return {
            "sign": unsigned,
            "upload-testpypi": f"a release to {self.name} does not go through Test PyPI",
            "smoke": f"it installs from Test PyPI, and a release to {self.name} does not go there",
            "sign-wheelhouse": unsigned,
            "github-release": f"a release to {self.name} is not announced on GitHub",
        }


def private_target(project: Project, name: str) -> PrivateTarget:
    """The configured index of that name; raises UnknownIndexError."""
    config = project.config.indexes.get(name)
    if config is None:
        raise UnknownIndexError(given=name, known=sorted(project.config.indexes))
    return PrivateTarget(name=name, config=config)


def private_world(
    project: Project, target: PrivateTarget, *, consent: Consent | None, state: Path, environ: Mapping[str, str]
) -> World:
    """The world of that index. Raises PublishNotAskedForError, IndexTokenError, TestPyPIVariableError.

    The token is in the uploader's environment and in the header that reads the index's pages, nowhere else. ``state``
    holds the empty homes of children. There is no GitHub: its address stands for nothing, no token goes with it.
    """
    if consent is None:
        raise PublishNotAskedForError
    token = _token(target, environ)
    homes = state / "home"
    config = target.config

    def alone(kind: str) -> dict[str, str]:
        return isolated(environ, home=homes / kind, network=True)

    children = {
        ChildKind.BUILDER: builder(environ),
        ChildKind.INSTALLER: installer(environ),
        ChildKind.SIGNER: alone("signer"),
        ChildKind.UPLOADER: alone("uploader"),
        ChildKind.PROBE: alone("probe"),
    }
    uploader = {
        **_trusting(children[ChildKind.UPLOADER]),
        "TWINE_USERNAME": config.username,
        "TWINE_PASSWORD": token,
    }
    return World(
        label=target.label,
        indexes={"pypi": private_index(target, environ=environ)},
        github=GitHub(
            api_url=PUBLIC.github_api, uploads_url=PUBLIC.github_uploads, repository=project.repository, token=""
        ),
        sigstore=Sigstore(),
        publisher=Publisher(
            repository=project.repository,
            workflow=project.config.workflow,
            ref=f"refs/tags/{project.tag}",
            assumed=True,
        ),
        policy=private_policy(project, target, environ=environ),
        children=children,
        uploaders={"pypi": uploader},
        withheld=tuple(name for name in credential_names(environ) if name != config.token_variable),
    )


def private_index(target: PrivateTarget, *, environ: Mapping[str, str]) -> Index:
    """The index with its token, where there is one: pages may be open to whoever stands inside the firewall.

    Raises IndexTokenError for what can be no token.
    """
    config = target.config
    authorization = ""
    if environ.get(config.token_variable, "").strip():
        token = _token(target, environ)
        authorization = f"Basic {base64.b64encode(f'{config.username}:{token}'.encode()).decode()}"
    return Index(
        name=target.name,
        repository=target.name,
        upload_url=config.upload_url,
        simple_url=f"{config.simple_url.rstrip('/')}/",
        json_url="",
        authorization=authorization,
        token_variable=config.token_variable,
        html=True,
        completion_days=None,
    )


def private_policy(project: Project, target: PrivateTarget, *, environ: Mapping[str, str]) -> Policy:
    """What is allowed in a release there. Raises TestPyPIVariableError."""
    policy = configured_policy(PUBLISH_POLICY, project, environ)
    # A pre-release stops at Test PyPI because PyPI is for ever and for everybody; here is neither.
    return replace(policy, prerelease_to_pypi=True, left_out=target.left_out, waived=_WAIVED)


def token_problem(target: PrivateTarget, environ: Mapping[str, str]) -> str:
    """What keeps the variable from holding a token, without its value; empty where nothing does."""
    token = environ.get(target.config.token_variable, "")
    if not token.strip():
        return "is not set"
    if not (token.isascii() and token.isprintable()) or " " in token:
        return "holds white space, or something that is not printable ASCII"
    if len(token) < _SHORTEST_TOKEN:
        return f"has fewer than {_SHORTEST_TOKEN} characters, too few to be kept out of all output"
    return ""


def open_private(
    project: Project,
    root: ReleaseRoot,
    *,
    target: PrivateTarget,
    stage: str,
    source: Source | None,
    consent: Consent | None,
    environ: Mapping[str, str],
    state: Path,
) -> Opened:
    """The world of a private index for one stage, on a person's machine or in any CI job; the caller holds the lock.

    ``source`` is given by build alone. Where HEPHAESTUS_MANIFEST is set, what arrived is held against it, as in the
    publishing workflow. That the commit is on the default branch is not asked: GitHub may not know this project at
    all. Raises PublishNotAskedForError, IndexTokenError, NothingBuiltError, HandoverError, GateRefused.
    """
    world = private_world(project, target, consent=consent, state=state, environ=environ)
    directory = root.directory(project.version)
    if source is None and directory.receipt("build") is None:
        shown = directory.path.relative_to(project.root).as_posix()
        raise NothingBuiltError(version=project.version, directory=shown, options=target.options)
    findings: list[Finding] = []
    if source is None and (words := environ.get(MANIFEST_VARIABLE, "")):
        needed = [name for name in REQUIRES[stage] if name not in target.left_out]
        findings = handover_findings(directory, read_words(words), needed=needed)
    if findings:
        again = f"mend what is named above, then `nox -s {stage} {target.options}`"
        raise GateRefused(stage=stage, findings=findings, next_step=again)
    return Opened(world=world, directory=directory)


def _token(target: PrivateTarget, environ: Mapping[str, str]) -> str:
    """The token; raises IndexTokenError for none, and for what can be none."""
    variable = target.config.token_variable
    if problem := token_problem(target, environ):
        raise IndexTokenError(index=target.name, variable=variable, problem=problem)
    return environ[variable]


def _trusting(environ: Mapping[str, str]) -> dict[str, str]:
    """``environ`` where twine trusts the authority that everything else trusts: it reads another variable."""
    authority = environ.get("SSL_CERT_FILE", "")
    return {"REQUESTS_CA_BUNDLE": authority, **environ} if authority else dict(environ)
