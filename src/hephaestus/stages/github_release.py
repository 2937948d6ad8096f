"""github-release: a draft, every asset by digest, all read back - and published last, only when PyPI is complete.

A release published after a failed upload would be a permanent claim of a version nobody can install (facts:
github-actions, section 2). Until then it stays a draft that holds every asset, and says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from packaging.version import Version

from hephaestus.release.directory import Staging
from hephaestus.release.errors import Finding, ReleaseError
from hephaestus.release.manifest import digest_of
from hephaestus.release.tags import meant_by_tag
from hephaestus.release.versions import bump_command
from hephaestus.services.github import GitHubClient
from hephaestus.services.releases import Release
from hephaestus.stages.indexes import http_client
from hephaestus.stages.notes import release_notes
from hephaestus.stages.proofs import outputs_of, unproven
from hephaestus.stages.publication import asset_files, github_client, index_states, promoted, required_indexes
from hephaestus.stages.stage import Context, Evidence, Inputs, Stage
from hephaestus.stages.verification import Proof, bundle_of, refusals, verify

__all__ = ["ForeignAssetsError", "GitHubReleaseStage"]

_NEEDS = ("build", "sign", "check", "wheelhouse", "sign-wheelhouse")


class ForeignAssetsError(ReleaseError):
    """Raised when the draft holds assets that are none of this release's: published, they would pass for it."""

    def __init__(self, *, tag: str, url: str, names: Sequence[str]) -> None:
        super().__init__(
            what=f"github-release: the draft of {tag} holds {len(names)} assets that are none of this release",
            why="somebody else put them there; published they would be part of the release, unsigned, perhaps for ever",
            details=[ascii(name)[1:-1] for name in names],
            next_step=f"find out who put them there; remove them from the draft ({url}), then `nox -s github-release`",
        )


