"""release_sessions(): what it registers, how it reads, what it refuses - through the real nox."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from e2e.projects import SUITE, Ran, git

from hephaestus.nox import session as nox_session
from hephaestus.release.directory import STAGES

Nox = Callable[..., Ran]

NOXFILE = f"""\
import sys

sys.path.insert(0, {str(SUITE / "src")!r})

import nox

from hephaestus.nox import release_sessions

release_sessions()
"""

#: What must not be imported to list sessions: everything beyond nox and the standard library costs every `nox -l`.
HEAVY = (
    "build", "cryptography", "filelock", "httpx", "hephaestus.stages", "hephaestus.standins", "hephaestus.worlds",
    "hephaestus.report", "hephaestus.services", "hephaestus.toolchain", "hephaestus.release.errors", "pydantic",
    "requests", "rich", "sigstore", "tomlkit", "twine", "typer", "urllib3",
)  # fmt: skip


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The smallest project the suite can read, in git, beside the noxfile."""
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "tiny-thing"\nversion = "1.2.3"\n\n[tool.hephaestus.release]\nrepository = "o/r"\n'
    )
    (tmp_path / ".gitignore").write_text("/.nox/\n/release/\n/.cache/\n/.local/\n")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "pyproject.toml", ".gitignore")
    git(tmp_path, "commit", "-q", "-m", "first")
    return tmp_path


def refused(ran: Ran, *words: str) -> None:
    """Assert one clear refusal with a next step, and no traceback."""
    assert ran.code == 1, ran.output
    assert "Traceback" not in ran.output
    assert "next:" in ran.output
    for word in words:
        assert word in ran.output


def test_the_list_reads_like_a_table_of_contents(nox: Nox) -> None:
    """`nox -l` shows every session of the chain in its order, and bump without its tag, each with one sentence."""
    ran = nox(NOXFILE, "-l")
    assert ran.code == 0, ran.output
    lines = [line for line in ran.output.splitlines() if line.startswith(("- ", "* "))]
    told = dict(line[2:].split(" -> ", 1) for line in lines)
    assert list(told) == [*(f"{name} [release]" for name in (*STAGES, "release")), "bump"]
    assert all(line.startswith("- ") for line in lines), "no session runs by default"
    assert all(text.strip().endswith(".") for text in told.values())
    assert max(map(len, lines)) <= 120


def test_the_chain_is_resolved_in_its_order(nox: Nox) -> None:
    """`nox -l --json -s release` lists the whole chain in order, `-s smoke` exactly what smoke needs."""
    whole = json.loads(nox(NOXFILE, "-l", "--json", "-s", "release").output)
    assert [session["session"] for session in whole] == [*STAGES, "release"]
    some = json.loads(nox(NOXFILE, "-l", "--json", "-s", "smoke").output)
    assert [session["session"] for session in some] == ["build", "sign", "check", "upload-testpypi", "smoke"]


def test_usage_tells_how_to_publish_and_where_the_options_are(nox: Nox) -> None:
    """`nox --usage NAME` shows the whole docstring of a stage."""
    ran = nox(NOXFILE, "--usage", "smoke", "-s", "smoke")
    assert ran.code == 0, ran.output
    assert "Rehearses against local stand-ins" in ran.output
    assert "-- --help" in ran.output


def test_a_prefix_names_every_session(nox: Nox) -> None:
    """With prefix= all sessions and what they require carry it."""
    noxfile = NOXFILE.replace("release_sessions()\n", "release_sessions(prefix='r-')\n")
    listed = json.loads(nox(noxfile, "-l", "--json", "-s", "r-release").output)
    assert [session["session"] for session in listed] == [f"r-{name}" for name in (*STAGES, "release")]


def test_a_clash_of_names_is_refused(nox: Nox) -> None:
    """A session that exists already is not silently replaced: registering says which, and how to go on."""
    noxfile = NOXFILE.replace(
        "release_sessions()\n", "@nox.session\ndef build(session):\n    pass\n\nrelease_sessions()\n"
    )
    ran = nox(noxfile, "-l")
    assert ran.code != 0
    assert "sessions build exist already" in ran.output
    assert "prefix=" in ran.output


def test_tags_select_the_chain(nox: Nox) -> None:
    """`nox -t release` selects all sessions of the chain."""
    listed = json.loads(nox(NOXFILE, "-l", "--json", "-t", "release").output)
    assert {session["session"] for session in listed} == {*STAGES, "release"}


def test_the_front_door_imports_nothing_heavy() -> None:
    """Importing hephaestus.nox and registering imports no stage, no service, no tool: `nox -l` stays quick."""
    code = (
        "import sys; from hephaestus.nox import release_sessions; release_sessions(); "
        "print(*sorted(sys.modules), sep='\\n')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(SUITE / "src")}, capture_output=True,
        text=True, check=True,
    )  # fmt: skip
    loaded = set(done.stdout.split())
    bare = subprocess.run(
        [sys.executable, "-c", "import nox, sys; print(*sys.modules)"], capture_output=True, text=True, check=True
    )
    assert {name for name in HEAVY if name in loaded - set(bare.stdout.split())} == set()


