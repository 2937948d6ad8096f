"""The build stage: one commit (in a rehearsal, the work tree) becomes one sdist and its wheels."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hephaestus.release.directory import Staging
from hephaestus.release.errors import Finding, ReleaseError, Severity
from hephaestus.release.files import write_text
from hephaestus.release.manifest import SUMS, digest_of, render_sums
from hephaestus.release.prebuilt import Prebuilt
from hephaestus.release.rules import check_distributions
from hephaestus.release.rules.names import Expected, version_judgements
from hephaestus.release.source import Source, SourceError, commit_export, export
from hephaestus.stages.frontend import Built, Conditions, refusal_of, run_frontend
from hephaestus.stages.generators import hold_generated
from hephaestus.stages.notes import recorded_changes
from hephaestus.stages.reproduction import NotReproducibleError, Verdict, age, demand, later_tick, verdict
from hephaestus.stages.sealing import Ask, ask_index, hold_seals, inquire, sealing_findings
from hephaestus.stages.source_gates import (
    commit_tag_findings,
    constraint_findings,
    constraints_of,
    dirt_findings,
    epoch_findings,
    prebuilt_findings,
    prebuilt_of,
    tree_findings,
)
from hephaestus.stages.stage import Context, Evidence, Inputs, Stage
from hephaestus.worlds.world import ChildKind, Reproducibility

__all__ = ["BuildStage", "PrebuiltChangedError", "SourceUnknownError"]

#: The second build differs from the first in all that must not matter: path, umask, clock and zone, file times, modes.
_FIRST = Conditions()
_CHECKED = "checked"
_SECOND = Conditions(umask=0o077, zone="XYZ-13", name="in the second build (umask 077, another folder and time zone)")


class SourceUnknownError(ReleaseError):
    """Raised when a build is asked for where git has not been read."""

    def __init__(self) -> None:
        super().__init__(
            what="the commit to build is not known",
            why="a release is built from a commit, and its receipt names it",
            next_step="run `nox -s build` in the project's git clone",
        )


class PrebuiltChangedError(ReleaseError):
    """Raised when a prebuilt wheel changed while it was being adopted."""

    def __init__(self, *, name: str) -> None:
        super().__init__(
            what=f"{name} changed while it was being adopted",
            why="the wheel that was checked must be the one that is released",
            next_step="let whatever writes into that folder finish, then run the same command again",
        )


@dataclass(frozen=True, kw_only=True)
class _Proof:
    """What the second build said; ``tree`` holds the wheel of the sdist against one built from the tree."""

    builds: Verdict = field(default_factory=Verdict)
    tree: Verdict = field(default_factory=Verdict)


class BuildStage(Stage):
    """Builds, or adopts prebuilt wheels; ``ask`` is how an index is asked for what it has sealed.

    ``sleep`` and ``clock`` (seconds since 1970) set the second build apart from the first.
    """

    name = "build"
    lock = "build"

    def __init__(
        self,
        *,
        ask: Ask = ask_index,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._ask = ask
        self._sleep = sleep
        self._clock = clock

    def inputs(self, context: Context) -> Inputs:
        """The source, what configures the build, and the digests of what is adopted; no path and no address."""
        source = context.source
        config = context.project.config
        prebuilt = prebuilt_of(context)
        return Inputs(
            settings={
                "commit": source.commit if source else "",
                "tree": source.tree if source else "",
                "prefix": source.prefix if source else "",
                "epoch": source.epoch if source else 0,
                "tag": context.options.tag or context.project.tag,
                "reproducible": demand(context),
                "constraints": _digest(constraints_of(context)),
                "version_files": list(config.version_files),
                "prebuilt": dict(prebuilt.digests) if prebuilt else None,
                "generators": list(config.build.generators),
            }
        )

    def gates(self, context: Context) -> list[Finding]:
        """See the design's table; all of them are asked, whatever the others say."""
        source = context.source
        if source is None:
            error = SourceUnknownError()
            return [Finding(code="commit-unknown", subject="git", message=error.what, remedy=error.next_step)]
        project = context.project
        return [
            *dirt_findings(context, source),
            *commit_tag_findings(context, source),
            *(judged.finding for judged in version_judgements(project.version, subject=project.version_place)),
            *epoch_findings(context),
            *_exported_findings(context, source),
            *constraint_findings(context),
            *prebuilt_findings(context),
            *sealing_findings(context, inquire(context, ask=self._ask)),
        ]

    def confirm(self, context: Context) -> str:
        """A tag put on the commit since says that it is another version: the gates say so again."""
        wrong = commit_tag_findings(context, context.source) if context.source is not None else []
        return f"{', '.join(finding.subject for finding in wrong)}: looking at the tags again" if wrong else ""

    def act(self, context: Context, staging: Staging) -> Evidence:
        """Build, build again, compare, hold against the seals, and only then put the files out."""
        source = context.source
        if source is None:
            raise SourceUnknownError
        prebuilt = prebuilt_of(context)
        interpreter = _interpreter(context)
        if context.project.config.build.generators:
            hold_generated(context, _exported(source, context.work / "generated"))
        built = _first_build(context, source, prebuilt)
        asked = demand(context)
        proof = self._second_build(context, source, built) if asked != Reproducibility.OFF else _Proof()
        if asked == Reproducibility.REQUIRE and proof.builds.differences:
            raise NotReproducibleError(differences=proof.builds.differences, backend=context.project.backend)
        digests = {path.name: digest_of(path) for path in built.files}
        seals = inquire(context, ask=self._ask)
        hold_seals(context, seals, digests)
        for path in built.files:
            shutil.copyfile(path, staging.path(f"dist/{path.name}"))
        write_text(staging.path(SUMS), render_sums(digests))
        generators = {path.name: _generator(path) for path in built.wheels}
        warnings = [*proof.builds.warnings(), *_tree_warnings(proof.tree)]
        data = {
            "source": _source_data(context, source),
            "generators": list(context.project.config.build.generators),
            "changes": recorded_changes(context, source),
            "distributions": {
                path.name: {
                    "sha256": digests[path.name].removeprefix("sha256:"),
                    "size": path.stat().st_size,
                    "prebuilt": prebuilt is not None and path.name in prebuilt.digests,
                }
                for path in built.files
            },
            "reproducible": {
                "demand": str(asked),
                "files": dict(proof.builds.same),
                "differences": {name: list(lines) for name, lines in proof.builds.differences.items()},
                "wheel_from_tree_differs": {name: list(lines) for name, lines in proof.tree.differences.items()},
            },
            "backend": {"name": context.project.backend, "generators": generators},
            "build_requirements": {
                "locked": bool(context.project.config.build.constraints),
                "constraints": _digest(constraints_of(context)),
                "installed": dict(built.installed),
            },
            **interpreter,
            "source_date_epoch": source.epoch,
            "umask": f"{_FIRST.umask:04o}",
            "sealed": list(seals.where),
        }
        return Evidence(data=data, tools=dict(built.installed), warnings=warnings)

    def _second_build(self, context: Context, source: Source, first: Built) -> _Proof:
        """Build everything once more, from the tree; a wheel that differs is built from the sdist too, to tell why."""
        apart = later_tick(self._clock())
        context.narrator.step("building once more under other conditions, to compare")
        folder = context.work / "a-second-build-in-a-longer-folder"
        shutil.rmtree(folder, ignore_errors=True)
        tree = _exported(source, folder / "source")
        _prepare(context, source, tree)
        age(tree, epoch=source.epoch)
        self._sleep(max(0.0, apart - self._clock()))

        def again(what: tuple[str, ...], source_of: Path, out: str) -> Built:
            return run_frontend(
                context,
                source=source_of,
                out=folder / out,
                what=what,
                epoch=source.epoch,
                conditions=_SECOND,
                constraints=constraints_of(context),
            )

        if context.options.prebuilt is not None:
            sdist = again(("--sdist",), tree, "dist")
            return _Proof(builds=verdict(Built(sdist=first.sdist, wheels=()), sdist))
        second = again(("--sdist", "--wheel"), tree, "dist")
        builds = verdict(first, second)
        if all(builds.same[path.name] for path in first.wheels) or second.sdist is None:
            return _Proof(builds=builds)
        from_sdist = again(("--wheel",), second.sdist, "wheel")
        return _Proof(
            builds=verdict(first, Built(sdist=second.sdist, wheels=from_sdist.wheels)),
            tree=verdict(from_sdist, Built(sdist=None, wheels=second.wheels)),
        )


