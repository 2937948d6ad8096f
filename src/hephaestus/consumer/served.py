"""What services serve, held against the digests they should serve: one verdict a file. For people and the stage."""

from __future__ import annotations

import base64
import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from hephaestus.consumer.verdict import State, Verdict
from hephaestus.services.errors import DownloadMismatch
from hephaestus.services.index import IndexClient, IndexFile, UploadPlan
from hephaestus.services.releases import AssetReport, Release
from hephaestus.services.transfer import Progress

__all__ = [
    "FLAG",
    "PUBLISH_PREDICATE",
    "YANKED",
    "asset_verdicts",
    "attestations_in",
    "fetched",
    "index_verdicts",
    "predicate_of",
    "release_verdict",
]

#: The kind of attestation that says who published a file (PEP 740; facts: pypi, section 4).
PUBLISH_PREDICATE = "https://docs.pypi.org/attestations/publish/v1"

YANKED = "it is yanked"
FLAG = "its pre-release flag"


def index_verdicts(place: str, plan: UploadPlan, *, yanked: Collection[str], status: str) -> Iterator[Verdict]:
    """An index against the digests of ``plan``: every file of ours, every foreign one, the project's status."""
    for file in plan.files:
        if file in plan.identical:
            bad = file.filename in yanked
            state, reason = (State.FAIL, YANKED) if bad else (State.PASS, "")
        else:
            state, reason = (State.ABSENT, "") if file in plan.missing else (State.FAIL, file.reason)
        yield Verdict(state=state, place=place, subject=file.filename, reason=reason)
    for foreign in plan.foreign:
        yield Verdict(state=State.FAIL, place=place, subject=foreign.filename, reason="is none of ours")
    if status == "quarantined":
        yield Verdict(state=State.FAIL, place=place, subject="project", reason=f"it is {status}")


def fetched(
    client: IndexClient, file: IndexFile, target: Path, *, place: str, progress: Progress | None = None
) -> Verdict | None:
    """Fetch what an index serves to ``target``; a verdict when its bytes are not those its own page promises."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        client.download(file, target, progress=progress)
    except DownloadMismatch as error:
        return Verdict(state=State.FAIL, place=place, subject=file.filename, reason=error.what)
    return None


def attestations_in(provenance: Mapping[str, Any]) -> list[Any]:
    """The attestations of a provenance object (PEP 740); none where it is empty or misshapen."""
    bundles = provenance.get("attestation_bundles")
    return [
        attestation
        for bundle in (bundles if isinstance(bundles, list) else ())
        if isinstance(bundle, dict) and isinstance(bundle.get("attestations"), list)
        for attestation in bundle["attestations"]
    ]


def predicate_of(attestation: Any) -> str:
    """What kind of attestation it says it is (its predicate's type), unverified; empty where it cannot be told."""
    try:
        statement = json.loads(base64.b64decode(attestation["envelope"]["statement"], validate=True))
        return str(statement["predicateType"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""


def release_verdict(release: Release | None, tag: str, *, prerelease: bool) -> Verdict:
    """Whether there is a published GitHub Release of ``tag``, flagged as its version is."""
    subject = f"release {tag}"
    if release is None:
        return Verdict(state=State.ABSENT, place="github", subject=subject)
    if release.prerelease != prerelease:
        reason = f"{FLAG} is {release.prerelease}"
        return Verdict(state=State.FAIL, place="github", subject=subject, reason=reason)
    if release.draft:
        return Verdict(state=State.ABSENT, place="github", subject=subject, reason="it is a draft")
    return Verdict(state=State.PASS, place="github", subject=subject)


def asset_verdicts(report: AssetReport) -> list[Verdict]:
    """A GitHub Release against the digests it should serve."""
    verdicts = [Verdict(state=State.PASS, place="github", subject=name) for name in report.matching]
    absent = {**dict.fromkeys(report.missing, ""), **dict.fromkeys(report.incomplete, "its upload was never finished")}
    verdicts += [Verdict(state=State.ABSENT, place="github", subject=name, reason=why) for name, why in absent.items()]
    for name, (ours, found) in report.different.items():
        reason = f"sha256 {found}, the manifest says {ours}"
        verdicts.append(Verdict(state=State.FAIL, place="github", subject=name, reason=reason))
    return verdicts
