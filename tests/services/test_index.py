"""The index client against small pages of the test's own, and the upload plan."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hephaestus.services import errors
from hephaestus.services.index import (
    FileState,
    IndexClient,
    IndexFile,
    IndexProject,
    PropagationState,
    plan_upload,
)
from hephaestus.services.project import version_of
from hephaestus.standins.http import Handler, Request, Response

SDIST, WHEEL = "my_pkg-1.0.tar.gz", "my_pkg-1.0-py3-none-any.whl"
OURS = {SDIST: "a" * 64, WHEEL: "b" * 64}
SIMPLE = "application/vnd.pypi.simple.v1+json"


def entry(filename: str, sha256: str, **more: Any) -> dict[str, Any]:
    return {
        "filename": filename,
        "url": f"../../files/{filename}",
        "hashes": {"sha256": sha256},
        "size": 5,
        "upload-time": "2026-11-01T10:00:00.123456Z",
        "yanked": False,
        "core-metadata": False,
        "provenance": None,
        **more,
    }


def page(*files: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "meta": {"api-version": "1.4"},
        "name": "my-pkg",
        "versions": ["1.0"],
        "files": list(files),
        **more,
    }


COMPLETE = page(*(entry(name, sha256) for name, sha256 in OURS.items()))


@dataclass
class Index:
    """An index that serves what the test put on it; a list of pages is served one a request, the last for ever."""

    url: str = ""
    simple: list[Any] = field(default_factory=list)
    json: Any = None
    more: dict[str, Response] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)

    def handle(self, request: Request) -> Response:
        self.requests.append(request)
        if request.path.startswith("/simple/"):
            answer = self.simple.pop(0) if len(self.simple) > 1 else self.simple[0]
            kind = SIMPLE
        elif request.path.startswith("/pypi/"):
            answer, kind = self.json, "application/json"
        else:
            answer, kind = self.more.get(request.path), ""
        if answer is None:
            return Response(status=404, body=b"<html>404</html>", headers={"Content-Type": "text/html"})
        if isinstance(answer, Response):
            return answer
        return Response(body=json.dumps(answer).encode(), headers={"Content-Type": kind})


@pytest.fixture
def index(answering: Callable[[Handler], str]) -> Index:
    made = Index()
    made.url = answering(made.handle)
    return made


@pytest.fixture
def client(index: Index, http) -> IndexClient:
    return IndexClient(f"{index.url}/simple/", http=http)


def wait(client: IndexClient, time, **more: Any):
    return client.wait_for("My.Pkg", OURS, budget_seconds=60, poll=10, sleep=time.sleep, clock=time, **more)


def test_a_project_is_read_whole(index, client) -> None:
    """Files, digests, times, yanks, provenance and status of a project page."""
    index.simple = [
        page(
            entry(SDIST, "a" * 64, yanked="broken"),
            entry(WHEEL, "b" * 64, provenance="/integrity/x", yanked=True),
            entry("my-pkg-0.9.zip", "c" * 64),
            entry("my_pkg-0.9.win32.exe", "d" * 64),
            **{"project-status": {"status": "archived", "reason": "moved"}},
        )
    ]
    project = client.project("My.Pkg")
    assert project is not None
    assert (project.name, project.versions) == ("my-pkg", ("1.0",))
    assert (project.status, project.reason) == ("archived", "moved")
    assert project.file(SDIST) == IndexFile(
        filename=SDIST,
        url=f"{index.url}/files/{SDIST}",
        sha256="a" * 64,
        size=5,
        upload_time=datetime(2026, 11, 1, 10, 0, 0, 123456, tzinfo=UTC),
        yanked="broken",
    )
    wheel = project.file(WHEEL)
    assert wheel is not None
    assert wheel.provenance == f"{index.url}/integrity/x"
    assert wheel.yanked == ""
    assert [file.filename for file in project.release_files("1.0.0")] == [SDIST, WHEEL]
    assert [file.filename for file in project.release_files("0.9")] == ["my-pkg-0.9.zip"]


def test_every_read_goes_past_the_caches(index, client) -> None:
    """Page, JSON API and provenance are asked for fresh, under the normalised name, in JSON."""
    index.simple, index.json = [COMPLETE], {"urls": []}
    client.project("My.Pkg")
    client.json_api("My.Pkg", "1.0")
    client.provenance(dataclasses.replace(IndexFile(filename="f", url="", sha256=None), provenance=f"{index.url}/i"))
    assert [request.path for request in index.requests] == ["/simple/my-pkg/", "/pypi/my-pkg/1.0/json", "/i"]
    assert {request.headers["cache-control"] for request in index.requests} == {"no-cache"}
    assert index.requests[0].headers["accept"] == SIMPLE


def test_what_is_not_there_is_none(index, client) -> None:
    """404 of a project, a version, a provenance is an answer, not an error."""
    index.simple = [None]
    assert client.project("my-pkg") is None
    assert client.release_files("my-pkg", "1.0") == ()
    assert client.json_api("my-pkg", "1.0") is None
    assert client.provenance(IndexFile(filename="f", url="", sha256=None)) is None
    gone = IndexFile(filename="f", url="", sha256=None, provenance=f"{index.url}/gone")
    assert client.provenance(gone) is None


def test_provenance_is_handed_on_as_it_is(index, client) -> None:
    """A provenance object is returned unverified; what is none is an error."""
    file = IndexFile(filename="f", url="", sha256=None, provenance=f"{index.url}/i")
    kind = {"Content-Type": "application/vnd.pypi.integrity.v1+json"}
    index.more["/i"] = Response(body=b'{"version": 1}', headers=kind)
    assert client.provenance(file) == {"version": 1}
    index.more["/i"] = Response(body=b"[]", headers=kind)
    with pytest.raises(errors.AnswerInvalid):
        client.provenance(file)


def test_files_are_downloaded_with_the_pages_digest(index, client, tmp_path) -> None:
    """The page's size and sha256 decide whether a file is the one."""
    import hashlib

    index.more[f"/files/{SDIST}"] = Response(body=b"sdist")
    index.simple = [page(entry(SDIST, hashlib.sha256(b"sdist").hexdigest()))]
    file = client.project("my-pkg").file(SDIST)
    assert client.download(file, tmp_path / "f").size == 5
    with pytest.raises(errors.DownloadMismatch):
        client.download(dataclasses.replace(file, sha256="0" * 64), tmp_path / "g")
    assert not (tmp_path / "g").exists()


