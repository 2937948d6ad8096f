"""What protects the releases of a GitHub repository: tags, branch, environments, workflows, secrets, immutability."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache

from hephaestus.diagnosis.case import Case
from hephaestus.diagnosis.clone import commit_of
from hephaestus.diagnosis.environments import environment_questions
from hephaestus.diagnosis.line import Check, Line, Question
from hephaestus.diagnosis.tags import tag_questions
from hephaestus.release.indexes import PUBLIC_INDEXES
from hephaestus.services.errors import ServiceError
from hephaestus.services.github import GitHubClient
from hephaestus.services.http import HttpClient
from hephaestus.services.refusals import NotThere
from hephaestus.services.settings import DeploymentEnvironment, RepositoryFacts, RepositorySettings

__all__ = ["GROUP", "STORED_NAMES", "repository_lines"]

GROUP = "GitHub"

#: Names of secrets and variables that speak of credentials for an index; none is needed any more. Variables of this
#: suite's own, such as HEPHAESTUS_TESTPYPI, are none.
STORED_NAMES = re.compile(r"(?!HEPHAESTUS_).*(?:PYPI|TWINE|UV_PUBLISH)", re.IGNORECASE)

_Environments = Callable[[str], DeploymentEnvironment | None]


def repository_lines(case: Case, http: HttpClient) -> Iterator[Line]:
    """Every line about the repository. Where it does not answer, the rest is UNKNOWN without being asked."""
    settings = RepositorySettings(case.addresses.github_api, case.repository, case.token, http=http)
    check = Check(
        code="repository",
        group=GROUP,
        subject="repository",
        why="everything below is about this repository, and publishers name it",
        remedy="correct `repository` in [tool.hephaestus.release]; for a private one give a token in GH_TOKEN",
        page=case.site,
    )
    facts: RepositoryFacts | None = None
    try:
        facts = settings.facts()
        kind, who = "private" if facts.private else "public", _seen_as(case, facts)
        yield check.passed(f"{case.repository}, {kind}, default branch {facts.default_branch}, seen as {who}")
    except NotThere as error:
        # Without a token a private repository looks as if it did not exist.
        yield check.unknown(error.what) if case.token is None else check.failed(error.what)
    except ServiceError as error:
        yield check.unknown(error.what, remedy=error.next_step)
    for question in _questions(case, settings, facts, http):
        yield question.line() if facts is not None else question.check.unknown("not asked: see `repository`")


def _seen_as(case: Case, facts: RepositoryFacts) -> str:
    if facts.administrator:
        return "administrator"
    return "anybody (no GH_TOKEN)" if case.token is None else "no administrator"


def _questions(
    case: Case, settings: RepositorySettings, facts: RepositoryFacts | None, http: HttpClient
) -> Iterator[Question]:
    branch = facts.default_branch if facts else "the default one"
    administrator = facts is not None and facts.administrator
    rules, tag = f"{case.site}/settings/rules", case.project.tag
    # Several questions are about one answer; anonymous callers have sixty requests an hour.
    environment = lru_cache(settings.environment)
    yield from tag_questions(lru_cache(lambda: settings.rulesets("tag")), project=case.project, group=GROUP, page=rules)
    yield _question(
        "branch-protected",
        f"branch {branch}",
        why="a release is a commit of this branch; whoever pushes to it unseen releases what nobody has read",
        remedy="new branch ruleset: Active, target the default branch; restrict deletions, block force pushes, require "
        "a pull request before merging",
        page=rules,
        answer=lambda check: _branch(check, settings, branch, administrator=administrator),
    )
    for index in PUBLIC_INDEXES:
        yield from environment_questions(
            environment,
            name=case.environment(index),
            project=case.project,
            group=GROUP,
            page=f"{case.site}/settings/environments",
            reviewed=index == "pypi",
        )
    yield _question(
        "workflow",
        f"workflow {case.workflow}",
        why="its file name is part of the publisher's identity; a disabled workflow ignores the tag in silence",
        remedy=f"have .github/workflows/{case.workflow} on the default branch, and enable it",
        page=f"{case.site}/actions/workflows/{case.workflow}",
        answer=lambda check: _workflow(check, settings, case.workflow),
    )
    yield _question(
        "tag-on-github",
        f"tag {tag}",
        why="the tag on GitHub is what is built and signed for; it must be the commit that was looked at here",
        remedy="a tag that was moved is not repaired: raise the version and tag that; when only this clone is behind, "
        "`git fetch --tags` and check the tag out",
        page=f"{case.site}/tags",
        answer=lambda check: _tag(check, case, http),
    )
    yield from _switches(case, settings, administrator=administrator)
    yield from _stored(case, settings, environment)


def _question(
    code: str, subject: str, *, why: str, remedy: str, page: str, answer: Callable[[Check], Line]
) -> Question:
    check = Check(code=code, group=GROUP, subject=subject, why=why, remedy=remedy, page=page)
    return Question(check=check, answer=answer)


def _branch(check: Check, settings: RepositorySettings, branch: str, *, administrator: bool) -> Line:
    rules = settings.branch_rules(branch)
    shown = f"rules in force: {', '.join(sorted(rules)) or 'none'}"
    if "pull_request" in rules or {"non_fast_forward", "deletion"} <= rules:
        return check.passed(shown)
    if not settings.branch_protected(branch):
        return check.failed(shown)
    # Only a rule of the older kind can protect a branch that no ruleset is for; what it says is for administrators.
    classic = not rules or settings.classic_protection(branch, administrator=administrator)
    return check.judged(f"{shown}; {'a' if classic else 'no'} branch protection rule of the older kind", good=classic)


def _workflow(check: Check, settings: RepositorySettings, file: str) -> Line:
    state = settings.workflow_state(file)
    return check.judged(state or "GitHub knows no workflow of that file", good=state == "active")


def _tag(check: Check, case: Case, http: HttpClient) -> Line:
    addresses, tag, root = case.addresses, case.project.tag, case.project.root
    client = GitHubClient(addresses.github_api, addresses.github_uploads, case.repository, case.token, http=http)
    target = client.tag_target(tag)
    if target is None:
        return check.passed("not pushed yet")
    there = target.commit
    here = commit_of(root, f"refs/tags/{tag}") or commit_of(root, "HEAD")
    if here is None:
        return check.unknown(f"at {there[:12]} there; git cannot tell what is here")
    return check.judged(f"at {there[:12]} there, {here[:12]} here", good=there == here)


def _switches(case: Case, settings: RepositorySettings, *, administrator: bool) -> Iterator[Question]:
    page = f"{case.site}/settings/actions"
    yield _question(
        "sha-pinning",
        "pinned actions",
        why="the tag of an action can be moved to other code, as happened in March 2025; a full commit id cannot",
        remedy="Actions permissions: Require actions to be pinned to a full-length commit SHA",
        page=page,
        answer=lambda check: _on(check, settings.sha_pinning()),
    )
    yield _question(
        "workflow-token",
        "default token",
        why="a workflow that names no permissions gets this; writing is for jobs that say so",
        remedy="Workflow permissions: Read repository contents and packages permissions",
        page=page,
        answer=lambda check: _default_token(check, settings.default_permissions()),
    )
    yield _question(
        "immutable-releases",
        "immutable releases",
        why="without it, assets and tag of a published release can be exchanged afterwards",
        remedy="General, section Releases: Enable release immutability",
        page=f"{case.site}/settings",
        answer=lambda check: _on(check, settings.immutable_releases(administrator=administrator)),
    )


def _on(check: Check, on: bool) -> Line:  # noqa: FBT001 - the switch is the argument
    return check.passed("on") if on else check.failed("off")


def _default_token(check: Check, permissions: str) -> Line:
    return check.judged(permissions, good=permissions == "read")


def _stored(case: Case, settings: RepositorySettings, environment: _Environments) -> Iterator[Question]:
    for kind in ("secrets", "variables"):
        for place in (None, *(case.environment(index) for index in PUBLIC_INDEXES)):
            yield _question(
                f"stored-{kind}" + (f"-{place}" if place else ""),
                f"{kind}: {place or 'repository'}",
                why="an API token that lies here can be stolen and used; Trusted Publishing needs none",
                remedy="revoke the token on the index first (Account settings, API tokens), then delete the entry here",
                page=f"{case.site}/settings/" + ("environments" if place else f"{kind}/actions"),
                answer=_names(settings, environment, kind, place),
            )


def _names(
    settings: RepositorySettings, environment: _Environments, kind: str, place: str | None
) -> Callable[[Check], Line]:
    def answer(check: Check) -> Line:
        if place is not None and environment(place) is None:
            return check.passed(f"there is no environment {place}")
        names = [name for name in settings.stored_names(kind, environment=place) if STORED_NAMES.match(name)]
        return check.failed(", ".join(names)) if names else check.passed("none that speaks of an index")

    return answer
