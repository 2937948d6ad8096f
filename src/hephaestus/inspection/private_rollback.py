"""The way back on a private index: no page and no interface of it is known, so what there may be is said, in order.

Products differ: some yank (PEP 592), some let their owners delete, some do neither. What took effect is read from the
index's own page afterwards, as for PyPI.
"""

from __future__ import annotations

from packaging.version import Version

from hephaestus.inspection.gathering import local_tags
from hephaestus.inspection.places import Places
from hephaestus.inspection.resolution import by_rules, requirements_of
from hephaestus.inspection.rollback import NotAnsweredError, Proof, Step
from hephaestus.inspection.withdrawal import Category, Decision, Reason, Way
from hephaestus.release.errors import ReleaseError
from hephaestus.release.project import Project
from hephaestus.release.tags import version_of_tag
from hephaestus.services.index import IndexProject
from hephaestus.worlds.private import PrivateTarget

__all__ = ["private_steps", "withdrawn"]


def private_steps(places: Places, target: PrivateTarget, decision: Decision, reason: Reason) -> tuple[Step, ...]:
    """What to do, in order; for ``nothing`` there is nothing."""
    if decision.way is Way.NOTHING:
        return ()
    fix = _release(target, decision)
    if decision.way is Way.POST_RELEASE:
        return fix
    instead = decision.instead if decision.exists or decision.fix_first else f"{decision.instead} or later"
    away = (
        Step(
            title=f"yank it, where {target.name} can: its page then says data-yanked, and only pins still lead there",
            text=reason.text(instead),
            undo=f"whether it can be taken back depends on {target.name}",
        ),
        Step(
            title=f"where it cannot, delete its files there, if {target.name} lets you: every pin on it breaks; keep "
            "the release folder, and never upload other bytes under these names",
            undo="never to be counted on: who fetched it keeps it, and a name may be used up or, worse, free again",
        ),
        Step(
            title="where it can do neither, a newer version is all there is: installers without a pin take that one",
        ),
    )
    told: tuple[Step, ...] = ()
    if reason.category is Category.COMPROMISED:
        told = (
            Step(
                title=f"revoke the token of {target.config.token_variable} on {target.name}, tell those who run it "
                "what was uploaded and when, and look for what else this token may have uploaded"
            ),
        )
    if reason.category in (Category.SECURITY, Category.COMPROMISED):
        told += (Step(title="tell everybody who installs from it: no scanner hears of a private index by itself"),)
    proof = Step(
        title="prove it from the index",
        command=f"hephaestus release rollback {decision.version} --verify{places.option}",
    )
    fix = () if decision.exists else fix
    return (*fix, *away, *told, proof) if decision.fix_first else (*away, *told, proof, *fix)


def withdrawn(
    project: Project, places: Places, target: PrivateTarget, version: Version, page: IndexProject | None
) -> tuple[Proof, ...]:
    """That the index serves no file of ``version``, and what installers take instead; nothing where that is no proof.

    A version that the clone has no tag of may be mistyped. Where there is no project and no list of projects either,
    the address may be another's. Raises NotAnsweredError.
    """
    tags = {version_of_tag(tag, project.config.tag_prefix) for tag in local_tags(project)}
    if version not in tags or (page is None and not _listing(places, target)):
        return ()
    proof = Proof(
        index=target.name,
        files={},
        resolved=tuple(by_rules(page, one) for one in requirements_of(project.normalized, version)),
        by="the rules of PEP 440 and PEP 592",
        version=str(version),
    )
    return (proof,)


def _listing(places: Places, target: PrivateTarget) -> bool:
    with places.http() as http:
        try:
            return places.index(target.name, http).listing()
        except ReleaseError as error:
            raise NotAnsweredError(index=target.name, error=error) from error


def _release(target: PrivateTarget, decision: Decision) -> tuple[Step, ...]:
    what = "the corrected metadata" if decision.way is Way.POST_RELEASE else "the fix"
    return (
        Step(
            title=f"release {what} as {decision.instead}",
            command=f"nox -s bump -- {decision.instead}, then nox -s release {target.options}",
            undo=f"whether files can be deleted again depends on {target.name}",
        ),
    )