def test_a_private_indexs_credential_stays_at_home(index, http, serve, tmp_path) -> None:
    """Authorization goes to the index's origin, not to where its files lie."""
    seen: list[Request] = []
    files = serve(lambda request: seen.append(request) or Response(body=b"sdist"))
    index.simple = [page(entry(SDIST, "a" * 64, url=f"{files.url}/f", hashes={}))]
    client = IndexClient(f"{index.url}/simple/", http=http, authorization="Basic eDp5")
    client.download(client.project("my-pkg").file(SDIST), tmp_path / "f")
    assert index.requests[0].headers["authorization"] == "Basic eDp5"
    assert "authorization" not in seen[0].headers


BAD = [
    "text",
    [],
    {},
    page(meta={}),
    page(meta={"api-version": "2.0"}),
    page(meta={"api-version": 1}),
    page(name=3),
    page(files={}),
    page(entry("my_pkg\x9b2J-1.0.tar.gz", "a" * 64)),
    page(entry("my_pkg\u202e-1.0.tar.gz", "a" * 64)),
    page(versions="1.0"),
    page(versions=[1]),
    page(**{"project-status": 3}),
    page(3),
    page({}),
    page(entry("", "a" * 64)),
    page(entry("../x", "a" * 64)),
    page(entry(SDIST, "A" * 64)),
    page(entry(SDIST, "a" * 63)),
    page(entry(SDIST, "a" * 64, hashes=None)),
    page(entry(SDIST, "a" * 64, url=None)),
    page(entry(SDIST, "a" * 64, url="http://[")),
    page(entry(SDIST, "a" * 64, size=-1)),
    page(entry(SDIST, "a" * 64, size=True)),
    page(entry(SDIST, "a" * 64, size="5")),
    page(entry(SDIST, "a" * 64, yanked=1)),
    page(entry(SDIST, "a" * 64, provenance={})),
    page(entry(SDIST, "a" * 64, **{"upload-time": "yesterday"})),
    page(entry(SDIST, "a" * 64, **{"upload-time": 5})),
    page(entry(SDIST, "a" * 64), entry(SDIST, "a" * 64)),
    page(name="other"),
    Response(body=b"<html>", headers={"Content-Type": "text/html"}),
    Response(body=b"{}", headers={"Content-Type": "application/json"}),
    Response(body=b"{", headers={"Content-Type": SIMPLE}),
    Response(body=b"", headers={"Content-Type": SIMPLE}),
]


