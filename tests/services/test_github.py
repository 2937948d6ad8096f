"""The GitHub client against the GitHub stand-in."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hephaestus.services import errors, refusals
from hephaestus.services.github import GitHubClient
from hephaestus.services.releases import AssetReport, Release, TagTarget
from hephaestus.standins.http import Handler, Listener, Request, Response

NOTES = {"name": "1.0", "notes": "what is new", "prerelease": False}


def digests(files: list[Path]) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_a_release_goes_from_nothing_to_published(site, files, tmp_path) -> None:
    """Draft, assets, read back, publish, download: the whole way works and the draft is invisible until the end."""
    client, anonymous = site.client(), site.client(token=None)
    assert client.find_release("v1.0") is None
    draft = client.create_draft(tag="v1.0", **NOTES)
    moved: list[tuple[str, int, int]] = []
    draft = client.upload_assets(draft, files, progress=lambda *step: moved.append(step))
    assert draft.draft
    assert client.find_release("v1.0") == draft
    assert anonymous.find_release("v1.0") is None
    assert client.read_back(draft, digests(files)) == AssetReport(
        matching=tuple(path.name for path in files), different={}
    )
    release = client.publish(draft, prerelease=False)
    assert not release.draft
    assert anonymous.find_release("v1.0") == release == client.latest_release()
    assert release.url.endswith("/releases/tag/v1.0")
    wheel = release.asset(files[1].name)
    assert wheel is not None
    anonymous.download(wheel, tmp_path / "wheel")
    assert (tmp_path / "wheel").read_bytes() == files[1].read_bytes()
    assert moved[-1] == (files[1].name, 350_000, 350_000)
    assert [done for name, done, _ in moved if name == files[1].name] == sorted({done for _, done, _ in moved[1:]})


def test_the_token_goes_to_the_two_hosts_only(site, files, tmp_path) -> None:
    """API and uploads get the token; the storage behind the redirect never does."""
    client = site.client()
    draft = client.upload_assets(client.create_draft(tag="v1.0", **NOTES), files)
    client.download(draft.assets[0], tmp_path / "file")
    stored = [request for request in site.requests if request.path.startswith("/objects/")]
    assert len(stored) == 1
    assert all(("authorization" in request.headers) != (request in stored) for request in site.requests)


def test_every_publishing_step_may_be_repeated(site, files) -> None:
    """A second run finds the draft, keeps every asset, publishes nothing twice."""
    client = site.client()
    draft = client.upload_assets(client.create_draft(tag="v1.0", **NOTES), files)
    client.publish(draft, prerelease=False)
    site.requests.clear()
    found = client.find_release("v1.0")
    assert found is not None
    again = client.publish(client.upload_assets(found, files), prerelease=False)
    assert {request.method for request in site.requests} == {"GET"}
    assert again == found


def test_only_what_is_missing_is_sent(site, files) -> None:
    """An asset that is there with the same digest stays; the other one is sent."""
    client = site.client()
    draft = client.upload_assets(client.create_draft(tag="v1.0", **NOTES), files[:1])
    site.requests.clear()
    client.upload_assets(draft, files)
    assert len(site.asked("POST")) == 1
    assert site.asked("DELETE") == []


def test_other_bytes_stop_everything_before_a_byte_is_sent(site, files) -> None:
    """One asset with another digest: AssetMismatch names both digests, nothing is sent, nothing is deleted."""
    client = site.client()
    draft = client.upload_assets(client.create_draft(tag="v1.0", **NOTES), files[1:])
    theirs = digests(files)[files[1].name]
    files[1].write_bytes(b"rebuilt")
    site.requests.clear()
    with pytest.raises(refusals.AssetMismatch) as caught:
        client.upload_assets(draft, files)
    ours = hashlib.sha256(b"rebuilt").hexdigest()
    assert caught.value.different == {files[1].name: (ours, theirs)}
    assert ours in caught.value.what
    assert theirs in caught.value.what
    assert {request.method for request in site.requests} == {"GET"}


@pytest.mark.parametrize(
    ("fault", "posts"),
    [
        ("github:stored-reset", 2),
        ("github:stored-reset@2", 2),
        ("github:asset-truncated", 3),
        ("github:asset-truncated@2", 3),
        ("github:asset-truncatedx2", 4),
        ("github:no-digest", 2),
        ("github:no-digestx2", 2),
    ],
)
def test_uploads_survive_what_may_befall_one(site, files, fault, posts) -> None:
    """Stored-but-cut is not sent again, a half asset is removed and sent again, a missing digest is made by hashing."""
    client = site.client()
    draft = client.create_draft(tag="v1.0", **NOTES)
    site.requests.clear()
    site.fault(fault)
    draft = client.upload_assets(draft, files)
    assert client.read_back(draft, digests(files)).complete
    assert len(site.asked("POST")) == posts
    assert len(site.asked("DELETE")) == posts - 2
    assert len(draft.assets) == 2


@pytest.mark.parametrize(
    ("kind", "at"),
    [
        *((kind, at) for kind in ("503", "reset") for at in range(1, 11)),
        *((kind, at) for kind in ("500", "502", "429=7", "403-rate-limit=7", "hang") for at in (3, 6)),
    ],
)
def test_every_step_survives_a_passing_fault(site, time, files, kind, at, request) -> None:
    """Wherever a passing fault strikes, the release ends up complete, published, and made once."""
    if kind == "hang":
        request.getfixturevalue("impatient")
    site.fault(f"github:{kind}@{at}")
    client = site.client()
    release = client.find_release("v1.0") or client.create_draft(tag="v1.0", **NOTES)
    release = client.publish(client.upload_assets(release, files), prerelease=False)
    site.faults.arm([])
    assert time.slept
    assert client.read_back(release, digests(files)).complete
    assert len(client.find_release("v1.0").assets) == 2
    everything = site.github.handle(
        Request(
            method="GET",
            path="/repos/Owner/project/releases",
            headers={"authorization": f"Bearer {'ghs_' + 'a' * 36}", "user-agent": "t"},
        )
    )
    assert len(json.loads(everything.body)) == 1


def test_a_draft_whose_answer_is_lost_is_not_made_twice(site) -> None:
    """After a cut the client looks for its draft before it makes another."""
    client = site.client()
    site.fault("github:created-reset")
    draft = client.create_draft(tag="v1.0", **NOTES)
    assert client.find_release("v1.0") == draft
    assert len(site.asked("POST")) == 1


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("github:500x9", errors.ServiceDown),
        ("github:502x9", errors.ServiceDown),
        ("github:503x9", errors.ServiceDown),
        ("github:resetx9", errors.Unreachable),
        ("github:hangx9", errors.Unreachable),
        ("github:429=1x9", errors.RateLimited),
        ("github:429=100000", errors.RateLimited),
        ("github:403-rate-limitx9", errors.RateLimited),
        ("github:403-rate-limit=1x9", errors.RateLimited),
        ("github:html", errors.AnswerInvalid),
    ],
)
def test_a_lasting_fault_has_a_name_and_a_next_step(site, time, fault, kind, request) -> None:
    """No fault of the service ends in anything but its own error, within the budget of waiting."""
    if "hang" in fault:
        request.getfixturevalue("impatient")
    site.fault(fault)
    with pytest.raises(kind) as caught:
        site.client().find_release("v1.0")
    assert caught.value.next_step
    assert sum(time.slept) <= 300
    assert len(site.requests) <= 3


def test_waiting_longer_than_the_budget_is_refused_at_once(site, time) -> None:
    """A rate limit of an hour is reported with its length instead of being waited for."""
    site.fault("github:429=3600")
    with pytest.raises(errors.RateLimited, match="3600 s"):
        site.client().find_release("v1.0")
    assert time.slept == []


def test_publishing_sets_the_prerelease_flag(site, files) -> None:
    """A pre-release is flagged as one and never becomes the latest."""
    client = site.client()
    release = client.publish(client.create_draft(tag="v1.0", **NOTES), prerelease=True)
    assert release.prerelease
    assert client.latest_release() is None
    with pytest.raises(refusals.PublicationFailed, match="pre-release flag"):
        client.publish(release, prerelease=False)


def test_an_immutable_release_is_told_apart(site, files) -> None:
    """Detected before sending; what is missing is listed; notes stay editable; a complete one is simply done."""
    client = site.client()
    assert site.administrator().immutable_releases() is False
    site.github.set_immutable_releases(True)
    assert site.administrator().immutable_releases() is True
    assert client.immutable_releases() is None
    draft = client.upload_assets(client.create_draft(tag="v1.0", **NOTES), files[:1])
    release = client.publish(draft, prerelease=False)
    assert release.immutable
    assert client.upload_assets(release, files[:1]) == release
    site.requests.clear()
    with pytest.raises(refusals.ReleaseImmutable) as caught:
        client.upload_assets(release, files)
    assert caught.value.missing == (files[1].name,)
    assert site.asked("POST") == []
    assert client.edit_notes(release, "new notes").notes == "new notes"


def test_a_release_frozen_between_look_and_upload(site, files) -> None:
    """The 422 of an upload to a frozen release becomes ReleaseImmutable, not a loop."""
    client = site.client()
    draft = client.create_draft(tag="v1.0", **NOTES)
    site.github.set_immutable_releases(True)

    def publish_first(request: Request) -> Response | None:
        if request.path.startswith("/uploads/"):
            site.before = None
            client.publish(draft, prerelease=False)
        return None

    site.before = publish_first
    with pytest.raises(refusals.ReleaseImmutable):
        client.upload_assets(draft, files)
    assert len(site.asked("POST")) == 2


def test_a_burned_tag_is_named(site) -> None:
    """A tag that an immutable release used up is its own error."""
    client = site.client()
    site.github.set_immutable_releases(True)
    release = client.publish(client.create_draft(tag="v1.0", **NOTES), prerelease=False)
    status = site.github.handle(
        Request(
            method="DELETE",
            path=f"/repos/Owner/project/releases/{release.id}",
            headers={"authorization": f"Bearer {'ghs_' + 'a' * 36}", "user-agent": "t"},
        )
    ).status
    assert status == 204
    with pytest.raises(refusals.TagBurned):
        client.create_draft(tag="v1.0", **NOTES)


@pytest.mark.parametrize(
    ("tag", "command"),
    [
        ("v1.2.3", " (`nox -s bump -- 1.2.4`)"),
        ("core-v1.0.dev1", " (`nox -s bump -- 1.0.dev2`)"),
        ("nightly", ""),
    ],
)
def test_a_tag_that_is_used_up_names_the_command_of_the_next(tag: str, command: str) -> None:
    """One package's tag or a lone one: the exact command; a tag of no version is not guessed at."""
    assert refusals.TagBurned(url="https://x", tag=tag).next_step == f"release a new version{command}"


