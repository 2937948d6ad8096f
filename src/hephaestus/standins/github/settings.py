"""The settings of a repository as the API shows them, and to whom: most only to administrators."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

from hephaestus.standins.github.answers import Refusal, answer
from hephaestus.standins.github.call import Call, Route, paged
from hephaestus.standins.github.policy import Environment, Ruleset
from hephaestus.standins.http import Response

__all__ = ["ROUTES", "protected"]


def protected(call: Call, branch: str) -> bool:
    """Whether a branch is protected, by a classic rule or by a ruleset in force."""
    return branch in call.repository.policy.protected or bool(_rules(call, f"refs/heads/{branch}", target="branch"))


def _rules(call: Call, ref: str, *, target: str) -> list[Ruleset]:
    return [
        one
        for one in call.repository.policy.rulesets
        if one.target == target
        and one.enforcement == "active"
        and any(_fits(call, pattern, ref) for pattern in one.include)
        and not any(_fits(call, pattern, ref) for pattern in one.exclude)
    ]


def _fits(call: Call, pattern: str, ref: str) -> bool:
    if pattern == "~ALL":
        return True
    if pattern == "~DEFAULT_BRANCH":
        return ref == f"refs/heads/{call.repository.default_branch}"
    return fnmatchcase(ref, pattern)


def _summary(call: Call, ruleset: Ruleset) -> dict[str, Any]:
    """A ruleset as the list shows it: neither rules nor conditions nor who may bypass."""
    return {
        "id": ruleset.id,
        "name": ruleset.name,
        "target": ruleset.target,
        "source_type": "Repository",
        "source": call.fields["repository"],
        "enforcement": ruleset.enforcement,
        "node_id": f"RRS_{ruleset.id}",
    }


def _list_rulesets(call: Call) -> Response:
    targets = [part for part in call.parameter("targets").split(",") if part]
    rows = [_summary(call, one) for one in call.repository.policy.rulesets if not targets or one.target in targets]
    return paged(call, rows)


def _ruleset(call: Call) -> Response:
    number = int(call.fields["ruleset"])
    found = next((one for one in call.repository.policy.rulesets if one.id == number), None)
    if found is None:
        raise Refusal(404, "Not Found")
    body = {
        **_summary(call, found),
        "conditions": {"ref_name": {"include": found.include, "exclude": found.exclude}},
        "rules": [{"type": rule} for rule in found.rules],
        "current_user_can_bypass": "always" if call.administrator and found.bypass else "never",
    }
    if call.administrator:
        # The API's documentation: who may bypass is returned to those with write access to the ruleset only.
        body["bypass_actors"] = [{"actor_id": 5, "actor_type": kind, "bypass_mode": "always"} for kind in found.bypass]
    return answer(body)


def _rules_for_branch(call: Call) -> Response:
    found = _rules(call, f"refs/heads/{call.fields['name']}", target="branch")
    source = {"ruleset_source_type": "Repository", "ruleset_source": call.fields["repository"]}
    return paged(call, [{"type": rule, **source, "ruleset_id": one.id} for one in found for rule in one.rules])


def _protection(call: Call) -> Response:
    """A classic protection rule, as it is when nothing but its existence was chosen."""
    if call.fields["name"] not in call.repository.policy.protected:
        raise Refusal(404, "Branch not protected")
    return answer({"allow_force_pushes": {"enabled": False}, "allow_deletions": {"enabled": False}})


def _environment(call: Call) -> Environment:
    found = call.repository.policy.environments.get(call.fields["environment"])
    if found is None:
        raise Refusal(404, "Not Found")
    return found


def _show_environment(call: Call) -> Response:
    found = _environment(call)
    rules: list[dict[str, Any]] = []
    if found.reviewers:
        reviewers = [{"type": "User", "reviewer": {"login": login}} for login in found.reviewers]
        rules.append(
            {
                "id": 1,
                "type": "required_reviewers",
                "prevent_self_review": found.prevent_self_review,
                "reviewers": reviewers,
            }
        )
    custom = isinstance(found.policies, list)
    if found.policies is not None:
        rules.append({"id": 2, "type": "branch_policy"})
    return answer(
        {
            "id": 1,
            "name": call.fields["environment"],
            "can_admins_bypass": found.can_admins_bypass,
            "protection_rules": rules,
            "deployment_branch_policy": None
            if found.policies is None
            else {"protected_branches": not custom, "custom_branch_policies": custom},
        }
    )


def _branch_policies(call: Call) -> Response:
    found = _environment(call).policies
    if not isinstance(found, list):
        raise Refusal(404, "Not Found")
    rows = [{"id": number, "name": name, "type": kind} for number, (kind, name) in enumerate(found, start=1)]
    return answer({"total_count": len(rows), "branch_policies": rows})


def _workflow(call: Call) -> Response:
    name = call.fields["workflow"]
    state = call.repository.policy.workflows.get(name)
    if state is None:
        raise Refusal(404, "Not Found")
    return answer({"id": 1, "name": name, "path": f".github/workflows/{name}", "state": state})


def _actions(call: Call) -> Response:
    return answer(
        {
            "enabled": True,
            "allowed_actions": "all",
            "sha_pinning_required": call.repository.policy.sha_pinning_required,
        }
    )


def _workflow_permissions(call: Call) -> Response:
    return answer(
        {
            "default_workflow_permissions": call.repository.policy.default_workflow_permissions,
            "can_approve_pull_request_reviews": False,
        }
    )


def _immutable_releases(call: Call) -> Response:
    if not call.repository.immutable_releases:
        raise Refusal(404, "Not Found")
    return answer({"enabled": True, "enforced_by_owner": False})


def _named(call: Call, kind: str, names: list[str]) -> Response:
    size = min(int(call.parameter("per_page", "30")), 100 if kind == "secrets" else 30)
    page = int(call.parameter("page", "1"))
    shown = names[(page - 1) * size : page * size]
    values = {} if kind == "secrets" else {"value": "shown to administrators"}
    return answer({"total_count": len(names), kind: [{"name": name, **values} for name in shown]})


def _secrets(call: Call) -> Response:
    return _named(call, "secrets", call.repository.policy.secrets)


def _variables(call: Call) -> Response:
    return _named(call, "variables", call.repository.policy.variables)


def _organization_secrets(call: Call) -> Response:
    return _named(call, "secrets", call.repository.policy.organization_secrets)


def _organization_variables(call: Call) -> Response:
    return _named(call, "variables", call.repository.policy.organization_variables)


def _environment_secrets(call: Call) -> Response:
    return _named(call, "secrets", _environment(call).secrets)


def _environment_variables(call: Call) -> Response:
    return _named(call, "variables", _environment(call).variables)


_AT = "/environments/(?P<environment>[^/]+)"

ROUTES = (
    Route(method="GET", path="/rulesets", serve=_list_rulesets),
    Route(method="GET", path="/rulesets/(?P<ruleset>[0-9]+)", serve=_ruleset),
    Route(method="GET", path="/branches/(?P<name>.+)/protection", serve=_protection, administration=True),
    Route(method="GET", path="/rules/branches/(?P<name>.+)", serve=_rules_for_branch),
    Route(method="GET", path=_AT, serve=_show_environment),
    Route(method="GET", path=f"{_AT}/deployment-branch-policies", serve=_branch_policies),
    Route(method="GET", path=f"{_AT}/secrets", serve=_environment_secrets, administration=True),
    Route(method="GET", path=f"{_AT}/variables", serve=_environment_variables, administration=True),
    Route(method="GET", path="/actions/workflows/(?P<workflow>[^/]+)", serve=_workflow),
    Route(method="GET", path="/actions/permissions", serve=_actions, administration=True),
    Route(method="GET", path="/actions/permissions/workflow", serve=_workflow_permissions, administration=True),
    Route(method="GET", path="/actions/secrets", serve=_secrets, administration=True),
    Route(method="GET", path="/actions/variables", serve=_variables, administration=True),
    Route(method="GET", path="/actions/organization-secrets", serve=_organization_secrets, administration=True),
    Route(method="GET", path="/actions/organization-variables", serve=_organization_variables, administration=True),
    Route(method="GET", path="/immutable-releases", serve=_immutable_releases, administration=True),
)
