"""Installing from a package index: ours by address and hash after its attestation held, the rest from the user's own.

Test PyPI is never a resolver's index: anyone may register any name there (facts: pypi, sections 8 and 9).
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urldefrag

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from hephaestus.consumer.cache import WheelhouseCache, storage_failures
from hephaestus.consumer.installation import Installation
from hephaestus.consumer.installers import Attempt, install_served
from hephaestus.consumer.options import Source
from hephaestus.consumer.origins import Served
from hephaestus.consumer.outcome import FetchedFile, Outcome
from hephaestus.consumer.pip_errors import Tampered
from hephaestus.consumer.refusals import DigestsDisagree, InstallFailed, ReleaseMissing
from hephaestus.consumer.served import PUBLISH_PREDICATE, attestations_in, predicate_of
from hephaestus.consumer.target import Target
from hephaestus.consumer.trust import Claim
from hephaestus.consumer.wheels import Interpreter, fitting_wheel, same_version
from hephaestus.release.boundary import boundary
from hephaestus.release.tags import read_tag, tag_of
from hephaestus.services.index import IndexClient
from hephaestus.services.project import IndexFile, IndexProject

__all__ = ["install_from_index"]


@dataclass(frozen=True, kw_only=True)
class _Chosen:
    """One file of one version on an index."""

    project: IndexProject
    version: Version
    tag: str
    file: IndexFile
    sha256: str


def install_from_index(installation: Installation) -> Outcome:
    """Install as the options say. Raises what refuses it (``consumer.refusals`` and the errors of services)."""
    options, name = installation.options, str(canonicalize_name(installation.options.project))
    target = installation.look(Path.cwd())
    client = IndexClient(options.index_url, http=installation.http)
    installation.narrator.step(f"asking {options.index_url} for {name} {options.tag or '(latest stable)'}")
    chosen = _choose(installation, client, name, target.interpreter)
    if not options.download_only:
        installation.settle_names(target, [name])
    installation.settle_age(chosen.file.upload_time, chosen.file.filename)
    if options.dry_run:
        return _outcome(installation, chosen, target, state="planned")
    with _private(installation) as (private, cache):
        kept = None
        if cache is not None:
            kept = cache.kept_archive(
                chosen.file.filename, sha256=chosen.sha256, overwrite=options.overwrite, private=private
            )
        wheel = kept or _fetch(installation, client, chosen, private)
        _attested(installation, client, chosen, wheel, private)
        if cache is not None:
            cache.keep(private, archive=wheel, unpacked=None)
            return _outcome(installation, chosen, target, state="downloaded", path=str(cache.archive(wheel.name)))
        attempt = _install(installation, chosen, target, private)
    return _outcome(installation, chosen, target, state="installed", attempt=attempt)


def _choose(installation: Installation, client: IndexClient, name: str, interpreter: Interpreter) -> _Chosen:
    options, place = installation.options, installation.options.index_url
    project = client.project(name)
    if project is None:
        raise ReleaseMissing(
            wanted=f"project {name}",
            place=place,
            why="nothing of that name is there, or the index shows it to nobody without a login",
            next_step="name the distribution with `--project`, or the index with `--index-url`",
        )
    if project.status == "quarantined":
        raise ReleaseMissing(wanted=f"usable {name}", place=place, hint=f"it is quarantined: {project.reason}")
    if project.status != "active":
        installation.warn(f"{name} is {project.status} on {place}: {project.reason or 'no reason is given'}")
    version = _version(options.tag, project, place)
    files = project.release_files(version)
    if not files:
        known = client.json_api(name, version)
        hint = "it is published, but the page shows it only later: wait some minutes" if known else ""
        raise ReleaseMissing(wanted=f"{name} {version}", place=place, hint=hint)
    by_name = {file.filename: file for file in files}
    fitting = fitting_wheel(by_name, interpreter)
    if fitting is None:
        hint = f"it has {', '.join(sorted(by_name))}"
        wanted = f"wheel of {name} {version} for Python {interpreter.version} on this platform"
        raise ReleaseMissing(wanted=wanted, place=place, hint=hint, next_step="name another Python with `--python`")
    file = by_name[fitting]
    if file.yank is not None:
        installation.warn(f"{file.filename} has been yanked: {file.yank or 'no reason is given'}")
    if file.sha256 is None:
        raise DigestsDisagree(name=file.filename, stated={place: "no SHA-256 at all"})
    whole = read_tag(options.tag) is not None
    tag = options.tag if whole else tag_of(options.tag or str(version), options.tag_prefix)
    return _Chosen(project=project, version=version, tag=tag, file=file, sha256=file.sha256)


def _version(tag: str, project: IndexProject, place: str) -> Version:
    """The version asked for, by its tag or alone, else the newest that is stable and not yanked."""
    if tag:
        read = read_tag(tag)
        try:
            return read[1] if read is not None else Version(tag)
        except InvalidVersion as error:
            raise ReleaseMissing(wanted=f"{project.name} {tag}", place=place, hint="that is no version") from error
    versions = {file.version for file in project.files if file.version is not None and file.yanked is False}
    stable = [version for version in versions if not version.is_prerelease]
    if not stable:
        hint = f"pre-releases: {', '.join(str(version) for version in sorted(versions))}" if versions else ""
        raise ReleaseMissing(wanted=f"stable version of {project.name}", place=place, hint=hint)
    return max(stable)


@contextmanager
def _private(installation: Installation) -> Iterator[tuple[Path, WheelhouseCache | None]]:
    """A folder only we can write to; with the cache that keeps the file, where it is to be kept."""
    if installation.options.download_only:
        cache = WheelhouseCache(installation.options.destination, told=installation.narrator.step)
        with cache.opened() as private:
            yield private, cache
        return
    with tempfile.TemporaryDirectory(prefix="hephaestus-install-") as folder:
        yield Path(folder).resolve(), None


def _fetch(installation: Installation, client: IndexClient, chosen: _Chosen, private: Path) -> Path:
    file, wheel = chosen.file, private / chosen.file.filename
    installation.narrator.step(f"downloading {file.filename}")
    boundary(f"download {file.filename}")
    got = client.download(
        file, wheel, progress=lambda done, total: installation.narrator.progress(done, total, "bytes")
    )
    boundary(f"downloaded {file.filename}")
    return got.path


def _attested(installation: Installation, client: IndexClient, chosen: _Chosen, wheel: Path, private: Path) -> None:
    """At least one attestation of the publication, and every one of them holds: the public verifier asks for none."""
    file, proofs = chosen.file, installation.proofs
    proofs.holds(file.filename, f"{wheel.stat().st_size} bytes, sha256 {chosen.sha256}")
    # Of what cannot be read it cannot be told that it is of another kind: it counts, and fails by name.
    served = attestations_in(client.provenance(file) or {})
    attestations = [one for one in served if predicate_of(one) in ("", PUBLISH_PREDICATE)]
    if not attestations:
        looked = file.provenance or f"a provenance address on {installation.options.index_url}{chosen.project.name}/"
        proofs.lacks(file.filename, lacks="attestation", looked=looked)
        return
    claims = []
    for number, attestation in enumerate(attestations):
        path = private / f"attestation-{number}.json"
        with storage_failures(private):
            path.write_text(json.dumps(attestation), encoding="utf-8")
        claims.append(Claim(file=wheel, kind="attestation", proof=path, name=file.filename, sha256=chosen.sha256))
    proofs.signed(file.filename, claims, tag=chosen.tag)


def _install(installation: Installation, chosen: _Chosen, target: Target, private: Path) -> Attempt:
    """Install by address and hash: first as a trial that changes nothing, then in earnest. Raises InstallFailed."""
    options = installation.options
    empty = private / "empty"
    with storage_failures(private):
        empty.mkdir()
    name, file = chosen.project.name, chosen.file
    url = urldefrag(file.url)[0]
    served = Served(
        urls={file.filename: url},
        digests={file.filename: chosen.sha256},
        simple_url=options.index_url,
        index=options.index_url,
        trial=options.source is Source.TEST_PYPI,
    )
    env = dict(installation.env)
    what = [] if options.no_upgrade else ["--upgrade"]
    if options.extra_index_url:
        env.pop("PIP_EXTRA_INDEX_URL", None)
        what += ["--index-url", options.extra_index_url]
    what += options.pip_args
    installer = installation.installer(target, empty)
    there = same_version(target.distributions.get(name, ""), str(chosen.version))
    attempt = Attempt()
    installation.narrator.step(f"installing {file.filename} and what it needs")
    # First as a trial: where a dependency would come from is known before its code can be imported.
    for trial in (True, False):
        boundary("install")
        try:
            attempt = install_served(
                installer, served, f"{name} @ {served.pinned(file.filename)}", what,
                name=name, file=file.filename, origin=url, digest=chosen.sha256, place=target.place, env=env,
                report=private / "report.json", trial=trial, there=there,
            )  # fmt: skip
        except Tampered as error:
            stated = {"the index's page": chosen.sha256, "what it served": "; ".join(error.details)}
            raise DigestsDisagree(name=file.filename, stated=stated) from error
        boundary("installed")
        if attempt.findings:
            raise InstallFailed(subject=file.filename, python=target.prefix, findings=attempt.findings)
    installation.say_left(target, [] if any(one.name == name for one in attempt.installed) else [name])
    for warning in attempt.warnings:
        installation.warn(warning.line())
    return attempt


def _outcome(
    installation: Installation,
    chosen: _Chosen,
    target: Target,
    *,
    state: str,
    path: str = "",
    attempt: Attempt | None = None,
) -> Outcome:
    options = installation.options
    return Outcome(
        state=state,
        source=options.source,
        place=options.index_url,
        release=f"{chosen.project.name} {chosen.version}",
        files=(FetchedFile(name=chosen.file.filename, size=chosen.file.size, sha256=chosen.sha256, path=path),),
        python=target.interpreter.executable,
        folder=options.destination if path else None,
        installed=attempt.installed if attempt is not None else (),
        verdicts=tuple(installation.proofs.verdicts),
        warnings=tuple(installation.warnings),
    )
