"""A dossier: the files of a release as they lie in a folder, with the checksums and signatures that speak of them.

A release directory, the assets of a GitHub Release, a wheelhouse folder and a handful of files all come down to it.
"""

from __future__ import annotations

import filecmp
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hephaestus.consumer.trust import Claim
from hephaestus.consumer.verdict import State, Verdict
from hephaestus.release.extraction import ArchiveRefused, Limits, extract_archive
from hephaestus.release.manifest import SUMS, ManifestError, digest_of, parse_sums

__all__ = ["Dossier", "bundle_subject"]

_BUNDLE = re.compile(r"(?P<subject>.+)\.sigstore(?:\.json)?\Z")
_ATTESTATION = re.compile(r"(?P<subject>.+)\.publish\.attestation\Z")
_CHECKSUM = re.compile(r"(?P<subject>.+)\.sha256\Z")
_TARBALL = re.compile(r"sigstore-bundles-.+\.tar\.gz\Z")

#: The folders of a release directory that hold what is released; the rest are notes of the run that made it.
_PARTS = ("dist", "bundles", "attestations", "wheelhouse")
_NOTES = ("receipts", "summary.json", "burned.json", ".staged", ".gitignore")
_LARGEST_MANIFEST = 4 << 20
_BUNDLES = Limits(members=1000, member_size=4 << 20, total_size=64 << 20)


def bundle_subject(name: str) -> str | None:
    """The name of the file that a Sigstore bundle of that name is about; None when it is named like no bundle."""
    match = _BUNDLE.match(name)
    return match["subject"] if match else None


