"""``hephaestus release status`` over releases in every state, and the program as a module."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from e2e.projects import git
from inspection.outside import TOKEN, Outside
from report.releases import released
from typer.testing import CliRunner

from hephaestus.cli import app
from hephaestus.release.directory import STAGES
from hephaestus.release.root import ReleaseRoot
from hephaestus.worlds.hosting import Host

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def rehearsed(here: Path) -> Path:
    """The project with a rehearsed release, all stages done."""
    directory = released(here)
    target = here / "release" / "rehearsal" / "1.2.3"
    target.parent.mkdir(parents=True)
    directory.path.rename(target)
    return here


def hephaestus_says(*words: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a command."""
    done = CliRunner().invoke(app, list(words), prog_name="hephaestus")
    return done.exit_code, done.stdout, done.stderr


@pytest.mark.parametrize("words", [["--help"], ["release", "--help"], ["release", "status", "--help"]])
def test_help_is_plain_text(words: list[str]) -> None:
    """Help ends well, names its command, and draws no boxes."""
    code, out, err = hephaestus_says(*words)
    assert (code, err) == (0, "")
    assert f"Usage: {' '.join(['hephaestus', *words[:-1]])}" in out
    assert "╭" not in out


def test_status_before_any_build(here: Path) -> None:
    """Nothing was built: every stage is open, build comes next, and asking makes no folder."""
    code, out, _ = hephaestus_says("release", "status")
    assert code == 0
    assert "tiny-thing 1.2.3   rehearsal not built yet\n" in out
    assert "next: nox -s build" in out
    assert not (here / "release").exists()


def test_status_of_a_release(rehearsed: Path) -> None:
    """Every stage, the file with its digest, and that nothing is left."""
    code, out, err = hephaestus_says("release", "status")
    assert (code, err) == (0, "")
    assert all(f"  {stage} " in out for stage in STAGES)
    assert "dist/x.whl" in out
    assert "nothing is left to do" in out
    assert "the stand-ins of this rehearsal are not running" in out


def test_status_for_programs(rehearsed: Path) -> None:
    """`--json` is one JSON document on standard output, of the summary's schema."""
    code, out, err = hephaestus_says("release", "status", "--json")
    told = json.loads(out)
    assert (code, err) == (0, "")
    assert (told["schema"], told["project"], told["world"], told["next"]) == (1, "tiny-thing", "rehearsal", "")


def test_a_rehearsal_is_no_release(rehearsed: Path) -> None:
    """`--publish` looks at the real release, of which a rehearsal says nothing."""
    code, out, _ = hephaestus_says("release", "status", "--publish", "--offline")
    assert code == 0
    assert "next: nox -s build" in out
    assert "publish not built yet" in out


def test_the_services_are_asked_afresh(published: Outside, here: Path) -> None:
    """`--publish`: every file on every index with the days left, GitHub's draft, and the command that resumes."""
    wheel = next(name for name in published.make("1.2.3") if name.endswith(".whl"))
    published.upload("1.2.3", "testpypi")
    published.upload("1.2.3", "pypi", only=[wheel])
    files = {f"dist/{name}": path.read_bytes() for name, path in published.make("1.2.3").items()}
    released(here, "build", files=files, build={"project": "tiny-thing"})
    code, out, err = hephaestus_says("release", "status", "--publish")
    assert (code, err) == (0, "")
    assert "Test PyPI  complete: 2 of 2 files" in out
    assert "PyPI       partial: 1 of 2 files; takes further files until" in out
    assert "(14 days left)" in out
    assert f"identical  {wheel}" in out
    assert "no release, or a draft that only a token could show (GITHUB_TOKEN)" in out
    assert out.count("next:") == 1
    assert "gh workflow run publish-pypi.yml --ref v1.2.3" in out


def test_a_release_made_elsewhere_shows_no_stages(published: Outside, here: Path) -> None:
    """On a machine without receipts ten stages that are not done would say nothing true: the services speak."""
    published.upload("1.2.3")
    published.release("1.2.3")
    code, out, _ = hephaestus_says("release", "status", "--publish")
    assert code == 0
    assert "tiny-thing 1.2.3   publish: no receipts here, its stages ran elsewhere or not yet" in out
    assert "not done" not in out
    assert "PyPI       complete: 2 of 2 files" in out
    assert "published: 1 asset;" in out


def test_the_services_for_programs(published: Outside, here: Path) -> None:
    """`--json` carries what each service answered, and null where none was asked."""
    published.upload("1.2.3")
    published.release("1.2.3")
    code, out, _ = hephaestus_says("release", "status", "--publish", "--json")
    told = json.loads(out)
    assert (code, told["asked"]["manifest"]) == (0, "SHA256SUMS of the GitHub Release v1.2.3")
    assert {name: index["state"] for name, index in told["asked"]["indexes"].items()} == {
        "testpypi": "complete", "pypi": "complete",
    }  # fmt: skip
    assert told["asked"]["github"]["state"] == "published"
    code, out, _ = hephaestus_says("release", "status", "--publish", "--json", "--offline")
    assert (code, json.loads(out)["asked"]) == (0, None)


def test_offline_asks_nobody(published: Outside, rehearsed: Path) -> None:
    """`--offline` sends no request and tells what the receipts say."""
    code, out, _ = hephaestus_says("release", "status", "--publish", "--offline")
    assert (code, published.listeners.requests) == (0, [])
    assert "from the receipts alone, as asked" in out


