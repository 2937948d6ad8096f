"""The publication: which assets a GitHub Release carries, and which indexes must serve the release in full."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hephaestus.release.archive import write_archive
from hephaestus.services.errors import ServiceError
from hephaestus.services.github import GitHubClient
from hephaestus.services.http import HttpClient
from hephaestus.services.index import UploadPlan, plan_upload
from hephaestus.stages.indexes import asking
from hephaestus.stages.proofs import distributions, outputs_of
from hephaestus.stages.stage import Context
from hephaestus.worlds.world import TestPyPIPolicy

__all__ = ["IndexState", "asset_files", "github_client", "index_states", "promoted", "required_indexes"]


@dataclass(frozen=True, kw_only=True)
class IndexState:
    """How the release stands on one index now; ``plan`` is None where it did not answer (``trouble`` says how)."""

    index: str
    plan: UploadPlan | None
    yanked: tuple[str, ...] = ()
    status: str = "active"
    trouble: str = ""

    @property
    def complete(self) -> bool:
        """Whether every file is there with our digest, and nothing else."""
        return self.plan is not None and self.plan.complete


def promoted(context: Context) -> bool:
    """Whether this version goes to PyPI at all: a pre-release stops at Test PyPI by default."""
    return not context.project.prerelease or context.world.policy.prerelease_to_pypi


def required_indexes(context: Context) -> tuple[str, ...]:
    """The indexes without which the release is not complete."""
    wanted = []
    if context.world.policy.testpypi is TestPyPIPolicy.REQUIRED and "testpypi" in context.world.indexes:
        wanted.append("testpypi")
    if promoted(context):
        wanted.append("pypi")
    return tuple(wanted)


def index_states(context: Context, names: tuple[str, ...]) -> dict[str, IndexState]:
    """Ask each index afresh; one that does not answer is a state, not an error."""
    local = {Path(path).name: digest.removeprefix("sha256:") for path, digest in distributions(context).items()}
    states = {}
    for name in names:
        try:
            with asking(context, name) as client:
                remote = client.project(context.project.normalized)
        except ServiceError as error:
            states[name] = IndexState(index=name, plan=None, trouble=error.what)
            continue
        files = () if remote is None else remote.release_files(context.project.version)
        states[name] = IndexState(
            index=name,
            plan=plan_upload(local, remote, context.project.version, days=context.world.indexes[name].completion_days),
            yanked=tuple(file.filename for file in files if file.yanked is not False),
            status="active" if remote is None else remote.status,
        )
    return states


def asset_files(context: Context) -> dict[str, Path]:
    """Every asset by name: distributions, checksums, bundles, wheelhouse, SBOM, and the tarball of all bundles.

    ``sigstore-bundles-<tag>.tar.gz`` (requirement E2) is packed into the work folder: the same bundles give the
    same bytes.
    """
    here = context.directory.path
    stages = ("build", "sign", "wheelhouse", "sign-wheelhouse")
    made: dict[str, str] = {}
    for stage in stages:
        made |= outputs_of(context, stage)
    assets = {Path(path).name: here / path for path in made if not path.startswith("attestations/")}
    bundles: Mapping[str, Path | bytes] = {
        name: path for name, path in assets.items() if name.endswith(".sigstore.json")
    }
    tarball = context.work / f"sigstore-bundles-{context.project.tag}.tar.gz"
    build = context.directory.receipt("build")
    epoch = int(build.evidence.get("source_date_epoch", 315_532_800)) if build is not None else 315_532_800
    with tarball.open("wb") as stream:
        write_archive(stream, bundles, epoch=epoch)
    return {**assets, tarball.name: tarball}


def github_client(context: Context, http: HttpClient) -> GitHubClient:
    """A client of the world's GitHub."""
    github = context.world.github
    return GitHubClient(github.api_url, github.uploads_url, github.repository, github.token or None, http=http)
