"""Pages of indexes without JSON: what they list is read, what is no such page is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hephaestus.services.errors import AnswerInvalid, RedirectRefused, UnexpectedStatus
from hephaestus.services.http import HttpClient
from hephaestus.services.index import IndexClient, PropagationState
from hephaestus.services.private import IndexTokenRefused
from hephaestus.services.simple_html import read_html
from hephaestus.standins.http import Handler, Listener, Request, Response

URL = "https://packages.example.org/simple/tiny-thing/"
WHEEL, SDIST = "tiny_thing-1.0-py3-none-any.whl", "tiny_thing-1.0.tar.gz"
ONE, TWO = "1" * 64, "2" * 64

DEVPI = f"""<!DOCTYPE html><html><head><title>root/dev: links for tiny-thing</title></head><body>
<h1>root/dev: links for tiny-thing</h1>
<a href="../../+f/111/{WHEEL}#sha256={ONE}">{WHEEL}</a><br/>
<a href="../../+f/222/{SDIST}#sha256={TWO}" data-requires-python="&gt;=3.9">{SDIST}</a><br/>
</body></html>"""
GITLAB = f"""<!DOCTYPE html><html><head><title>Links for tiny-thing</title></head><body>
<h1>Links for tiny-thing</h1>
<a href="https://gitlab.example.org/api/v4/projects/1/packages/pypi/files/{ONE}/{WHEEL}#sha256={ONE}">{WHEEL}</a><br>
</body></html>"""


def test_links_are_files() -> None:
    """File names from the addresses, addresses made whole, digests from the fragments, nothing yanked."""
    page = read_html(DEVPI, name="Tiny.Thing", url=URL)
    assert (page.name, page.status) == ("tiny-thing", "active")
    assert {file.filename: (file.url, file.sha256, file.yanked) for file in page.files} == {
        WHEEL: (f"https://packages.example.org/+f/111/{WHEEL}", ONE, False),
        SDIST: (f"https://packages.example.org/+f/222/{SDIST}", TWO, False),
    }
    assert [file.sha256 for file in read_html(GITLAB, name="tiny-thing", url=URL).files] == [ONE]


@pytest.mark.parametrize("sign", ["%1b[2J", "%C2%9b2J", "%E2%80%AE", "%7f", "%C2%A0"])
def test_a_name_with_signs_that_cannot_be_seen_is_no_file(sign: str) -> None:
    """Control signs and marks of direction, which a terminal would obey, are in the name of no distribution."""
    assert read_html(f'<a href="tiny{sign}-1.0.tar.gz#sha256={ONE}">x</a>', name="tiny", url=URL).files == ()


def test_what_else_a_page_tells() -> None:
    """The base of its links, yanks with and without a reason, the project's status, links that are no files."""
    text = (
        '<head><base href="https://files.example.org/x/"><meta name="pypi:project-status" content="archived">'
        '<meta name="pypi:project-status-reason" content="done  with it"><meta name="generator" content="x"></head>'
        f'<a href="{WHEEL}#sha256={ONE}" data-yanked="broken">x</a><a href="{SDIST}#sha256={TWO}" data-yanked>y</a>'
        '<a href="..">up</a><a>nothing</a><a href="notes.txt#sha256=">z</a>'
    )
    page = read_html(text, name="tiny-thing", url=URL)
    assert (page.status, page.reason) == ("archived", "done with it")
    assert [(file.url, file.yanked) for file in page.files] == [
        (f"https://files.example.org/x/{WHEEL}", "broken"),
        (f"https://files.example.org/x/{SDIST}", ""),
    ]


def test_a_page_without_files_is_a_project_without_files() -> None:
    """What has been deleted leaves an empty page."""
    assert read_html("<html></html>", name="tiny-thing", url=URL).files == ()


def test_one_old_file_without_a_digest_is_no_fault_of_the_others() -> None:
    """Its digest is unknown, which is equal to nothing; the others are read."""
    text = f'<a href="{SDIST}">a</a><a href="{WHEEL}#sha256={ONE}">b</a>'
    assert [file.sha256 for file in read_html(text, name="tiny-thing", url=URL).files] == [None, ONE]


@pytest.mark.parametrize(
    ("text", "defect"),
    [
        (f'<a href="{WHEEL}#md5=123">a</a>', "carry no sha256"),
        (f'<a href="{WHEEL}#sha256={ONE}">a</a><a href="x/{WHEEL}#sha256={TWO}">b</a>', "listed twice"),
        ('<form><input name="p" type="Password"></form>', "asks for a password"),
        ('<meta name="pypi:repository-version" content="2.0">', "not 1.x"),
        ('<a href="https://[::1/x.whl">a</a>', "is no address"),
    ],
)
def test_what_cannot_be_relied_on_is_refused(text: str, defect: str) -> None:
    """No digests, two digests, a login page, another major version, no address."""
    with pytest.raises(AnswerInvalid, match=defect):
        read_html(text, name="tiny-thing", url=URL)


