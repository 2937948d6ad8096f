"""``hephaestus release audit`` and ``rollback`` of a private index: its own page, tags and receipts here, no more."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import pytest
from cli.conftest import Said
from inspection.company import Company
from inspection.test_forecast import committed, git
from plants import found

from hephaestus.services.http import HttpClient
from hephaestus.standins.http import Request, Response

INTERNAL = ("--index", "internal")


@pytest.fixture
def project(company: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone with tags of two versions, of which the index has both and receipts are here."""
    root = tmp_path / "clone"
    committed(root, tag="v1.2.3", settings=company.settings)
    git(root, "tag", "v1.2.2")
    (root / ".git" / "info" / "exclude").write_text("release/\n", encoding="utf-8")
    for version in ("1.2.2", "1.2.3"):
        company.seed(version)
        company.released(root, version, "build", commit="HEAD")
    impatient = functools.partial(HttpClient, sleep=lambda _seconds: None)
    monkeypatch.setattr("hephaestus.diagnosis.doctor.HttpClient", impatient)
    monkeypatch.chdir(root)
    return root


def states(out: str) -> dict[str, str]:
    """Each line's subject with its state."""
    return {one["subject"]: one["state"] for one in json.loads(out)["lines"]}


def test_an_audit_holds_the_index_against_tags_and_receipts(company: Company, project: Path, says: Said) -> None:
    """Clean: each version PASSes, attestations are ABSENT and said, and that fails nothing; nobody else is asked."""
    code, out, err = says("release", "audit", *INTERNAL)
    assert (code, err) == (0, "")
    assert "what internal serves, against tags and receipts" in out
    assert "PASS   internal  1.2.3: 2 files" in out
    assert "ABSENT internal  attestations: a private index takes none" in out
    assert "  clean: 3 lines" in out
    assert company.others_asked == []
    code, out, _ = says("release", "audit", *INTERNAL, "--json")
    assert (code, states(out)) == (0, {"1.2.2": "PASS", "1.2.3": "PASS", "attestations": "ABSENT"})
    assert json.loads(out)["attestations"].startswith("none")


def test_an_audit_fetches_every_file_when_asked(company: Company, project: Path, says: Said) -> None:
    """--verify holds bytes, not only the page's word, against digests; a changed file is named."""
    assert says("release", "audit", *INTERNAL, "--verify")[0] == 0

    def changed(request: Request) -> Response | None:
        return Response(body=b"other bytes") if request.path.endswith("1.2.3.tar.gz") else None

    company.server.instead = changed
    code, out, _ = says("release", "audit", *INTERNAL, "--verify")
    assert code == 1
    assert "FAIL   internal  1.2.3: tiny_thing-1.2.3.tar.gz: " in out
    assert says("release", "audit", *INTERNAL)[0] == 0


def test_other_bytes_and_a_moved_tag_are_never_accepted(company: Company, project: Path, says: Said) -> None:
    """What was built is not what is served; the tag is not what was built."""
    company.released(project, "1.2.3", "build", more=b"other", commit="HEAD")
    git(project, "commit", "--allow-empty", "-q", "-m", "y")
    git(project, "tag", "-f", "v1.2.2")
    code, out, _ = says("release", "audit", *INTERNAL, "--accept", "1.2.2", "--accept", "1.2.3")
    assert code == 1
    assert "tiny_thing-1.2.3.tar.gz has sha256" in out
    assert "v1.2.2 is at" in out
    assert "it was built from" in out


def test_what_nobody_here_can_tell_is_said_and_can_be_accepted(company: Company, project: Path, says: Said) -> None:
    """A version from another machine has no receipts here, one may lack its tag, a yank shows: FAIL until accepted."""
    company.seed("1.2.1")
    company.yank("1.2.1", "eats data")
    code, out, _ = says("release", "audit", *INTERNAL)
    assert code == 1
    assert "1.2.1: no tag v1.2.1; no receipts of its release are here; yanked (eats data)" in out
    code, out, _ = says("release", "audit", *INTERNAL, "--accept", "1.2.1")
    assert (code, "accepted: no tag v1.2.1" in out) == (0, True)


def test_what_was_built_for_it_and_is_gone_is_absent(company: Company, project: Path, says: Said) -> None:
    """Receipts say 1.2.4 went there, it does not have it: refused. A tag alone says nothing about a private index."""
    git(project, "tag", "v0.9")
    company.released(project, "1.2.4", "build")
    code, out, _ = says("release", "audit", *INTERNAL)
    assert code == 1
    assert "ABSENT internal  1.2.4: internal has no file of it, but receipts of a release there are here" in out
    assert "ABSENT internal  0.9: internal has no file of it; v0.9" in out
    assert "1 of 5 lines do not hold" in out
    assert says("release", "audit", *INTERNAL, "--accept", "1.2.4")[0] == 0