@pytest.mark.parametrize("bad", BAD)
def test_a_page_that_is_none_names_its_defect(index, client, bad) -> None:
    """HTML, other types, missing and mistyped fields: AnswerInvalid with a next step."""
    index.simple = [bad]
    with pytest.raises(errors.AnswerInvalid) as caught:
        client.project("my-pkg")
    assert caught.value.next_step


@pytest.mark.parametrize("bad", [[], {}, {"urls": 3}, {"urls": [{}]}, {"urls": [{"filename": "x", "digests": 1}]}, "x"])
def test_a_json_api_that_is_none_is_named(index, client, bad) -> None:
    """The JSON API's answer is checked as well."""
    index.json = bad
    with pytest.raises(errors.AnswerInvalid):
        client.json_api("my-pkg", "1.0")


def test_lasting_faults_have_names(index, client) -> None:
    """5xx, 403 and redirects elsewhere are errors of their own."""
    for answer, kind in (
        (Response(status=503), errors.ServiceDown),
        (Response(status=403), errors.UnexpectedStatus),
        (Response(status=301, headers={"Location": "https://pypi.org/simple/x/"}), errors.RedirectRefused),
        (Response(wire="reset"), errors.Unreachable),
    ):
        index.simple = [answer]
        with pytest.raises(kind):
            client.project("my-pkg")


def test_waiting_ends_when_all_files_show(index, client, time) -> None:
    """Absent, half there, there: three polls, and every step is told."""
    index.simple = [None, page(entry(SDIST, "a" * 64)), COMPLETE]
    told = []
    seen = wait(client, time, progress=told.append)
    assert seen.state is PropagationState.VISIBLE
    assert seen.visible == tuple(sorted(OURS))
    assert (seen.polls, seen.seconds) == (3, 20)
    assert [(step.state, step.visible) for step in told] == [
        (PropagationState.ABSENT, ()),
        (PropagationState.ABSENT, (SDIST,)),
    ]


@pytest.mark.parametrize(
    ("urls", "state"),
    [
        ([(SDIST, "a"), (WHEEL, "b")], PropagationState.LAGGING),
        ([(WHEEL, "b")], PropagationState.LAGGING),
        ([(SDIST, "a")], PropagationState.ABSENT),
        ([(WHEEL, "c")], PropagationState.ABSENT),
        (None, PropagationState.ABSENT),
    ],
)
def test_lag_is_not_failure(index, client, time, urls, state) -> None:
    """What the simple page lacks but the JSON API has with our digest is published, not yet propagated."""
    index.simple = [page(entry(SDIST, "a" * 64))]
    if urls is not None:
        index.json = {"urls": [{"filename": name, "digests": {"sha256": sign * 64}} for name, sign in urls]}
    seen = wait(client, time)
    assert seen.state is state
    assert seen.waiting == (WHEEL,)
    assert seen.polls == 7
    assert sum(time.slept) == 60


def test_without_a_json_api_lag_is_absence(index, http, time) -> None:
    """An index whose address tells no JSON API has nothing to tell lag by."""
    index.simple = [None]
    client = IndexClient(f"{index.url}/simple/other", http=http)
    seen = client.wait_for("my-pkg", OURS, budget_seconds=0, sleep=time.sleep, clock=time)
    assert (seen.state, seen.polls) == (PropagationState.ABSENT, 1)
    assert len(index.requests) == 1


