"""``hephaestus doctor``: exit codes, both forms of output, options; against stand-ins led to by HEPHAESTUS_SERVICES."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from diagnosis.clinic import ADMIN, JOB, NOW, WORKFLOW, Clinic
from typer.testing import CliRunner

from hephaestus.cli import app
from hephaestus.standins.github import Policy


@pytest.fixture
def here(clinic: Clinic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Clinic:
    """The current folder is the project's, the environment leads to the stand-ins, their clock is ours."""
    for name in list(os.environ):
        if name.startswith(("GITHUB_", "GH_", "ACTIONS_", "TWINE_", "UV_", "PYPI_", "XDG_", "GITLAB_")):
            monkeypatch.delenv(name)
    urls = {name: listener.url for name, listener in clinic.listeners.items()}
    (tmp_path / "trust.json").write_text('{"signingConfig": {}}', "utf-8")
    (tmp_path / "authority.pem").write_text("", "utf-8")
    services = {
        "schema": 1,
        "indexes": {name: urls[name] for name in ("testpypi", "pypi")},
        "github": {"api": urls["github"], "uploads": f"{urls['github']}/uploads"},
        "trust_config": str(tmp_path / "trust.json"),
        "authority": str(tmp_path / "authority.pem"),
        "proxy": urls["pypi"],
    }
    (tmp_path / "services.json").write_text(json.dumps(services), "utf-8")
    monkeypatch.setenv("HEPHAESTUS_SERVICES", str(tmp_path / "services.json"))
    monkeypatch.setenv("GH_TOKEN", ADMIN)
    monkeypatch.setenv("HOME", str(clinic.home))
    monkeypatch.setenv("USERPROFILE", str(clinic.home))
    monkeypatch.chdir(clinic.root)
    clinic.now[0] = time.time()
    return clinic