@dataclass(frozen=True, kw_only=True)
class Dossier:
    """Files by their published names.

    ``subjects`` are to be proven; ``manifests`` list digests; ``bundles`` and ``attestations`` are by the name of
    their subject; ``tarballs`` hold copies of the bundles; ``oddities`` are verdicts on what is none of these.
    ``partial``: there may be more files than these, so nothing is said to be lacking.
    """

    subjects: Mapping[str, Path]
    manifests: Mapping[str, Path] = field(default_factory=dict)
    bundles: Mapping[str, Path] = field(default_factory=dict)
    attestations: Mapping[str, Path] = field(default_factory=dict)
    tarballs: Mapping[str, Path] = field(default_factory=dict)
    oddities: tuple[Verdict, ...] = ()
    partial: bool = False

    @classmethod
    def of_folder(cls, folder: Path) -> Dossier:
        """Everything in a folder: a release directory with its parts, or files side by side."""
        directory = (folder / "dist").is_dir()
        places = [folder, *(folder / part for part in _PARTS if directory and (folder / part).is_dir())]
        files: dict[str, Path] = {}
        oddities: list[Verdict] = []
        for path in (path for place in places for path in sorted(place.iterdir())):
            if directory and path.parent == folder and path.name in (*_PARTS, *_NOTES):
                continue
            if path.is_symlink() or not path.is_file():
                oddities.append(_odd(path))
            elif path.name in files:
                oddities.append(Verdict(state=State.FAIL, subject=path.name, reason="stands in the folder twice"))
            else:
                files[path.name] = path
        return cls._sorted(files, oddities)

    @classmethod
    def of_files(cls, files: Sequence[Path], *, bundle: Path | None = None) -> Dossier:
        """These files of one folder, with what speaks of them beside them; ``bundle`` is the first one's."""
        names = {SUMS, *(path.name for path in files), *(f"{path.name}.sha256" for path in files)}
        beside = {path.name: path for path in files[0].parent.iterdir() if path.is_file()}
        found = cls._sorted(beside, ())
        given = {files[0].name: bundle} if bundle is not None else {}
        return cls(
            subjects={path.name: path for path in files},
            manifests={name: path for name, path in found.manifests.items() if name in names},
            bundles={name: path for name, path in found.bundles.items() if name in names} | given,
            attestations={name: path for name, path in found.attestations.items() if name in names},
            partial=True,
        )

    @classmethod
    def _sorted(cls, files: Mapping[str, Path], oddities: Sequence[Verdict]) -> Dossier:
        kinds: dict[str, dict[str, Path]] = {kind: {} for kind in ("subject", "manifest", "bundle", "attest", "tar")}
        for name, path in files.items():
            if match := _BUNDLE.match(name):
                # Both spellings of one bundle: the modern one counts (facts: consumers, C4).
                if name.endswith(".json") or match["subject"] not in kinds["bundle"]:
                    kinds["bundle"][match["subject"]] = path
            elif match := _ATTESTATION.match(name):
                kinds["attest"][match["subject"]] = path
            elif name == SUMS or _CHECKSUM.match(name):
                kinds["manifest"][name] = path
            else:
                kinds["tar" if _TARBALL.match(name) else "subject"][name] = path
        return cls(
            subjects=kinds["subject"],
            manifests=kinds["manifest"],
            bundles=kinds["bundle"],
            attestations=kinds["attest"],
            tarballs=kinds["tar"],
            oddities=tuple(oddities),
        )

    def claims(self) -> list[Claim]:
        """Every signature there is, for every file it is about."""
        signed = {**self.subjects, **self.manifests}
        claims = []
        for name, path in signed.items():
            if name in self.bundles:
                claims.append(Claim(file=path, kind="bundle", proof=self.bundles[name], name=name))
            if name in self.attestations:
                claims.append(Claim(file=path, kind="attestation", proof=self.attestations[name], name=name))
        return claims

    def checked(self) -> tuple[list[Verdict], dict[str, set[str]]]:
        """The verdicts of the checksum manifests, and which names each of them lists rightly."""
        verdicts: list[Verdict] = []
        right: dict[str, set[str]] = {}
        digests: dict[str, str] = {}
        for manifest, path in sorted(self.manifests.items()):
            try:
                listed = parse_sums(_text(path), source=manifest)
            except ManifestError as error:
                verdicts.append(Verdict(state=State.FAIL, place="manifest", subject=manifest, reason=error.problem))
                continue
            for name, expected in listed.items():
                if name not in self.subjects and self.partial:
                    continue
                if name not in self.subjects:
                    reason = f"{manifest} lists it, but it is not there"
                    verdicts.append(Verdict(state=State.ABSENT, place="manifest", subject=name, reason=reason))
                    continue
                found = digests.setdefault(name, digest_of(self.subjects[name]))
                if found == expected:
                    right.setdefault(manifest, set()).add(name)
                    verdicts.append(
                        Verdict(
                            state=State.PASS,
                            place="manifest",
                            subject=name,
                            reason=f"its SHA-256 is that of {manifest}",
                        )
                    )
                else:
                    reason = f"its SHA-256 is {_hex(found)}, {manifest} says {_hex(expected)}"
                    verdicts.append(Verdict(state=State.FAIL, place="manifest", subject=name, reason=reason))
        return verdicts, right

    def unproven(self, proven: Iterable[str], right: Mapping[str, set[str]]) -> Iterator[Verdict]:
        """What lacks, given the names that a signature vouches for, and what each manifest lists rightly.

        A file without a bundle may be proven by its attestation, or by a signed manifest that lists it.
        """
        signed = set(proven)
        for name in self.subjects:
            if name in self.bundles:
                continue
            listing = [manifest for manifest, names in right.items() if name in names and manifest in signed]
            others = ["its attestation holds"] if name in signed else []
            others += [f"{manifest}, which lists it, is signed" for manifest in listing]
            reason = "; ".join(["there is none", *others])
            required = not others
            yield Verdict(state=State.ABSENT, subject=f"bundle of {name}", reason=reason, required=required)
        if SUMS in self.manifests and SUMS not in self.bundles:
            reason = "there is none, so anybody may have written that list"
            yield Verdict(state=State.ABSENT, subject=f"bundle of {SUMS}", reason=reason, required=not self.partial)
        if not self.manifests:
            reason = "there is none, so nobody can say whether files are lacking"
            yield Verdict(state=State.ABSENT, subject="checksum manifest", reason=reason, required=not self.partial)
        for name in sorted({*self.bundles, *self.attestations} - {*self.subjects, *self.manifests}):
            yield Verdict(state=State.ABSENT, subject=name, reason="signed, but not there")

    def copies(self) -> Iterator[Verdict]:
        """Whether each tarball of bundles holds the very bundles that lie beside it."""
        loose = {path.name: path for path in self.bundles.values()}
        for name, path in self.tarballs.items():
            with tempfile.TemporaryDirectory(prefix="hephaestus-bundles-") as work:
                try:
                    members = extract_archive(path, Path(work) / "bundles", limits=_BUNDLES)
                except ArchiveRefused as error:
                    yield Verdict(state=State.FAIL, subject=name, reason=error.problem)
                    continue
                other = [
                    member.name
                    for member in members
                    if member.name not in loose
                    or not filecmp.cmp(Path(work) / "bundles" / member.name, loose[member.name], shallow=False)
                ]
            missing = sorted(set(loose) - {member.name for member in members})
            trouble = [*(f"its {one} is another" for one in other), *(f"it lacks {one}" for one in missing)]
            if trouble:
                yield Verdict(state=State.FAIL, subject=name, reason="; ".join(trouble))
            else:
                yield Verdict(state=State.PASS, subject=name, reason=f"holds the same {len(members)} bundles")


def _odd(path: Path) -> Verdict:
    if path.is_dir() and not path.is_symlink():
        return Verdict(
            state=State.ABSENT, subject=f"{path.name}{os.sep}", reason="a folder, not looked into", required=False
        )
    return Verdict(state=State.FAIL, subject=path.name, reason="is a link or a special file, not a regular file")


def _text(path: Path) -> str:
    with path.open("rb") as stream:
        content = stream.read(_LARGEST_MANIFEST + 1)
    if len(content) > _LARGEST_MANIFEST:
        raise ManifestError(source=path.name, line=0, problem=f"is larger than {_LARGEST_MANIFEST} bytes")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ManifestError(source=path.name, line=0, problem="is not UTF-8 text") from error


def _hex(digest: str) -> str:
    return digest.removeprefix("sha256:")