def test_a_json_api_in_trouble_is_said(index, client, time) -> None:
    """When the JSON API fails, the files are absent as far as we know, and the trouble is kept."""
    index.simple, index.json = [None], Response(status=503)
    seen = wait(client, time)
    assert seen.state is PropagationState.ABSENT
    assert "503" in seen.trouble


@pytest.mark.parametrize("served", [{"sha256": "c" * 64}, {}])
def test_a_wrong_digest_ends_the_wait(index, client, time, served) -> None:
    """Other bytes under our name, or none to compare: named with both digests, at once."""
    index.simple = [page(entry(SDIST, "a" * 64), entry(WHEEL, "", hashes=served))]
    seen = wait(client, time)
    assert seen.state is PropagationState.WRONG
    assert seen.wrong == {WHEEL: ("b" * 64, served.get("sha256", "no sha256"))}
    assert time.slept == []


def test_quarantine_ends_the_wait(index, client, time) -> None:
    """A quarantined project shows no files; nobody waits for them (both forms of the status)."""
    for more in (
        {"project-status": {"status": "quarantined", "reason": "malware?"}},
        {
            "meta": {
                "api-version": "1.4",
                "project-status": "quarantined",
                "project-status-reason": "malware?",
            }
        },
    ):
        index.simple = [page(versions=[], **more)]
        seen = wait(client, time)
        assert (seen.state, seen.reason) == (PropagationState.QUARANTINED, "malware?")
        assert time.slept == []


def test_an_archived_project_is_waited_for_no_longer_than_it_lacks(index, client, time) -> None:
    """Archived with all files is visible; archived without them is its own state."""
    archived = {"project-status": {"status": "archived"}}
    index.simple = [COMPLETE | archived]
    assert wait(client, time).state is PropagationState.VISIBLE
    index.simple = [page(**archived)]
    assert wait(client, time).state is PropagationState.ARCHIVED
    assert time.slept == []


def test_an_index_that_stumbles_is_asked_again(index, client, time) -> None:
    """Trouble while waiting is passed over; at the end of the budget it is told apart from absence."""
    down = Response(status=502)
    index.simple = [down, down, down, COMPLETE]
    assert wait(client, time).state is PropagationState.VISIBLE
    index.simple = [down]
    seen = wait(client, time)
    assert seen.state is PropagationState.UNANSWERED
    assert "502" in seen.trouble
    assert seen.waiting == tuple(sorted(OURS))


def test_an_address_that_is_no_index_is_not_waited_for(index, client, time) -> None:
    """One HTML page may be an accident; three in a row are the wrong address."""
    html = Response(body=b"<html>", headers={"Content-Type": "text/html"})
    index.simple = [html, html, COMPLETE]
    assert wait(client, time).state is PropagationState.VISIBLE
    index.simple = [html]
    with pytest.raises(errors.AnswerInvalid):
        wait(client, time)
    assert len(index.requests) == 6


def test_forbidden_is_not_waited_for(index, client, time) -> None:
    """403 will not pass by waiting."""
    index.simple = [Response(status=403)]
    with pytest.raises(errors.UnexpectedStatus):
        wait(client, time)
    assert time.slept == []


def remote(*files: dict[str, Any]) -> IndexProject:
    return IndexProject.read(page(*files), url="https://index/simple/my-pkg/")


def test_a_plan_for_an_empty_index() -> None:
    """Everything is missing, nothing is late."""
    for there in (None, remote(), remote(entry("my_pkg-0.9.tar.gz", "c" * 64))):
        plan = plan_upload(OURS, there, "1.0")
        assert [file.filename for file in plan.missing] == sorted(OURS)
        assert (plan.deadline, plan.foreign, plan.complete) == (None, (), False)
        assert not plan.too_late(datetime.max.replace(tzinfo=UTC))


