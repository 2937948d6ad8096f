"""The client of a GitHub repository's settings: what protects its releases, as far as a token may see it.

Read only. Endpoints of the REST API (docs.github.com/rest): ``/rulesets``, ``/rules/branches``, ``/environments``,
``/actions/permissions``, ``/actions/secrets`` and ``/actions/variables`` (repository, organization, environment),
``/actions/workflows``, ``/immutable-releases``. Most need "Administration: read", which a workflow's own
GITHUB_TOKEN can never have (measured: 403 "Resource not accessible by integration").
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from hephaestus.services.access import RepositoryAccess
from hephaestus.services.errors import AnswerInvalid, UnexpectedStatus
from hephaestus.services.http import Answer, HttpClient, Redirects
from hephaestus.services.refusals import CredentialRefused, GitHubError, NotThere
from hephaestus.services.releases import field

__all__ = ["DeploymentEnvironment", "RepositoryFacts", "RepositorySettings", "Ruleset", "SettingHidden"]

_PAGES = 20


class SettingHidden(GitHubError):
    """Raised when this token, or no token, may not see a setting."""

    def __init__(self, *, url: str, setting: str) -> None:
        super().__init__(
            url=url,
            what=f"GitHub does not show {setting} to this token",
            why="it is for administrators; a workflow's own GITHUB_TOKEN never has the right",
            next_step="ask as an administrator: a token with `Administration: read` (and `Secrets: read`) in GH_TOKEN",
        )


@dataclass(frozen=True, kw_only=True)
class RepositoryFacts:
    """A repository as its own page has it. ``administrator``: whether this token's owner administers it."""

    default_branch: str
    private: bool
    administrator: bool


@dataclass(frozen=True, kw_only=True)
class Ruleset:
    """Rules for refs. ``include`` and ``exclude`` are patterns of full refs; ``rules`` are the types of its rules.

    ``bypass`` are the kinds of actor that may do all the same, None where the token may not see them.
    """

    name: str
    target: str
    active: bool
    include: tuple[str, ...]
    exclude: tuple[str, ...]
    rules: frozenset[str]
    bypass: tuple[str, ...] | None


@dataclass(frozen=True, kw_only=True)
class DeploymentEnvironment:
    """A deployment environment. ``reviewers`` is how many may approve, 0 when nobody has to.

    ``patterns`` None: any ref may deploy; otherwise pairs of a kind (``branch``, ``tag``, ``protected branches``)
    and a name pattern. ``administrators_bypass`` None where the answer does not say.
    """

    name: str
    reviewers: int
    prevent_self_review: bool
    administrators_bypass: bool | None
    patterns: tuple[tuple[str, str], ...] | None


