"""What an index shows: simple pages in JSON and HTML, caching, the JSON API, provenance, downloads."""

from __future__ import annotations

import hashlib
import json
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standins.index.bench import BASE, Bench
from standins.index.distributions import make_sdist, make_wheel

from hephaestus.release.metadata import read_metadata_bytes
from hephaestus.standins.index.simple import negotiate

JSON = "application/vnd.pypi.simple.v1+json"


@pytest.fixture
def release(bench: Bench, tmp_path: Path) -> Bench:
    """An index with one wheel (attested) and one sdist."""
    wheel = make_wheel(tmp_path, fields={"Project-URL": "Home, https://example.com"})
    assert bench.upload(wheel, bench.mint(), attestations=bench.attested(wheel)).status == 200
    bench.clock.now += 1
    assert bench.upload(make_sdist(tmp_path), bench.mint()).status == 200
    return bench


def test_the_json_page(release: Bench, tmp_path: Path) -> None:
    """API 1.4 with versions, sizes, times, digests, metadata, yank, status and provenance."""
    page = release.simple()
    assert page["meta"]["api-version"] == "1.4"
    assert (page["name"], page["versions"], page["project-status"]) == ("tiny-thing", ["1.0"], {"status": "active"})
    wheel, sdist = page["files"]
    content = (tmp_path / wheel["filename"]).read_bytes()
    assert wheel["hashes"] == {"sha256": hashlib.sha256(content).hexdigest()}
    assert (wheel["size"], wheel["yanked"], wheel["requires-python"]) == (len(content), False, ">=3.8")
    assert wheel["upload-time"] == "2027-01-15T08:00:00.000000Z"
    metadata = read_metadata_bytes(tmp_path / wheel["filename"])
    assert wheel["core-metadata"] == {"sha256": hashlib.sha256(metadata).hexdigest()}
    assert wheel["provenance"] == f"{BASE}/integrity/tiny-thing/1.0/{wheel['filename']}/provenance"
    assert (sdist["core-metadata"], sdist["provenance"]) == (False, None)


class _Anchors(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.found.append(dict(attrs))


def test_the_html_page_says_the_same(release: Bench) -> None:
    """Every file is an anchor with URL, digest, Python, metadata, yank and provenance."""
    release.index.yank("tiny-thing", "1.0", 'a "reason"')
    response = release.get("/simple/tiny-thing/", "text/html")
    assert response.headers["Content-Type"] == "text/html; charset=UTF-8"
    anchors = _Anchors()
    anchors.feed(response.body.decode())
    wheel, sdist = anchors.found
    entry = release.simple()["files"][0]
    assert wheel["href"] == f"{entry['url']}#sha256={entry['hashes']['sha256']}"
    assert wheel["data-core-metadata"] == f"sha256={entry['core-metadata']['sha256']}"
    assert (wheel["data-yanked"], wheel["data-requires-python"]) == ('a "reason"', ">=3.8")
    assert "data-core-metadata" not in sdist


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", "text/html"),
        ("*/*", "text/html"),
        (JSON, JSON),
        ("application/vnd.pypi.simple.latest+json", JSON),
        (f"{JSON}, application/vnd.pypi.simple.v1+html; q=0.1, text/html; q=0.01", JSON),
        (f"{JSON};q=0.1, text/html", "text/html"),
        (f"{JSON};q=0", None),
        ("image/png", None),
        (f"{JSON};q=much", None),
    ],
)
def test_negotiation(accept: str, kind: str | None) -> None:
    """The client's highest quality is served; what cannot be served is refused."""
    assert negotiate(accept) == kind


@given(st.text(max_size=60))
def test_any_accept_header_is_answered(accept: str) -> None:
    """Noise never raises."""
    assert negotiate(accept) in (None, JSON, "application/vnd.pypi.simple.v1+html", "text/html")


def test_headers_and_the_etag(release: Bench) -> None:
    """Ten minutes of browser cache, the serial, and 304 for a client that has the page."""
    response = release.get("/simple/tiny-thing/", JSON)
    assert response.headers["Cache-Control"] == "max-age=600, public"
    assert response.headers["X-PyPI-Last-Serial"] == str(release.simple()["meta"]["_last-serial"])
    assert release.get("/simple/tiny-thing/", JSON, if_none_match=response.headers["ETag"]).status == 304
    assert release.get("/simple/tiny-thing/", "text/html").headers["ETag"] != response.headers["ETag"]
    release.index.yank("tiny-thing", "1.0")
    again = release.get("/simple/tiny-thing/", JSON, if_none_match=response.headers["ETag"])
    assert again.status == 200
    assert again.headers["X-PyPI-Last-Serial"] > response.headers["X-PyPI-Last-Serial"]


def test_paths_of_pages(release: Bench) -> None:
    """Names are redirected to their normal form, unknown projects are 404, HEAD and no other method works."""
    for path in ("/simple/Tiny.Thing/", "/simple/tiny-thing", "/simple/tiny_thing"):
        response = release.get(path, JSON)
        assert (response.status, response.headers["Location"]) == (301, "/simple/tiny-thing/")
    assert release.get("/simple").headers["Location"] == "/simple/"
    assert release.get("/simple/unknown/").status == 404
    assert release.get("/simple/tiny-thing/more/").status == 404
    assert release.get("/simple/tiny-thing/", "image/png").status == 406
    assert release.get("/simple/tiny-thing/", JSON, method="HEAD").status == 200
    assert release.get("/simple/tiny-thing/", JSON, method="DELETE").status == 405


