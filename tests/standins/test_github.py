"""The GitHub stand-in keeps the rules of the real REST API (facts: github-actions, sections 1 and 2)."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hephaestus.standins.faults import Fault, Faults
from hephaestus.standins.github import GitHub
from hephaestus.standins.github.assets import stored_name
from hephaestus.standins.github.releases import well_formed_tag
from hephaestus.standins.http import Request, Response

WRITE, READ, ADMIN = "write-token", "read-token", "admin-token"
BASE = "http://127.0.0.1:1234"


@dataclass
class Api:
    """The stand-in, called without a wire."""

    github: GitHub
    faults: Faults
    now: list[float]

    def __call__(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = WRITE,
        headers: Mapping[str, str] | None = None,
        base: str = BASE,
        host: str = "127.0.0.1",
    ) -> Response:
        parts = urlsplit(path)
        sent = {"user-agent": "test", **({"authorization": f"Bearer {token}"} if token else {}), **(headers or {})}
        return self.github.handle(
            Request(
                method=method,
                path=parts.path,
                query=parse_qs(parts.query, keep_blank_values=True),
                headers=sent,
                body=body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode(),
                base=base,
                host=host,
            )
        )

    def draft(self, tag: str = "v1", **more: Any) -> dict[str, Any]:
        answer = self("POST", "/repos/o/n/releases", {"tag_name": tag, "draft": True, **more})
        assert answer.status == 201, answer.body
        return read(answer)

    def upload(self, release: Mapping[str, Any], name: str = "a.whl", body: bytes = b"bytes", **more: Any) -> Response:
        path = f"/uploads/repos/o/n/releases/{release['id']}/assets?name={name}"
        return self("POST", path, body, headers={"content-type": "application/octet-stream"}, **more)

    def change(self, release: Mapping[str, Any], **body: Any) -> Response:
        return self("PATCH", f"/repos/o/n/releases/{release['id']}", body)

    def publish(self, release: Mapping[str, Any], **body: Any) -> dict[str, Any]:
        answer = self.change(release, draft=False, **body)
        assert answer.status == 200, answer.body
        return read(answer)


def read(answer: Response) -> Any:
    return json.loads(answer.body)


def errors(answer: Response) -> list[tuple[str | None, str]]:
    assert answer.status == 422
    return [(error.get("field"), error["code"]) for error in read(answer)["errors"]]


def make(folder: Path, **more: Any) -> Api:
    faults, now = Faults(), [1_800_000_000.0]
    tokens = {"token": WRITE, "read_token": READ, "admin_token": ADMIN}
    github = GitHub(folder, repository="o/n", clock=lambda: now[0], faults=faults, **tokens, **more)
    return Api(github=github, faults=faults, now=now)


@pytest.fixture
def api(tmp_path: Path) -> Api:
    made = make(tmp_path / "state")
    made.github.push(["1" * 40, "2" * 40])
    for tag in ("v1", "v2", "v3"):
        made.github.push_tag(tag, "2" * 40)
    return made


def test_drafts_are_seen_by_writers_only_and_never_by_tag(api) -> None:
    """A draft is not there by tag, by list or by id for those who may not write."""
    draft = api.draft()
    assert api("GET", "/repos/o/n/releases/tags/v1").status == 404
    assert [release["id"] for release in read(api("GET", "/repos/o/n/releases"))] == [draft["id"]]
    assert api("GET", f"/repos/o/n/releases/{draft['id']}").status == 200
    for token in (None, READ):
        assert read(api("GET", "/repos/o/n/releases", token=token)) == []
        assert api("GET", f"/repos/o/n/releases/{draft['id']}", token=token).status == 404
        assert api("GET", f"/repos/o/n/releases/{draft['id']}/assets", token=token).status == 404
    assert "untagged-" in draft["html_url"]
    published = api.publish(draft)
    assert published["html_url"] == f"{BASE}/o/n/releases/tag/v1"
    assert read(api("GET", "/repos/o/n/releases/tags/v1", token=None)) == published


def test_a_release_has_the_fields_of_the_real_one(api) -> None:
    """Addresses follow the way the client came; the upload address is the templated one."""
    draft = api.draft(name="One", body="notes", prerelease=True, target_commitish="2" * 40)
    assert (draft["tag_name"], draft["name"], draft["body"]) == ("v1", "One", "notes")
    assert (draft["draft"], draft["prerelease"], draft["immutable"]) == (True, True, False)
    assert draft["published_at"] is None
    assert draft["created_at"] == "2027-01-15T08:00:00Z"
    assert draft["upload_url"] == f"{BASE}/uploads/repos/o/n/releases/{draft['id']}/assets{{?name,label}}"
    other = read(api("GET", f"/repos/o/n/releases/{draft['id']}", base="https://elsewhere:1"))
    assert other["url"].startswith("https://elsewhere:1/repos/o/n/")


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({}, ("tag_name", "missing_field")),
        ({"tag_name": ""}, ("tag_name", "missing_field")),
        ({"tag_name": 3}, ("tag_name", "missing_field")),
        ({"tag_name": "v 1"}, ("tag_name", "custom")),
        ({"tag_name": "v1..2"}, ("tag_name", "custom")),
        ({"tag_name": "v1", "body": "x" * 125_001}, ("body", "custom")),
        ({"tag_name": "v1", "body": 3}, ("body", "invalid")),
        ({"tag_name": "v1", "draft": "yes"}, ("draft", "invalid")),
        ({"tag_name": "v1", "prerelease": 1}, ("prerelease", "invalid")),
        ({"tag_name": "v9", "target_commitish": "9" * 40}, ("target_commitish", "invalid")),
    ],
)
def test_bad_releases_are_422(api, body, found) -> None:
    """Every field the API would not take is refused by name, and nothing is kept."""
    assert found in errors(api("POST", "/repos/o/n/releases", body))
    assert read(api("GET", "/repos/o/n/releases")) == []


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[]", b'"x"'])
def test_a_body_that_is_no_object_is_400(api, body) -> None:
    """What does not parse is refused as such."""
    assert api("POST", "/repos/o/n/releases", body).status == 400


def test_a_published_tag_is_taken_but_drafts_may_share_one(api) -> None:
    """Several drafts may have one tag; one release may."""
    one, two = api.draft(), api.draft()
    api.publish(one)
    assert errors(api("POST", "/repos/o/n/releases", {"tag_name": "v1", "draft": True})) == [
        ("tag_name", "already_exists")
    ]
    assert errors(api.change(two, draft=False)) == [("tag_name", "already_exists")]


def test_a_jobs_token_names_no_commit_that_changes_a_workflow(api) -> None:
    """As a release's target it takes `workflows: write`, which no job has: 403; other commits and the tag alone do."""
    api.github.push([], workflows=["2" * 40])
    refused = api("POST", "/repos/o/n/releases", {"tag_name": "v1", "draft": True, "target_commitish": "2" * 40})
    assert refused.status == 403
    api.draft("v1", target_commitish="1" * 40)
    api.draft("v1")


