"""``hephaestus release verify`` as a command: its help, its refusals, what it never does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from report.releases import released
from typer.testing import CliRunner

from hephaestus.cli import app
from hephaestus.consumer.trust import Trust

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _nobodys_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of this machine speaks in."""
    monkeypatch.delenv("HEPHAESTUS_RELEASE_REPOSITORY", raising=False)


def says(*words: object) -> tuple[int, str, str]:
    """Exit code, standard output and standard error; a traceback is raised."""
    done = CliRunner().invoke(app, ["release", "verify", *map(str, words)], prog_name="hephaestus")
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout, done.stderr


def test_the_help_names_every_kind_of_target() -> None:
    """What can be verified, what the states are, and when the exit code is 0 stand in the help."""
    code, out, _ = says("--help")
    assert code == 0
    for words in ("NAME==VERSION", "folder", "PASS, FAIL or ABSENT", "Exit code 0 only", "--trusted-root", "--offline"):
        assert words in out


@pytest.mark.parametrize(
    ("words", "what", "way_on"),
    [
        ([], "there is nothing to verify: nothing was named", "--help"),
        (["nowhere"], "'nowhere' cannot be verified: there is no such file or folder", "--help"),
        (["tiny==1.0"], "who must have signed is not clear: the repository of tiny is not known", "--repository"),
        (["tiny==1.0", "-r", "o/*"], "the expected repository 'o/*' names no single one", "exact repository"),
        (
            ["tiny==1.0", "-r", "o/r", "--workflow", "*"],
            "the expected workflow '*' names no single one",
            "exact workflow",
        ),
        (["tiny==1.0", "-r", "o/r", "--ref", "main"], "the expected ref 'main' names no single one", "exact ref"),
        (["tiny==1.0", "-r", "o/r", "--issuer", ""], "the expected issuer '' names no single one", "exact issuer"),
        (["tiny==1.0", "--tag", "v1", "--ref", "refs/tags/v1"], "a tag and a ref were given", "not both"),
        (["tiny==1.0", "-r", "o/r", "--offline"], "offline, only files and folders can be looked at", "--help"),
    ],
)
def test_what_cannot_be_verified_is_refused_before_a_look(
    words: list[str], what: str, way_on: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 1, one message with the way on, and neither an environment is made nor anybody asked."""
    monkeypatch.setattr(Trust, "prepare", None)
    code, out, err = says(*words)
    assert (code, out) == (1, "")
    assert what in err
    assert way_on in err.splitlines()[-1]


@pytest.mark.parametrize("timeout", ["0", "-1", "soon"])
def test_a_timeout_is_a_time(timeout: str) -> None:
    """No time, less than none, and words are usage errors."""
    assert says("tiny==1.0", "--timeout", timeout)[0] == 2


@pytest.mark.parametrize("address", ["http://pypi.example.org/simple/", "ftp://x/simple/", "nowhere", ""])
@pytest.mark.parametrize("option", ["--index-url", "--test-index-url", "--github-url"])
def test_improper_addresses_are_refused(option: str, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only https and the loopback are talked to; anything else is refused before anybody is asked."""
    monkeypatch.setattr(Trust, "prepare", None)
    code, out, err = says("tiny==1.0", "-r", "o/r", option, address)
    assert (code, out) == (1, "")
    assert err.startswith(f"{address!r} is no address to talk to: ")


def test_a_trust_root_that_is_none_is_refused(tmp_path: Path) -> None:
    """A file that is no trust root, and one that is not there."""
    wheel = tmp_path / "tiny-1.0-py3-none-any.whl"
    for path in (wheel, Path(f"{wheel}.sigstore.json")):
        path.write_text("{}", encoding="utf-8")
    for root in (wheel, tmp_path / "nowhere.json"):
        code, out, err = says(wheel, "-r", "o/r", "--offline", "--trusted-root", root)
        assert (code, out) == (1, "")
        assert err.startswith(f"{root} is no trust root: ")


def test_output_is_plain_where_nobody_looks(tmp_path: Path) -> None:
    """Piped, with NO_COLOR or without: the same bytes, no escape sequence, nothing on standard error."""
    wheel = tmp_path / "tiny-1.0-py3-none-any.whl"
    wheel.write_bytes(b"a wheel")
    base = {name: value for name, value in os.environ.items() if not name.startswith(("HEPHAESTUS_", "NO_COLOR"))}
    told = []
    for more in ({}, {"NO_COLOR": "1"}, {"FORCE_COLOR": "1", "TERM": "xterm-256color"}):
        done = subprocess.run(
            [sys.executable, "-m", "hephaestus", "release", "verify", str(wheel), "-r", "o/r", "--offline"],
            env={**base, "PYTHONPATH": str(ROOT / "src"), **more}, capture_output=True, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (1, b"")
        told.append(done.stdout)
    assert b"\x1b" not in told[0]
    assert told[0] == told[1] == told[2]
    assert told[0].decode().splitlines()[-1].startswith("NOT verified: 0 pass, 0 fail, 2 absent; 1 of these refuse it")


def test_json_is_json_even_when_nothing_holds(tmp_path: Path) -> None:
    """The facts as JSON on standard output, whatever the exit code."""
    wheel = tmp_path / "tiny-1.0-py3-none-any.whl"
    wheel.write_bytes(b"a wheel")
    code, out, err = says(wheel, "-r", "o/r", "--offline", "--json")
    assert (code, err) == (1, "")
    told = json.loads(out)
    assert (told["target"], told["verified"]) == (str(wheel), False)
    assert [fact["state"] for fact in told["facts"]] == ["ABSENT", "ABSENT"]


def test_a_folder_of_a_rehearsal_is_called_no_release(tmp_path: Path) -> None:
    """Held against Sigstore itself it fails and says why, and what one's own is held against; JSON stays JSON."""
    folder = released(tmp_path).path
    words = (folder, "-r", "o/r", "--tag", "v1.2.3", "--offline")
    code, out, _ = says(*words)
    assert code == 1
    assert "a rehearsal made it, so it is no release" in out.splitlines()[-2]
    assert "--trusted-root release/rehearsal/standins/" in out.splitlines()[-1]
    assert json.loads(says(*words, "--json")[1])["verified"] is False
