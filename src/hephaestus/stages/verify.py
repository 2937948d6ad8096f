"""verify: what PyPI, Test PyPI and GitHub serve now, held against the manifest; red while anything is incomplete."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hephaestus.release.directory import Staging
from hephaestus.release.errors import Finding, ReleaseError
from hephaestus.services.errors import DownloadMismatch, ServiceError
from hephaestus.services.index import IndexClient, IndexFile
from hephaestus.stages.indexes import asking, http_client
from hephaestus.stages.proofs import outputs_of
from hephaestus.stages.publication import IndexState, asset_files, github_client, index_states, required_indexes
from hephaestus.stages.stage import Context, Evidence, Inputs, Stage
from hephaestus.stages.verification import Proof, bundle_of, verify

__all__ = ["Line", "NotVerifiedError", "VerifyStage"]

PASS, FAIL, ABSENT = "PASS", "FAIL", "ABSENT"
YANKED = "it is yanked"
_FLAG = "its pre-release flag"

#: Subjects of the lines that stand for a service which did not answer.
_WHOLE = ("index", "attestations", "releases")


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of the table: ``where`` (index, GitHub), ``subject``, PASS / FAIL / ABSENT, and why."""

    where: str
    subject: str
    state: str
    why: str = ""

    def text(self) -> str:
        """The line for people."""
        return f"{self.state:6} {self.where:9} {self.subject}{f': {self.why}' if self.why else ''}"


class NotVerifiedError(ReleaseError):
    """Raised when any line is not PASS: the release is incomplete, or something serves other bytes."""

    def __init__(self, *, lines: list[Line], next_step: str) -> None:
        bad = [line for line in lines if line.state != PASS]
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
        wrong = [line for line in self._served(context) if line.state != PASS]
        return f"{wrong[0].text()}" if wrong else ""

    def act(self, context: Context, staging: Staging) -> Evidence:
        """The table; raises NotVerifiedError unless every line holds."""
        del staging
        lines = [*self._served(context), *self._proven(context)]
        for line in lines:
            context.narrator.step(line.text())
        if any(line.state != PASS for line in lines):
            raise NotVerifiedError(lines=lines, next_step=_way_on(lines))
        return Evidence(data={"state": "complete", "lines": [asdict(line) for line in lines]})

    def _served(self, context: Context) -> list[Line]:
        lines = []
        for name, state in index_states(context, required_indexes(context)).items():
            lines += list(_index_lines(name, state))
        return [*lines, *self._github(context)]

    def _github(self, context: Context) -> Iterable[Line]:
        tag = context.project.tag
        expected = {}
        for name, path in asset_files(context).items():
            expected[name] = _sha256(path)
        try:
            with http_client() as http:
                client = github_client(context, http)
                release = client.find_release(tag)
                if release is None:
                    return [Line(where="github", subject=f"release {tag}", state=ABSENT)]
                report = client.read_back(release, expected)
        except ServiceError as error:
            return [Line(where="github", subject=_WHOLE[2], state=FAIL, why=error.what)]
        state, why = (ABSENT, "it is a draft") if release.draft else (PASS, "")
        if release.prerelease != context.project.prerelease:
            state, why = FAIL, f"{_FLAG} is {release.prerelease}"
        lines = [Line(where="github", subject=f"release {tag}", state=state, why=why)]
        lines += [Line(where="github", subject=name, state=PASS) for name in report.matching]
        lines += [Line(where="github", subject=name, state=ABSENT) for name in (*report.missing, *report.incomplete)]
        lines += [
            Line(where="github", subject=name, state=FAIL, why=f"sha256 {found}, the manifest says {ours}")
            for name, (ours, found) in report.different.items()
        ]
        return lines

    def _proven(self, context: Context) -> list[Line]:
        """Every bundle and every attestation the indexes serve, verified in one go with workflow and tag pinned."""
        bundles, lines = self._bundles(context)
        attestations, more = self._attestations(context)
        claims = [*bundles, *attestations]
        results = verify(context, [proof for _, _, proof in claims]) if claims else []
        for (where, subject, _), result in zip(claims, results, strict=True):
            state = PASS if result["ok"] else FAIL
            lines.append(Line(where=where, subject=subject, state=state, why=str(result["reason"])))
        return [*lines, *more]

    def _bundles(self, context: Context) -> tuple[list[tuple[str, str, Proof]], list[Line]]:
        """The bundles GitHub serves are ours byte for byte (a line of its own says so), so ours are verified."""
        here = context.directory.path
        signed = {**outputs_of(context, "sign", below="bundles/"), **outputs_of(context, "sign-wheelhouse")}
        claims = []
        for path in [*outputs_of(context, "build"), *outputs_of(context, "wheelhouse")]:
            bundle = bundle_of(Path(path).name)
            if bundle in signed:
                proof = Proof(file=here / path, proof=here / bundle, kind="bundle")
                claims.append(("bundles", proof.proof.name, proof))
        absent = [] if claims else [Line(where="bundles", subject="Sigstore bundles", state=ABSENT)]
        return claims, absent

    def _attestations(self, context: Context) -> tuple[list[tuple[str, str, Proof]], list[Line]]:
        """What the indexes serve of our files, fetched: their bytes, and at least one attestation each.

        pypi-attestations passes on none (facts: sigstore, section 4).
        """
        claims: list[tuple[str, str, Proof]] = []
        lines: list[Line] = []
        for index in required_indexes(context):
            try:
                with asking(context, index) as client:
                    for file in client.release_files(context.project.normalized, context.project.version):
                        local = context.directory.dist / file.filename
                        if not local.is_file():
                            continue  # none of ours: a line of its own says so
                        (context.work / index).mkdir(parents=True, exist_ok=True)
                        if f"sha256:{file.sha256}" == context.directory.manifest().get(f"dist/{file.filename}"):
                            lines += _fetched(client, file, index=index, folder=context.work / index)
                        found = _attestations(client.provenance(file) or {})
                        subject = f"attestation of {file.filename}"
                        if not found:
                            lines.append(Line(where=index, subject=subject, state=ABSENT))
                        for number, attestation in enumerate(found):
                            path = context.work / index / f"{file.filename}.{number}.attestation"
                            path.write_text(json.dumps(attestation), encoding="utf-8")
                            claims.append((index, subject, Proof(file=local, proof=path, kind="attestation")))
            except ServiceError as error:
                lines.append(Line(where=index, subject="attestations", state=FAIL, why=error.what))
        return claims, lines