def test_a_failed_publication_changes_nothing(api) -> None:
    """A draft whose publication is refused is as it was."""
    draft = api.draft("v9", target_commitish="9" * 40)
    assert ("target_commitish", "invalid") in errors(api.change(draft, draft=False, name="changed"))
    assert read(api("GET", f"/repos/o/n/releases/{draft['id']}")) == draft


def test_publication_makes_a_missing_tag(api) -> None:
    """A branch, or a commit that was pushed, can be the target of a new tag."""
    api.publish(api.draft("v8", target_commitish="main"))
    api.publish(api.draft("v9", target_commitish="1" * 40))
    for tag, commit in (("v8", "2" * 40), ("v9", "1" * 40)):
        ref = read(api("GET", f"/repos/o/n/git/ref/tags/{tag}"))
        assert ref["object"] == {**ref["object"], "type": "commit", "sha": commit}


def test_latest_follows_the_wishes(api) -> None:
    """Drafts and pre-releases are never the latest; make_latest decides among the others."""
    assert api("GET", "/repos/o/n/releases/latest").status == 404
    one, two, three = api.draft("v1"), api.draft("v2"), api.draft("v3", prerelease=True)
    for release, wish, latest in ((one, "true", "v1"), (two, "false", "v1"), (three, "true", "v1")):
        api.publish(release, make_latest=wish)
        assert read(api("GET", "/repos/o/n/releases/latest"))["tag_name"] == latest
    api.change(two, make_latest="true")
    assert read(api("GET", "/repos/o/n/releases/latest"))["tag_name"] == "v2"
    api("DELETE", f"/repos/o/n/releases/{two['id']}")
    assert api("GET", "/repos/o/n/releases/latest").status == 404