def test_a_published_tag_takes_no_second_release(site) -> None:
    """already_exists becomes ReleaseExists."""
    client = site.client()
    client.publish(client.create_draft(tag="v1.0", **NOTES), prerelease=False)
    with pytest.raises(refusals.ReleaseExists):
        client.create_draft(tag="v1.0", **NOTES)


def test_two_drafts_of_one_tag_are_not_guessed_between(site) -> None:
    """GitHub allows several drafts of a tag; the client names them instead of choosing."""
    client = site.client()
    one = client.create_draft(tag="v1.0", **NOTES)
    client.create_draft(tag="v1.0", **NOTES)
    with pytest.raises(refusals.DraftsAmbiguous, match="2 drafts"):
        client.find_release("v1.0")
    client.delete_draft(one)
    assert client.find_release("v1.0") is not None


def test_a_draft_is_found_on_any_page(site, monkeypatch) -> None:
    """The list is read page by page."""
    monkeypatch.setattr("hephaestus.services.github._PER_PAGE", 3)
    client = site.client()
    wanted = client.create_draft(tag="v1.0", **NOTES)
    for number in range(6):
        client.create_draft(tag=f"v0.{number}", **NOTES)
    site.requests.clear()
    assert client.find_release("v1.0") == wanted
    assert [request.query.get("page") for request in site.requests] == [None, ["1"], ["2"], ["3"]]


