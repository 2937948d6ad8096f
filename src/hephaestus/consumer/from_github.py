"""Installing from a GitHub Release: the wheelhouse is proven, unpacked, installed with no network, and kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hephaestus.consumer.assets import Chosen, choose, find_release
from hephaestus.consumer.cache import WheelhouseCache, storage_failures
from hephaestus.consumer.installation import Installation
from hephaestus.consumer.installers import without_network
from hephaestus.consumer.origins import Installed
from hephaestus.consumer.outcome import FetchedFile, Outcome
from hephaestus.consumer.pip_errors import install_finding
from hephaestus.consumer.refusals import InstallFailed, TargetMissing
from hephaestus.consumer.target import Target
from hephaestus.consumer.wanted import Wanted
from hephaestus.consumer.wheelhouse import Wheelhouse, WheelhouseFetch
from hephaestus.consumer.wheels import pinned_requirements
from hephaestus.release.boundary import boundary
from hephaestus.release.targets import Target as ReleaseTarget
from hephaestus.services.github import GitHubClient

__all__ = ["install_from_github"]

_ONLY_VERIFIED = ("--no-index", "--require-hashes", "--only-binary", ":all:")


def install_from_github(installation: Installation) -> Outcome:
    """Install as the options say. Raises what refuses it (``consumer.refusals`` and the errors of services)."""
    options = installation.options
    client = GitHubClient(
        options.github_url, options.github_url, options.repository, options.token, http=installation.http
    )
    if options.wide_token:
        installation.warn("the token does not look like one of GitHub's; it is used all the same")
    target = None if options.download_only else installation.look(Path.cwd())
    installation.narrator.step(f"asking {options.repository} for {options.tag or 'its latest stable release'}")
    wanted = _wanted(installation, target)
    chosen = choose(find_release(client, options), options, wanted=wanted)
    if target is None and chosen.targets:
        told = f"{chosen.archive.name} is taken, for {wanted.text}"
        installation.narrator.step(f"{told}; `--target` takes another: {', '.join(chosen.targets)}")
    installation.settle_age(chosen.release.published, f"{options.repository} {chosen.release.tag}")
    if options.dry_run:
        return _planned(installation, chosen)
    cache = WheelhouseCache(options.destination, told=installation.narrator.step)
    with cache.opened() as private:
        try:
            return _install(installation, client, chosen, cache, private, target, wanted)
        finally:
            if options.cleanup and cache.remove_unpacked(chosen.archive.name):
                installation.narrator.step(f"removed {cache.unpacked(chosen.archive.name)}")


def _install(
    installation: Installation,
    client: GitHubClient,
    chosen: Chosen,
    cache: WheelhouseCache,
    private: Path,
    target: Target | None,
    wanted: Wanted,
) -> Outcome:
    options = installation.options
    fetch = WheelhouseFetch(
        options=options,
        client=client,
        cache=cache,
        proofs=installation.proofs,
        narrator=installation.narrator,
        private=private,
    )
    wheelhouse = fetch.run(chosen)
    installed: tuple[Installed, ...] = ()
    try:
        if target is not None:
            installation.settle_names(target, wheelhouse.names)
            if unfit := wheelhouse.unfit(target.interpreter):
                raise unfit
            installed = _put(installation, wheelhouse, target, private)
        else:
            _meant(chosen, wheelhouse, wanted)
    finally:
        # Verified is verified, also where installing it fails: the next attempt need not fetch it again.
        cache.keep(private, archive=wheelhouse.archive, unpacked=wheelhouse.unpacked)
    archive = cache.archive(wheelhouse.archive.name)
    if options.remove_archive:
        with storage_failures(cache.folder):
            archive.unlink()
    file = FetchedFile(
        name=archive.name,
        size=wheelhouse.size,
        sha256=wheelhouse.sha256,
        path="" if options.remove_archive else str(archive),
        reused=wheelhouse.reused,
    )
    return Outcome(
        state="downloaded" if target is None else "installed",
        source=options.source,
        place=options.repository,
        release=chosen.release.tag,
        files=(file,),
        python="" if target is None else target.interpreter.executable,
        folder=None if options.cleanup else cache.unpacked(archive.name),
        installed=installed,
        verdicts=tuple(installation.proofs.verdicts),
        warnings=tuple(installation.warnings),
    )


def _wanted(installation: Installation, target: Target | None) -> Wanted:
    """Whom the archive is for: the Python that is installed into, the one or the target that was named, this one."""
    options = installation.options
    if target is not None:
        return Wanted(interpreter=target.interpreter)
    if options.target:
        return Wanted(target=ReleaseTarget.parse(options.target))
    if not options.python_given:
        return Wanted.here()
    return Wanted(interpreter=Target.look(options.python, env=installation.env, folder=Path.cwd()).interpreter)


def _meant(chosen: Chosen, wheelhouse: Wheelhouse, wanted: Wanted) -> None:
    """Hold an archive that is named after no target against what is wanted. Raises TargetMissing.

    Where nobody asked for one and the release has no other archive, there is nothing to choose.
    """
    if chosen.named or not (wanted.given or chosen.targets):
        return
    if lacking := wanted.lacks(wheelhouse.unpacked.wheels):
        raise TargetMissing(
            release=chosen.release.tag,
            wanted=wanted.text,
            targets=chosen.targets,
            archive=chosen.archive.name,
            lacking=lacking,
        )


def _put(installation: Installation, wheelhouse: Wheelhouse, target: Target, private: Path) -> tuple[Installed, ...]:
    """Install every wheel by its hash, from this folder and from nowhere else. Raises InstallFailed, Tampered."""
    empty = private / "empty"
    with storage_failures(private):
        empty.mkdir()
        requirements = private / "requirements.txt"
        requirements.write_text(pinned_requirements(wheelhouse.unpacked.wheels), encoding="utf-8")
    options, env = installation.options, without_network(installation.env)
    folder = str(wheelhouse.unpacked.folder)
    what = [*([] if options.no_upgrade else ["--upgrade"]), *_ONLY_VERIFIED, "--find-links", folder]
    what += [*options.pip_args, "-r", str(requirements)]
    installation.narrator.step(f"installing {len(wheelhouse.unpacked.wheels)} wheels with no network")
    boundary("install")
    installed: list[Installed] = []
    if target.uv:
        argv = [target.uv, "pip", "install", "--python", target.interpreter.executable, *what]
        done = installation.run(argv, env, empty)
    else:
        pip = installation.pip(target, empty)
        done, installed = pip.install(what, env=env, report=private / "report.json")
    boundary("installed")
    if not done.ok:
        raise _failed(done.output, wheelhouse, target)
    if target.uv:
        installed = _changed(installation, wheelhouse, target, empty)
    new = {one.name for one in installed}
    installation.say_left(
        target, [name for name in wheelhouse.names if name in target.distributions and name not in new]
    )
    return tuple(installed)


def _failed(output: str, wheelhouse: Wheelhouse, target: Target) -> InstallFailed:
    name = wheelhouse.archive.name
    finding = install_finding(output, place=target.place, name=name)
    next_step = ""
    if finding.code == "dependency-missing":
        finding = replace(finding, message="is neither in the archive nor installed; no index is asked")
        next_step = "choose an archive that holds it with `--asset-pattern`, or install it first, then run it again"
    return InstallFailed(subject=name, python=target.prefix, findings=[finding], next_step=next_step)


def _changed(installation: Installation, wheelhouse: Wheelhouse, target: Target, folder: Path) -> list[Installed]:
    """What uv has installed, which has no report: what is in the environment now and was not, or not so, before."""
    from packaging.utils import parse_wheel_filename

    now = Target.look(target.interpreter.executable, env=installation.env, folder=folder).distributions
    found = []
    for file, digest in sorted(wheelhouse.unpacked.wheels.items()):
        name, version, _build, _tags = parse_wheel_filename(file)
        if now.get(name) == str(version) != target.distributions.get(name):
            found.append(
                Installed(
                    name=name,
                    version=str(version),
                    url=(wheelhouse.unpacked.folder / file).as_uri(),
                    sha256=digest.removeprefix("sha256:"),
                    direct=False,
                    yanked=False,
                )
            )
    return found


def _planned(installation: Installation, chosen: Chosen) -> Outcome:
    """What would be fetched and installed; nothing was written."""
    options = installation.options
    for asset in (*chosen.manifests, *([chosen.bundle] if chosen.bundle else [])):
        installation.narrator.step(f"would hold it against {asset.name}")
    if not chosen.manifests:
        installation.proofs.lacks(chosen.archive.name, lacks="checksum", looked=options.manifest_pattern)
    if chosen.bundle is None:
        installation.proofs.lacks(chosen.archive.name, lacks="Sigstore bundle", looked=chosen.looked_for_bundle)
    archive = chosen.archive
    return Outcome(
        state="planned",
        source=options.source,
        place=options.repository,
        release=chosen.release.tag,
        files=(FetchedFile(name=archive.name, size=archive.size, sha256=archive.sha256 or ""),),
        python=options.python,
        verdicts=tuple(installation.proofs.verdicts),
        warnings=tuple(installation.warnings),
    )