def test_lists_come_in_pages(api) -> None:
    """30 a page unless asked, 100 at most, with Link headers that lead through all of them."""
    for number in range(101):
        api.draft(f"t{number}")
    first = api("GET", "/repos/o/n/releases")
    assert len(read(first)) == 30
    assert 'page=2>; rel="next"' in first.headers["Link"]
    second = api("GET", "/repos/o/n/releases?per_page=1000&page=2")
    assert len(read(second)) == 1
    assert 'rel="next"' not in second.headers["Link"]
    assert 'rel="prev"' in second.headers["Link"]
    assert read(api("GET", "/repos/o/n/releases?per_page=100&page=9")) == []
    assert len(read(api("GET", "/repos/o/n/releases?per_page=x&page=-1"))) == 30


def test_an_asset_is_stored_listed_and_downloaded(api) -> None:
    """Digest, size, label, both ways to download; the storage takes the signed address and no token."""
    draft = api.draft()
    answer = api.upload(draft, "a.whl&label=The+wheel", b"bytes")
    asset = read(answer)
    assert answer.status == 201
    assert asset["digest"] == f"sha256:{hashlib.sha256(b'bytes').hexdigest()}"
    assert (asset["size"], asset["state"], asset["label"]) == (5, "uploaded", "The wheel")
    assert read(api("GET", f"/repos/o/n/releases/{draft['id']}/assets")) == [asset]
    path = f"/repos/o/n/releases/assets/{asset['id']}"
    assert read(api("GET", path)) == asset
    octets = {"accept": "application/octet-stream"}
    assert api("GET", path, token=None, headers=octets).status == 404
    redirect = api("GET", path, headers=octets)
    assert redirect.status == 302
    storage, _, place = redirect.headers["Location"].partition("/objects")
    place = f"/objects{place}"
    assert storage == BASE.replace("127.0.0.1", "localhost")
    stored = api("GET", place, token=None)
    assert stored.file is not None
    assert stored.file.read_bytes() == b"bytes"
    assert api("GET", place).status == 400
    assert api("GET", place[:-1] + "!", token=None).status == 403
    assert api("GET", place.partition("?")[0], token=None).status == 403
    browse = "/o/n/releases/download/v1/a.whl"
    assert api("GET", browse, token=None).status == 404
    published = api.publish(draft)
    assert published["assets"][0]["browser_download_url"] == BASE + browse
    assert api("GET", browse, token=None).status == 302


