"""The audit: what indexes serve, held against tags, manifests and attestations, one verdict a version. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from packaging.version import Version

from hephaestus.consumer.verdict import State, Verdict
from hephaestus.inspection.places import index_title
from hephaestus.release.tags import tag_of

__all__ = ["Audited", "Claims", "File", "Manifest", "Tag", "audit"]


@dataclass(frozen=True, kw_only=True)
class Claims:
    """Who published a file, as the index says it (PEP 740): unverified, unless a verdict stands beside it."""

    repository: str
    workflow: str


@dataclass(frozen=True, kw_only=True)
class File:
    """One file an index serves. ``yanked`` is None or the reason; ``attestations`` counts what it serves of them.

    ``unproven``: what verifying its attestations found wrong, when that was asked for.
    """

    filename: str
    sha256: str | None
    yanked: str | None = None
    attestations: int = 0
    publishers: tuple[Claims, ...] = ()
    unproven: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Tag:
    """A tag of a version: the commit it stands for here and on GitHub; None where it is not, or nobody could tell."""

    name: str
    here: str | None = None
    github: str | None = None


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """SHA256SUMS of a version's GitHub Release: None where there is none; ``trouble``: why it could not be read.

    For a private index what the receipts here say, with the ``commit`` they are of.
    """

    files: Mapping[str, str] | None = None
    trouble: str = ""
    commit: str = ""


@dataclass(frozen=True, kw_only=True)
class Audited:
    """Everything that was gathered. ``indexes`` maps an index to its versions and their files.

    ``statuses`` is each project's (PEP 792); ``troubles`` are services that did not answer, by name. ``expected``
    are the indexes a stable version and (second) a pre-release belong on. ``github_told``: whether GitHub could be
    asked for tags. ``tag_prefix`` is what the project's tags begin with. ``private``: it is a
    private index, of which GitHub and Sigstore know nothing.
    """

    repository: str
    workflow: str
    indexes: Mapping[str, Mapping[Version, Sequence[File]]]
    tags: Mapping[Version, Sequence[Tag]]
    manifests: Mapping[Version, Manifest]
    statuses: Mapping[str, str] = field(default_factory=dict)
    troubles: Mapping[str, str] = field(default_factory=dict)
    expected: tuple[Collection[str], Collection[str]] = (("testpypi", "pypi"), ("testpypi",))
    github_told: bool = True
    tag_prefix: str = ""
    private: bool = False


@dataclass(frozen=True, kw_only=True)
class _Reason:
    """Something wrong; ``acceptable`` where a person may know why it is so and live with it."""

    text: str
    acceptable: bool = False


def audit(found: Audited, *, accepted: Collection[Version] = ()) -> tuple[Verdict, ...]:
    """One verdict a version and index, oldest first, after one for each service and project that is not well.

    ``accepted`` versions pass with what history cannot mend (no attestation, no manifest, no tag, a yank); other
    bytes, foreign publishers and moved tags are never accepted.
    """
    verdicts = [
        Verdict(state=State.FAIL, place=name, subject="no answer", reason=trouble)
        for name, trouble in sorted(found.troubles.items())
    ]
    for index, status in found.statuses.items():
        if status != "active":
            verdicts.append(Verdict(state=State.FAIL, place=index, subject="the project", reason=f"it is {status}"))
    built = found.manifests if found.private else ()
    versions = sorted({*found.tags, *built, *(version for shelf in found.indexes.values() for version in shelf)})
    for version in versions:
        for index, shelf in found.indexes.items():
            if found.statuses.get(index) == "quarantined":
                continue  # it shows no file of any version
            if version in shelf:
                verdicts.append(_served(found, index, version, shelf[version], accepted=version in accepted))
            elif found.private:
                verdicts.append(_not_released_there(found, index, version, accepted=version in accepted))
            elif index in found.expected[1 if version.is_prerelease else 0]:
                verdicts.append(_unserved(found, index, version, accepted=version in accepted))
    if found.private:
        verdicts += [_unattested(index) for index in found.indexes]
    return tuple(verdicts)


def _served(found: Audited, index: str, version: Version, files: Sequence[File], *, accepted: bool) -> Verdict:
    reasons = [*_of_tag(found, version), *_of_manifest(found, index, version, files)]
    for file in files:
        reasons += _of_provenance(found, file)
    if yanked := [file for file in files if file.yanked is not None]:
        whole = "yanked" if len(yanked) == len(files) else f"{len(yanked)} of {len(files)} files are yanked"
        said = next((file.yanked for file in yanked if file.yanked), "")
        reasons.append(_Reason(text=f"{whole}{f' ({said})' if said else ''}", acceptable=len(yanked) == len(files)))
    count = f"{len(files)} file{'s' if len(files) != 1 else ''}"
    if not reasons:
        return Verdict(state=State.PASS, place=index, subject=str(version), reason=count)
    told = "; ".join(reason.text for reason in reasons)
    if accepted and all(reason.acceptable for reason in reasons):
        return Verdict(state=State.PASS, place=index, subject=str(version), reason=f"{count}; accepted: {told}")
    return Verdict(state=State.FAIL, place=index, subject=str(version), reason=told)


def _unserved(found: Audited, index: str, version: Version, *, accepted: bool) -> Verdict:
    names = ", ".join(tag.name for tag in found.tags.get(version, ()))
    if names:
        reason = f"{names} is a tag, {index_title(index)} has no file of it"
    else:
        reason = f"another index has it, {index_title(index)} has no file of it"
    if accepted:
        return Verdict(state=State.PASS, place=index, subject=str(version), reason=f"accepted: {reason}")
    return Verdict(state=State.ABSENT, place=index, subject=str(version), reason=reason)


def _not_released_there(found: Audited, index: str, version: Version, *, accepted: bool) -> Verdict:
    """Not every version belongs on a private index; one that was built for it does."""
    manifest = found.manifests.get(version, Manifest())
    if manifest.trouble:
        told = f"{index} has no file of it, and its receipts here could not be read: {manifest.trouble}"
        return Verdict(state=State.FAIL, place=index, subject=str(version), reason=told)
    built = manifest.files is not None
    names = ", ".join(tag.name for tag in found.tags.get(version, ()))
    reason = f"{index} has no file of it" + (", but receipts of a release there are here" if built else f"; {names}")
    if built and accepted:
        return Verdict(state=State.PASS, place=index, subject=str(version), reason=f"accepted: {reason}")
    return Verdict(state=State.ABSENT, place=index, subject=str(version), reason=reason, required=built)


def _unattested(index: str) -> Verdict:
    return Verdict(
        state=State.ABSENT,
        place=index,
        subject="attestations",
        reason="a private index takes none: that its files are ours is said by the receipts here, and by no signature",
        required=False,
    )


def _of_tag(found: Audited, version: Version) -> Iterator[_Reason]:
    tags = found.tags.get(version, ())
    if not tags:
        yield _Reason(text=f"no tag {tag_of(version, found.tag_prefix)}", acceptable=True)
    for tag in tags:
        if tag.here and tag.github and tag.here != tag.github:
            yield _Reason(text=f"{tag.name} is at {tag.here[:12]} here and at {tag.github[:12]} on GitHub")
        elif tag.github is None and found.github_told:
            yield _Reason(text=f"{tag.name} is a tag here and not on GitHub", acceptable=True)
        if (built := found.manifests.get(version, Manifest()).commit) and tag.here and built != tag.here:
            yield _Reason(text=f"{tag.name} is at {tag.here[:12]}, it was built from {built[:12]}")
    if len(tags) > 1:
        yield _Reason(text=f"more than one tag is of it: {', '.join(tag.name for tag in tags)}")


def _of_manifest(found: Audited, index: str, version: Version, files: Sequence[File]) -> Iterator[_Reason]:
    manifest = found.manifests.get(version, Manifest())
    if manifest.trouble:
        yield _Reason(text=f"its manifest could not be read: {manifest.trouble}")
        return
    if manifest.files is None:
        missing = "no receipts of its release are here" if found.private else "no SHA256SUMS on a GitHub Release"
        yield _Reason(text=missing, acceptable=True)
        return
    there = {file.filename for file in files}
    for file in files:
        wanted = manifest.files.get(file.filename)
        if wanted is None:
            yield _Reason(text=f"{file.filename} is not in the manifest")
        elif wanted != file.sha256:
            yield _Reason(text=f"{file.filename} has sha256 {file.sha256}, the manifest {wanted}")
    if lacking := sorted(name for name in manifest.files if name not in there):
        yield _Reason(text=f"{index_title(index)} lacks {', '.join(lacking)}")


def _of_provenance(found: Audited, file: File) -> Iterator[_Reason]:
    if found.private:
        yield from (_Reason(text=f"{file.filename}: {problem}") for problem in file.unproven)
        return
    if not file.attestations:
        yield _Reason(text=f"{file.filename} has no attestation", acceptable=True)
        return
    ours = (found.repository.casefold(), found.workflow)
    for claims in file.publishers:
        if (claims.repository.casefold(), claims.workflow) != ours:
            who = f"{claims.repository or 'an unknown publisher'} {claims.workflow}".rstrip()
            yield _Reason(text=f"{file.filename} was published by {who}, not by {found.repository} {found.workflow}")
    for problem in file.unproven:
        yield _Reason(text=f"{file.filename}: {problem}")
