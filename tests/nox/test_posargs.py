"""The words after ``--``: one grammar, read to a request or refused with one clear error."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hephaestus.nox.posargs import HelpAsked, PublishVariableError, Request, UsageError, parse
from hephaestus.release.boundary import BoundaryFault
from hephaestus.release.directory import STAGES
from hephaestus.stages.stage import Options

WORDS = ("--redo", "--redo=check", "--fault", "kill:1", "trace:x", "pypi:503@2", "--from", "--tag", "v1", "--publish",
         "--index", "--index=x", "--keep-world", "--keep-work", "--help", "-h", "--", "")  # fmt: skip


def read(*words: str, publish: str | None = None, below: Path = Path("/somewhere")) -> Request:
    """What the words ask for, in an environment that says ``publish``."""
    return parse(words, environ={} if publish is None else {"HEPHAESTUS_PUBLISH": publish}, invoked_from=below)


def test_nothing_said_is_a_plain_rehearsal() -> None:
    """Without words: a rehearsal, nothing forced, nothing armed."""
    assert read() == Request(options=Options())


@pytest.mark.parametrize(
    ("words", "forced"),
    [
        (["--redo"], set(STAGES)), (["--redo=check"], {"check"}), (["--redo", "check"], {"check"}),
        (["--redo=check", "--redo=sign"], {"check", "sign"}), ([], set()),
    ],
)  # fmt: skip
def test_redo_forces_what_it_names(words: list[str], forced: set[str]) -> None:
    """Alone it forces every stage, with a name that one; it may stand more than once."""
    options = read(*words).options
    assert {stage for stage in STAGES if options.forces(stage)} == forced


def test_from_is_below_where_nox_was_called(tmp_path: Path) -> None:
    """A relative folder is one of the caller's; one that is not there is refused by its name."""
    (tmp_path / "wheels").mkdir()
    assert read("--from", "wheels", below=tmp_path).options.prebuilt == tmp_path / "wheels"
    with pytest.raises(UsageError, match="--from nothing: no such folder"):
        read("--from", "nothing", below=tmp_path)


def test_the_other_options_are_carried() -> None:
    """Tag, kept work, kept world."""
    request = read("--tag=v1.2.3", "--keep-work", "--keep-world")
    assert (request.options.tag, request.options.keep_work, request.keep_world) == ("v1.2.3", True, True)


def test_faults_of_this_process_are_told_from_those_of_stand_ins() -> None:
    """kill and trace arm this process, together; every other goes to the stand-ins as written, in order."""
    request = read("--fault=pypi:503@2", "--fault=kill:7", "--fault", "trace:file", "--fault=github:502")
    assert request.faults == ("pypi:503@2", "github:502")
    assert request.boundary == BoundaryFault(kill_at=7, trace=Path("file"))
    assert read("--fault=pypi:503").boundary is None


@pytest.mark.parametrize(("value", "publish"), [("1", True), ("0", False), ("", False), (None, False)])
def test_only_a_one_publishes(value: str | None, publish: bool) -> None:
    """HEPHAESTUS_PUBLISH counts when it is exactly 1; the option always does."""
    assert read(publish=value).publish is publish
    assert read("--publish", publish=value).publish is True


@pytest.mark.parametrize("value", ["true", "yes", " 1", "01", "2"])
def test_a_word_that_may_have_meant_one_is_no_rehearsal(value: str) -> None:
    """A job that says HEPHAESTUS_PUBLISH=true is told so: rehearsed, it would end green with nothing published."""
    with pytest.raises(PublishVariableError, match="HEPHAESTUS_PUBLISH is"):
        read(publish=value)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--redo=nonsense"], "no such stage; the stages are build, sign"), (["--nonsense"], "--nonsense"),
        (["stray"], "stray"), (["--fault"], "--fault"), (["--fault=kill:0"], "from 1"), (["--fault=kill:-1"], "from 1"),
        (["--fault=kill:x"], "from 1"), (["--fault=kill"], "from 1"), (["--fault=trace:"], "takes a file"),
        (["--publish", "--fault=pypi:503"], "belong to a rehearsal"), (["--publish", "--keep-world"], "belong to"),
        (["--publish", "--fault=kill:1"], "belong to"), (["--tag"], "--tag"), (["--keep-work=yes"], "--keep-work"),
    ],
)  # fmt: skip
def test_what_cannot_be_understood_is_refused(words: list[str], problem: str) -> None:
    """The problem is named and the next step leads to the list of options."""
    with pytest.raises(UsageError) as error:
        read(*words)
    assert problem in error.value.what
    assert "-- --help" in error.value.next_step


@pytest.mark.parametrize("word", ["--pub", "--publis", "--red", "--keep", "--keep-wor"])
def test_nothing_is_abbreviated(word: str) -> None:
    """Half an option is none: no slip of the keyboard publishes."""
    with pytest.raises(UsageError, match=word):
        read(word)


@pytest.mark.parametrize("words", [["--fault=pypi:503"], ["--keep-world"]])
def test_a_publish_by_variable_takes_no_fault_either(words: list[str]) -> None:
    """The variable is the same consent as the option: what belongs to a rehearsal is refused."""
    with pytest.raises(UsageError, match="belong to a rehearsal"):
        read(*words, publish="1")


def test_an_index_is_the_target_of_a_publish() -> None:
    """The option names it, the variable where there is no option; the option is the stronger one."""
    assert read("--publish", "--index", "internal").index == "internal"
    assert read("--publish").index == ""
    environ = {"HEPHAESTUS_PUBLISH": "1", "HEPHAESTUS_INDEX": "theirs"}
    assert parse([], environ=environ, invoked_from=Path()).index == "theirs"
    assert parse(["--index=internal"], environ=environ, invoked_from=Path()).index == "internal"


def test_an_index_publishes_nothing_by_itself() -> None:
    """The option without --publish is refused; the variable in a shell's profile leaves a rehearsal a rehearsal."""
    with pytest.raises(UsageError, match="--index internal says where a publish goes; it needs --publish"):
        read("--index", "internal")
    request = parse([], environ={"HEPHAESTUS_INDEX": "internal"}, invoked_from=Path())
    assert (request.publish, request.index) == (False, "")


@pytest.mark.parametrize("words", [["--publish", "--index", ""], ["--publish", "--index="], ["--index="]])
def test_an_index_without_a_name_is_refused(words: list[str]) -> None:
    """An empty name (a variable that was not set) never means the public indexes."""
    with pytest.raises(UsageError, match="--index takes the name"):
        read(*words)


@pytest.mark.parametrize("word", ["--help", "-h"])
def test_help_is_an_answer_not_an_exit(word: str) -> None:
    """Help carries its text; nothing ends the process."""
    with pytest.raises(HelpAsked, match="What may stand after `--`"):
        read("--redo", word)


def test_help_has_no_colour_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nox colours what it logs, or does not: argparse (from Python 3.14 on) never adds sequences to the text."""
    for name in ("NO_COLOR", "PYTHON_COLORS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    with pytest.raises(HelpAsked) as asked:
        read("--help")
    assert "\x1b" not in str(asked.value)


@given(st.lists(st.sampled_from(WORDS) | st.text(max_size=8), max_size=5))
def test_any_words_are_read_refused_or_helped(words: list[str]) -> None:
    """Whatever stands there, it is a request, a UsageError or help: never another exception, never an exit."""
    ends = []
    try:
        ends.append(read(*words))
    except (UsageError, HelpAsked) as end:
        ends.append(end)
    assert len(ends) == 1
