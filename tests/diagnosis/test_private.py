"""The doctor on private indexes: addresses, the token's variable, what their pages say; nothing is written to them."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from diagnosis.clinic import Clinic
from plants import found
from private_index import PrivateIndex
from standins.index.distributions import make_wheel

from hephaestus.diagnosis.case import Case
from hephaestus.diagnosis.doctor import diagnose, diagnose_private
from hephaestus.diagnosis.line import Line
from hephaestus.diagnosis.private import private_lines
from hephaestus.release.project import read_project
from hephaestus.services.http import HttpClient
from hephaestus.services.patience import Patience
from hephaestus.standins.http import Listener, Request, Response
from hephaestus.worlds.private import private_target

TOKEN = "correct-horse-battery-9"
PATIENCE = Patience(attempts=1)


class Company:
    """A project with one private index; ``lines`` is what the doctor says of it, by code."""

    def __init__(self, clinic: Clinic, folder: Path, url: str) -> None:
        self.clinic = clinic
        self.folder = folder
        self.url = url
        self.methods: list[str] = []
        self.environ = {"PATH": clinic.environ["PATH"], "COMPANY_TOKEN": TOKEN}
        self.server = PrivateIndex(folder / "index", user="releaser", password=TOKEN)
        self.configure(f"{url}/simple/")

    def handle(self, request: Request) -> Response:
        """Answer, and note how it was asked."""
        self.methods.append(request.method)
        return self.server.handle(request)

    def configure(self, simple: str) -> None:
        """Let the project name the index with these pages."""
        path = self.clinic.root / "pyproject.toml"
        kept = path.read_text(encoding="utf-8").partition("[tool.hephaestus.release.indexes")[0]
        settings = f"""[tool.hephaestus.release.indexes.internal]
upload-url = "{self.url}/upload/"
simple-url = "{simple}"
username = "releaser"
token-variable = "COMPANY_TOKEN"
"""
        path.write_text(kept + settings, encoding="utf-8")

    @property
    def case(self) -> Case:
        return replace(self.clinic.case, project=read_project(self.clinic.root), environ=dict(self.environ))

    def lines(self, *, offline: bool = False) -> dict[str, Line]:
        case = self.case
        with HttpClient(user_agent="test", patience=PATIENCE) as http:
            told = private_lines(case, private_target(case.project, "internal"), None if offline else http)
            return {line.code: line for line in told}

    def pages(self) -> tuple[str, str]:
        line = self.lines()["index-pages-internal"]
        return str(line.verdict), line.seen


@pytest.fixture
def company(clinic: Clinic, tmp_path: Path) -> Iterator[Company]:
    made: list[Company] = []
    with Listener(lambda request: made[0].handle(request)) as listener:
        made.append(Company(clinic, tmp_path, listener.url))
        yield made[0]


def test_a_sound_index_passes_and_is_only_read(company: Company) -> None:
    """Addresses, token by its variable's name, a project with digests; one question, and nothing but GET."""
    company.server.index.seed(make_wheel(company.folder, "tiny-thing", "1.2.3"))
    lines = company.lines()
    assert [(line.group, str(line.verdict)) for line in lines.values()] == [("private index internal", "PASS")] * 3
    assert lines["index-token-internal"].seen == "COMPANY_TOKEN is set"
    assert "only an upload tries that one" in lines["index-addresses-internal"].seen
    assert lines["index-pages-internal"].seen == (
        "1 version, every file with its SHA-256; 1 files of 1.2.3 are there already"
    )
    assert company.methods == ["GET"]


def test_a_new_project_is_no_failure(company: Company) -> None:
    """The index passes on what it does not have: not there yet, and the first upload makes it."""
    assert company.pages() == ("PASS", "the index answers, and does not have it yet: the first upload makes it")


def test_an_address_where_nothing_is_listed_is_doubted(company: Company) -> None:
    """404 for the project is what a wrong address says too: the list of projects tells them apart."""
    company.configure(f"{company.url}/elsewhere")
    verdict, seen = company.pages()
    assert (verdict, "new, or another address" in seen) == ("UNKNOWN", True)


def test_the_page_of_the_project_is_no_root(company: Company) -> None:
    """An address one level too deep is told without asking."""
    company.configure(f"{company.url}/simple/Tiny_Thing/")
    line = company.lines(offline=True)["index-addresses-internal"]
    assert (str(line.verdict), "is the page of the project" in line.seen) == ("FAIL", True)