def test_the_list_of_projects(release: Bench) -> None:
    """All projects, in both forms."""
    page = json.loads(release.get("/simple/", JSON).body)
    assert page["projects"] == [{"name": "tiny-thing"}]
    assert b'href="/simple/tiny-thing/"' in release.get("/simple/").body


def test_addresses_follow_the_request(release: Bench) -> None:
    """The same index behind another address gives links to that address."""
    from hephaestus.standins.http import Request

    response = release.index.handle(
        Request(method="GET", path="/simple/tiny-thing/", headers={"accept": JSON}, base="https://pypi.example")
    )
    assert json.loads(response.body)["files"][0]["url"].startswith("https://pypi.example/packages/")


def test_the_json_api(release: Bench, tmp_path: Path) -> None:
    """Project and release pages with info, digests and counters of -1; unknown ones are 404."""
    page = json.loads(release.get("/pypi/tiny-thing/json").body)
    assert (page["info"]["version"], page["info"]["project_urls"]) == ("1.0", {"Home": "https://example.com"})
    assert page["info"]["downloads"]["last_day"] == -1
    assert [url["packagetype"] for url in page["urls"]] == ["bdist_wheel", "sdist"]
    assert page["releases"]["1.0"] == page["urls"]
    sdist = (tmp_path / "tiny_thing-1.0.tar.gz").read_bytes()
    assert page["urls"][1]["digests"]["blake2b_256"] == hashlib.blake2b(sdist, digest_size=32).hexdigest()
    one = json.loads(release.get("/pypi/tiny-thing/1.0.0/json").body)
    assert "releases" not in one
    assert one["urls"] == page["urls"]
    for path in ("/pypi/unknown/json", "/pypi/tiny-thing/2.0/json", "/pypi/tiny-thing/x/json", "/pypi/tiny-thing"):
        assert release.get(path).status == 404
    assert release.get("/pypi/Tiny_Thing/json").status == 301


def test_the_latest_release(bench: Bench, tmp_path: Path) -> None:
    """Neither a pre-release nor a yanked release is the latest while there is another."""
    for version in ("1.0", "1.1", "2.0rc1"):
        bench.index.seed(make_wheel(tmp_path, version=version))
    assert json.loads(bench.get("/pypi/tiny-thing/json").body)["info"]["version"] == "1.1"
    bench.index.yank("tiny-thing", "1.1", "broken")
    page = json.loads(bench.get("/pypi/tiny-thing/json").body)
    assert (page["info"]["version"], page["releases"]["1.1"][0]["yanked_reason"]) == ("1.0", "broken")
    assert [file["yanked"] for file in bench.simple()["files"]] == [False, "broken", False]
    bench.index.unyank("tiny-thing", "1.1")
    assert not any(file["yanked"] for file in bench.simple()["files"])
    with pytest.raises(KeyError):
        bench.index.yank("tiny-thing", "9")


def test_provenance_pages(release: Bench) -> None:
    """The wheel's provenance is there, the sdist's and strangers' are 404."""
    base = "/integrity/tiny-thing/1.0"
    assert release.get(f"{base}/tiny_thing-1.0-py3-none-any.whl/provenance").status == 200
    for path in (
        f"{base}/tiny_thing-1.0.tar.gz/provenance",
        f"{base}/unknown.whl/provenance",
        f"{base}/tiny_thing-1.0-py3-none-any.whl/else",
        "/integrity/else/1.0/tiny_thing-1.0-py3-none-any.whl/provenance",
        "/integrity/tiny-thing/2.0/tiny_thing-1.0-py3-none-any.whl/provenance",
    ):
        assert release.get(path).status == 404


def test_downloads_and_ranges(release: Bench, tmp_path: Path) -> None:
    """Whole files, ranges from both ends, 416 past the end, and the metadata sibling of wheels only."""
    wheel, sdist = (file["url"].removeprefix(BASE) for file in release.simple()["files"])
    content = (tmp_path / "tiny_thing-1.0-py3-none-any.whl").read_bytes()
    whole = release.get(wheel)
    assert whole.file is not None
    assert whole.file.read_bytes() == content
    assert whole.headers["Cache-Control"].endswith("immutable, public")
    for wanted, part in (("bytes=0-9", content[:10]), ("bytes=-7", content[-7:]), ("bytes=20-", content[20:])):
        response = release.get(wheel, range=wanted)
        assert (response.status, response.body) == (206, part)
    assert release.get(wheel, range="bytes=0-9").headers["Content-Range"] == f"bytes 0-9/{len(content)}"
    for wanted in (f"bytes={len(content)}-", "bytes=-", "lines=1-2", "bytes=5-2"):
        assert release.get(wheel, range=wanted).status == 416
    assert release.get(f"{wheel}.metadata").body == read_metadata_bytes(tmp_path / "tiny_thing-1.0-py3-none-any.whl")
    assert release.get(f"{sdist}.metadata").status == 404
    assert release.get(wheel.replace("packages/", "packages/0")).status == 404


def test_archived_is_shown(release: Bench) -> None:
    """An archived project keeps its files and says its status and reason in both forms."""
    release.index.set_status("tiny-thing", "archived", "finished")
    page = release.simple()
    assert page["project-status"] == {"status": "archived", "reason": "finished"}
    assert len(page["files"]) == 2
    assert b'name="pypi:project-status" content="archived"' in release.get("/simple/tiny-thing/").body