def json_answer(body: object, status: int = 200) -> Response:
    return Response(status=status, body=json.dumps(body).encode(), headers={"Content-Type": "application/json"})


def test_a_setting_nobody_may_read_is_unknown(site) -> None:
    """403 for the immutable-releases setting is None: neither on nor off."""
    site.before = lambda _: json_answer({"message": "Resource not accessible by integration"}, 403)
    assert site.client().immutable_releases() is None


def test_a_list_that_is_none_is_named(site) -> None:
    """An object where releases should be listed is AnswerInvalid."""
    site.before = lambda request: json_answer({}) if request.path.endswith("/releases") else None
    with pytest.raises(errors.AnswerInvalid, match="list of releases"):
        site.client().find_release("v1.0")


def test_a_tag_that_leads_in_circles_is_named(site) -> None:
    """A tag of a tag of a tag ... ends."""
    site.before = lambda _: json_answer({"object": {"type": "tag", "sha": "a" * 40}})
    with pytest.raises(errors.AnswerInvalid, match="does not end at a commit"):
        site.client().tag_target("v1.0")
    assert len(site.requests) <= 6


def test_a_draft_that_cannot_be_made_is_given_up(site, time) -> None:
    """A lasting 502 on creation alone ends after the patience, having looked for the draft each time."""
    site.before = lambda request: json_answer({}, 502) if request.method == "POST" else None
    with pytest.raises(errors.ServiceDown):
        site.client().create_draft(tag="v1.0", **NOTES)
    assert len(site.asked("POST")) == 3
    assert len(time.slept) == 2