def test_a_plan_for_a_half_finished_release() -> None:
    """One identical, one missing; the deadline counts 14 days from the first file of this version."""
    early = {"upload-time": "2026-11-01T09:00:00Z"}
    older = entry("my_pkg-0.9.tar.gz", "c" * 64, **{"upload-time": "2020-01-01T00:00:00Z"})
    plan = plan_upload(OURS, remote(entry(SDIST, "a" * 64, **early), older), "1.0")
    assert [file.filename for file in plan.identical] == [SDIST]
    assert [file.filename for file in plan.missing] == [WHEEL]
    deadline = datetime(2026, 11, 15, 9, tzinfo=UTC)
    assert plan.deadline == deadline
    assert not plan.too_late(deadline)
    assert plan.too_late(deadline + timedelta(seconds=1))


def test_a_finished_release_is_complete_and_never_late() -> None:
    """All identical: nothing to send, however old."""
    plan = plan_upload(OURS, IndexProject.read(COMPLETE, url="https://i/"), "1.0.0")
    assert plan.complete
    assert {file.reason for file in plan.files} == {""}
    assert not plan.too_late(datetime(2030, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("there", "reason"),
    [
        (entry(SDIST, "c" * 64), "ours has sha256 " + "a" * 64 + ", the index has " + "c" * 64),
        (entry(SDIST, "", hashes={}), "without a sha256"),
        (entry("my_pkg-0.9.tar.gz", "a" * 64), "as my_pkg-0.9.tar.gz"),
    ],
)
def test_a_conflict_names_both_digests(there, reason) -> None:
    """Other bytes under our name, our bytes under another name, or bytes nobody can compare."""
    plan = plan_upload(OURS, remote(there), "1.0")
    assert [file.filename for file in plan.conflicts] == [SDIST]
    assert reason in plan.conflicts[0].reason
    assert not plan.complete


def test_foreign_files_of_our_version_are_found() -> None:
    """A file of this version that is none of ours is listed, whatever its spelling of the version."""
    foreign = entry("my_pkg-1.0.0-cp311-cp311-win_amd64.whl", "e" * 64)
    plan = plan_upload(OURS, remote(*COMPLETE["files"], foreign), "1.0")
    assert [file.filename for file in plan.foreign] == [foreign["filename"]]
    assert not plan.complete


@given(
    st.dictionaries(st.sampled_from([SDIST, WHEEL, "x"]), st.sampled_from("abc")),
    st.dictionaries(st.sampled_from([SDIST, WHEEL, "y-1.0.zip"]), st.sampled_from("abc")),
)
def test_a_plan_accounts_for_every_file(local, there) -> None:
    """Each of our files is in exactly one state; only equal name and digest is identical; none sent that conflicts."""
    plan = plan_upload(
        {name: sign * 64 for name, sign in local.items()},
        remote(*(entry(name, sign * 64) for name, sign in there.items())),
        "1.0",
    )
    assert sorted(file.filename for file in plan.files) == sorted(local)
    assert len(plan.missing) + len(plan.identical) + len(plan.conflicts) == len(local)
    for file in plan.files:
        same = there.get(file.filename) == local[file.filename]
        assert (file.state is FileState.IDENTICAL) == same
        if file.state is FileState.MISSING:
            assert file.filename not in there
            assert local[file.filename] not in there.values()


@given(st.text(max_size=40) | st.from_regex(r"[a-z]+-[0-9.!+a-z]+(-py3-none-any\.whl|\.tar\.gz|\.zip)", fullmatch=True))
def test_any_file_name_has_a_version_or_none(filename) -> None:
    """Reading a version from a file name never fails otherwise."""
    version = version_of(filename)
    assert version is None or str(version)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=6),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["meta", "api-version", "name", "files", "versions", "filename", "hashes", "project-status"]
                ),
                inner,
                max_size=8,
            )
        ),
        max_leaves=20,
    )
)
def test_any_json_is_a_project_or_an_error(data) -> None:
    """Whatever the JSON, reading it gives an IndexProject or AnswerInvalid."""
    try:
        project = IndexProject.read(data, url="https://index/simple/x/")
    except errors.AnswerInvalid:
        return
    assert isinstance(project, IndexProject)
