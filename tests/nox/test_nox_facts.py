"""What the suite relies on in nox itself: one test a behaviour, on tiny noxfiles. A failure means nox has changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from e2e.projects import Ran

Nox = Callable[..., Ran]

CHAIN = """
import nox

@nox.session(python=False, default=False)
def build(session):
    session.log("building")

@nox.session(python=False, default=False, requires=["build"])
def check(session):
    {check}

@nox.session(python=False, default=False, requires=["build"])
def side(session):
    session.log("beside")

@nox.session(python=False, default=False, requires=["check", "side"])
def upload(session):
    session.log("uploading %s", session.posargs)
"""


def test_requires_runs_each_once_in_order(nox: Nox) -> None:
    """`requires` pulls prerequisites in recursively, in a stable order, each once, a diamond included."""
    ran = nox(CHAIN.format(check="pass"), "-s", "upload")
    assert ran.code == 0, ran.output
    started = [line.split()[-1] for line in ran.output.splitlines() if line.startswith("nox > Running session")]
    assert started == ["build", "check", "side", "upload"]


def test_notify_does_not_pull_in_what_is_required(nox: Nox) -> None:
    """A notified session whose prerequisites have not run is aborted: chains are made with `requires` alone."""
    noxfile = (
        CHAIN.format(check="pass") + "\n@nox.session(python=False)\ndef go(session):\n    session.notify('upload')\n"
    )
    ran = nox(noxfile, "-s", "go")
    assert ran.code == 1
    assert ran.ended("upload") == "aborted"


def test_no_dependencies_runs_exactly_what_is_named(nox: Nox) -> None:
    """With --no-dependencies only the sessions typed run, in the order typed, whatever they require."""
    ran = nox(CHAIN.format(check="pass"), "--no-dependencies", "-s", "upload", "build")
    assert ran.code == 0, ran.output
    started = [line.split()[-1] for line in ran.output.splitlines() if line.startswith("nox > Running session")]
    assert started == ["upload", "build"]


def test_a_skipped_prerequisite_counts_as_success(nox: Nox) -> None:
    """After session.skip the dependents run and nox ends with 0: this is what resuming stands on."""
    ran = nox(CHAIN.format(check='session.skip("done before")'), "-s", "upload")
    assert ran.code == 0, ran.output
    assert (ran.ended("check"), ran.ended("upload")) == ("skipped", "success")
    assert "done before" in ran.output


def test_a_missing_interpreter_is_skipped_unless_told_otherwise(nox: Nox) -> None:
    """A session without its Python is skipped, its dependents run; error_on_missing_interpreters makes it red."""
    noxfile = (
        "import nox\n"
        "@nox.session(python='2.6', venv_backend='virtualenv')\ndef check(session):\n    pass\n"
        "@nox.session(python=False, requires=['check'])\ndef upload(session):\n    session.log('uploading')\n"
    )
    lenient = nox(noxfile, "-s", "upload")
    assert lenient.code == 0, lenient.output
    assert lenient.ended("upload") == "success"
    strict = nox(
        noxfile.replace("import nox\n", "import nox\nnox.options.error_on_missing_interpreters = True\n"),
        "-s",
        "upload",
    )
    assert strict.code == 1
    assert strict.ended("upload") != "success"


def test_a_failure_aborts_dependents_and_nothing_else(nox: Nox) -> None:
    """session.error makes dependents aborted, with the reason in the summary; independent sessions go on; exit 1."""
    ran = nox(CHAIN.format(check='session.error("what\\n  next: do this")'), "-s", "upload")
    assert ran.code == 1
    assert [ran.ended(name) for name in ("build", "check", "side", "upload")] == [
        "success", "aborted", "success", "aborted",
    ]  # fmt: skip
    assert "next: do this" in ran.output
    assert "Traceback" not in ran.output


def test_system_exit_ends_nox_without_a_word(nox: Nox) -> None:
    """SystemExit in a body ends nox with that code and no summary: the suite never raises it."""
    ran = nox(CHAIN.format(check="raise SystemExit(7)"), "-s", "upload")
    assert ran.code == 7
    assert "Ran " not in ran.output
    assert ran.ended("upload") == ""


def test_posargs_reach_every_session(nox: Nox) -> None:
    """What stands after `--` reaches every session of the run: one grammar must serve them all."""
    ran = nox(CHAIN.format(check="session.log('check %s', session.posargs)"), "-s", "upload", "--", "--one")
    assert "check ['--one']" in ran.output
    assert "uploading ['--one']" in ran.output


def test_registration_by_import_is_lost_in_script_mode(nox: Nox, tmp_path: Path) -> None:
    """Run as a script the noxfile is executed twice; sessions made by importing a module are not found again."""
    (tmp_path / "made.py").write_text("import nox\n@nox.session(python=False)\ndef made(session):\n    pass\n")
    noxfile = (
        "# /// script\n# dependencies = ['nox']\n# ///\n"
        "import sys, pathlib\nsys.path.insert(0, str(pathlib.Path(__file__).parent))\n"
        "import nox\nimport made\nif __name__ == '__main__':\n    nox.main()\n"
    )
    assert nox(noxfile, "-s", "made").code == 0
    import sys

    ran = nox(noxfile, "noxfile.py", "-s", "made", program=(sys.executable,), env={"NOX_SCRIPT_MODE": "none"})
    assert ran.code == 3, ran.output


def test_parallel_sessions_are_processes_of_their_own(nox: Nox) -> None:
    """Under -j a module global set in one session is not there in the next: what crosses stages is on disk."""
    noxfile = (
        "import nox\nKEPT = []\n"
        "@nox.session(python=False, allow_parallel=True)\ndef build(session):\n    KEPT.append(1)\n"
        "@nox.session(python=False, allow_parallel=True, requires=['build'])\ndef upload(session):\n"
        "    session.log('kept %s', KEPT)\n"
    )
    assert "kept [1]" in nox(noxfile, "-s", "upload").output
    ran = nox(noxfile, "-j2", "-s", "upload")
    assert ran.code == 0, ran.output
    assert "kept []" in ran.output


def test_sessions_that_allow_no_parallel_run_in_the_order_listed(nox: Nox) -> None:
    """Under -j sessions without allow_parallel run one by one, in the order the requiring session lists them."""
    noxfile = (
        "import nox\n"
        + "".join(
            f"@nox.session(python=False)\ndef s{number}(session):\n    print('ran', {number}, flush=True)\n"
            for number in range(5)
        )
        + "@nox.session(python=False, requires=['s0', 's1', 's2', 's3', 's4'])\ndef all(session):\n    pass\n"
    )
    ran = nox(noxfile, "-j3", "-s", "all")
    assert ran.code == 0, ran.output
    assert [line for line in ran.output.splitlines() if line.startswith("ran ")] == [f"ran {n}" for n in range(5)]


def test_the_outer_environment_reaches_commands_unless_left_out(nox: Nox) -> None:
    """session.run hands the whole environment on; with include_outer_env=False a planted variable is not there."""
    noxfile = (
        "import nox\n@nox.session(venv_backend='uv|virtualenv')\ndef show(session):\n"
        '    code = \'import os; print("saw", os.environ.get("TWINE_PASSWORD"))\'\n'
        "    session.run('python', '-c', code)\n"
        "    session.run('python', '-c', code, include_outer_env=False)\n"
    )
    ran = nox(noxfile, "-s", "show", env={"TWINE_PASSWORD": "planted"})
    assert ran.code == 0, ran.output
    assert [line for line in ran.output.splitlines() if line.startswith("saw")] == ["saw planted", "saw None"]


def test_install_only_runs_nothing_and_succeeds(nox: Nox) -> None:
    """Under --install-only session.run returns None and the session succeeds; the flag is where the suite looks."""
    noxfile = (
        "import nox\n@nox.session(venv_backend='uv|virtualenv')\ndef show(session):\n"
        "    given = session.run('python', '-c', 'print(1)', silent=True)\n"
        "    session.log('given %r, flag %r', given, session._runner.global_config.install_only)\n"
    )
    ran = nox(noxfile, "--install-only", "-s", "show")
    assert ran.code == 0, ran.output
    assert "given None, flag True" in ran.output
    assert "given '1\\n', flag False" in nox(noxfile, "-s", "show").output


def test_the_other_private_flag_is_where_the_suite_looks(nox: Nox) -> None:
    """`session._runner.global_config.no_install` tells --no-install; session.install then does nothing."""
    noxfile = (
        "import nox\n@nox.session(venv_backend='uv|virtualenv', reuse_venv=True)\ndef show(session):\n"
        "    session.log('no install %r', session._runner.global_config.no_install)\n"
        "    session.install('a-name-that-no-index-has-ever-seen-hephaestus') if session.posargs else None\n"
    )
    assert "no install False" in nox(noxfile, "-s", "show").output
    ran = nox(noxfile, "-R", "-s", "show", "--", "install")
    assert ran.code == 0, ran.output
    assert "no install True" in ran.output


def test_without_a_venv_a_session_is_not_sandboxed(nox: Nox) -> None:
    """`session.virtualenv.is_sandboxed` is false under --no-venv and true otherwise: the guard stands on it."""
    noxfile = (
        "import nox\n@nox.session(venv_backend='uv|virtualenv')\ndef show(session):\n"
        "    session.log('sandboxed %r', session.virtualenv.is_sandboxed)\n"
    )
    assert "sandboxed True" in nox(noxfile, "-s", "show").output
    assert "sandboxed False" in nox(noxfile, "--no-venv", "-s", "show").output


def test_a_reused_environment_keeps_its_files(nox: Nox) -> None:
    """With reuse_venv=True a file in the environment is there the next time: the lock's fingerprint stands on it."""
    noxfile = (
        "import nox, pathlib\n@nox.session(venv_backend='uv|virtualenv', reuse_venv=True)\ndef keep(session):\n"
        "    mark = pathlib.Path(session.virtualenv.location) / 'mark'\n"
        "    session.log('there %r', mark.exists())\n    mark.write_text('x')\n"
    )
    assert "there False" in nox(noxfile, "-s", "keep").output
    assert "there True" in nox(noxfile, "-s", "keep").output
    assert "there False" in nox(noxfile, "--reuse-venv", "never", "-s", "keep").output


@pytest.mark.parametrize(("words", "code"), [(("-s", "nobody"), 3), (("-s", "cycle"), 3), ((), 0)])
def test_exit_codes(nox: Nox, words: tuple[str, ...], code: int) -> None:
    """An unknown session and a cycle end with 3; a bare nox with nothing to do by default lists and ends with 0."""
    noxfile = CHAIN.format(check="pass") + (
        "\n@nox.session(python=False, default=False, requires=['cycle'])\ndef cycle(session):\n    pass\n"
    )
    assert nox(noxfile, *words).code == code


def test_the_resolved_chain_is_listed_as_json(nox: Nox) -> None:
    """`nox -l --json -s NAME` prints the resolved chain in the order it would run."""
    ran = nox(CHAIN.format(check="pass"), "-l", "--json", "-s", "upload")
    listed = [session["session"] for session in json.loads(ran.output)]
    assert listed == ["build", "check", "side", "upload"]