def _way_on(lines: Iterable[Line]) -> str:
    """The next command for the worst trouble there is: what a rerun mends, and what none can."""
    bad = [line for line in lines if line.state != PASS]
    failed = [line for line in bad if line.state == FAIL]
    if any(line.why == YANKED for line in failed):
        return "release a new version; or take the yank back on the index's pages, then `nox -s verify`"
    if any(line.subject == "project" for line in failed):
        return "read the e-mail to the project's owners, then `nox -s verify`"
    if any(line.subject.startswith("attestation of") for line in bad):
        return "attestations of these files can be neither added nor replaced any more: release a new version"
    if any(line.where == "bundles" for line in bad):
        return "`nox -s sign`, then `nox -s release`"
    if any(line.why.startswith(_FLAG) for line in failed):
        return "correct the flag on the release's page, then `nox -s verify`"
    if any(line.subject in _WHOLE for line in failed):
        return "`nox -s verify` again when everybody answers"
    if failed:
        return "find out who put there what is not ours, and promote nothing; then release a new version"
    absent = [line.where for line in bad if line.where != "github"]
    first = f"upload-{absent[0]}" if absent else "github-release"
    return f"`nox -s {first}`, then `nox -s release`: it goes on where it stopped"


def _fetched(client: IndexClient, file: IndexFile, *, index: str, folder: Path) -> list[Line]:
    """Fetch what an index serves; a line when its bytes are not those its own page promises."""
    target = folder / file.filename
    try:
        client.download(file, target)
    except DownloadMismatch as error:
        return [Line(where=index, subject=file.filename, state=FAIL, why=error.what)]
    target.unlink()
    return []


def _index_lines(name: str, state: IndexState) -> Iterable[Line]:
    if state.plan is None:
        yield Line(where=name, subject="index", state=FAIL, why=state.trouble)
        return
    for file in state.plan.files:
        if file in state.plan.identical:
            yanked = file.filename in state.yanked
            yield Line(where=name, subject=file.filename, state=FAIL if yanked else PASS, why=YANKED if yanked else "")
        elif file in state.plan.missing:
            yield Line(where=name, subject=file.filename, state=ABSENT)
        else:
            yield Line(where=name, subject=file.filename, state=FAIL, why=file.reason)
    for foreign in state.plan.foreign:
        yield Line(where=name, subject=foreign.filename, state=FAIL, why="is none of ours")
    if state.status == "quarantined":
        yield Line(where=name, subject="project", state=FAIL, why=f"it is {state.status}")


def _attestations(provenance: Any) -> list[Any]:
    bundles = provenance.get("attestation_bundles")
    return [
        attestation
        for bundle in (bundles if isinstance(bundles, list) else ())
        if isinstance(bundle, dict) and isinstance(bundle.get("attestations"), list)
        for attestation in bundle["attestations"]
    ]


def _sha256(path: Path) -> str:
    from hephaestus.release.manifest import digest_of

    return digest_of(path).removeprefix("sha256:")