@given(st.text(max_size=200) | st.lists(st.sampled_from(["<a href='", "x.whl#sha256=", ONE, "'>", "<!--", "<base "])))
def test_any_text_is_read_or_refused(text: str | list[str]) -> None:
    """Whatever an address serves, it is a page or AnswerInvalid: never another exception."""
    try:
        page = read_html("".join(text), name="tiny-thing", url=URL)
    except AnswerInvalid:
        return
    assert all(file.filename for file in page.files)


def answering(response: Response | Callable[[Request], Response], asked: list[Request]) -> Handler:
    """A server that gives that answer to all."""

    def handle(request: Request) -> Response:
        asked.append(request)
        return response if isinstance(response, Response) else response(request)

    return handle


HTML = {"Content-Type": "text/html; charset=utf-8"}


@pytest.fixture
def asked() -> list[Request]:
    return []


def test_the_client_reads_html_where_it_may(
    http: HttpClient, serve: Callable[[Handler], Listener], asked: list[Request]
) -> None:
    """JSON is asked for first, HTML is taken, the header goes along; for a public index HTML stays a fault."""
    url = serve(answering(Response(body=DEVPI.encode(), headers=HTML), asked)).url
    client = IndexClient(f"{url}/simple/", http=http, json_url="", authorization="Basic eA==", html=True)
    assert [file.sha256 for file in client.release_files("tiny-thing", "1.0")] == [ONE, TWO]
    assert asked[0].headers["authorization"] == "Basic eA=="
    assert asked[0].headers["accept"].startswith("application/vnd.pypi.simple.v1+json, ")
    with pytest.raises(AnswerInvalid, match="content type"):
        IndexClient(f"{url}/simple/", http=http).project("tiny-thing")


def test_no_json_api_is_asked_where_there_is_none(
    http: HttpClient, serve: Callable[[Handler], Listener], asked: list[Request]
) -> None:
    """What lags and what never arrived cannot be told apart there, and nothing is asked in vain."""
    url = serve(answering(Response(body=b"<html></html>", headers=HTML), asked)).url
    client = IndexClient(f"{url}/simple/", http=http, json_url="", html=True)
    seen = client.wait_for("tiny-thing", {WHEEL: ONE}, budget_seconds=0.0, sleep=lambda _: None)
    assert seen.state is PropagationState.ABSENT
    assert {request.path for request in asked} == {"/simple/tiny-thing/"}


@pytest.mark.parametrize("location", ["https://pypi.org/simple/tiny-thing/", "https://pypi.org/simple/Tiny_Thing"])
def test_what_the_index_leaves_to_another_one_it_does_not_have(
    http: HttpClient, serve: Callable[[Handler], Listener], asked: list[Request], location: str
) -> None:
    """pypiserver and GitLab redirect to PyPI for what they lack: the project is not here, and nobody is followed."""
    url = serve(answering(Response(status=303, headers={"Location": location}), asked)).url
    assert IndexClient(f"{url}/simple/", http=http, html=True).project("tiny-thing") is None
    with pytest.raises(RedirectRefused):
        IndexClient(f"{url}/simple/", http=http).project("tiny-thing")


@pytest.mark.parametrize("location", ["https://login.example.org/?next=/simple/tiny-thing/", "https://x.example.org/"])
def test_a_redirect_to_a_login_is_refused(
    http: HttpClient, serve: Callable[[Handler], Listener], asked: list[Request], location: str
) -> None:
    """Being sent to anything but the same project's page says nothing about the project."""
    url = serve(answering(Response(status=302, headers={"Location": location}), asked)).url
    with pytest.raises(RedirectRefused):
        IndexClient(f"{url}/simple/", http=http, html=True).project("tiny-thing")


def test_a_redirect_to_another_port_of_the_index_is_no_other_index(
    http: HttpClient, serve: Callable[[Handler], Listener], asked: list[Request]
) -> None:
    """The same host under another address is a mistake of the configuration: it says nothing about the project."""
    url = serve(
        answering(Response(status=301, headers={"Location": "http://127.0.0.1:9/simple/tiny-thing/"}), asked)
    ).url
    with pytest.raises(RedirectRefused):
        IndexClient(f"{url}/simple/", http=http, html=True).project("tiny-thing")


@pytest.mark.parametrize("status", [401, 403])
def test_a_token_that_may_not_read_is_told(
    http: HttpClient, serve: Callable[[Handler], Listener], asked: list[Request], status: int
) -> None:
    """With a token the refusal is about the token; without one it is about that, and a public index needs none."""
    url = serve(answering(Response(status=status, body=b"insufficient_scope"), asked)).url
    client = IndexClient(f"{url}/simple/", http=http, authorization="Basic eHg6eHh4eHh4eHh4eHh4", html=True)
    with pytest.raises(IndexTokenRefused, match=f"it answered {status}") as caught:
        client.project("tiny-thing")
    assert "insufficient_scope" in caught.value.why
    assert "eHg6" not in str(caught.value)
    with pytest.raises(IndexTokenRefused, match="without a token"):
        IndexClient(f"{url}/simple/", http=http, html=True).project("tiny-thing")
    with pytest.raises(UnexpectedStatus):
        IndexClient(f"{url}/simple/", http=http).project("tiny-thing")