@pytest.mark.parametrize(
    ("token", "verdict", "words", "pages"),
    [
        ("", "UNKNOWN", "COMPANY_TOKEN is not set here", ("UNKNOWN", "without a token: it answered 401")),
        ("tok-7x", "FAIL", "has fewer than 8", ("UNKNOWN", "not asked: the token can be none")),
        ("wrong-horse-battery-9", "PASS", "COMPANY_TOKEN is set", ("FAIL", "to this token: it answered 401")),
    ],
)
def test_the_token(company: Company, token: str, verdict: str, words: str, pages: tuple[str, str]) -> None:
    """Not set here is not known, what can be none fails, a wrong one is found out by the index; no value is shown."""
    company.environ["COMPANY_TOKEN"] = token
    lines = company.lines()
    line, page = lines["index-token-internal"], lines["index-pages-internal"]
    assert (str(line.verdict), words in line.seen) == (verdict, True)
    assert (str(page.verdict), pages[1] in page.seen) == (pages[0], True)
    assert not token or found(repr(lines).encode(), [token]) == []


def test_pages_that_are_open_need_no_token(company: Company) -> None:
    """Inside the firewall the pages are read without one."""
    company.environ["COMPANY_TOKEN"] = ""
    company.server.open = True
    assert company.pages()[0] == "PASS"


@pytest.mark.parametrize(
    ("answer", "verdict", "words"),
    [
        (Response(status=403), "FAIL", "answered 403"),
        (
            Response(status=302, headers={"Location": "https://login.example.org/"}),
            "FAIL",
            "redirects to https://login",
        ),
        (
            Response(body=b"<form><input type=password></form>", headers={"Content-Type": "text/html"}),
            "FAIL",
            "password",
        ),
        (Response(body=b"{}", headers={"Content-Type": "text/plain"}), "FAIL", "not usable"),
        (Response(status=503), "UNKNOWN", "answered 503"),
        (Response(wire="reset"), "UNKNOWN", "no answer from"),
    ],
)
def test_what_the_index_says_instead(company: Company, answer: Response, verdict: str, words: str) -> None:
    """A wrong account or address fails; an outage is not known, with what helps."""
    company.server.instead = lambda _request: answer
    line = company.lines()["index-pages-internal"]
    assert (str(line.verdict), words in line.seen) == (verdict, True)
    assert "(" in line.remedy


def test_pages_without_digests_fail(company: Company) -> None:
    """Nothing could be told about a file without a SHA-256; the release refuses such an index too."""
    company.server.index.seed(make_wheel(company.folder, "tiny-thing", "1.2.3"))
    company.server.hashes = False
    assert company.pages()[0] == "FAIL"


def test_the_whole_diagnosis_has_it_and_its_own_asks_nobody_else(company: Company) -> None:
    """After the public indexes, offline without asking; alone, neither GitHub nor a public index hears anything."""
    codes = [line.code for line in diagnose(company.case, offline=True).lines]
    assert codes[-3:] == ["index-addresses-internal", "index-token-internal", "index-pages-internal"]
    assert company.methods == []
    company.clinic.requests.clear()
    case = company.case
    told = diagnose_private(case, private_target(case.project, "internal"), patience=PATIENCE)
    assert {line.group for line in told.lines} == {"this machine", "private index internal"}
    assert not {"remote", "workflow-file", "workflow-lock", "clock"} & {line.code for line in told.lines}
    assert company.clinic.requests == []


def test_its_token_is_no_credential_that_lies_about(company: Company) -> None:
    """The variable the configuration names is meant to be set, whatever its name looks like; its like is not."""
    path = company.clinic.root / "pyproject.toml"
    path.write_text(path.read_text(encoding="utf-8").replace("COMPANY_TOKEN", "OUR_PYPI_TOKEN"), encoding="utf-8")
    company.environ.update(OUR_PYPI_TOKEN=TOKEN)
    case = company.case
    told = diagnose_private(case, private_target(case.project, "internal"), offline=True)
    assert {line.code: str(line.verdict) for line in told.lines}["credentials"] == "PASS"


def test_the_token_goes_to_its_own_origin_alone(company: Company) -> None:
    """With every service asked, and the index by name, the header is in the index's requests and in no other."""
    diagnose(company.case, patience=PATIENCE)
    case = company.case
    diagnose_private(case, private_target(case.project, "internal"), patience=PATIENCE)
    header = "Basic " + base64.b64encode(f"releaser:{TOKEN}".encode()).decode()
    assert set(company.server.asked) == {header}
    assert company.clinic.requests
    assert not [one for one in company.clinic.requests if header in one.headers.values()]


def test_a_clone_does_not_choose_where_a_token_goes(company: Company) -> None:
    """Unasked for by name, an index is not sent what the variable holds that its pyproject.toml names."""
    line = next(line for line in diagnose(company.case, patience=PATIENCE).lines if line.code == "index-pages-internal")
    assert (str(line.verdict), company.methods) == ("UNKNOWN", [])
    assert "hephaestus doctor --index internal" in repr(line)