@pytest.fixture
def alive(published: Outside, here: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Stand-ins of the rehearsal that live; holds the state folder of each that was asked for."""
    asked: list[Path] = []

    def living(state: Path) -> Host:
        asked.append(state)
        urls = published.listeners.urls
        ports = {name: int(url.rpartition(":")[2]) for name, url in urls.items()}
        return Host(
            state=state, pid=1, code="", configuration="", ports=ports, secret="", github_token=TOKEN
        )  # fmt: skip

    monkeypatch.setattr("hephaestus.inspection.places.living_host", living)
    releases = ReleaseRoot(path=here / "release", rehearsal=True).releases
    releases.mkdir(parents=True, exist_ok=True)
    (releases / ".1.2.3.world").write_text(json.dumps({"source": "abc"}), encoding="utf-8")
    return asked


def test_living_stand_ins_are_asked(rehearsed: Path, alive: list[Path]) -> None:
    """A rehearsal whose stand-ins live is asked there, by the state folder of its own source; none is started."""
    root = ReleaseRoot(path=rehearsed / "release", rehearsal=True)
    code, out, err = hephaestus_says("release", "status")
    assert (code, err) == (0, "")
    assert alive == [(root.releases / "standins" / "abc").resolve()]
    assert "PyPI       absent: 0 of 1 files" in out
    assert "next: nox -s upload-testpypi" in out


def test_an_interrupted_first_build_is_gone_on_with(here: Path, alive: list[Path]) -> None:
    """No receipt was left, the stand-ins live: the build comes next, not an upload of what is not built."""
    code, out, err = hephaestus_says("release", "status")
    assert (code, err, len(alive)) == (0, "", 1)
    assert "next: nox -s build\n" in out
    assert json.loads(hephaestus_says("release", "status", "--json")[1])["next"] == "nox -s build"


@pytest.mark.parametrize(
    ("words", "message"),
    [(["--index", "internal"], "it needs --publish"), (["--publish", "--index", "nowhere"], "no such index")],
)
def test_an_index_that_cannot_be_meant(published: Outside, here: Path, words: list[str], message: str) -> None:
    """Without --publish, or not configured: one clear error."""
    code, out, err = hephaestus_says("release", "status", *words)
    assert (code, out) == (1, "")
    assert message in err
    assert "next:" in err


def test_a_wrong_tag_on_the_commit_is_told(rehearsed: Path) -> None:
    """Everything is done, but a tag calls the commit another version: a warning, and taking it away comes next."""
    git(rehearsed, "init", "-q")
    (rehearsed / ".gitignore").write_text("/release/\n", encoding="utf-8")
    git(rehearsed, "add", "--all")
    git(rehearsed, "commit", "-q", "-m", "first")
    git(rehearsed, "tag", "v1.2.3")
    assert "warning" not in hephaestus_says("release", "status")[1]
    git(rehearsed, "tag", "-d", "v1.2.3")
    git(rehearsed, "tag", "v9.0")
    code, out, err = hephaestus_says("release", "status")
    assert (code, err) == (0, "")
    assert "warning: v9.0: is at this commit, but pyproject.toml says 1.2.3 -> " in out
    assert "next: set project.version to 9.0 and tag that commit, or take the tag away" in out
    assert "nothing is left to do" not in out
    told = json.loads(hephaestus_says("release", "status", "--json")[1])
    assert (len(told["warnings"]), told["next"][:11]) == (1, "set project")
    (rehearsed / "more.txt").write_text("on the way to the next version\n", encoding="utf-8")
    assert "warning" not in hephaestus_says("release", "status")[1]


def test_a_project_without_a_repository_is_told_so(published: Outside, here: Path) -> None:
    """Nothing names the repository: GitHub is not asked about somebody else's, and the setting is named."""
    (here / "pyproject.toml").write_text('[project]\nname = "Tiny.Thing"\nversion = "1.2.3"\n', encoding="utf-8")
    code, out, _ = hephaestus_says("release", "status", "--publish")
    assert code == 0
    assert "GitHub     no answer: pyproject.toml names no repository: set `repository`" in out
    assert "github" not in {service for service, _ in published.listeners.requests}


def test_an_index_that_is_down_does_not_hide_the_rest(published: Outside, here: Path) -> None:
    """One silent service is a line of the answer, and the exit code says that the question was answered."""
    published.fault("pypi:downx99")
    code, out, _ = hephaestus_says("release", "status", "--publish")
    assert code == 0
    assert "PyPI       no answer: " in out
    assert "Test PyPI  absent" in out


def test_a_damaged_receipt_is_one_clear_error(rehearsed: Path) -> None:
    """A receipt that cannot be read is named; the status does not guess."""
    (rehearsed / "release" / "rehearsal" / "1.2.3" / "receipts" / "sign.json").write_text("{", encoding="utf-8")
    code, out, err = hephaestus_says("release", "status")
    assert (code, out) == (1, "")
    assert "receipts/sign.json" in err


def test_the_module_is_the_same_program(tmp_path: Path) -> None:
    """`python -m hephaestus` says what the script says, under the script's name."""
    environ = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    shown = subprocess.run(
        [sys.executable, "-m", "hephaestus", "--help"],
        cwd=tmp_path, env=environ, capture_output=True, text=True, check=True, encoding="utf-8",
    )  # fmt: skip
    assert shown.stdout == hephaestus_says("--help")[1]