@pytest.mark.parametrize("version", ["1.2.3", "1.2.9"])
def test_receipts_that_cannot_be_read_fail_an_audit(company: Company, project: Path, says: Said, version: str) -> None:
    """Of a version that is served and of one that is not: what they would say is never passed over."""
    directory = company.released(project, version, "build")
    (directory.path / "receipts" / "build.json").write_text("{", encoding="utf-8")
    code, out, _ = says("release", "audit", *INTERNAL, "--accept", version)
    assert code == 1
    assert f"FAIL   internal  {version}: " in out
    assert "could not be read: receipts/build.json" in out


@pytest.mark.parametrize("command", [("audit",), ("rollback", "1.2.3")])
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--index", "nowhere"), "name one of pypi, testpypi, internal"),
        (("--index", "internal", "--index", "pypi"), "cannot be looked at together with pypi"),
        (("--index", "internal", "--rehearsal"), "cannot be looked at together with the stand-ins"),
    ],
)
def test_an_index_that_cannot_be_meant(
    company: Company, project: Path, says: Said, command: tuple[str, ...], words: tuple[str, ...], message: str
) -> None:
    """Unknown, mixed with the public ones, or of a rehearsal: refused before anybody is asked."""
    company.outside.listeners.requests.clear()
    code, out, err = says("release", *command, *words)
    assert (code, out, company.outside.listeners.requests) == (1, "", [])
    assert message in err


def test_the_way_back_says_what_may_be_there(company: Company, project: Path, says: Said) -> None:
    """Yank where it can, delete where it lets you, a newer version; no page, no second factor, no GitHub."""
    code, out, err = says("release", "rollback", "1.2.3", "--reason", "broken: eats data", *INTERNAL)
    assert (code, err) == (0, "")
    assert "tiny-thing 1.2.3: yank" in out
    assert "1. yank it, where internal can" in out
    assert "paste:  eats data. Use 1.2.4 or later instead." in out
    assert "2. where it cannot, delete its files there, if internal lets you" in out
    assert "hephaestus release rollback 1.2.3 --verify --index internal" in out
    assert "nox -s bump -- 1.2.4, then nox -s release -- --publish --index internal" in out
    for other in ("PyPI", "github", "second factor", "http"):
        assert other not in out
    assert company.others_asked == []


def test_a_compromised_release_there_is_told_to_people(company: Company, project: Path, says: Said) -> None:
    """The token is revoked by its variable's name, and those who install are told: nobody scans a private index."""
    _, out, _ = says("release", "rollback", "1.2.3", "--reason", "compromised", *INTERNAL)
    assert "revoke the token of COMPANY_TOKEN on internal" in out
    assert "tell everybody who installs from it" in out
    assert "security@pypi.org" not in out


@pytest.mark.parametrize(("reason", "words"), [("metadata", "release the corrected metadata as 1.2.3.post1"),
                                               ("documentation", "nothing to do on an index")])  # fmt: skip
def test_what_is_no_yank_is_none_there_either(
    company: Company, project: Path, says: Said, reason: str, words: str
) -> None:
    """Wrong metadata is a post-release, a wrong page nothing at all."""
    code, out, _ = says("release", "rollback", "1.2.3", "--reason", reason, *INTERNAL)
    assert (code, "where it cannot, delete" in out) == (0, False)
    assert words in out


def test_a_yank_there_is_proven_from_its_page(company: Company, project: Path, says: Said) -> None:
    """data-yanked of every file, by the rules: no pip is told the token. Before the yank it is NOT in force."""
    words = ("release", "rollback", "1.2.3", "--verify", *INTERNAL)
    code, out, _ = says(*words)
    assert code == 1
    assert "internal: NOT in force" in out
    company.yank("1.2.3", "eats data")
    code, out, err = says(*words)
    assert (code, err) == (0, "")
    assert "internal: the yank is in force" in out
    assert "PASS   yanked (eats data)  tiny_thing-1.2.3.tar.gz" in out
    assert "since pip would have to be told the token" in out
    assert "tiny-thing                     -> 1.2.2" in out