def test_another_run_that_uploads_first_is_noticed(site, files) -> None:
    """Between look and upload another run stores an asset: same bytes are fine, other bytes stop."""
    client = site.client()
    draft = client.create_draft(tag="v1.0", **NOTES)
    for content, path in ((None, files[0]), (b"other", files[1])):

        def first(request: Request, content: bytes | None = content) -> Response | None:
            if request.path.startswith("/uploads/"):
                site.before = None
                site.github.handle(dataclasses.replace(request, body=content or request.body))
            return None

        site.before = first
        if content is None:
            assert client.upload_assets(draft, [path]).asset(path.name) is not None
        else:
            with pytest.raises(refusals.AssetMismatch):
                client.upload_assets(draft, [path])


def test_publishing_is_read_back(site) -> None:
    """A release that lost its tag, or stayed a draft, is not taken for published."""
    client = site.client()
    draft = client.create_draft(tag="v1.0", **NOTES)
    raw = site.github.handle(
        Request(
            method="GET",
            path=f"/repos/Owner/project/releases/{draft.id}",
            headers={"authorization": f"Bearer {'ghs_' + 'a' * 36}", "user-agent": "t"},
        )
    )
    for change, defect in (
        ({}, "still a draft"),
        ({"draft": False, "tag_name": "untagged-1"}, "its tag is untagged-1"),
    ):
        site.before = lambda _, change=change: json_answer(json.loads(raw.body) | change)
        with pytest.raises(refusals.PublicationFailed, match=defect):
            client.publish(draft, prerelease=False)


def test_a_published_release_is_never_deleted(site) -> None:
    """delete_draft looks again and refuses."""
    client = site.client()
    draft = client.create_draft(tag="v1.0", **NOTES)
    client.publish(draft, prerelease=False)
    with pytest.raises(refusals.PublicationFailed, match="no draft any more"):
        client.delete_draft(draft)
    assert site.asked("DELETE") == []


def test_the_rest_of_a_transfer_stays_in_a_published_release(site, files) -> None:
    """A starter asset is removed from drafts only."""
    client = site.client()
    draft = client.create_draft(tag="v1.0", **NOTES)
    site.fault("github:asset-truncatedx9")
    with pytest.raises(errors.ServiceDown):
        client.upload_assets(draft, files[:1])
    site.faults.arm([])
    client.publish(draft, prerelease=False)
    site.requests.clear()
    with pytest.raises(refusals.AssetIncomplete):
        client.upload_assets(draft, files[:1])
    assert site.asked("DELETE") == []
    assert client.read_back(draft, digests(files)).incomplete == (files[0].name,)