def doctor(*words: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error."""
    done = CliRunner().invoke(app, ["doctor", *words], prog_name="hephaestus")
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout, done.stderr


def test_a_sound_project_ends_well(here: Clinic) -> None:
    """Exit code 0 although the publishers are unknown; the values for their forms are shown."""
    code, out, err = doctor()
    assert (code, err) == (0, "")
    assert " FAIL  " not in out
    assert "2 UNKNOWN: nothing failed" in out
    assert f"Workflow name     {WORKFLOW}" in out
    assert "/manage/project/tiny-thing/settings/publishing/" in out


def test_a_private_index_alone(here: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    """--index looks at this machine and that index; an unknown one and --mint with it are refused; no token shows."""
    token = "correct-horse-battery-9"
    monkeypatch.setenv("COMPANY_TOKEN", token)
    with (here.root / "pyproject.toml").open("a", encoding="utf-8") as stream:
        stream.write(
            f'[tool.hephaestus.release.indexes.internal]\nupload-url = "{here.listeners["pypi"].url}/x/{token}"\n'
            f'simple-url = "{here.listeners["pypi"].url}/simple"\ntoken-variable = "COMPANY_TOKEN"\n'
        )
    _, out, err = doctor("--index", "internal")
    assert "private index internal" in out
    assert "Test PyPI" not in out
    assert token not in out + err
    for words, message in (
        (["--index", "nope"], "no such index"),
        (["--index", "internal", "--mint"], "none is minted"),
    ):
        code, out, err = doctor(*words)
        assert (code, out) == (1, "")
        assert message in err


def test_one_failure_ends_badly(here: Clinic) -> None:
    """A missing setting is exit code 1, with why, what to set, and the page to set it on."""
    here.github.set_immutable_releases(False)
    code, out, _ = doctor()
    assert code == 1
    told = out[out.index("FAIL     immutable releases") :]
    assert told.splitlines()[0].split() == ["FAIL", "immutable", "releases", "off"]
    assert "do:   General, section Releases: Enable release immutability" in told
    assert "at:   https://github.com/Owner/Tiny-Thing/settings\n" in told
    assert "1 FAIL" in told


def test_a_new_repository_is_told_everything_at_once(here: Clinic) -> None:
    """Nothing set, nothing published: every finding in one run, none hides another."""
    here.github.set_policy(Policy())
    here.forget("pypi")
    here.forget("testpypi")
    told = json.loads(doctor("--json")[1])
    assert told["counts"]["FAIL"] >= 10
    assert {line["code"] for line in told["lines"]} >= {"tag-rules", "environment-tags-pypi", "workflow"}


def test_json_says_the_same(here: Clinic) -> None:
    """`--json` is one document; `ready` is the exit code; values of forms are a mapping."""
    code, out, _ = doctor("--json")
    told = json.loads(out)
    assert (code, told["schema"], told["ready"]) == (0, 1, True)
    assert (told["project"], told["tag"], told["workflow"]) == ("tiny-thing", "v1.2.3", WORKFLOW)
    assert sum(told["counts"].values()) == len(told["lines"])
    (publisher,) = [line for line in told["lines"] if line["code"] == "publisher-pypi"]
    assert publisher["values"]["Environment name"] == "pypi"
    here.github.set_immutable_releases(False)
    code, out, _ = doctor("--json")
    assert (code, json.loads(out)["ready"]) == (1, False)


def test_another_repository(here: Clinic) -> None:
    """`--repository` looks at that one: here GitHub knows it not, and the remote is another."""
    code, out, _ = doctor("--repository", "Else/where", "--json")
    told = json.loads(out)
    assert (code, told["repository"]) == (1, "Else/where")
    failed = [line["code"] for line in told["lines"] if line["verdict"] == "FAIL"]
    assert failed == ["remote", "repository"]


@pytest.mark.parametrize("name", ["owner", "a/b/c", "a b/c", "../x", ""])
def test_a_repository_that_is_no_name(here: Clinic, name: str) -> None:
    """A name that is not OWNER/NAME is one clear error; an empty one is none given."""
    code, _, err = doctor("--repository", name)
    assert code == (1 if name else 0)
    assert ("has to be written owner/name" in err) is bool(name)


def test_offline(here: Clinic) -> None:
    """`--offline` asks nobody."""
    assert doctor("--offline")[0] == 0
    assert here.requests == []


def test_mint_outside_of_ci(here: Clinic) -> None:
    """`--mint` without an identity: exit code 1, how to run it, nobody asked."""
    code, out, err = doctor("--mint")
    assert (code, out) == (1, "")
    assert f"gh workflow run {WORKFLOW} --ref v1.2.3" in err
    assert here.requests == []


def test_mint_in_a_job(here: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--mint --offline` in a job: minted and burned at its index, no token shown, exit code 0."""
    for name, value in here.issuer.environment(here.listeners["oidc"].url, JOB).items():
        monkeypatch.setenv(name, value)
    code, out, err = doctor("--mint", "--offline")
    assert (code, err) == (0, "")
    assert "a token was minted for Owner/Tiny-Thing" in out
    assert not [word for word in ("eyJ", "pypi-Ag", ADMIN) if word in out]


def test_mint_from_the_wrong_ref(here: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    """A job on a branch fails although the index would mint: no index looks at the ref."""
    from dataclasses import replace

    job = replace(JOB, ref="refs/heads/main")
    for name, value in here.issuer.environment(here.listeners["oidc"].url, job).items():
        monkeypatch.setenv(name, value)
    code, out, _ = doctor("--mint", "--offline")
    assert code == 1
    assert "ref is refs/heads/main, not refs/tags/v1.2.3" in out


def test_no_project_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder without pyproject.toml is one clear error."""
    monkeypatch.chdir(tmp_path)
    code, _, err = doctor()
    assert code == 1
    assert "pyproject.toml does not exist here" in err


def test_a_services_file_that_leads_away(here: Clinic, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """HEPHAESTUS_SERVICES is held to the loopback here as well."""
    path = tmp_path / "services.json"
    path.write_text(path.read_text("utf-8").replace(here.listeners["github"].url, "https://example.org"), "utf-8")
    code, _, err = doctor()
    assert code == 1
    assert "not on this machine's loopback" in err


def test_the_clinic_s_clock_is_not_ours(clinic: Clinic) -> None:
    """The fixture's own clock stands still; the tests above would see a wrong clock without setting it."""
    assert clinic.now == [NOW]