@pytest.mark.parametrize(
    ("headers", "status", "body"),
    [
        ({"range": "bytes=2-"}, 206, b"tes"),
        ({"range": "bytes=2-", "if-range": "ETAG"}, 206, b"tes"),
        ({"range": "bytes=2-", "if-range": '"another"'}, 200, b"bytes"),
        ({"range": "bytes=5-"}, 200, b"bytes"),
        ({"range": "bytes=0-1"}, 200, b"bytes"),
        ({}, 200, b"bytes"),
    ],
)
def test_the_storage_serves_the_rest_of_a_file(api, headers, status, body) -> None:
    """A part from some byte on, if the file is still the same; everything where there is no such part."""
    asset = read(api.upload(api.draft(), body=b"bytes"))
    octets = {"accept": "application/octet-stream"}
    redirect = api("GET", f"/repos/o/n/releases/assets/{asset['id']}", headers=octets)
    place = f"/objects{redirect.headers['Location'].partition('/objects')[2]}"
    etag = api("GET", place, token=None).headers["ETag"]
    asked = {name: value.replace("ETAG", etag) for name, value in headers.items()}
    answer = api("GET", place, token=None, headers=asked)
    content = answer.file.read_bytes() if answer.file else answer.body
    assert (answer.status, content, answer.headers["ETag"]) == (status, body, etag)
    assert answer.headers.get("Content-Range") == ("bytes 2-4/5" if status == 206 else None)


def test_an_asset_is_never_replaced(api) -> None:
    """A second asset of a name is 422 until the first is deleted."""
    draft = api.draft()
    asset = read(api.upload(draft))
    assert errors(api.upload(draft, body=b"other")) == [("name", "already_exists")]
    assert api("DELETE", f"/repos/o/n/releases/assets/{asset['id']}").status == 204
    assert api("DELETE", f"/repos/o/n/releases/assets/{asset['id']}").status == 404
    assert api.upload(draft, body=b"other").status == 201


@pytest.mark.parametrize(
    ("name", "body", "headers", "status"),
    [
        ("", b"x", {"content-type": "x/y"}, 422),
        ("...", b"x", {"content-type": "x/y"}, 422),
        ("a", b"", {"content-type": "x/y"}, 400),
        ("a", b"x", {}, 400),
    ],
)
def test_bad_uploads_are_refused(api, name, body, headers, status) -> None:
    """No name, no bytes, no content type: refused, nothing kept."""
    draft = api.draft()
    path = f"/uploads/repos/o/n/releases/{draft['id']}/assets?name={name}"
    assert api("POST", path, body, headers=headers).status == status
    assert read(api("GET", f"/repos/o/n/releases/{draft['id']}"))["assets"] == []


def test_uploads_have_their_own_host(api) -> None:
    """The API host takes no upload; uploads.github.com takes it at the plain path."""
    path = f"/repos/o/n/releases/{api.draft()['id']}/assets?name=a"
    headers = {"content-type": "x/y"}
    assert api("POST", path, b"x", headers=headers).status == 404
    assert api("POST", path, b"x", headers=headers, host="uploads.github.com").status == 201


def test_odd_names_are_changed_as_github_changes_them(api) -> None:
    """Special characters become dots, outer dots go."""
    assert read(api.upload(api.draft(), "a%20b!1.whl."))["name"] == "a.b.1.whl"


def test_an_immutable_release_is_frozen_for_ever(api) -> None:
    """No upload, change or deletion of assets; text may change; the tag's name is burned even after deletion."""
    assert api("GET", "/repos/o/n/immutable-releases", token=ADMIN).status == 404
    api.github.set_immutable_releases(True)
    assert read(api("GET", "/repos/o/n/immutable-releases", token=ADMIN))["enabled"] is True
    draft = api.draft()
    asset = read(api.upload(draft))
    release = api.publish(draft)
    assert release["immutable"] is True
    refused = api.upload(release, "b.whl")
    assert (refused.status, read(refused)["message"]) == (422, "Cannot upload assets to an immutable release.")
    path = f"/repos/o/n/releases/assets/{asset['id']}"
    assert api("DELETE", path).status == 422
    assert api("PATCH", path, {"name": "c"}).status == 422
    assert api.change(release, tag_name="v2").status == 422
    assert api.change(release, draft=True).status == 422
    assert read(api.change(release, body="more"))["body"] == "more"
    assert api("DELETE", f"/repos/o/n/releases/{release['id']}").status == 204
    answer = api("POST", "/repos/o/n/releases", {"tag_name": "v1", "draft": True})
    assert read(answer)["errors"][0]["message"] == "tag_name was used by an immutable release"


