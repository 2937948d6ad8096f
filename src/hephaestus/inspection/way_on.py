"""The next command of a release, from what the services say of it."""

from __future__ import annotations

from collections.abc import Sequence

from hephaestus.inspection.standing import Asked, Held
from hephaestus.release.directory import STAGES
from hephaestus.release.project import Project
from hephaestus.release.versions import bump_command
from hephaestus.worlds.private import PrivateTarget

__all__ = ["next_step"]


def next_step(project: Project, asked: Asked, *, unfinished: Sequence[str] = ()) -> str:
    """What to do now, from what the services say; empty when they have all of it."""
    wanted = [asked.indexes[name] for name in asked.wanted if name in asked.indexes]
    fresh = f"release the change as a new version: `{bump_command(project.version)}`"
    for index in wanted:
        if index.state == "conflict" and asked.target is not None:
            return f"find out who put other bytes under our names on {index.index}; {fresh}"
        if index.state == "conflict":
            return f"the bytes on {index.index} can never be replaced; {fresh}"
        if index.state == "quarantined":
            return "read the e-mail to the project's owners: the index's administrators decide"
        if index.having(Held.MISSING) and index.present and index.days_left == 0:
            return f"{index.index} takes no more files of {project.version}; {fresh}"
        if index.yanked:
            return f"hephaestus release rollback {project.version} --verify{_place(asked)}"
    again = next((index for index in wanted if index.trouble), None)
    if again is not None or (asked.github is not None and asked.github.trouble):
        return f"hephaestus release status{_flag(asked)} again, when everybody answers"
    lacking = [f"upload-{index.index}" for index in wanted if index.state in ("absent", "partial")]
    if asked.target is not None:
        return _private(project, asked, asked.target, lacking=bool(lacking))
    if not lacking and any(index.state == "propagating" for index in wanted):
        return f"wait, then hephaestus release status{_flag(asked)}: caches may take half an hour"
    github = asked.github
    if not lacking and github is not None and (github.state != "published" or not github.complete):
        lacking = ["github-release"]
    if not lacking:
        return ""
    if github is not None and github.state == "published" and github.immutable and lacking == ["github-release"]:
        return f"the published release is immutable and lacks assets; {fresh}"
    if asked.label == "rehearsal":
        # What the receipts do not show as done comes before what the services lack: nothing was built, perhaps.
        return f"nox -s {min((*unfinished, lacking[0]), key=STAGES.index)}"
    return (
        f"re-run the failed jobs of the run of {project.tag}, or begin a new one: "
        f"`gh workflow run {project.config.workflow} --ref {project.tag}`"
    )


def _private(project: Project, asked: Asked, target: PrivateTarget, *, lacking: bool) -> str:
    """What this machine has built is sent, what it has not is built first; what others built is only looked at."""
    if lacking:
        return f"nox -s {'upload-pypi' if asked.manifest else 'release'} {target.options}"
    pinned = f"{project.normalized}=={project.version}"
    where = f"--index {target.name} --sums SHA256SUMS"
    return "" if asked.manifest else f"hephaestus release verify {pinned} {where}, with the manifest of that release"


def _flag(asked: Asked) -> str:
    """The options of status that show the same release again."""
    return "" if asked.label == "rehearsal" else f" --publish{_place(asked)}"


def _place(asked: Asked) -> str:
    """The options of rollback that look at the same place."""
    if asked.target is not None:
        return f" --index {asked.target.name}"
    return " --rehearsal" if asked.label == "rehearsal" else ""
