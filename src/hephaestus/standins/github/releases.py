"""Releases: drafts, publication, and the rules of immutable ones."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from hephaestus.standins.github.answers import BODY_LIMIT, Refusal, answer, validation_failed
from hephaestus.standins.github.call import Call, Route, paged
from hephaestus.standins.github.store import StoredRelease
from hephaestus.standins.http import Response

__all__ = ["ROUTES", "well_formed_tag"]

_BAD_TAG = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|^[/-]|[/.]$|(?:^|/)\.|\.lock(?:/|$)")
_IMMUTABLE_TAG = "tag_name was used by an immutable release"


def well_formed_tag(name: str) -> bool:
    """Whether git takes ``name`` as the name of a tag (git check-ref-format)."""
    return bool(name) and _BAD_TAG.search(name) is None


def _error(field: str, code: str, message: str = "") -> dict[str, str]:
    body = {"resource": "Release", "code": code, "field": field}
    return body | {"message": message} if message else body


def _list(call: Call) -> Response:
    shown = [release for release in call.repository.releases if call.writer or not release.draft]
    shown.sort(key=lambda release: (release.created, release.id), reverse=True)
    return paged(call, [call.shapes.release(release) for release in shown])


def _get(call: Call) -> Response:
    return answer(call.shapes.release(call.release()))


def _by_tag(call: Call) -> Response:
    release = call.repository.published(call.fields["tag"])
    if release is None:
        raise Refusal(404, "Not Found")
    return answer(call.shapes.release(release))


def _latest(call: Call) -> Response:
    release = call.repository.release(call.repository.latest or 0)
    if release is None:
        raise Refusal(404, "Not Found")
    return answer(call.shapes.release(release))


def _create(call: Call) -> Response:
    body = call.json()
    if not isinstance(body.get("tag_name"), str) or not body["tag_name"]:
        raise validation_failed(_error("tag_name", "missing_field"))
    repository = call.repository
    release = StoredRelease(
        id=repository.new_id(),
        tag="",
        target=repository.default_branch,
        name=None,
        body=None,
        draft=True,
        prerelease=False,
        created=call.now,
    )
    _change(call, release, body)
    if not body.get("draft", False):
        _publish(call, release, body)
    repository.releases.append(release)
    call.store.save()
    if call.fault == "created-reset":
        return Response(wire="reset")
    shape = call.shapes.release(release)
    return answer(shape, status=201, headers={"Location": shape["url"]})


def _update(call: Call) -> Response:
    before, body = call.release(), call.json()
    release = replace(before)
    if release.immutable and body.get("tag_name", release.tag) != release.tag:
        raise validation_failed(_error("tag_name", "custom", "tag_name cannot be changed: release is immutable"))
    if release.immutable and body.get("draft"):
        raise validation_failed(_error("draft", "custom", "an immutable release cannot become a draft"))
    _change(call, release, body)
    if release.draft and body.get("draft") is False:
        _publish(call, release, body)
    elif body.get("draft") and not release.draft:
        release.draft, release.published = True, None
        _elect_latest(call, release, "false")
    elif "make_latest" in body and not release.draft:
        _elect_latest(call, release, str(body["make_latest"]))
    call.repository.releases[call.repository.releases.index(before)] = release
    call.store.save()
    return answer(call.shapes.release(release))


def _delete(call: Call) -> Response:
    release, repository = call.release(), call.repository
    repository.releases.remove(release)
    if repository.latest == release.id:
        repository.latest = None
    call.store.save()
    for asset in release.assets:
        call.store.forget(asset)
    return answer(None, status=204)


def _change(call: Call, release: StoredRelease, body: dict[str, Any]) -> None:
    """Take over the fields ``body`` gives, all or none."""
    tag, target = body.get("tag_name", release.tag), body.get("target_commitish", release.target)
    for field, value, kind in (
        ("tag_name", tag, str),
        ("target_commitish", target, str),
        ("name", body.get("name") or "", str),
        ("body", body.get("body") or "", str),
        ("draft", body.get("draft", False), bool),
        ("prerelease", body.get("prerelease", False), bool),
    ):
        if not isinstance(value, kind):
            raise validation_failed(_error(field, "invalid"))
    # GitHub wants `workflows: write` for it, which no workflow's token can have (changelog of 2023-11-02); reports say:
    # even where the tag is there (cli/cli#9514).
    if target in call.repository.workflow_commits and not call.administrator:
        raise Refusal(403, "Resource not accessible by integration")
    if not well_formed_tag(tag):
        raise validation_failed(
            _error("tag_name", "custom", "tag_name is not a valid tag"),
            _error("tag_name", "custom", "tag_name is not well-formed"),
        )
    if len(body.get("body") or "") > BODY_LIMIT:
        raise validation_failed(_error("body", "custom", f"body is too long (maximum is {BODY_LIMIT} characters)"))
    taken = call.repository.published(tag)
    if taken is not None and taken.id != release.id:
        raise validation_failed(_error("tag_name", "already_exists"))
    if tag in call.repository.burned and not release.immutable:
        raise validation_failed(_error("tag_name", "custom", _IMMUTABLE_TAG))
    release.tag, release.target = tag, target
    release.name, release.body = body.get("name", release.name), body.get("body", release.body)
    release.prerelease = body.get("prerelease", release.prerelease)


def _publish(call: Call, release: StoredRelease, body: dict[str, Any]) -> None:
    repository = call.repository
    if release.tag not in repository.tags:
        branch = repository.branches.get(release.target)
        commit = branch[-1] if branch else release.target
        if commit not in repository.commits():
            raise validation_failed(
                _error("tag_name", "custom", "tag_name is not a valid tag"),
                {"resource": "Release", "code": "custom", "message": "Published releases must have a valid tag"},
                _error("target_commitish", "invalid"),
            )
        repository.tags[release.tag] = {"sha": commit, "commit": commit}
    release.draft, release.published = False, call.now
    release.immutable = repository.immutable_releases
    if release.immutable:
        repository.burned.append(release.tag)
    _elect_latest(call, release, str(body.get("make_latest", "true")))


def _elect_latest(call: Call, release: StoredRelease, wish: str) -> None:
    eligible = not release.draft and not release.prerelease
    if eligible and wish.lower() in ("true", "legacy"):
        call.repository.latest = release.id
    elif call.repository.latest == release.id:
        call.repository.latest = None


ROUTES = (
    Route(method="GET", path="/releases", serve=_list),
    Route(method="POST", path="/releases", serve=_create, write=True),
    Route(method="GET", path="/releases/latest", serve=_latest),
    Route(method="GET", path="/releases/tags/(?P<tag>.+)", serve=_by_tag),
    Route(method="GET", path=r"/releases/(?P<release>\d+)", serve=_get),
    Route(method="PATCH", path=r"/releases/(?P<release>\d+)", serve=_update, write=True),
    Route(method="DELETE", path=r"/releases/(?P<release>\d+)", serve=_delete, write=True),
)