def test_the_setting_freezes_only_what_is_published_under_it(api) -> None:
    """A release published before stays open to assets."""
    release = api.publish(api.draft())
    api.github.set_immutable_releases(True)
    assert api.upload(release).status == 201


def test_assets_can_be_renamed(api) -> None:
    """PATCH of an asset changes name and label, not onto another one's name."""
    draft = api.draft()
    one, _two = read(api.upload(draft, "a")), read(api.upload(draft, "b"))
    path = f"/repos/o/n/releases/assets/{one['id']}"
    assert errors(api("PATCH", path, {"name": "b"})) == [("name", "already_exists")]
    assert read(api("PATCH", path, {"name": "c", "label": "C"}))["name"] == "c"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/repos/o/n/releases"),
        ("PATCH", "/repos/o/n/releases/1"),
        ("DELETE", "/repos/o/n/releases/1"),
        ("POST", "/uploads/repos/o/n/releases/1/assets"),
        ("DELETE", "/repos/o/n/releases/assets/2"),
        ("PATCH", "/repos/o/n/releases/assets/2"),
    ],
)
def test_writing_needs_a_writing_token(api, method, path) -> None:
    """None is 401, a wrong one 401, a reading one 403; the release stays."""
    before = api.upload(api.draft())
    assert before.status == 201
    for token, status in ((None, 401), ("wrong", 401), (READ, 403)):
        answer = api(method, path, {}, token=token)
        assert answer.status == status
        assert answer.headers["Content-Type"].startswith("application/json")
    assert len(read(api("GET", "/repos/o/n/releases/1"))["assets"]) == 1


def test_reading_rules(tmp_path, api) -> None:
    """A wrong token spoils reading; other repositories are not there; names know no case; a user agent is a must."""
    assert api("GET", "/repos/o/n", token=None).status == 200
    assert read(api("GET", "/repos/O/N"))["default_branch"] == "main"
    assert api("GET", "/repos/o/n", token="wrong").status == 401
    assert api("GET", "/repos/o/n", token=None, headers={"authorization": f"Basic {WRITE}"}).status == 401
    assert api("GET", "/repos/o/other").status == 404
    assert api("GET", "/repos/o/other", token=None).status == 404
    assert api("GET", "/repos/o/n", headers={"user-agent": ""}).status == 403
    assert api("GET", "/nothing").status == 404
    assert api("GET", "/repos/o/n/releases/999").status == 404
    private = make(tmp_path / "private", private=True)
    assert private("GET", "/repos/o/n", token=None).status == 404
    assert private("POST", "/repos/o/n/releases", {}, token=None).status == 404
    assert private("GET", "/repos/o/n", token=READ).status == 200


def test_rate_limits_are_counted_by_the_hour(tmp_path) -> None:
    """Headers count down; the request over the limit is 403 and does nothing; the next hour starts anew."""
    api = make(tmp_path, hourly_limit=3, anonymous_limit=1)
    assert api("GET", "/repos/o/n", token=None).headers["X-RateLimit-Remaining"] == "0"
    assert api("GET", "/repos/o/n", token=None).status == 403
    left = [api("GET", "/repos/o/n").headers["X-RateLimit-Remaining"] for _ in range(3)]
    assert left == ["2", "1", "0"]
    over = api("POST", "/repos/o/n/releases", {"tag_name": "v1", "draft": True})
    assert (over.status, over.headers["X-RateLimit-Remaining"]) == (403, "0")
    api.now[0] = float(over.headers["X-RateLimit-Reset"])
    assert read(api("GET", "/repos/o/n/releases")) == []