def _first_build(context: Context, source: Source, prebuilt: Prebuilt | None) -> Built:
    folder = context.work / "first"
    shutil.rmtree(folder, ignore_errors=True)
    tree, checked = folder / "source", context.work / _CHECKED
    if checked.is_dir():
        # The very tree the gates have looked at; nothing else has had it.
        folder.mkdir()
        checked.rename(tree)
    else:
        _exported(source, tree)
    _prepare(context, source, tree)
    context.narrator.step("building the sdist" if prebuilt else "building the sdist, and the wheel from it")
    built = run_frontend(
        context,
        source=tree,
        out=folder / "dist",
        what=("--sdist",) if prebuilt else (),
        epoch=source.epoch,
        conditions=_FIRST,
        constraints=constraints_of(context),
    )
    if prebuilt is not None:
        built = Built(sdist=built.sdist, wheels=_adopted(context, prebuilt), installed=built.installed)
    expected = Expected(name=context.project.name, version=context.project.version)
    if refusal := refusal_of(check_distributions(built.files, expected=expected)):
        raise refusal
    return built


def _exported_findings(context: Context, source: Source) -> list[Finding]:
    try:
        tree = _exported(source, context.work / _CHECKED)
    except SourceError as error:
        return [Finding(code="source-unusable", subject="git", message=error.what, remedy=error.next_step)]
    return tree_findings(context, tree)