def test_files_that_were_deleted_are_proven_gone(company: Company, project: Path, says: Said) -> None:
    """A tagged version the index has no file of: gone. An unknown version proves nothing, nor does a wrong address."""
    git(project, "tag", "v1.2.0")
    code, out, _ = says("release", "rollback", "1.2.0", "--verify", *INTERNAL)
    assert code == 0
    assert "internal: it has no file of it any more" in out
    assert "-> 1.2.3" in out
    company.server.instead = lambda request: Response(status=404) if "tiny-thing" in request.path else None
    assert says("release", "rollback", "1.2.0", "--verify", *INTERNAL)[0] == 0
    company.server.instead = lambda _request: Response(status=404)
    assert says("release", "rollback", "1.2.0", "--verify", *INTERNAL)[0] == 1
    company.server.instead = lambda _request: None
    code, _, err = says("release", "rollback", "7.7.7", "--verify", *INTERNAL)
    assert code == 1
    assert "no index has a file of tiny-thing 7.7.7" in err


@pytest.mark.parametrize("status", [401, 403, 503])
def test_an_index_that_does_not_answer_decides_nothing(
    company: Company, project: Path, says: Said, status: int
) -> None:
    """An audit has a line of it, a rollback refuses: nothing is guessed."""
    company.server.instead = lambda _request: Response(status=status)
    code, out, _ = says("release", "audit", *INTERNAL)
    assert (code, out.count("FAIL   internal  no answer: ")) == (1, 1)
    code, out, err = says("release", "rollback", "1.2.3", *INTERNAL)
    assert (code, out) == (1, "")
    assert "internal did not say what it serves" in err


COMMANDS = (
    ("release", "status", "--publish", *INTERNAL),
    ("release", "plan", "--publish", *INTERNAL),
    ("release", "audit", *INTERNAL),
    ("release", "audit", "--verify", *INTERNAL),
    ("release", "rollback", "1.2.3", *INTERNAL),
    ("release", "rollback", "1.2.3", "--verify", *INTERNAL),
    ("doctor", *INTERNAL),
)


def test_an_address_that_shows_the_token_to_everybody_is_refused(company: Company, project: Path, says: Said) -> None:
    """Plain http off this machine, or a password in the address: no command begins, and nothing is asked."""
    path = project / "pyproject.toml"
    sound = path.read_text(encoding="utf-8")
    company.outside.listeners.requests.clear()
    addresses = {"http://x.example.org": "must be https", "https://u:planted-pass-9@x.example.org": "holds a user or a"}
    for address, problem in addresses.items():
        path.write_text(sound.replace(company.url, address), encoding="utf-8")
        for words in COMMANDS:
            code, out, err = says(*words)
            assert (code, out) == (1, "")
            assert problem in err
            assert "planted-pass-9" not in err
    assert company.outside.listeners.requests == []


def test_without_a_token_nobody_is_let_in_and_it_is_said(
    company: Company, project: Path, says: Said, monkeypatch: pytest.MonkeyPatch, no_pip: None
) -> None:
    """No variable, closed pages: every command says so; where the pages are open, every command works."""
    monkeypatch.delenv("COMPANY_TOKEN")
    for words in COMMANDS:
        _, out, err = says(*words)
        assert "without a token: it answered 401" in out + err, words
    company.server.open = True
    for words in COMMANDS:
        _, out, err = says(*words)
        assert "401" not in out + err, words
    assert set(company.server.asked) == {""}


@pytest.mark.parametrize("form", [(), ("--json",)])
@pytest.mark.parametrize("kind", ["", "refused", "elsewhere", "reason", "down"])
def test_a_planted_token_is_shown_by_no_command(
    company: Company, project: Path, says: Said, kind: str, form: tuple[str, ...]
) -> None:
    """Even where the index sends it back: in a refusal, an address, a yank's reason. It goes to its own origin only."""
    echo = f"{company.PASSWORD} {company.HEADER}"
    answers = {
        "refused": Response(status=403, body=f"no {echo}".encode()),
        "elsewhere": Response(status=302, headers={"Location": f"{company.outside.listeners.urls['pypi']}/{echo}"}),
        "down": Response(status=503, reason=echo),
    }
    company.server.instead = lambda _request: answers.get(kind)
    if kind == "reason":
        company.yank("1.2.3", f"bad {echo}\x1b[2J")
    for words in COMMANDS:
        _, out, err = says(*words, *form)
        assert out or err
        assert found((out + err).encode(), [company.PASSWORD, company.HEADER]) == []
        assert not [sign for sign in out + err if not sign.isprintable() and sign != "\n"]
    assert company.others_asked == []
    assert set(company.server.asked) <= {f"Basic {company.HEADER}"}