def test_refs_and_commits(api) -> None:
    """Annotated tags have an object of their own; branches, commits and comparisons answer as the API does."""
    api.github.push_tag("light", "1" * 40, annotated=False)
    api.github.push(["1" * 40, "3" * 40], branch="side/one", default=False)
    target = read(api("GET", "/repos/o/n/git/ref/tags/v1"))["object"]
    assert target["type"] == "tag"
    assert read(api("GET", f"/repos/o/n/git/tags/{target['sha']}"))["object"]["sha"] == "2" * 40
    assert read(api("GET", "/repos/o/n/git/refs/tags/light"))["object"]["type"] == "commit"
    for path in ("git/ref/tags/v", f"git/tags/{'0' * 40}", "branches/none", "compare/main...none"):
        assert api("GET", f"/repos/o/n/{path}").status == 404
    assert read(api("GET", "/repos/o/n/branches/side/one"))["commit"]["sha"] == "3" * 40
    for name, sha in (("main", "2"), ("v1", "2"), ("1" * 40, "1"), ("refs/heads/side/one", "3")):
        assert read(api("GET", f"/repos/o/n/commits/{name}"))["sha"] == sha * 40
    assert api("GET", "/repos/o/n/commits/none").status == 422
    for base, head, status in (
        ("1" * 40, "main", "ahead"),
        ("main", "1" * 40, "behind"),
        ("v1", "main", "identical"),
        ("main", "side/one", "diverged"),
    ):
        assert read(api("GET", f"/repos/o/n/compare/{base}...{head}"))["status"] == status


def test_the_state_survives_a_restart_and_knows_no_address(tmp_path, api) -> None:
    """A new stand-in on the same folder goes on: releases, assets, burned tags, numbers; no port is kept."""
    api.github.set_immutable_releases(True)
    draft, other = api.draft(), api.draft("v2")
    api.upload(draft)
    api.publish(draft)
    folder = tmp_path / "state"
    again = make(folder)
    for number in (draft["id"], other["id"]):
        path = f"/repos/o/n/releases/{number}"
        assert again("GET", path).body == api("GET", path).body
    place = again("GET", "/o/n/releases/download/v1/a.whl", token=None).headers["Location"].partition("/objects")[2]
    stored = again("GET", f"/objects{place}", token=None).file
    assert stored is not None
    assert stored.read_bytes() == b"bytes"
    assert again.draft("v3")["id"] not in {draft["id"], other["id"]}
    assert errors(again("POST", "/repos/o/n/releases", {"tag_name": "v1"})) == [("tag_name", "already_exists")]
    assert "1234" not in (folder / "repository.json").read_text()
    assert not list(folder.rglob(".new-*"))


def test_a_write_that_fails_keeps_the_former_state(api, tmp_path, monkeypatch) -> None:
    """When the disk refuses the new state, the old one stays readable and no temporary file remains."""
    api.draft()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(OSError, match="No space"):
            api("POST", "/repos/o/n/releases", {"tag_name": "v2", "draft": True})
    folder = tmp_path / "state"
    for stand_in in (api, make(folder)):
        assert len(read(stand_in("GET", "/repos/o/n/releases"))) == 1
    assert not list(folder.rglob(".new-*"))


@pytest.mark.parametrize(
    ("fault", "status", "headers"),
    [
        ("500", 500, {}),
        ("502", 502, {}),
        ("503", 503, {}),
        ("429=17", 429, {"Retry-After": "17"}),
        ("429", 429, {"Retry-After": "60"}),
        ("403-rate-limit", 403, {"X-RateLimit-Remaining": "0"}),
        ("403-rate-limit=9", 403, {"Retry-After": "9"}),
        ("html", 200, {"Content-Type": "text/html; charset=utf-8"}),
    ],
)
def test_faults_answer_before_anything_is_done(api, fault, status, headers) -> None:
    """Every fault has its answer, strikes as often as asked, and has no effect."""
    api.faults.arm([Fault.parse(f"github:{fault}x2")])
    for _ in range(2):
        answer = api("POST", "/repos/o/n/releases", {"tag_name": "v1", "draft": True})
        assert answer.status == status
        assert headers.items() <= answer.headers.items()
    assert read(api("GET", "/repos/o/n/releases")) == []


