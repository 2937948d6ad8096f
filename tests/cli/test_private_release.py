"""``hephaestus release status`` and ``plan`` of a release to a private index: that one is asked, and nobody else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli.conftest import Said
from inspection.company import Company
from inspection.test_forecast import committed, git
from private_index import PrivateIndex

from hephaestus.standins.http import Request, Response

LEFT_OUT = {"sign", "upload-testpypi", "smoke", "sign-wheelhouse", "github-release"}
ASKED = ("--publish", "--index", "internal")


@pytest.fixture
def project(company: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clean, tagged clone of a project with a private index, and the current folder in it."""
    root = tmp_path / "clone"
    committed(root, tag="v1.2.3", settings=company.settings)
    (root / ".git" / "info" / "exclude").write_text("release/\n", encoding="utf-8")
    monkeypatch.chdir(root)
    for name in ("GITHUB_ACTIONS", "HEPHAESTUS_INDEX"):
        monkeypatch.delenv(name, raising=False)
    return root


def test_status_asks_that_index_alone(company: Company, project: Path, says: Said) -> None:
    """World, what is left out and why, each file as the index has it, the command that goes on; nobody else asked."""
    wheel = next(name for name in company.outside.make("1.2.3") if name.endswith(".whl"))
    company.seed("1.2.3", only=[wheel])
    company.released(project, "1.2.3", "build", "check")
    code, out, err = says("release", "status", *ASKED)
    assert (code, err) == (0, "")
    assert "publish:internal of commit" in out
    assert "left out: a release to internal is not announced on GitHub" in out
    assert "internal   partial: 1 of 2 files\n" in out
    assert f"identical  {wheel}" in out
    assert "held against the receipts here" in out
    assert "next: nox -s upload-pypi -- --publish --index internal" in out
    assert company.others_asked == []
    assert "PyPI  " not in out
    assert "days" not in out


def test_a_complete_release_goes_on_with_what_its_receipts_lack(company: Company, project: Path, says: Said) -> None:
    """The index has all of it: what is left is here, in the words of a release there."""
    company.seed("1.2.3")
    company.released(project, "1.2.3", "build", "check", "upload-pypi")
    code, out, _ = says("release", "status", *ASKED, "--json")
    told = json.loads(out)
    assert (code, told["world"], told["index"]) == (0, "publish:internal", "internal")
    assert (told["asked"]["github"], told["asked"]["indexes"]["internal"]["state"]) == (None, "complete")
    assert told["asked"]["indexes"]["internal"]["deadline"] is None
    assert told["next"] == "nox -s wheelhouse -- --publish --index internal"
    assert {stage["stage"] for stage in told["stages"] if stage["state"] == "left out"} == LEFT_OUT


def test_pages_in_json_are_read_as_well(company: Company, project: Path, says: Said) -> None:
    """An index that speaks PEP 691: times of upload are told there, and make no deadline."""
    company.server.json = True
    company.seed("1.2.3")
    company.released(project, "1.2.3", "build", "check")
    told = json.loads(says("release", "status", *ASKED, "--json")[1])["asked"]["indexes"]["internal"]
    assert (told["state"], told["deadline"], told["days_left"]) == ("complete", None, None)


def test_a_release_under_way_is_found_by_its_receipts(company: Company, project: Path, says: Said) -> None:
    """Every receipt is of internal: the public services hear nothing, unless they are named."""
    company.released(project, "1.2.3", "build")
    for words in (("status", "--publish"), ("plan", "--publish")):
        _, out, _ = says("release", *words)
        assert "--publish --index internal" in out
    assert company.others_asked == []
    _, out, _ = says("release", "status", "--publish", "--index", "pypi")
    assert "PyPI       absent" in out
    assert "github" in company.others_asked


def test_receipts_that_came_with_the_clone_choose_no_index(company: Company, project: Path, says: Said) -> None:
    """Who commits receipts would choose who is sent the token: nobody is asked before the index is named."""
    company.released(project, "1.2.3", "build")
    git(project, "add", "--force", "release")
    for words in (("status", "--publish"), ("plan", "--publish")):
        code, _, err = says("release", *words)
        assert (code, "release/ is in git" in err, "add `--index internal`" in err) == (1, True, True)
    assert company.outside.listeners.requests == []
    assert says("release", "status", "--publish", "--index", "internal")[0] == 0


