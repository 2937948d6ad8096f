"""``hephaestus release verify --index``: what a private index serves, against digests that somebody vouches for."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from cli.conftest import Said
from inspection.company import Company
from inspection.outside import project_at
from plants import found

from hephaestus.release.manifest import render_sums
from hephaestus.standins.http import Request, Response

VERSION = "tiny-thing==1.2.3"


@pytest.fixture
def sums(company: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The manifest of a release that is on the index; the current folder is the project's."""
    company.seed("1.2.3")
    project_at(tmp_path / "here", "1.2.3", settings=company.settings)
    monkeypatch.chdir(tmp_path / "here")
    digests = {name: f"sha256:{digest}" for name, digest in company.outside.digests("1.2.3").items()}
    path = tmp_path / "SHA256SUMS"
    path.write_text(render_sums(digests), encoding="utf-8")
    return str(path)


def test_a_version_against_a_manifest(company: Company, says: Said, sums: str) -> None:
    """Every file as the page names it and as it arrives; no signature, said and not required; nobody else asked."""
    code, out, _ = says("release", "verify", VERSION, "--index", "internal", "--sums", sums)
    assert code == 0
    assert f"PASS   internal  tiny_thing-1.2.3.tar.gz: as {sums} says" in out
    assert "ABSENT signature tiny-thing==1.2.3: not looked at: nobody signs a release to a private index" in out
    assert f"verified: 2 pass, 0 fail, 1 absent; against {sums}" in out
    assert company.others_asked == []
    assert any(request.path.endswith(".whl") for _, request in company.outside.listeners.requests)


@pytest.mark.parametrize("inner", ["", "dist"])
def test_a_folder_says_itself_what_its_bytes_are(
    company: Company, says: Said, sums: str, tmp_path: Path, inner: str
) -> None:
    """Files that were carried over, or a release directory: the index must serve these very bytes."""
    folder = tmp_path / "carried" / inner
    folder.mkdir(parents=True)
    for name, path in company.outside.make("1.2.3").items():
        (folder / name).write_bytes(path.read_bytes())
    (folder / "tiny-1.2.3-wheelhouse.tar.gz").write_bytes(b"none of a distribution")
    target = str(tmp_path / "carried")
    code, out, _ = says("release", "verify", target, "--index", "internal", "--json")
    told = json.loads(out)
    assert (code, told["verified"], told["identity"], told["index"]) == (0, True, None, "internal")
    assert [fact["state"] for fact in told["facts"]] == ["PASS", "PASS", "ABSENT"]
    (folder / "tiny_thing-1.2.3.tar.gz").write_bytes(b"another sdist")
    code, out, _ = says("release", "verify", target, "--index", "internal")
    assert code == 1
    assert "FAIL   internal  tiny_thing-1.2.3.tar.gz: ours has sha256" in out


def test_an_address_needs_no_project(
    company: Company, says: Said, sums: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind a firewall with nothing but an address: the token from its variable, its user by option."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HEPHAESTUS_INDEX_TOKEN", company.PASSWORD)
    words = ("release", "verify", VERSION, "--index", f"{company.url}/simple/", "--sums", sums)
    assert says(*words, "--username", "releaser")[0] == 0
    code, out, _ = says(*words)
    assert code == 1
    assert "ABSENT 127.0.0.1 index: not looked at: the index does not show its pages to this token" in out


def other_bytes(request: Request) -> Response | None:
    """The page tells the truth, the file is another."""
    return Response(body=b"other bytes") if request.path.endswith(".whl") else None


def bare(company: Company) -> None:
    company.server.hashes = False


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda company: setattr(company.server, "instead", other_bytes), "FAIL   internal  tiny_thing-1.2.3-py3"),
        (lambda company: company.yank("1.2.3", "bad"), "tiny_thing-1.2.3.tar.gz: it is yanked"),
        (lambda company: setattr(company.server, "instead", lambda _: Response(status=403)), "answered 403"),
        (lambda company: setattr(company.server, "instead", lambda _: Response(status=404)), "has no file of it"),
        (lambda company: setattr(company.server, "instead",
                                 lambda _: Response(status=302, headers={"Location": "https://x.example.org/"})),
         "redirects to https://x.example.org/"),
        (bare, "carry no sha256"),
    ],
)  # fmt: skip
def test_what_does_not_hold_is_never_verified(
    company: Company, says: Said, sums: str, spoil: Callable[[Company], object], words: str
) -> None:
    """Other bytes than the page says, a yank, 403, nothing there, a login page, no digests: exit code 1, and why."""
    spoil(company)
    code, out, _ = says("release", "verify", VERSION, "--index", "internal", "--sums", sums)
    assert code == 1
    assert words in out
    assert "NOT verified" in out


def test_a_file_that_is_none_of_ours_is_refused(company: Company, says: Said, sums: str) -> None:
    """The index holds more of this version than the manifest knows."""
    path = Path(sums)
    path.write_text(path.read_text(encoding="utf-8").splitlines()[0] + "\n", encoding="utf-8")
    code, out, _ = says("release", "verify", VERSION, "--index", "internal", "--sums", sums)
    assert (code, "tiny_thing-1.2.3.tar.gz: is none of ours" in out) == (1, True)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((VERSION, "--index", "internal"), "nothing says what its bytes must be"),
        (("tiny-thing==9.9", "--index", "internal", "--sums", "SUMS"), "found: none"),
        ((".", "--index", "internal", "--sums", "SUMS"), "a version and files"),
        ((".", "--index", "internal"), "found: none"),
        ((VERSION, "--index", "internal", "--sums", "nowhere"), "cannot be read"),
        ((VERSION, "--index", "nope", "--sums", "SUMS"), "no such index"),
        ((VERSION, "--index", "http://packages.example.org/simple", "--sums", "SUMS"), "must be https"),
        ((VERSION, "--index", "https://u:secret@packages.example.org/simple", "--sums", "SUMS"), "holds a user"),
        ((VERSION, "--index", "https://pypi.org/simple", "--sums", "SUMS"), "is a public index"),
        ((VERSION, "--index", "https://x.example.org", "--username", "a b", "--sums", "SUMS"), "printable ASCII"),
        ((VERSION, "--index", "internal", "--username", "x", "--sums", "SUMS"), "--username: means nothing"),
        ((VERSION, "--index", "internal", "--sums", "SUMS", "--tag", "v1", "--offline"), "--tag, --offline: means"),
        ((VERSION, "--sums", "SUMS"), "--index is missing"),
    ],
)
def test_a_question_that_cannot_be_answered_asks_nobody(
    company: Company, says: Said, sums: str, words: tuple[str, ...], message: str
) -> None:
    """Without digests, with foreign options, at a wrong address: one error, and no request."""
    company.outside.listeners.requests.clear()
    code, out, err = says("release", "verify", *(sums if word == "SUMS" else word for word in words))
    assert (code, out, company.outside.listeners.requests) == (1, "", [])
    assert message in err
    assert "secret" not in err


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_a_planted_token_is_not_shown(company: Company, says: Said, sums: str, form: tuple[str, ...]) -> None:
    """An index that sends the token back in its refusal or a yank's reason."""
    company.yank("1.2.3", f"bad {company.PASSWORD}")
    for body in (None, f"{company.PASSWORD} {company.HEADER}".encode()):
        answer = None if body is None else Response(status=403, body=body)
        company.server.instead = lambda _request, answer=answer: answer  # type: ignore[misc]
        _, out, err = says("release", "verify", VERSION, "--index", "internal", "--sums", sums, *form)
        assert out
        assert found((out + err).encode(), [company.PASSWORD, company.HEADER]) == []