@pytest.mark.parametrize("token", [None, "ghs_wrong"])
def test_a_missing_or_wrong_token_is_401(site, token) -> None:
    """Writing without a valid token is CredentialRefused, which says where the token comes from."""
    with pytest.raises(refusals.CredentialRefused) as caught:
        site.client(token=token).create_draft(tag="v1.0", **NOTES)
    assert "GITHUB_TOKEN" in caught.value.next_step
    assert "ghs_wrong" not in str(caught.value)


def test_a_reading_token_is_403(site) -> None:
    """A token without contents: write is PermissionMissing; it sees no drafts."""
    reader = site.client(token="ghs_" + "r" * 36)
    with pytest.raises(refusals.PermissionMissing, match="create a draft"):
        reader.create_draft(tag="v1.0", **NOTES)
    site.client().create_draft(tag="v1.0", **NOTES)
    assert reader.find_release("v1.0") is None


def test_another_repository_is_404(site) -> None:
    """A repository that is not there, or not ours, is told apart from a missing release."""
    with pytest.raises(refusals.NotThere, match="Owner/other"):
        site.client(repository="Owner/other").find_release("v1.0")


@pytest.mark.parametrize("token", ["", "  ", "ghs_ä", "a\nb"])
def test_a_token_that_cannot_be_one_is_refused_unsent(site, token) -> None:
    """Blank, foreign or header-breaking tokens never reach the wire."""
    with pytest.raises(refusals.CredentialRefused):
        site.client(token=token)
    assert site.requests == []


@pytest.mark.parametrize("name", ["", "project", "a/b/c", "o/..", "../x", "o/a b", "o/a?b", "-o/x", "o/x\n"])
def test_a_repository_name_is_owner_and_name(site, name) -> None:
    """What would change the path of a request is refused."""
    with pytest.raises(refusals.RepositoryNameRefused):
        site.client(repository=name)


def test_a_tag_cannot_leave_its_place_in_the_path(site) -> None:
    """Tags are quoted: slashes, dots and question marks of a tag stay inside it."""
    client = site.client()
    for tag in ("release/1.0", "../../../x", "v1?draft=1", "v1#x", "vä"):
        assert client.find_release(tag) is None
        assert site.requests[-2].path == f"/repos/Owner/project/releases/tags/{tag}"


def test_notes_that_github_refuses_are_not_sent(site) -> None:
    """125,000 characters pass, one more is refused before the request."""
    client = site.client()
    client.create_draft(tag="v1.0", name="1.0", notes="x" * 125_000, prerelease=False)
    site.requests.clear()
    with pytest.raises(refusals.NotesTooLong, match="125001"):
        client.create_draft(tag="v1.0", name="1.0", notes="x" * 125_001, prerelease=False)
    assert site.requests == []


@pytest.mark.parametrize("name", ["a b.whl", "ä.whl", ".hidden", "a!1.whl", "a~1.whl", "a@1.whl", "trailing."])
def test_a_name_that_github_would_change_is_refused(site, tmp_path, name) -> None:
    """An asset that would be stored under another name is not sent."""
    path = tmp_path / name
    path.write_bytes(b"x")
    with pytest.raises(refusals.AssetNameRefused):
        site.client().upload_assets(site.client().create_draft(tag="v1.0", **NOTES), [path])


def test_files_that_cannot_be_assets_are_refused(site, tmp_path) -> None:
    """Empty files, links, missing files and two files of one name are refused before anything is sent."""
    client = site.client()
    draft = client.create_draft(tag="v1.0", **NOTES)
    real, empty, link, other = (tmp_path / name for name in ("real", "empty", "link", "deep"))
    real.write_bytes(b"x")
    empty.touch()
    link.symlink_to(real)
    other.mkdir()
    (other / "real").write_bytes(b"y")
    for paths in ([empty], [link], [tmp_path / "missing"], [real, other / "real"]):
        with pytest.raises(refusals.AssetNameRefused):
            client.upload_assets(draft, paths)
    assert len(site.asked("POST")) == 1


