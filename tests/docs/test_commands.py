"""Every command a page shows exists: its session is registered, its options are understood, its paths are there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import typer
from docs.documents import PAGES, ROOT, Command, blocks, commands, page, spans

from hephaestus.cli import app
from hephaestus.nox import bump
from hephaestus.nox.posargs import Request, UsageError, parse
from hephaestus.release.directory import STAGES

COMMANDS = sorted(set(commands()), key=str)
NOX = [command for command in COMMANDS if command.words[0] == "nox"]
HEPHAESTUS = [command for command in COMMANDS if command.words[0] == "hephaestus"]
README_BLOCKS = [command.text for command in COMMANDS if command.page == "README.md" and command.block]

#: Commands that no test types as they stand, with the reason and with what proves them instead.
ELSEWHERE: Mapping[str, str] = {
    "pip install hephaestus-toolkit": "asks the real PyPI",
    'pip install "hephaestus-toolkit[verify]"': "asks the real PyPI; smoke installs it so",
    "pip install hephaestus-toolkit==0.2.5": "asks the real PyPI",
    'pip install "git+https://github.com/IAmJonoBo/Hephaestus.git@v0.2.5"': "asks GitHub; smoke builds the sdist",
    "pip check": "run by smoke in every environment it makes (tests/stages/test_smoke.py)",
    "python -m hephaestus": "run by tests/cli/test_status.py",
    "python tests/examples/table.py": "what it prints is held against docs/failures.md (tests/examples/test_table.py)",
    "gh run watch": "watches a run on GitHub",
    "gh run rerun --failed": "a run on GitHub; what it converges to is tried by tests/workflows/",
    "gh workflow run publish-pypi.yml --ref v1.2.3": "a run on GitHub; tests/workflows/ tries it",
    "uv run": "the noxfile run as a script: tests/nox/test_front_door.py",
    "python -m build": "run by build in every release (tests/e2e/test_chain.py)",
    "sigstore sign": "run by sign in every release (tests/e2e/test_chain.py)",
    "twine check --strict": "run by check in every release (tests/e2e/test_chain.py)",
    "twine upload": "run by upload-testpypi and upload-pypi in every release (tests/e2e/test_chain.py)",
}

#: Flags of nox itself that may stand before ``--``.
_NOX_FLAGS = frozenset({"--no-dependencies"})


@pytest.fixture(scope="module")
def sessions() -> frozenset[str]:
    """The names of the sessions nox sees in this project (``--json`` would list those selected by default only)."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("NOX", "PYTHONPATH"))}
    shown = subprocess.run(
        [sys.executable, "-m", "nox", "-f", "noxfile.py", "-l"],
        cwd=ROOT, env=kept, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert shown.returncode == 0, shown.stderr
    return frozenset(re.findall(r"^[*-] (\S+)", shown.stdout, re.MULTILINE))


def stages_meant(word: str) -> tuple[str, ...]:
    """The sessions a word on a page stands for: itself, or every stage for the placeholder."""
    return (*STAGES, "release") if word in ("STAGE", "<stage>") else (word,)


def understood(words: Sequence[str], folder: Path) -> Request | None:
    """What the grammar reads in words of a page, placeholders filled in; None when help was asked."""
    from hephaestus.nox.posargs import HelpAsked

    (folder / "DIR").mkdir(exist_ok=True)
    filled = [word.replace("=STAGE", "=check").replace("trace:FILE", "trace:file") for word in words]
    try:
        return parse(filled, environ={}, invoked_from=folder)
    except HelpAsked:
        return None


def test_pages_hold_commands_at_all() -> None:
    """The collection finds the front page's two commands and its table: a broken pattern cannot pass for silence."""
    assert len(README_BLOCKS) == 2
    assert {"nox -s smoke", "hephaestus release status"} <= {command.text for command in COMMANDS}
    assert len(NOX) > 10


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_every_command_is_proven_somewhere(command: Command) -> None:
    """A command is one of nox or of this program, a pinned block, or on the list of those proven elsewhere."""
    proven = command in NOX or command in HEPHAESTUS or command.block or command.text in ELSEWHERE
    assert proven, f"{command}: add a test that runs it, or a line to ELSEWHERE that says why none can"


def test_the_list_holds_no_command_that_no_page_shows() -> None:
    """What left the pages leaves the list."""
    assert set(ELSEWHERE) <= {command.text for command in COMMANDS}
    named = [path for reason in ELSEWHERE.values() for path in re.findall(r"tests/[\w/]+\.py", reason)]
    assert [path for path in named if not (ROOT / path).is_file()] == []


@pytest.mark.parametrize("command", NOX, ids=str)
def test_every_nox_command_names_a_session_and_options_that_exist(
    command: Command, sessions: frozenset[str], tmp_path: Path
) -> None:
    """``nox -s X -- options``: X is registered, and the words after ``--`` are in the grammar of the stages."""
    words = command.words
    before, after = (words[: words.index("--")], words[words.index("--") + 1 :]) if "--" in words else (words, [])
    if before[1:] == ["--version"]:
        subprocess.run([sys.executable, "-m", *before], capture_output=True, check=True)
        return
    assert before[1] == "-s", command.text
    names, flags = [word for word in before[2:] if word[0] != "-"], {word for word in before if word[:2] == "--"}
    assert names, command.text
    assert flags <= _NOX_FLAGS, command.text
    for name in names:
        for stage in stages_meant(name):
            assert stage in sessions, f"{command}: nox has no session {stage!r}"
    if names == ["bump"] and after:
        assert bump.parse(after, today="2026-01-01").words[0] in after
    elif names[0] in {*STAGES, "release", "STAGE"}:
        understood(after, tmp_path)
    else:
        missing = [word for word in after if "/" in word and not (ROOT / word.partition("::")[0]).exists()]
        assert not missing, f"{command}: no {missing}"


@pytest.mark.parametrize(
    ("name", "words"),
    sorted({
        (name, span.removeprefix("-- ").replace("[=STAGE]", ""))
        for name in PAGES
        for span in spans(name)
        if span.startswith("-- ") and "..." not in span
    }),
)  # fmt: skip
def test_every_option_of_a_sentence_is_understood(name: str, words: str, tmp_path: Path) -> None:
    """``-- --option`` within a sentence is in the grammar."""
    if words == "--publish":
        assert understood([words], tmp_path) is not None
        return
    request = understood(words.split(), tmp_path)
    assert request != understood([], tmp_path), f"{name}: {words} changes nothing"


def test_the_grammar_is_documented_whole(capsys: pytest.CaptureFixture[str]) -> None:
    """docs/stages.md's table of options and ``-- --help`` list the same options."""
    from hephaestus.nox.posargs import HelpAsked

    with pytest.raises(HelpAsked) as asked:
        parse(["--help"], environ={}, invoked_from=ROOT)
    offered = set(re.findall(r"--[a-z][a-z-]*", str(asked.value).partition("options:")[2])) - {"--help"}
    rows = re.findall(r"^\| (`--.*?) \|", page("docs/stages.md"), re.MULTILINE)
    documented = {option for row in rows for option in re.findall(r"`(--[a-z][a-z-]*)", row)}
    assert offered == documented
    with pytest.raises(UsageError):
        parse(["--no-such-option"], environ={}, invoked_from=ROOT)


@pytest.mark.parametrize("command", HEPHAESTUS, ids=str)
def test_every_command_of_the_program_exists_with_its_options(command: Command) -> None:
    """``hephaestus ...``: each word is a command of the one before, each option one of that command."""
    # Typer brings its own click: the class of the installed one would never match, and nothing would be looked at.
    here: Any = typer.main.get_command(app)
    words = command.words[1:]
    while words and isinstance(here, typer.core.TyperGroup) and not words[0].startswith("-"):
        assert words[0] in here.commands, f"{command}: {here.name} has no command {words[0]!r}"
        here = here.commands[words.pop(0)]
    options = {option for parameter in here.params for option in parameter.opts}
    unknown = {word.partition("=")[0] for word in words if word.startswith("-")} - options - {"--help"}
    assert not unknown, f"{command}: no option {unknown}"


def test_the_two_commands_of_the_front_page_have_one_shape(sessions: frozenset[str]) -> None:
    """Rehearse and test: one line each, from nothing but Python and git, alike but for the session."""
    shape = re.compile(
        r"python3 -m venv \.venv && \.venv/bin/pip install nox && \.venv/bin/nox -s (?P<session>[a-z-]+)\Z"
    )
    found = [shape.match(text) for text in README_BLOCKS]
    assert all(found), README_BLOCKS
    names = [match["session"] for match in found if match is not None]
    assert sorted(names) == ["release", "tests"]
    assert set(names) <= sessions


def test_ci_runs_the_test_command_of_the_front_page_word_for_word(tmp_path: Path) -> None:
    """.ci/run takes its command from README.md; bash, told to run nothing, shows that it is that very line."""
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    (tmp_path / ".ci").mkdir()
    (tmp_path / ".ci" / "run").write_text(
        script.replace('exec bash -c "$command"', 'printf "would run: %s\\n" "$command"'), encoding="utf-8"
    )
    (tmp_path / "README.md").write_text(page("README.md"), encoding="utf-8")
    ran = subprocess.run(
        ["bash", ".ci/run"], cwd=tmp_path, capture_output=True, text=True, check=True, encoding="utf-8"
    )
    (wanted,) = [text for text in README_BLOCKS if text.endswith("nox -s tests")]
    assert ran.stdout.splitlines() == [f"$ {wanted}", f"would run: {wanted}"]


def test_ci_fails_when_the_front_page_loses_its_command(tmp_path: Path) -> None:
    """Without the line in README.md, .ci/run fails and says so instead of running nothing."""
    (tmp_path / ".ci").mkdir()
    (tmp_path / ".ci" / "run").write_text((ROOT / ".ci" / "run").read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "README.md").write_text("# Nothing\n", encoding="utf-8")
    ran = subprocess.run(["bash", ".ci/run"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 1
    assert "no longer shows" in ran.stderr


def test_contributing_shows_the_same_test_command() -> None:
    """CONTRIBUTING.md shows the front page's test command, word for word."""
    (block,) = blocks("CONTRIBUTING.md", "console")
    assert block.removeprefix("$ ").strip() in README_BLOCKS