class RepositorySettings:
    """Reads one repository's settings. ``token`` may be None: public repositories show a good part to everybody.

    Raises SettingHidden for what the token may not see, and the other errors of ``services.refusals`` and
    ``services.errors``.
    """

    def __init__(self, api_url: str, repository: str, token: str | None, *, http: HttpClient) -> None:
        self._access = RepositoryAccess.of(api_url, repository, token)
        self._http = http

    def facts(self) -> RepositoryFacts:
        """The repository itself; raises NotThere where it is not, or not for this token."""
        answer = self._ask("", "the repository")
        told = answer.json()
        rights = told.get("permissions") if isinstance(told, dict) else None
        return RepositoryFacts(
            default_branch=field(told, "default_branch", str, url=answer.url),
            private=field(told, "private", bool, url=answer.url),
            administrator=isinstance(rights, dict) and rights.get("admin") is True,
        )

    def rulesets(self, target: str) -> tuple[Ruleset, ...]:
        """The rulesets for ``tag`` or ``branch``, those of the organization included."""
        rows = self._pages(f"/rulesets?includes_parents=true&targets={target}", "the rulesets")
        return tuple(self._ruleset(row, url) for row, url in rows if row.get("target", "branch") == target)

    def branch_rules(self, branch: str) -> frozenset[str]:
        """The types of the rules in force for ``branch``, wherever they are set."""
        rows = self._pages(f"/rules/branches/{quote(branch, safe='/')}", "the rules of a branch")
        return frozenset(field(row, "type", str, url=url) for row, url in rows)

    def branch_protected(self, branch: str) -> bool:
        """Whether GitHub calls ``branch`` protected."""
        answer = self._ask(f"/branches/{quote(branch, safe='/')}", "a branch")
        return field(answer.json(), "protected", bool, url=answer.url)

    def classic_protection(self, branch: str, *, administrator: bool) -> bool:
        """Whether a branch protection rule of the older kind forbids to force or delete ``branch``."""
        answer = self._ask(f"/branches/{quote(branch, safe='/')}/protection", "the protection rule", missing_ok=True)
        if answer.status == 404:
            if not administrator:
                raise SettingHidden(url=answer.url, setting="the protection rule")
            return False
        told = answer.json()
        allowed = [
            field(field(told, name, dict, url=answer.url), "enabled", bool, url=answer.url)
            for name in ("allow_force_pushes", "allow_deletions")
        ]
        return not any(allowed)

    def environment(self, name: str) -> DeploymentEnvironment | None:
        """A deployment environment; None when it does not exist."""
        path = f"/environments/{quote(name, safe='')}"
        answer = self._ask(path, f"environment {name}", missing_ok=True)
        if answer.status == 404:
            return None
        told = answer.json()
        rules = [rule for rule in field(told, "protection_rules", list, url=answer.url) if isinstance(rule, dict)]
        review = next((rule for rule in rules if rule.get("type") == "required_reviewers"), {})
        bypass = told.get("can_admins_bypass")
        return DeploymentEnvironment(
            name=name,
            reviewers=len(review.get("reviewers") or ()),
            prevent_self_review=review.get("prevent_self_review") is True,
            administrators_bypass=bypass if isinstance(bypass, bool) else None,
            patterns=self._patterns(path, told.get("deployment_branch_policy"), name),
        )

    def workflow_state(self, file: str) -> str | None:
        """The state of a workflow (``active``, ``disabled_manually`` ...); None when GitHub knows none of that file."""
        answer = self._ask(f"/actions/workflows/{quote(file, safe='')}", f"workflow {file}", missing_ok=True)
        return field(answer.json(), "state", str, url=answer.url) if answer.status == 200 else None

    def sha_pinning(self) -> bool:
        """Whether actions must be pinned to full commit ids."""
        answer = self._ask("/actions/permissions", "the policy for actions")
        told = answer.json()
        return isinstance(told, dict) and told.get("sha_pinning_required") is True

    def default_permissions(self) -> str:
        """What a workflow that says nothing may do: ``read`` or ``write``."""
        answer = self._ask("/actions/permissions/workflow", "the default permissions of workflows")
        return field(answer.json(), "default_workflow_permissions", str, url=answer.url)

    def immutable_releases(self, *, administrator: bool) -> bool:
        """Whether published releases are frozen. 404 means off to administrators; to others, that it is hidden."""
        answer = self._ask("/immutable-releases", "whether releases are immutable", missing_ok=True)
        if answer.status == 404 and not administrator:
            raise SettingHidden(url=answer.url, setting="whether releases are immutable")
        return answer.status == 200 and field(answer.json(), "enabled", bool, url=answer.url)

    def stored_names(self, kind: str, *, environment: str | None = None) -> tuple[str, ...]:
        """The names of the ``secrets`` or ``variables`` that workflows get; those of the organization included.

        With ``environment`` those of that environment instead. Values are neither asked for nor kept.
        """
        if environment is not None:
            places = [f"/environments/{quote(environment, safe='')}/{kind}"]
        else:
            places = [f"/actions/{kind}", f"/actions/organization-{kind}"]
        return tuple(sorted({name for place in places for name in self._names(place, kind)}))

    # inside

    def _ruleset(self, row: dict[str, Any], url: str) -> Ruleset:
        number = field(row, "id", int, url=url)
        answer = self._ask(f"/rulesets/{number}?includes_parents=true", "a ruleset")
        told = answer.json()
        conditions = told.get("conditions") if isinstance(told, dict) else None
        refs = conditions.get("ref_name") if isinstance(conditions, dict) else None
        named = refs if isinstance(refs, dict) else {}
        rules = [rule for rule in field(told, "rules", list, url=answer.url) if isinstance(rule, dict)]
        actors = told.get("bypass_actors")
        return Ruleset(
            name=field(told, "name", str, url=answer.url),
            target=field(told, "target", str, url=answer.url),
            active=field(told, "enforcement", str, url=answer.url) == "active",
            include=_texts(named.get("include")),
            exclude=_texts(named.get("exclude")),
            rules=frozenset(str(rule.get("type")) for rule in rules),
            bypass=tuple(str(actor.get("actor_type")) for actor in actors if isinstance(actor, dict))
            if isinstance(actors, list)
            else None,
        )

    def _patterns(self, path: str, policy: object, name: str) -> tuple[tuple[str, str], ...] | None:
        if not isinstance(policy, dict):
            return None
        if not policy.get("custom_branch_policies"):
            return (("protected branches", "*"),)
        answer = self._ask(f"{path}/deployment-branch-policies?per_page=100", f"the tags of environment {name}")
        rows = [row for row in field(answer.json(), "branch_policies", list, url=answer.url) if isinstance(row, dict)]
        return tuple((str(row.get("type", "branch")), str(row.get("name", ""))) for row in rows)

    def _names(self, place: str, kind: str) -> Iterator[str]:
        seen, total = 0, 1
        for page in range(1, _PAGES + 1):
            answer = self._ask(f"{place}?per_page=30&page={page}", f"the names of the {kind}")
            told = answer.json()
            rows = [row for row in field(told, kind, list, url=answer.url) if isinstance(row, dict)]
            yield from (field(row, "name", str, url=answer.url) for row in rows)
            seen, total = seen + len(rows), field(told, "total_count", int, url=answer.url)
            if seen >= total or not rows:
                return
        raise AnswerInvalid(url=self._access.api, defect=f"more than {seen} {kind}")

    def _pages(self, path: str, setting: str) -> Iterator[tuple[dict[str, Any], str]]:
        joint = "&" if "?" in path else "?"
        for page in range(1, _PAGES + 1):
            answer = self._ask(f"{path}{joint}per_page=100&page={page}", setting)
            rows = answer.json()
            if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
                raise AnswerInvalid(url=answer.url, defect="a list of objects was expected")
            yield from ((row, answer.url) for row in rows)
            # The address in the Link header is not followed: the token goes to the configured host only.
            if 'rel="next"' not in answer.headers.get("link", ""):
                return

    def _ask(self, path: str, setting: str, *, missing_ok: bool = False) -> Answer:
        try:
            return self._http.request(
                "GET",
                self._access.api + path,
                headers=self._access.headers(accept="application/vnd.github+json"),
                expect=(200, 404) if missing_ok else (200,),
                redirects=Redirects.SAME_ORIGIN,
            )
        except UnexpectedStatus as error:
            if error.status == 401 and self._access.token is not None:
                raise CredentialRefused(url=error.url, reason="Bad credentials") from error
            if error.status in (401, 403):
                raise SettingHidden(url=error.url, setting=setting) from error
            if error.status == 404:
                raise NotThere(url=error.url, repository=self._access.repository, action=f"read {setting}") from error
            raise


def _texts(values: object) -> tuple[str, ...]:
    return tuple(str(value) for value in values) if isinstance(values, list) else ()
