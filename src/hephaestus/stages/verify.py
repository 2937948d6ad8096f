"""verify: what PyPI, Test PyPI and GitHub serve now, held against the manifest; red while anything is incomplete."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path

from hephaestus.consumer.served import (
    FLAG,
    YANKED,
    asset_verdicts,
    attestations_in,
    fetched,
    index_verdicts,
    release_verdict,
)
from hephaestus.consumer.verdict import State, Verdict
from hephaestus.release.directory import Staging
from hephaestus.release.errors import Finding, ReleaseError
from hephaestus.release.manifest import digest_of
from hephaestus.release.versions import bump_command
from hephaestus.services.errors import ServiceError
from hephaestus.stages.indexes import asking, http_client
from hephaestus.stages.proofs import outputs_of
from hephaestus.stages.publication import IndexState, asset_files, github_client, index_states, required_indexes
from hephaestus.stages.stage import Context, Evidence, Inputs, Stage
from hephaestus.stages.verification import Proof, bundle_of, verify

__all__ = ["NotVerifiedError", "VerifyStage"]

#: Subjects of the lines that stand for a service which did not answer.
_WHOLE = ("index", "attestations", "files", "releases")


class NotVerifiedError(ReleaseError):
    """Raised when any line is not PASS: the release is incomplete, or something serves other bytes."""

    def __init__(self, *, lines: list[Verdict], next_step: str) -> None:
        bad = [line for line in lines if line.state is not State.PASS]
        super().__init__(
            what=f"verify: {len(bad)} of {len(lines)} lines do not hold",
            why="a release is done when every service serves exactly the manifest's bytes",
            details=[line.text() for line in bad],
            next_step=next_step,
        )


class VerifyStage(Stage):
    """verify."""

    name = "verify"
    lock = "verify"

    def inputs(self, context: Context) -> Inputs:
        """The whole manifest and the identity it must have been made under."""
        return Inputs(
            files=context.directory.manifest(),
            settings={"subject": context.world.publisher.subject, "indexes": list(required_indexes(context))},
        )

    def gates(self, context: Context) -> list[Finding]:
        """Something must have been built; everything else is a line of the table."""
        if outputs_of(context, "build"):
            return []
        return [Finding(code="no-receipt", subject="build", message="nothing was built", remedy="nox -s build")]

    def confirm(self, context: Context) -> str:
        """Ask everybody again; the signatures were verified when these very bytes were."""
        wrong = [line for line in self._served(context) if line.state is not State.PASS]
        return f"{wrong[0].text()}" if wrong else ""

    def act(self, context: Context, staging: Staging) -> Evidence:
        """The table; raises NotVerifiedError unless every line holds."""
        del staging
        lines = [*self._served(context), *self._proven(context)]
        for line in lines:
            context.narrator.step(line.text())
        if any(line.state is not State.PASS for line in lines):
            roles = {index.name: role for role, index in context.world.indexes.items()}
            raise NotVerifiedError(lines=lines, next_step=_way_on(lines, roles, version=context.project.version))
        return Evidence(data={"state": "complete", "lines": [asdict(line) for line in lines]})

    def _served(self, context: Context) -> list[Verdict]:
        lines: list[Verdict] = []
        for name, state in index_states(context, required_indexes(context)).items():
            lines += _index_lines(context.world.indexes[name].name, state)
        announced = "github-release" not in context.world.policy.left_out
        return [*lines, *(self._github(context) if announced else ())]

    def _github(self, context: Context) -> Iterable[Verdict]:
        tag = context.project.tag
        expected = {name: digest_of(path).removeprefix("sha256:") for name, path in asset_files(context).items()}
        try:
            with http_client() as http:
                client = github_client(context, http)
                release = client.find_release(tag)
                found = release_verdict(release, tag, prerelease=context.project.prerelease)
                report = client.read_back(release, expected) if release is not None else None
        except ServiceError as error:
            return [Verdict(place="github", subject="releases", state=State.FAIL, reason=error.what)]
        if report is None:
            return [found]
        foreign = [
            Verdict(place="github", subject=name, state=State.FAIL, reason="is none of ours") for name in report.foreign
        ]
        return [found, *asset_verdicts(report), *foreign]

    def _proven(self, context: Context) -> list[Verdict]:
        """Every bundle and every attestation the indexes serve, verified in one go with workflow and tag pinned."""
        bundles, lines = self._bundles(context)
        attestations, more = self._attestations(context)
        claims = [*bundles, *attestations]
        results = verify(context, [proof for _, _, proof in claims]) if claims else []
        for (where, subject, _), result in zip(claims, results, strict=True):
            state = State.PASS if result["ok"] else State.FAIL
            lines.append(Verdict(place=where, subject=subject, state=state, reason=str(result["reason"])))
        return [*lines, *more]

    def _bundles(self, context: Context) -> tuple[list[tuple[str, str, Proof]], list[Verdict]]:
        """The bundles GitHub serves are ours byte for byte (a line of its own says so), so ours are verified."""
        here = context.directory.path
        signed = {**outputs_of(context, "sign", below="bundles/"), **outputs_of(context, "sign-wheelhouse")}
        claims = []
        for path in [*outputs_of(context, "build"), *outputs_of(context, "wheelhouse")]:
            bundle = bundle_of(Path(path).name)
            if bundle in signed:
                proof = Proof(file=here / path, proof=here / bundle, kind="bundle")
                claims.append(("bundles", proof.proof.name, proof))
        absent = (
            []
            if claims or not context.world.policy.signed
            else [Verdict(place="bundles", subject="Sigstore bundles", state=State.ABSENT)]
        )
        return claims, absent

    def _attestations(self, context: Context) -> tuple[list[tuple[str, str, Proof]], list[Verdict]]:
        """What the indexes serve of our files, fetched: their bytes, and at least one attestation each if any are due.

        pypi-attestations passes on none (facts: sigstore, section 4).
        """
        claims: list[tuple[str, str, Proof]] = []
        lines: list[Verdict] = []
        signed = context.world.policy.signed
        for role in required_indexes(context):
            index = context.world.indexes[role].name
            try:
                with asking(context, role) as client:
                    for file in client.release_files(context.project.normalized, context.project.version):
                        local = context.directory.dist / file.filename
                        if not local.is_file():
                            continue  # none of ours: a line of its own says so
                        (context.work / index).mkdir(parents=True, exist_ok=True)
                        if f"sha256:{file.sha256}" == context.directory.manifest().get(f"dist/{file.filename}"):
                            target = context.work / index / file.filename
                            wrong = fetched(client, file, target, place=index)
                            lines += [wrong] if wrong is not None else []
                            target.unlink(missing_ok=True)
                        found = attestations_in(client.provenance(file) or {}) if signed else []
                        subject = f"attestation of {file.filename}"
                        if signed and not found:
                            lines.append(Verdict(place=index, subject=subject, state=State.ABSENT))
                        for number, attestation in enumerate(found):
                            path = context.work / index / f"{file.filename}.{number}.attestation"
                            path.write_text(json.dumps(attestation), encoding="utf-8")
                            claims.append((index, subject, Proof(file=local, proof=path, kind="attestation")))
            except ServiceError as error:
                subject = "attestations" if signed else "files"
                lines.append(Verdict(place=index, subject=subject, state=State.FAIL, reason=error.what))
        return claims, lines


def _way_on(lines: Iterable[Verdict], roles: Mapping[str, str], *, version: str) -> str:
    """The next command for the worst trouble there is: what a rerun mends, and what none can.

    ``roles`` tells for the name of an index which one it is in the chain.
    """
    anew = f"release a new version: `{bump_command(version)}`"
    bad = [line for line in lines if line.state is not State.PASS]
    failed = [line for line in bad if line.state is State.FAIL]
    if any(line.reason == YANKED for line in failed):
        return f"{anew}; or take the yank back on the index's pages, then `nox -s verify`"
    if any(line.subject == "project" for line in failed):
        return "read the e-mail to the project's owners, then `nox -s verify`"
    if any(line.subject.startswith("attestation of") for line in bad):
        return f"attestations of these files can be neither added nor replaced any more; {anew}"
    if any(line.place == "bundles" for line in bad):
        return "`nox -s sign`, then `nox -s release`"
    if any(line.reason.startswith(FLAG) for line in failed):
        return "correct the flag on the release's page, then `nox -s verify`"
    if any(line.subject in _WHOLE for line in failed):
        return "`nox -s verify` again when everybody answers"
    if failed:
        return f"find out who put there what is not ours, and promote nothing; then {anew}"
    absent = [line.place for line in bad if line.place != "github"]
    first = f"upload-{roles.get(absent[0], absent[0])}" if absent else "github-release"
    return f"`nox -s {first}`, then `nox -s release`: it goes on where it stopped"


def _index_lines(name: str, state: IndexState) -> Iterator[Verdict]:
    if state.plan is None:
        yield Verdict(place=name, subject="index", state=State.FAIL, reason=state.trouble)
        return
    yield from index_verdicts(name, state.plan, yanked=state.yanked, status=state.status)