class GitHubReleaseStage(Stage):
    """github-release."""

    name = "github-release"
    lock = "verify"

    def inputs(self, context: Context) -> Inputs:
        """Everything that becomes an asset, the tag and the repository."""
        files: dict[str, str] = {}
        for stage in ("build", "sign", "wheelhouse", "sign-wheelhouse"):
            files |= outputs_of(context, stage)
        return Inputs(
            files=files,
            settings={
                "repository": context.world.github.repository,
                "tag": context.project.tag,
                "notes": release_notes(context),
            },
        )

    def gates(self, context: Context) -> list[Finding]:
        """Every receipt, every byte, every bundle verified under the release's identity."""
        findings = unproven(context, _NEEDS)
        if findings:
            return findings
        if moved := self._moved(context):
            return moved
        here = context.directory.path
        proofs = [
            Proof(file=here / path, proof=here / bundle_of(Path(path).name), kind="bundle")
            for stage in ("build", "wheelhouse")
            for path in outputs_of(context, stage)
            if not path.endswith(".sha256")
        ]
        return refusals(verify(context, proofs), subject=context.world.publisher.subject)

    def _moved(self, context: Context) -> list[Finding]:
        """The tag must be on GitHub, at the commit that was built: it may have been moved or deleted since.

        A release without its tag would make one when it is published, at the head of the default branch.
        """
        build = context.directory.receipt("build")
        tag = context.project.tag
        with http_client() as http:
            client = github_client(context, http)
            target = client.tag_target(tag)
            commit = target.commit if target is not None else None
            if commit is None:
                client.default_branch()  # raises when it is the repository that is not there
        if build is None or commit == build.commit:
            return []
        if commit is None:
            message = f"is not on GitHub any more; the release was built from {build.commit}"
            remedy = f"push it again, at that commit (`git push origin {tag}`)"
            return [Finding(code="tag-gone", subject=tag, message=message, remedy=remedy)]
        message = f"is at {commit} on GitHub, the release was built from {build.commit}"
        anew = bump_command(context.project.version)
        remedy = f"move the tag back; or look at what it is at now (`git show {tag}`) and release that: `{anew}`"
        return [Finding(code="tag-moved", subject=tag, message=message, remedy=remedy)]

    def confirm(self, context: Context) -> str:
        """Done means: GitHub shows every asset with our digest, published exactly when the indexes are complete."""
        receipt = context.directory.receipt(self.name)
        expected = dict(receipt.evidence.get("assets", {})) if receipt is not None else {}
        with http_client() as http:
            client = github_client(context, http)
            release = client.find_release(context.project.tag)
            if release is None:
                return f"GitHub has no release {context.project.tag}"
            if not client.read_back(release, expected).complete:
                return f"release {context.project.tag} does not hold every asset"
        if release.draft and not self._incomplete(context):
            return "the indexes are complete now; the draft can be published"
        return ""

    def act(self, context: Context, staging: Staging) -> Evidence:
        """Draft, assets, digests read back; then publish, or say why it stays a draft."""
        del staging
        assets = asset_files(context)
        expected = {name: digest_of(path).removeprefix("sha256:") for name, path in assets.items()}
        with http_client() as http:
            client = github_client(context, http)
            release = client.find_release(context.project.tag)
            if release is None:
                context.narrator.step(f"making the draft of {context.project.tag}")
                release = client.create_draft(
                    tag=context.project.tag,
                    name=f"{context.project.name} {context.project.version}",
                    notes=release_notes(context),
                    prerelease=context.project.prerelease,
                )
            context.narrator.step(f"{len(assets)} assets, each kept or sent by its digest")
            release = client.upload_assets(
                release,
                list(assets.values()),
                # The draft of an earlier run from the beginning holds that run's signatures and wheelhouse; nobody
                # has seen it. Other distributions than ours are another matter: somebody must look at them.
                replaceable=set(assets) - {Path(path).name for path in outputs_of(context, "build")},
                progress=lambda _name, done, total: context.narrator.progress(done, total, "bytes"),
            )
            report = client.read_back(release, expected)
            if release.draft and report.foreign:
                raise ForeignAssetsError(tag=release.tag, url=context.world.stable(release.url), names=report.foreign)
            lacking = self._incomplete(context)
            if not report.complete:
                lacking = [*lacking, *(f"asset {name} is not there as sent" for name in report.missing)]
            # Asked again at the last moment: a tag that has gone since would be made anew, at another commit.
            lacking = lacking or [f"tag {found.subject} {found.message}" for found in self._moved(context)]
            if not lacking:
                release = client.publish(
                    release, prerelease=context.project.prerelease, latest=_is_latest(context, client)
                )
        return Evidence(data=self._evidence(context, release, expected, lacking))

    def _incomplete(self, context: Context) -> list[str]:
        """Why the release may not be published yet: what the indexes lack, asked afresh."""
        states = index_states(context, required_indexes(context))
        lines = []
        for name, state in states.items():
            if state.plan is None:
                lines.append(f"{name} does not answer: {state.trouble}")
            elif not state.complete:
                lines.append(f"{name} shows {len(state.plan.identical)} of {len(state.plan.files)} files")
        return lines

    def _evidence(
        self, context: Context, release: Release, assets: dict[str, str], lacking: list[str]
    ) -> dict[str, object]:
        if release.draft:
            context.narrator.warn(
                f"stays a draft with all {len(assets)} assets: {'; '.join(lacking)} -> when the indexes are complete, "
                f"`{self.retry}` publishes it"
            )
        return {
            "state": "draft, complete but not published" if release.draft else "published",
            "draft": release.draft,
            "prerelease": release.prerelease,
            "immutable": release.immutable,
            "url": context.world.stable(release.url),
            "waiting_for": lacking,
            "assets": assets,
            "promoted": promoted(context),
        }


def _is_latest(context: Context, client: GitHubClient) -> bool:
    """Whether this release becomes the one that GitHub calls latest: not while a newer version is that.

    It is one of the whole repository: a package of several does not claim it.
    """
    if context.project.config.tag_prefix:
        return False
    now = client.latest_release()
    version = meant_by_tag(now.tag) if now is not None else None
    return version is None or version <= Version(context.project.version)
