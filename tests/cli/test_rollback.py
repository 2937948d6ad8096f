"""``hephaestus release rollback``: the plan of a yank, and the proof that one is in force."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli.conftest import Said
from inspection.outside import NAME, Outside


@pytest.fixture
def served(published: Outside, here: Path) -> Outside:
    """Two versions everywhere, the newer one with its GitHub Release."""
    for version in ("1.2.2", "1.2.3"):
        published.upload(version, attested=False)
    published.release("1.2.3")
    return published


def test_a_yank_is_planned_with_pages_words_and_order(served: Outside, says: Said) -> None:
    """Exact pages, the sentence to paste, Test PyPI, notes, the fix, the proof, the duties - and nothing is changed."""
    before = served.benches["pypi"].simple(NAME)
    code, out, err = says("release", "rollback", "1.2.3", "--reason", "broken: eats data")
    assert (code, err) == (0, "")
    assert "tiny-thing 1.2.3: yank" in out
    sites = served.addresses.indexes
    order = [
        f"{sites['pypi']}/manage/project/tiny-thing/release/1.2.3/",
        "paste:  eats data. Use 1.2.4 or later instead.",
        f"{sites['testpypi']}/manage/project/tiny-thing/release/1.2.3/",
        "https://github.com/Owner/repo/releases/edit/v1.2.3",
        "paste:  > **Yanked on ",
        "hephaestus release rollback 1.2.3 --verify",
        "nox -s bump -- 1.2.4",
        "No index has an API to yank: nothing was changed by this command.",
        "the second factor stays yours",
        "a recovery code you use",
    ]
    places = [out.index(one) for one in order]
    assert places == sorted(places)
    assert "tiny-thing~=1.2.3" in out
    assert "-> nothing: the installation fails" in out
    assert served.benches["pypi"].simple(NAME) == before


def test_without_a_reason_the_assumption_is_said(served: Outside, says: Said) -> None:
    """No --reason is taken for broken, and the plan says that it was."""
    _, out, _ = says("release", "rollback", "1.2.3")
    assert "note: taken for `broken`" in out


def test_a_newer_version_is_assumed_to_be_good_and_said_so(served: Outside, says: Said) -> None:
    """What is newer is named as the way on; the assumption stands beside it, and --fixed replaces it."""
    served.upload("1.3.0", attested=False)
    _, out, _ = says("release", "rollback", "1.2.3", "--reason", "broken")
    assert "1.3.0 is assumed to be good" in out
    _, out, _ = says("release", "rollback", "1.2.3", "--reason", "broken", "--fixed", "1.2.2")
    assert "Use 1.2.2 instead." in out
    assert "assumed" not in out


@pytest.mark.parametrize(
    ("reason", "said", "unsaid"),
    [
        ("security", "/security/advisories/new", "settings/publishing"),
        ("compromised", "/settings/publishing/", "no such words"),
        ("metadata", "publish a post-release; no yank", "Un-yank"),
        ("documentation", "nothing to do on an index", "manage/project"),
    ],
)
def test_each_reason_has_its_own_way(served: Outside, says: Said, reason: str, said: str, unsaid: str) -> None:
    """Security wants an advisory, a compromise the publishers removed, metadata a post-release, a page nothing."""
    code, out, _ = says("release", "rollback", "1.2.3", "--reason", reason)
    assert code == 0
    assert said in out
    assert unsaid not in out


def test_the_plan_for_programs(served: Outside, says: Said) -> None:
    """`--json`: decision, what each index has, what installers take afterwards, the steps."""
    code, out, _ = says("release", "rollback", "v1.2.3", "--reason", "mistake", "--json")
    told = json.loads(out)
    assert (code, told["decision"], told["instead"], told["exists"]) == (0, "yank", "1.2.2", True)
    assert told["indexes"]["pypi"]["versions"] == {"1.2.2": None, "1.2.3": None}
    assert [one["version"] for one in told["after"]["pypi"]] == ["1.2.2", "1.2.3", None]
    assert told["steps"][0]["page"].endswith("/manage/project/tiny-thing/release/1.2.3/")


def test_the_proof_before_and_after(served: Outside, says: Said, no_pip: None) -> None:
    """`--verify`: red while any file on any index is free, green when every one is yanked."""
    code, out, _ = says("release", "rollback", "1.2.3", "--verify")
    assert code == 1
    assert out.count("NOT in force") == 2
    assert out.count("FAIL   not yanked") == 4
    served.yank("1.2.3", "eats data", "pypi")
    code, out, _ = says("release", "rollback", "1.2.3", "--verify")
    assert (code, out.count("NOT in force")) == (1, 1)
    code, out, _ = says("release", "rollback", "1.2.3", "--verify", "--index", "pypi")
    assert (code, "Test PyPI" in out) == (0, False)
    served.yank("1.2.3", "eats data", "testpypi")
    code, out, _ = says("release", "rollback", "1.2.3", "--verify")
    assert code == 0
    assert out.count("PASS   yanked (eats data)") == 4


def test_a_real_pip_proves_what_installers_take(published: Outside, here: Path, says: Said) -> None:
    """The name falls back, the pin still installs with a warning, the compatible range finds nothing; pip is named."""
    for version in ("1.2.2", "1.2.3"):
        published.upload(version, "pypi", attested=False)
    published.yank("1.2.3", "eats data", "pypi")
    code, out, _ = says("release", "rollback", "1.2.3", "--verify")
    assert code == 0
    assert "installers take (by pip " in out
    lines = [line.split() for line in out.splitlines() if " -> " in line]
    assert [line[2].rstrip(",:") for line in lines] == ["1.2.2", "1.2.3", "nothing"]


def test_without_a_pip_the_rules_decide_and_are_named(served: Outside, says: Said, no_pip: None) -> None:
    """Where no pip can be had the answer comes from the specifications, and says so."""
    served.yank("1.2.3", "")
    code, out, _ = says("release", "rollback", "1.2.3", "--verify", "--json")
    told = json.loads(out)
    assert code == 0
    assert [proof["in_force"] for proof in told["proofs"]] == [True, True]
    assert all("the rules of PEP 440 and PEP 592, for want of a pip" in proof["by"] for proof in told["proofs"])
    assert [one["version"] for one in told["proofs"][0]["resolved"]] == ["1.2.2", "1.2.3", None]


def test_no_sdist_is_ever_run(published: Outside, here: Path, says: Said) -> None:
    """A version without a wheel keeps pip out: it would have to run the sdist to learn its metadata."""
    sdist = next(name for name in published.make("1.2.3") if name.endswith(".gz"))
    published.upload("1.2.3", "pypi", only=[sdist], attested=False)
    _, out, _ = says("release", "rollback", "1.2.3", "--verify")
    assert "1.2.3 has no wheel and pip would run its sdist" in out


def test_a_version_nobody_has_cannot_be_proven(served: Outside, says: Said) -> None:
    """--verify of what is not there is no success."""
    code, _, err = says("release", "rollback", "7.0", "--verify")
    assert code == 1
    assert "no index has a file of tiny-thing 7.0" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["latest"], "is no PEP 440 version"),
        (["1.2.3", "--fixed", "9.9"], "is not on PyPI"),
        (["1.2.3", "--verify", "--index", "conda"], "no such index"),
        (["1.2.3", "--rehearsal"], "stand-ins of the rehearsal of 1.2.3 are not running"),
    ],
)
def test_bad_input_is_one_clear_error(served: Outside, says: Said, words: list[str], message: str) -> None:
    """What cannot be meant is refused with the next command, before any decision."""
    code, out, err = says("release", "rollback", *words)
    assert (code, out) == (1, "")
    assert message in err
    assert "next:" in err


@pytest.mark.parametrize("fault", ["pypi:downx9", "pypi:htmlx9", "testpypi:bad-jsonx9"])
def test_an_index_that_does_not_answer_decides_nothing(served: Outside, says: Said, fault: str) -> None:
    """Silence is neither a yank nor its absence: plan and proof both refuse."""
    for more in ([], ["--verify"]):
        served.fault(fault)
        code, out, err = says("release", "rollback", "1.2.3", *more)
        assert (code, out) == (1, "")
        assert "did not say what it serves" in err


def test_an_archived_project_is_told_what_stands_in_the_way(served: Outside, says: Said) -> None:
    """A fix cannot be uploaded to an archived project: the plan says so beside the index."""
    served.benches["pypi"].index.set_status(NAME, "archived")
    _, out, _ = says("release", "rollback", "1.2.3")
    assert "the project is archived: unarchive it before a fix can be uploaded" in out