def test_the_variable_of_a_run_counts_for_looking_too(
    company: Company, project: Path, says: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HEPHAESTUS_INDEX says where a publish goes, here as for nox; without --publish it says nothing."""
    monkeypatch.setenv("HEPHAESTUS_INDEX", "internal")
    assert "internal   absent" in says("release", "status", "--publish")[1]
    assert company.others_asked == []
    assert "rehearsal" in says("release", "status")[1]


def test_what_another_world_built_is_not_held_against_the_index(company: Company, project: Path, says: Said) -> None:
    """Receipts of PyPI's release tell no digest of this one: what is served is shown, and compared with nothing."""
    company.seed("1.2.3")
    company.released(project, "1.2.3", "build", world="publish")
    _, out, _ = says("release", "status", *ASKED)
    assert "nobody can tell what the bytes should be" in out
    assert "served, not compared" in out
    assert "next: hephaestus release verify tiny-thing==1.2.3 --index internal --sums SHA256SUMS, with the" in out


def test_other_bytes_on_the_index_are_a_conflict(company: Company, project: Path, says: Said) -> None:
    """Nothing is said of what PyPI would do; the way on is a new version."""
    company.seed("1.2.3")
    company.released(project, "1.2.3", "build", more=b"other")
    _, out, _ = says("release", "status", *ASKED)
    assert "internal   conflict: 2 of 2 files" in out
    assert "find out who put other bytes under our names on internal" in out


def test_without_a_token_pages_that_are_open_are_read(
    company: Company, project: Path, says: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Inside the firewall a status needs no secret; where one is needed, it says so; the plan names the variable."""
    monkeypatch.delenv("COMPANY_TOKEN")
    company.released(project, "1.2.3", "build")
    _, out, _ = says("release", "status", *ASKED)
    assert "no answer: the index does not show its pages without a token: it answered 401" in out
    assert "release status --publish --index internal again" in out
    company.server.open = True
    assert "internal   absent: 0 of 2 files" in says("release", "status", *ASKED)[1]
    code, out, _ = says("release", "plan", *ASKED)
    assert code == 1
    assert "REFUSED  there is no token for internal: COMPANY_TOKEN is not set" in out


def _redirected(_request: Request) -> Response:
    return Response(status=302, headers={"Location": "https://elsewhere.example.org/login"})


def _denied(_request: Request) -> Response:
    return Response(status=403, body=b"go away")


def _bare(server: PrivateIndex) -> None:
    server.hashes = False


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda server: setattr(server, "instead", _denied), "does not show its pages to this token: it answered 403"),
        (lambda server: setattr(server, "instead", _redirected), "redirects to https://elsewhere.example.org/login"),
        (lambda server: setattr(server, "instead", lambda _: Response(status=503)), "answered 503"),
        (lambda server: setattr(server, "instead", lambda _: Response(wire="reset")), "no answer from"),
        (_bare, "its links carry no sha256"),
    ],
)
def test_an_index_in_trouble_is_a_state(company: Company, project: Path, says: Said, spoil: object, words: str) -> None:
    """403, a login page elsewhere, an outage, silence, pages without digests: one line, and nothing is guessed."""
    company.seed("1.2.3")
    company.released(project, "1.2.3", "build", "check")
    assert callable(spoil)
    spoil(company.server)
    code, out, err = says("release", "status", *ASKED)
    assert (code, err) == (0, "")
    assert "internal   no answer: " in out
    assert words in out
    code, out, _ = says("release", "plan", *ASKED)
    assert words in out
    assert company.others_asked == []


def test_a_wrong_token_is_a_state_and_never_shown(
    company: Company, project: Path, says: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    """401 is told with the way on; a token that can be none is refused before anything is asked."""
    monkeypatch.setenv("COMPANY_TOKEN", "wrong-horse-battery-9")
    _, out, _ = says("release", "status", *ASKED)
    assert "does not show its pages to this token: it answered 401; give the token of the configured user" in out
    assert "wrong-horse" not in out
    company.server.asked.clear()
    monkeypatch.setenv("COMPANY_TOKEN", "short")
    code, out, err = says("release", "status", *ASKED)
    assert (code, out, company.server.asked) == (1, "", [])
    assert "COMPANY_TOKEN has fewer than 8 characters" in err


@pytest.mark.parametrize("command", ["status", "plan"])
@pytest.mark.parametrize(
    ("words", "message"),
    [(["--index", "internal"], "it needs --publish"), (["--publish", "--index", "nowhere"], "no such index")],
)
def test_an_index_that_cannot_be_meant(project: Path, says: Said, command: str, words: list[str], message: str) -> None:
    """Without --publish, or not configured: one clear error."""
    code, out, err = says("release", command, *words)
    assert (code, out) == (1, "")
    assert message in err
    assert "next:" in err


def test_a_plan_of_a_first_release_there(company: Company, project: Path, says: Said) -> None:
    """Its stages run, the others are left out with their reasons; labels are of what is known of such an index."""
    code, out, err = says("release", "plan", *ASKED)
    assert (code, err) == (0, "")
    assert "what `nox -s release -- --publish --index internal` would do now; nothing was sent" in out
    assert "not asked of a release to internal: whether the commit is on the default branch" in out
    assert "[never] the files that build makes on internal, at once for all who may read it" in out
    assert "whether internal lets files be deleted, yanked or replaced depends on the index" in out
    assert "[until" not in out
    assert "PyPI" not in out.replace("Test PyPI", "")
    assert company.others_asked == []
    assert company.server.sent() == []
    told = json.loads(says("release", "plan", *ASKED, "--json")[1])
    assert (told["world"], told["command"]) == (
        "publish:internal", "nox -s release -- --publish --index internal",
    )  # fmt: skip
    verdicts = {stage["stage"]: stage["verdict"] for stage in told["stages"]}
    assert {stage for stage, verdict in verdicts.items() if verdict == "left out"} == LEFT_OUT
    assert {verdict for stage, verdict in verdicts.items() if stage not in LEFT_OUT} == {"run"}


def test_a_plan_knows_what_the_index_has(company: Company, project: Path, says: Said) -> None:
    """Files of this version are on the index: build is warned that they are sealed, and asked nobody else."""
    company.seed("1.2.3")
    code, out, _ = says("release", "plan", *ASKED)
    assert "internal: has 2 files of version 1.2.3 already" in out
    assert code == 0
