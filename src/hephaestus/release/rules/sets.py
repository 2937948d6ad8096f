"""What the distributions of one release must keep to together."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from hephaestus.release.metadata import CoreMetadata, distribution_kind
from hephaestus.release.rules.judgement import Judgement

__all__ = ["set_judgements"]

_SINGLE_VALUED = ("requires-python", "license-expression", "summary")
_MULTI_VALUED = ("requires-dist", "provides-extra", "classifier")


def set_judgements(paths: Sequence[Path], metadata: Mapping[Path, CoreMetadata | None]) -> Iterable[Judgement]:
    """Judge the set: one sdist, unique contents, unique wheel tags, one story in all metadata."""
    sdists = [path for path in paths if distribution_kind(path.name) == "sdist"]
    if len(sdists) > 1:
        names = ", ".join(path.name for path in sdists)
        yield Judgement.refused(
            "sdist-several",
            sdists[1].name,
            f"a release has one sdist, here are {len(sdists)}: {names}",
            remedy="remove the stale one and build again",
            answer="Only one sdist may be uploaded per release.",
        )
    yield from _contents(paths)
    yield from _tags(paths)
    yield from _agreement(paths, metadata)


def _contents(paths: Sequence[Path]) -> Iterable[Judgement]:
    first: dict[str, str] = {}
    for path in paths:
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=32)).hexdigest()
        other = first.setdefault(digest, path.name)
        if other != path.name:
            yield Judgement.refused(
                "content-twice",
                path.name,
                f"it has the same bytes as {other}; an index takes a content once, whatever its name",
                remedy="remove the copy",
                answer=f"File already exists ({path.name!r}, with blake2_256 hash {digest!r}).",
            )


def _tags(paths: Sequence[Path]) -> Iterable[Judgement]:
    """Two wheels that answer to one tag: installers pick either."""
    first: dict[tuple[str, str], str] = {}
    for path in paths:
        if distribution_kind(path.name) != "wheel":
            continue
        try:
            _, _, build, tags = parse_wheel_filename(path.name)
        except (InvalidWheelFilename, InvalidVersion):
            continue
        clashes = sorted({first[key] for tag in tags if (key := (str(tag), str(build))) in first})
        for other in clashes:
            yield Judgement.ours(
                "wheel-tag-twice",
                path.name,
                f"it and {other} answer to the same tag: installers would pick either",
                remedy="remove the stale one and build again",
            )
        for tag in tags:
            first.setdefault((str(tag), str(build)), path.name)


def _agreement(paths: Sequence[Path], metadata: Mapping[Path, CoreMetadata | None]) -> Iterable[Judgement]:
    known = [(path, found) for path in paths if (found := metadata.get(path)) is not None]
    if not known:
        return
    # The wheel is made from the sdist, so the sdist's word counts where there is one.
    known.sort(key=lambda item: distribution_kind(item[0].name) != "sdist")
    first_path, first = known[0]
    for path, other in known[1:]:
        if canonicalize_name(first.name) != canonicalize_name(other.name):
            yield _differ("name", path, other.name, first_path, first.name)
        if _version(first.version) != _version(other.version):
            yield _differ("version", path, other.version, first_path, first.version)
        dynamic = {value.strip().lower() for value in first.all("dynamic")}
        for field in _SINGLE_VALUED:
            if field not in dynamic and first.first(field) != other.first(field):
                yield _differ(field, path, other.first(field), first_path, first.first(field))
        for field in _MULTI_VALUED:
            ours, theirs = _values(other, field), _values(first, field)
            if field not in dynamic and ours != theirs:
                yield _differ(
                    field, path, ", ".join(sorted(ours - theirs)), first_path, ", ".join(sorted(theirs - ours))
                )


def _values(metadata: CoreMetadata, field: str) -> frozenset[str]:
    return frozenset("".join(value.split()) for value in metadata.all(field))


def _version(text: str) -> Version | str:
    try:
        return Version(text)
    except InvalidVersion:
        return text


def _differ(field: str, path: Path, value: str, other: Path, other_value: str) -> Judgement:
    return Judgement.ours(
        f"metadata-differs-{field}",
        path.name,
        f"its {field} says {value or 'nothing'!r}, that of {other.name} says {other_value or 'nothing'!r}",
        remedy="build both from one clean commit, the wheel from the sdist",
    )
