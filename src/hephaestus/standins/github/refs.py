"""The repository, its branches, tags and commits, as far as a release asks about them."""

from __future__ import annotations

from typing import Any

from hephaestus.standins.github.answers import Refusal, answer
from hephaestus.standins.github.call import Call, Route
from hephaestus.standins.github.settings import protected
from hephaestus.standins.github.store import tag_object_sha
from hephaestus.standins.http import Response

__all__ = ["ROUTES"]


def _repository(call: Call) -> Response:
    name = call.fields["repository"]
    return answer(
        {
            "id": 1,
            "name": name.rpartition("/")[2],
            "full_name": name,
            "private": False,
            "html_url": f"{call.request.base}/{name}",
            "url": f"{call.request.base}/repos/{name}",
            "default_branch": call.repository.default_branch,
            "permissions": {"admin": call.administrator, "push": call.writer, "pull": True},
        }
    )


def _branch(call: Call) -> Response:
    commits = call.repository.branches.get(call.fields["name"])
    if not commits:
        raise Refusal(404, "Branch not found")
    name = call.fields["name"]
    return answer({"name": name, "commit": {"sha": commits[-1]}, "protected": protected(call, name)})


def _tag_ref(call: Call) -> Response:
    name = call.fields["name"]
    tag = call.repository.tags.get(name)
    if tag is None:
        raise Refusal(404, "Not Found")
    base = f"{call.request.base}/repos/{call.fields['repository']}/git"
    kind = "tag" if tag["sha"] != tag["commit"] else "commit"
    target = {"sha": tag["sha"], "type": kind, "url": f"{base}/{kind}s/{tag['sha']}"}
    return answer({"ref": f"refs/tags/{name}", "url": f"{base}/refs/tags/{name}", "object": target})


def _tag_object(call: Call) -> Response:
    for name, tag in call.repository.tags.items():
        if call.fields["sha"] == tag["sha"] == tag_object_sha(name, tag["commit"]):
            return answer(
                {
                    "sha": tag["sha"],
                    "tag": name,
                    "message": name,
                    "object": {"sha": tag["commit"], "type": "commit"},
                    "verification": {"verified": False, "reason": "unsigned"},
                }
            )
    raise Refusal(404, "Not Found")


def _commit(call: Call) -> Response:
    sha = _resolve(call, call.fields["name"])
    if sha is None:
        raise Refusal(422, f"No commit found for SHA: {call.fields['name']}")
    return answer({"sha": sha, "commit": {"message": ""}, "parents": []})


def _compare(call: Call) -> Response:
    base, head = (_resolve(call, call.fields[side]) for side in ("base", "head"))
    if base is None or head is None:
        raise Refusal(404, "Not Found")
    ours, theirs = _history(call, base), _history(call, head)
    ahead = [sha for sha in theirs if sha not in ours]
    behind = [sha for sha in ours if sha not in theirs]
    both, neither = bool(ahead and behind), not ahead and not behind
    status = "diverged" if both else "identical" if neither else "ahead" if ahead else "behind"
    body: dict[str, Any] = {
        "status": status,
        "ahead_by": len(ahead),
        "behind_by": len(behind),
        "total_commits": len(ahead),
        "commits": [{"sha": sha} for sha in ahead],
    }
    return answer(body)


def _resolve(call: Call, name: str) -> str | None:
    repository = call.repository
    if commits := repository.branches.get(name.removeprefix("refs/heads/")):
        return commits[-1]
    if tag := repository.tags.get(name.removeprefix("refs/tags/")):
        return tag["commit"]
    return name if name in repository.commits() else None


def _history(call: Call, sha: str) -> list[str]:
    for commits in call.repository.branches.values():
        if sha in commits:
            return commits[: commits.index(sha) + 1]
    return [sha]


ROUTES = (
    Route(method="GET", path="", serve=_repository),
    Route(method="GET", path="/branches/(?P<name>.+)", serve=_branch),
    Route(method="GET", path="/git/refs?/tags/(?P<name>.+)", serve=_tag_ref),
    Route(method="GET", path="/git/tags/(?P<sha>[0-9a-f]{40})", serve=_tag_object),
    Route(method="GET", path="/commits/(?P<name>.+)", serve=_commit),
    Route(method="GET", path=r"/compare/(?P<base>.+?)\.\.\.(?P<head>.+)", serve=_compare),
)