def _exported(source: Source, target: Path) -> Path:
    """A clean export at ``target``; what an earlier, interrupted run may have left there is gone."""
    shutil.rmtree(target, ignore_errors=True)
    export(source, target)
    return target


def _prepare(context: Context, source: Source, tree: Path) -> None:
    # An export is no git repository. `meson dist` works in one only; setuptools-scm packs the files that git lists; and
    # a tool that is told no version in another way reads it from the tag.
    project = context.project
    tagged = project.version_source.tagged and project.version_source.repository
    if tagged or project.backend == "mesonpy" or project.requires("setuptools-scm"):
        commit_export(tree, epoch=source.epoch, tag=project.tag if tagged else "")


def _adopted(context: Context, prebuilt: Prebuilt) -> tuple[Path, ...]:
    """Our own copies of the prebuilt wheels: what is checked, compared and put out is one and the same file."""
    folder = context.work / "prebuilt"
    folder.mkdir(exist_ok=True)
    adopted = []
    for name, digest in prebuilt.digests.items():
        shutil.copyfile(prebuilt.folder / name, folder / name)
        if digest_of(folder / name) != digest:
            raise PrebuiltChangedError(name=name)
        adopted.append(folder / name)
    return tuple(adopted)


def _digest(path: Path | None) -> str | None:
    return digest_of(path) if path is not None and path.is_file() else None


def _interpreter(context: Context) -> dict[str, str]:
    code = "import platform, zlib; print(platform.python_version(), zlib.ZLIB_RUNTIME_VERSION)"
    env = context.world.children[ChildKind.BUILDER]
    done = context.environment.run(["python", "-I", "-c", code], env=env, timeout=60)
    python, _, zlib = done.output.strip().partition(" ")
    return {"python": python, "zlib": zlib}


def _generator(wheel: Path) -> str:
    """Who made a wheel, by its own WHEEL file."""
    import zipfile

    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if name.endswith(".dist-info/WHEEL") and name.count("/") == 1:
                lines = archive.read(name).decode("utf-8", "replace").splitlines()
                return next((line.partition(":")[2].strip() for line in lines if line.startswith("Generator:")), "")
    return ""


def _source_data(context: Context, source: Source) -> Mapping[str, Any]:
    tag = context.options.tag or context.project.tag
    return {
        "digest": source.digest,
        "commit": source.commit,
        "tree": source.tree,
        "prefix": source.prefix,
        "branch": source.branch,
        "dirty": list(source.dirty),
        "tag": tag,
        "tag_assumed": tag not in source.tags,
    }


def _tree_warnings(tree: Verdict) -> list[Finding]:
    return [
        Finding(
            code="sdist-differs-from-tree",
            subject=name,
            message=f"the wheel built from the sdist is not the one built from the commit: {'; '.join(lines[:3])}",
            remedy="pack into the sdist everything the wheel is made of",
            severity=Severity.WARNING,
        )
        for name, lines in sorted(tree.differences.items())
    ]