def test_registering_touches_no_option_of_nox() -> None:
    """release_sessions() leaves every nox option as it was."""
    code = (
        "import copy, nox; before = copy.deepcopy(nox.options); "
        "from hephaestus.nox import release_sessions; release_sessions(); "
        "assert repr(nox.options) == repr(before) and nox.options == before"
    )
    environ = {**os.environ, "PYTHONPATH": str(SUITE / "src")}
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("flag", ["--no-venv", "--install-only"])
def test_flags_that_fake_a_pass_are_refused(nox: Nox, project: Path, flag: str) -> None:
    """--no-venv and --install-only are refused by every stage before a receipt could lie, naming the flag."""
    ran = nox(NOXFILE, flag, "-s", "build")
    refused(ran, f"refused under `{flag}`", f"run the same command without `{flag}`")
    assert not (project / "release").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--pubish",), "--pubish"),
        (("sideways",), "sideways"),
        (("--redo=lunch",), "--redo=lunch: no such stage"),
        (("--fault=kill:0",), "--fault=kill:0"),
        (("--fault=trace:",), "--fault=trace:"),
        (("--from", "nowhere"), "--from nowhere: no such folder"),
        (("--publish", "--fault=pypi:503"), "cannot be published"),
        (("--publish", "--keep-world"), "cannot be published"),
        (("--tag",), "--tag"),
    ],
)
def test_words_that_cannot_be_understood_are_one_clear_error(
    nox: Nox, project: Path, words: tuple[str, ...], said: str
) -> None:
    """A mistake after `--` is one aborted session that says what is wrong and how to see all options."""
    ran = nox(NOXFILE, "-s", "build", "--", *words)
    refused(ran, said, "after `--`", "-- --help")
    assert ran.ended("build") == "aborted"
    assert not (project / "release").exists()


def test_help_lists_the_options_and_does_nothing(nox: Nox, project: Path) -> None:
    """`-- --help` shows the whole grammar, skips the session and leaves no trace."""
    ran = nox(NOXFILE, "-s", "build", "--", "--help")
    assert ran.code == 0, ran.output
    assert ran.ended("build") == "skipped"
    for option in ("--publish", "--redo", "--from", "--tag", "--keep-world", "--fault", "--keep-work"):
        assert option in ran.output
    assert not (project / "release").exists()


@pytest.mark.parametrize("asked", ["option", "variable"])
@pytest.mark.parametrize("session", ["build", "release"])
def test_a_publish_is_never_a_rehearsal_in_disguise(nox: Nox, project: Path, asked: str, session: str) -> None:
    """Asked to publish outside its workflow, a session says so and leaves nothing where a real release would lie."""
    words = ("--", "--publish") if asked == "option" else ()
    env = {"HEPHAESTUS_PUBLISH": "1"} if asked == "variable" else {}
    ran = nox(NOXFILE, "--no-dependencies", "-s", session, *words, env=env)
    refused(ran, "a publish happens in the workflow publish-pypi.yml and nowhere else")
    assert "git push origin v1.2.3" in ran.output
    assert not (project / "release").exists()


def test_a_project_that_cannot_be_read_is_one_clear_error(nox: Nox, project: Path) -> None:
    """A pyproject.toml with a setting nobody knows is refused by its dotted name."""
    path = project / "pyproject.toml"
    path.write_text(path.read_text(encoding="utf-8") + "workfow = 'x.yml'\n", encoding="utf-8")
    refused(nox(NOXFILE, "-s", "build"), "tool.hephaestus.release.workfow")


@pytest.mark.parametrize("form", ["nox", "uv run", "python", "elsewhere"])
def test_this_projects_noxfile_starts_in_every_form(form: str, tmp_path: Path) -> None:
    """`nox`, `uv run noxfile.py`, `python noxfile.py` and a path from another directory all list the chain."""
    commands = {
        "nox": [sys.executable, "-m", "nox", "-l"],
        "uv run": [sys.executable, "-m", "uv", "run", "--no-project", "noxfile.py", "-l"],
        "python": [sys.executable, "noxfile.py", "-l"],
        "elsewhere": [sys.executable, "-m", "uv", "run", "--no-project", str(SUITE / "noxfile.py"), "-l"],
    }
    removed = ("NOXSESSION", "PYTHONPATH", "VIRTUAL_ENV", "CI", "FORCE_COLOR")
    environ = {name: value for name, value in os.environ.items() if name not in removed}
    cwd = tmp_path if form == "elsewhere" else SUITE
    done = subprocess.run(
        commands[form], cwd=cwd, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    listed = [line.split()[1] for line in done.stdout.splitlines() if line.startswith(("- ", "* "))]
    assert set(listed) >= {*STAGES, "release", "tests"}


@pytest.mark.parametrize(("platform", "left"), [("linux", False), ("win32", True)])
def test_what_killed_runs_left_goes_but_nobody_is_interrupted_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, platform: str, left: bool
) -> None:
    """Signal 0 asks whether a process is there; on Windows it is CTRL+C, so there nobody is asked."""
    asked: list[int] = []

    def ask(pid: int, number: int) -> None:
        asked.append(number)
        raise ProcessLookupError

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("os.kill", ask)
    monkeypatch.setattr("sys.platform", platform)
    (tmp_path / "hephaestus-4000000-build-x").mkdir()
    nox_session._sweep()
    assert (tmp_path / "hephaestus-4000000-build-x").exists() is left
    assert asked == ([] if left else [0])
