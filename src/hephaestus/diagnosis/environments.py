"""What the deployment environments let through: which refs, whose approval, whose bypass."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase

from hephaestus.diagnosis.line import Check, Line, Question
from hephaestus.release.project import Project
from hephaestus.release.tags import tag_pattern, tags_alone
from hephaestus.services.settings import DeploymentEnvironment

__all__ = ["environment_questions"]


def environment_questions(
    ask: Callable[[str], DeploymentEnvironment | None],
    *,
    name: str,
    project: Project,
    group: str,
    page: str,
    reviewed: bool,
) -> Iterator[Question]:
    """The questions about environment ``name``; with ``reviewed`` also who approves."""

    def question(
        code: str, subject: str, why: str, remedy: str, judge: Callable[[Check, DeploymentEnvironment], Line]
    ) -> Question:
        def answer(check: Check) -> Line:
            found = ask(name)
            if found is None:
                seen = f"environment {name} does not exist; the first run that names it makes it bare"
                return check.failed(seen, remedy=f"make {check.remedy}")
            return judge(check, found)

        remedy = f"environment {name}: {remedy}"
        check = Check(
            code=f"{code}-{name}", group=group, subject=f"{name}: {subject}", why=why, remedy=remedy, page=page
        )
        return Question(check=check, answer=answer)

    yield question(
        "environment-tags",
        "deploys from",
        "a publisher accepts any ref; the environment is what keeps branches out",
        "Deployment branches and tags: Selected branches and tags, one rule, Ref type Tag, "
        f"`{tag_pattern(project.config.tag_prefix)}`",
        lambda check, found: _refs(check, found, project.tag),
    )
    yield question(
        "environment-admins",
        "administrators",
        "a stolen session of an administrator would otherwise pass every rule of the environment",
        "uncheck Allow administrators to bypass configured protection rules",
        _administrators,
    )
    if reviewed:
        yield question(
            "environment-reviewers",
            "reviewers",
            "the one moment at which a person sees what is about to become public for ever",
            "Required reviewers: at least one person who can tell a release from an accident",
            lambda check, found: check.judged(f"{found.reviewers} required", good=found.reviewers > 0),
        )
        yield question(
            "environment-self-review",
            "self-review",
            "who pushes the tag must not be the one who approves it, or one stolen account is enough",
            "Required reviewers: Prevent self-review",
            _self_review,
        )


def _refs(check: Check, found: DeploymentEnvironment, tag: str) -> Line:
    if found.patterns is None:
        return check.failed("any branch and any tag")
    shown = ", ".join(f"{kind} {name}" for kind, name in found.patterns) or "nothing"
    # Packages of one repository may share an environment: each has its own workflow, and its own pattern here.
    narrow = all(kind == "tag" and tags_alone(name) for kind, name in found.patterns)
    return check.judged(shown, good=narrow and any(fnmatchcase(tag, name) for _, name in found.patterns))


def _administrators(check: Check, found: DeploymentEnvironment) -> Line:
    if found.administrators_bypass is None:
        return check.unknown("the answer does not say whether administrators may bypass")
    return check.failed("may bypass") if found.administrators_bypass else check.passed("may not bypass")


def _self_review(check: Check, found: DeploymentEnvironment) -> Line:
    return check.passed("prevented") if found.prevent_self_review else check.failed("whoever tags may approve")