@pytest.mark.parametrize("wire", ["reset", "hang"])
def test_the_wire_can_fail(api, wire) -> None:
    """reset and hang misbehave on the wire and do nothing."""
    api.faults.arm([Fault.parse(f"github:{wire}")])
    assert api("POST", "/repos/o/n/releases", {"tag_name": "v1", "draft": True}).wire == wire
    assert read(api("GET", "/repos/o/n/releases")) == []


def test_uploads_can_fail_in_their_own_ways(api) -> None:
    """Stored and cut; half stored as a starter that blocks the name; stored without a digest; a draft made and cut."""
    draft = api.draft()
    for number, (fault, state) in enumerate(
        (("stored-reset", "uploaded"), ("asset-truncated", "starter"), ("no-digest", "uploaded"))
    ):
        api.faults.arm([Fault.parse(f"github:{fault}")])
        answer = api.upload(draft, f"a{number}", b"0123456789")
        assert (answer.wire, answer.status) == {
            "stored-reset": ("reset", 200),
            "asset-truncated": ("answer", 502),
            "no-digest": ("answer", 201),
        }[fault]
        asset = read(api("GET", f"/repos/o/n/releases/{draft['id']}"))["assets"][number]
        assert asset["state"] == state
        assert asset["size"] == (5 if state == "starter" else 10)
        assert ("digest" in asset) == (fault == "stored-reset")
        assert errors(api.upload(draft, f"a{number}")) == [("name", "already_exists")]
    api.faults.arm([Fault.parse("github:created-reset")])
    assert api("POST", "/repos/o/n/releases", {"tag_name": "v2", "draft": True}).wire == "reset"
    assert len(read(api("GET", "/repos/o/n/releases"))) == 2


def test_upload_faults_count_uploads_only(api) -> None:
    """`@2` of an upload's fault means the second upload, however much is read in between."""
    draft = api.draft()
    api.faults.arm([Fault.parse("github:stored-reset@2")])
    assert api.upload(draft, "a").wire == "answer"
    api("GET", "/repos/o/n/releases")
    assert api.upload(draft, "b").wire == "reset"


@given(st.text(max_size=30))
def test_stored_names_are_safe_and_stable(name) -> None:
    """Whatever the name asked for, what is stored has safe characters only and is its own stored name."""
    stored = stored_name(name)
    assert stored_name(stored) == stored
    assert not set(stored) & set(" /\\\0%?#")


@given(st.text(max_size=12) | st.from_regex(r"v[0-9]+\.[0-9]+(rc[0-9])?", fullmatch=True))
def test_tags_are_judged_as_git_judges_them(tag) -> None:
    """Our judgement of a tag's name never accepts what git-check-ref-format's rules forbid."""
    if well_formed_tag(tag):
        assert tag
        assert not set(tag) & set(" ~^:?*[\\\x7f") | {sign for sign in tag if sign < " "}
        assert ".." not in tag
        assert "@{" not in tag
        assert not tag.startswith(("/", ".", "-"))
        assert not tag.endswith(("/", ".", ".lock"))


@pytest.mark.parametrize(
    "tag",
    [
        *(
            "v1",
            "release/v1.0",
            "v1+local",
            "v1!2",
            "-v1",
            "v-1",
            "@",
            "v@1",
            "v1@{",
            "v1.lock",
            "a.lock/b",
            "v1.",
            "v1/",
        ),
        *(".v1", "a/.b", "a//b", "a..b", "a b", "a~b", "a^b", "a:b", "a?b", "a*b", "a[b", "a\\b", "a\x7fb", "ä"),
    ],
)
def test_tags_are_judged_as_git_itself_does(tag) -> None:
    """The judgement of a tag's name agrees with git's own (git tag refuses a leading dash besides)."""
    code = subprocess.run(["git", "check-ref-format", f"refs/tags/{tag}"], check=False).returncode
    refused_by_git_tag = tag.startswith("-")
    assert well_formed_tag(tag) == (code == 0 and not refused_by_git_tag)