@pytest.mark.parametrize("tag", ["", "v 1", "v..1", "v1.lock", "/v1", "v~1"])
def test_a_tag_git_does_not_take_is_refused_by_name(site, tag) -> None:
    """The 422 of an invalid tag keeps GitHub's own reasons."""
    with pytest.raises(refusals.Refused, match="tag_name"):
        site.client().create_draft(tag=tag, **NOTES)


def test_a_draft_names_no_commit(site) -> None:
    """No job may name one that changes a workflow: the tag alone says where the release is from."""
    site.github.push([], workflows=["2" * 40])
    client = site.client()
    client.publish(client.create_draft(tag="v1.0", **NOTES), prerelease=False)
    assert "target_commitish" not in json.loads(next(sent.body for sent in site.requests if sent.method == "POST"))
    assert client.tag_target("v1.0") == TagTarget(commit="2" * 40, annotated=True)


def test_tags_lead_to_commits(site) -> None:
    """Annotated and lightweight tags both lead to their commit and are told apart; a missing one is None."""
    client = site.client()
    site.github.push_tag("light/1", "1" * 40, annotated=False)
    assert client.tag_target("v1.0") == TagTarget(commit="2" * 40, annotated=True)
    assert client.tag_target("light/1") == TagTarget(commit="1" * 40, annotated=False)
    assert client.tag_target("v9") is None


def test_commits_are_on_branches_or_not(site) -> None:
    """Ancestry is asked of the compare endpoint."""
    client = site.client()
    site.github.push(["1" * 40, "3" * 40], branch="other", default=False)
    assert client.default_branch() == "main"
    assert client.contains("main", "1" * 40)
    assert client.contains("main", "2" * 40)
    assert not client.contains("main", "3" * 40)
    assert not client.contains("main", "9" * 40)
    assert not client.contains("gone", "1" * 40)


def test_a_repository_that_moved_is_followed_on_its_own_host_only(site, serve: Callable[[Handler], Listener]) -> None:
    """A same-origin redirect keeps the token; another host is refused and never sees it."""
    client = site.client()
    seen: list[Request] = []
    stranger = serve(lambda request: seen.append(request) or Response(body=b"{}"))

    def move(request: Request) -> Response | None:
        if "/Owner/project/git/" in request.path:
            return Response(status=301, headers={"Location": request.base + "/repos/Owner/project"})
        if "/releases/" in request.path:
            return Response(status=302, headers={"Location": f"{stranger.url}/take-it"})
        return None

    site.before = move
    with pytest.raises(errors.AnswerInvalid, match="object"):
        client.tag_target("v1.0")
    assert "authorization" in site.requests[-1].headers
    with pytest.raises(errors.RedirectRefused):
        client.find_release("v1.0")
    assert seen == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"x"',
        b"[" * 100_000,
        b"{}",
        b'{"id": true, "tag_name": "v1", "draft": true, "prerelease": false, "html_url": "", "assets": []}',
        b'{"id": 1, "tag_name": "v1", "draft": "no", "prerelease": false, "html_url": "", "assets": []}',
        b'{"id": 1, "tag_name": "v1", "draft": true, "prerelease": false, "html_url": "", "assets": [1]}',
        b'{"id": 1, "tag_name": "v1", "draft": true, "prerelease": false, "html_url": "", "assets": {}}',
        b'{"id": 1, "tag_name": "v1", "draft": true, "prerelease": false, "html_url": "", "assets":'
        b' [{"id": 1, "name": "a", "size": 1, "state": "uploaded", "browser_download_url": "", "digest": "sha256:0"}]}',
    ],
)
def test_a_release_that_is_none_names_the_field(site, body) -> None:
    """Broken, truncated or mistyped JSON is AnswerInvalid, never a traceback."""
    site.before = lambda _: Response(body=body, headers={"Content-Type": "application/json"})
    with pytest.raises(errors.AnswerInvalid):
        site.client().release(1)


