"""The way back, step by step: pages, words, order, duties - and afterwards the proof that it took effect."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from packaging.version import Version

from hephaestus.inspection.places import Places, index_title
from hephaestus.inspection.resolution import Pip, Resolved, by_rules, requirements_of
from hephaestus.inspection.withdrawal import Category, Decision, Reason, Way
from hephaestus.release.errors import ReleaseError
from hephaestus.release.project import Project
from hephaestus.release.tags import tag_of
from hephaestus.services.index import IndexProject
from hephaestus.worlds.world import Index

__all__ = ["NotAnsweredError", "Proof", "Step", "pages_of", "prove", "steps"]


class NotAnsweredError(ReleaseError):
    """Raised when an index does not answer: what it serves decides, and nothing is guessed."""

    def __init__(self, *, index: str, error: ReleaseError) -> None:
        super().__init__(
            what=f"{index_title(index)} did not say what it serves: {error.what}",
            why="whether a yank is right, and whether one is in force, is read from the index and nowhere else",
            next_step=error.next_step or "run the same command again",
        )


@dataclass(frozen=True, kw_only=True)
class Step:
    """One thing a person does: where (``page``), with which words (``text``), and whether it can be undone."""

    title: str
    page: str = ""
    text: str = ""
    command: str = ""
    undo: str = ""


@dataclass(frozen=True, kw_only=True)
class Proof:
    """Whether a yank is in force on one index, file by file, and what installers take now.

    ``files`` maps each file to the reason shown, or None where it is not yanked. ``by`` says who resolved.
    """

    index: str
    files: Mapping[str, str | None]
    resolved: tuple[Resolved, ...]
    by: str
    version: str

    @property
    def in_force(self) -> bool:
        """Every file is yanked, and nobody gets this version who did not pin it."""
        return all(reason is not None for reason in self.files.values()) and not any(
            one.version == self.version and not one.yanked for one in self.resolved
        )


def pages_of(
    places: Places, project: Project, *, indexes: Iterable[str] | None = None
) -> dict[str, IndexProject | None]:
    """What each index (or each of ``indexes``) serves of the project, past every cache. Raises NotAnsweredError."""
    pages: dict[str, IndexProject | None] = {}
    with places.http() as http:
        for name in places.indexes if indexes is None else indexes:
            try:
                pages[name] = places.index(name, http).project(project.normalized)
            except ReleaseError as error:
                raise NotAnsweredError(index=name, error=error) from error
    return pages


def steps(project: Project, places: Places, decision: Decision, reason: Reason, *, today: date) -> tuple[Step, ...]:
    """What to do, in order; for ``nothing`` there is nothing."""
    if decision.way is Way.NOTHING:
        return ()
    if decision.way is Way.POST_RELEASE:
        return (*_release(decision), _notes(project, places, decision, reason, today))
    fix = () if decision.exists else _release(decision)
    yanks = tuple(
        _yank(project, places, decision, reason, index) for index in ("pypi", "testpypi") if index in decision.on
    )
    told = [_notes(project, places, decision, reason, today)]
    if reason.category is Category.COMPROMISED:
        told.insert(0, _compromised(project, places))
    if reason.category in (Category.SECURITY, Category.COMPROMISED):
        told.append(
            Step(
                title="publish an advisory, so that scanners warn those who have it installed or pinned",
                page=f"{places.github_site}/{places.github.repository}/security/advisories/new",
            )
        )
    proof = Step(
        title="prove it from the index; caches may take half an hour",
        command=f"hephaestus release rollback {decision.version} --verify{places.option}",
    )
    return (*fix, *yanks, *told, proof) if decision.fix_first else (*yanks, *told, proof, *fix)


def prove(
    project: Project,
    places: Places,
    version: Version,
    pages: Mapping[str, IndexProject | None],
    *,
    pip: Callable[[], Pip],
) -> tuple[Proof, ...]:
    """Read from each index that has the version whether the yank is in force, and ask what installers take.

    A real pip resolves against the index itself; by the rules of the specifications where none can be had, or where
    a version has no wheel (pip would have to run its sdist). Which it was is said. Raises what ``pip`` raises when it
    fails against the index.
    """
    proofs = []
    requirements = requirements_of(project.normalized, version)
    for name, page in pages.items():
        files = () if page is None else page.release_files(version)
        if page is None or not files:
            continue
        resolved, by = _resolved(places.indexes[name], page, requirements, pip)
        proofs.append(
            Proof(
                index=name,
                files={file.filename: file.yank for file in files},
                resolved=resolved,
                by=by,
                version=str(version),
            )
        )
    return tuple(proofs)


def _resolved(
    index: Index, page: IndexProject, requirements: Iterable[str], pip: Callable[[], Pip]
) -> tuple[tuple[Resolved, ...], str]:
    rules = tuple(by_rules(page, one) for one in requirements)
    if index.authorization:
        return rules, "the rules of PEP 440 and PEP 592, since pip would have to be told the token"
    wheels = {file.version for file in page.files if file.filename.endswith(".whl")}
    if bare := sorted(str(one) for one in {file.version for file in page.files} - wheels if one is not None):
        return (
            rules,
            f"the rules of PEP 440 and PEP 592, since {', '.join(bare)} has no wheel and pip would run its sdist",
        )
    try:
        program = pip()
    except ReleaseError as error:
        return rules, f"the rules of PEP 440 and PEP 592, for want of a pip ({error.what})"
    return program.resolve(index.simple_url, requirements), f"pip {program.version} against the index itself"


def _yank(project: Project, places: Places, decision: Decision, reason: Reason, index: str) -> Step:
    return Step(
        title=f"yank it on {index_title(index)}: log in with your second factor, Options -> Yank, "
        "type the version, paste the reason",
        page=places.release_page(index, project.normalized, str(decision.version)),
        text=reason.text(decision.instead if decision.exists or decision.fix_first else f"{decision.instead} or later"),
        undo="reversible: the same page has Un-yank",
    )


def _release(decision: Decision) -> tuple[Step, ...]:
    what = "the corrected metadata" if decision.way is Way.POST_RELEASE else "the fix"
    return (
        Step(
            title=f"release {what} as {decision.instead}, then push its tag",
            command=f"nox -s bump -- {decision.instead}",
            undo="never: the file names of a version are used up for ever",
        ),
    )


def _notes(project: Project, places: Places, decision: Decision, reason: Reason, today: date) -> Step:
    tag = tag_of(decision.version, project.config.tag_prefix)
    said = reason.text(decision.instead)
    verb = "Yanked" if decision.way is Way.YANK else "Superseded"
    return Step(
        title="put it at the top of the release's notes on GitHub; a published immutable release stays, "
        "its notes can still be edited",
        page=f"{places.github_site}/{places.github.repository}/releases/edit/{tag}",
        text=f"> **{verb} on {today:%Y-%m-%d}.** {said}",
        undo="reversible",
    )


def _compromised(project: Project, places: Places) -> Step:
    return Step(
        title="remove the Trusted Publishers, tell the index's security team (security@pypi.org) what was uploaded and "
        "when, then work through SECURITY.md, `If a credential or the workflow is compromised`",
        page=f"{places.sites['pypi']}/manage/project/{project.normalized}/settings/publishing/",
    )