def test_an_asset_stored_wrongly_is_noticed_in_its_answer(site, files) -> None:
    """A 201 whose name, state or digest is not ours is an error of its own."""
    client = site.client()
    draft = client.create_draft(tag="v1.0", **NOTES)
    asset = {"id": 9, "name": files[0].name, "size": 5000, "state": "uploaded", "browser_download_url": ""}
    for change, kind in (
        ({"name": "other"}, refusals.AssetNameRefused),
        ({"state": "starter"}, refusals.AssetIncomplete),
        ({"digest": "sha256:" + "0" * 64}, refusals.AssetMismatch),
    ):
        answer = Response(
            status=201, body=json.dumps(asset | change).encode(), headers={"Content-Type": "application/json"}
        )
        site.before = lambda request, answer=answer: answer if request.path.startswith("/uploads/") else None
        with pytest.raises(kind):
            client.upload_assets(draft, files[:1])


def test_a_download_with_other_bytes_is_thrown_away(site, files, tmp_path) -> None:
    """A wrong digest or size leaves no file behind."""
    client = site.client()
    draft = client.upload_assets(client.create_draft(tag="v1.0", **NOTES), files[:1])
    target = tmp_path / "in" / "file"
    target.parent.mkdir()
    with pytest.raises(errors.DownloadMismatch, match="SHA-256"):
        client.download(draft.assets[0], target, sha256="0" * 64)
    for size in (4999, 5001):
        with pytest.raises(errors.DownloadMismatch, match="size"):
            client.download(dataclasses.replace(draft.assets[0], size=size), target)
    assert list(target.parent.iterdir()) == []


def test_a_download_that_is_gone_is_named(site, files, tmp_path) -> None:
    """404 of an asset says which one."""
    client = site.client()
    draft = client.upload_assets(client.create_draft(tag="v1.0", **NOTES), files[:1])
    client.delete_draft(draft)
    with pytest.raises(refusals.NotThere, match=files[0].name):
        client.download(draft.assets[0], tmp_path / "file")


def test_foreign_assets_are_reported(site, files) -> None:
    """An asset nobody asked for is listed and does not count against completeness."""
    client = site.client()
    draft = client.upload_assets(client.create_draft(tag="v1.0", **NOTES), files)
    report = client.read_back(draft, digests(files[:1]))
    assert report.complete
    assert report.foreign == (files[1].name,)
    lacking = client.read_back(draft, digests(files) | {"gone": "0" * 64})
    assert lacking.missing == ("gone",)
    assert not lacking.complete


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["id", "tag_name", "assets", "draft", "prerelease", "html_url", "digest", "state", "size"]
                ),
                inner,
                max_size=9,
            )
        ),
        max_leaves=20,
    )
)
def test_any_json_is_a_release_or_an_error(data) -> None:
    """Whatever the JSON, reading it gives a Release or AnswerInvalid."""
    try:
        release = Release.read(data, url="https://x")
    except errors.AnswerInvalid:
        return
    assert isinstance(release, Release)


@pytest.mark.parametrize("body", ["", "<html>", "[]", "null", '{"errors": 3}', '{"errors": [1, {}, "x"]}', "[" * 99999])
@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 418, 422])
def test_any_refusal_is_translated(body, status) -> None:
    """Whatever the body of a refusal, it becomes an error with a next step."""
    raised = errors.UnexpectedStatus(url="https://x/y?sig=z", method="GET", status=status, body=body)
    error = refusals.translated(raised, repository="o/n", action="read", tag="v1")
    assert error.next_step
    assert "sig=" not in str(error)


def test_addresses_are_https_or_loopback(site) -> None:
    """The token is not sent in the clear: a http API address off the loopback is refused when the client is made."""
    for url in ("http://api.github.com", "ftp://x", "https://", "https://u:p@api.github.com", "", "https://x:y"):
        with pytest.raises(errors.AddressRefused):
            GitHubClient(url, "https://uploads.github.com", "o/n", None, http=site.http)
