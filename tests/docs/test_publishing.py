"""docs/publishing.md: the values of the forms, what the doctor looks at, the codes, and every command it shows."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest
from diagnosis.clinic import Clinic
from diagnosis.conftest import clinic, desks, template
from docs.documents import ROOT, Command, blocks, commands, page, section

from hephaestus.diagnosis.case import Case
from hephaestus.diagnosis.publishers import publisher_form
from hephaestus.nox.posargs import parse
from hephaestus.release.config import Config
from hephaestus.release.directory import STAGES
from hephaestus.release.indexes import PUBLIC_INDEXES, IndexConfig
from hephaestus.release.project import read_project
from hephaestus.services.minting import MINT_ANSWERS
from hephaestus.worlds.addresses import PUBLIC
from hephaestus.worlds.private import PrivateTarget

__all__ = ["clinic", "desks", "template"]

PAGE = "docs/publishing.md"

#: Every command in a console block of the page that is no session of nox: the test that runs it.
BLOCKS: Mapping[str, str] = {
    'export GH_TOKEN="$(gh auth token)"': "tests/cli/test_doctor.py sets the variable; gh belongs to GitHub",
    "hephaestus doctor": "tests/cli/test_doctor.py::test_a_sound_project_ends_well",
    "hephaestus doctor --mint --offline": "tests/cli/test_doctor.py::test_mint_in_a_job",
    "git switch -c next-release": "tests/docs/test_publishing.py::test_the_way_from_a_branch_to_the_tag",
    "git push origin next-release": "tests/docs/test_publishing.py::test_the_way_from_a_branch_to_the_tag",
    "git push origin v1.2.3": "tests/docs/test_publishing.py::test_the_way_from_a_branch_to_the_tag",
}


def rows(heading: str) -> list[list[str]]:
    """The rows of every table below a heading, without head and rule."""
    lines = [line for line in section(PAGE, heading).splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in cells if not re.fullmatch(r"-+", row[0])]


def codes(cell: str) -> list[str]:
    return re.findall(r"`([\w-]+)`", cell)


@pytest.mark.parametrize(("column", "index"), list(enumerate(PUBLIC_INDEXES, start=1)))
def test_the_forms_hold_what_pyproject_says(column: int, index: str) -> None:
    """Each field of the form, in its order, with the value that pyproject.toml and the workflow's name make."""
    project = read_project(ROOT)
    case = Case(project=project, repository=project.repository, addresses=PUBLIC, environ={}, home=Path())
    head, *fields = rows("Once: the indexes")
    assert head[column] == PUBLIC_INDEXES[index]
    assert {row[0]: row[column].strip("`") for row in fields} == publisher_form(case, index, pending=True)
    assert [row[0] for row in fields] == list(publisher_form(case, index, pending=True))


def test_the_private_index_shown_is_one_with_the_defaults_it_names() -> None:
    """The table of the page is read as it stands, and what it calls a default is one; the command names its index."""
    (block,) = blocks(PAGE, "toml")
    found = Config.read(tomllib.loads(block)["tool"]["hephaestus"]["release"]).indexes
    index = found["internal"]
    assert index == IndexConfig(upload_url=index.upload_url, simple_url=index.simple_url)
    (command,) = [one for one in commands() if one.page == PAGE and one.block and "--index" in one.text]
    request = parse(command.words[command.words.index("--") + 1 :], environ={}, invoked_from=Path())
    assert (request.publish, request.index) == (True, "internal")


def test_the_stages_of_a_private_index_are_those_the_page_names() -> None:
    """The row of the table names every stage that has a part in it, and no other."""
    (row,) = [row for row in rows("A private index") if row[0] == "stages"]
    left_out = PrivateTarget(name="internal", config=IndexConfig()).left_out
    assert codes(row[2]) == [stage for stage in STAGES if stage not in left_out]


def test_the_workflow_is_there_under_that_name_with_these_environments() -> None:
    """The file that the forms name exists and uses the environments they name."""
    text = (ROOT / ".github" / "workflows" / read_project(ROOT).config.workflow).read_text("utf-8")
    assert set(re.findall(r"^    environment:\n      name: (\S+)$", text, re.MULTILINE)) == set(PUBLIC_INDEXES)


def test_the_jobs_named_are_the_jobs_of_the_workflow() -> None:
    """The jobs to be watched are those of the file, in its order."""
    text = (ROOT / ".github" / "workflows" / "publish-pypi.yml").read_text("utf-8")
    jobs = re.findall(r"^  ([a-z-]+):\n    name:", text, re.MULTILINE)
    told = re.search(r"The jobs are (.+?)\.", section(PAGE, "Each release"))
    assert told is not None
    assert codes(told[1]) == jobs


def test_everything_the_doctor_asks_github_is_in_the_table(clinic: Clinic) -> None:
    """The table names exactly the checks there are, and who may see each: those hidden from anybody are said to be."""
    table = {code: row[2] for row in rows("Once: the repository")[1:] for code in codes(row[0])}
    asked = {line.code for line in clinic.diagnose().lines if line.group == "GitHub"}
    assert set(table) == asked
    clinic.environ.pop("GH_TOKEN")
    hidden = {line.code for line in clinic.diagnose().lines if line.group == "GitHub" and line.verdict == "UNKNOWN"}
    assert {code for code, who in table.items() if who == "administrators"} == hidden


def test_the_remedies_are_on_the_page(clinic: Clinic) -> None:
    """The names of GitHub's own switches, as the doctor says them, are on the page too."""
    remedies = " ".join(line.remedy for line in clinic.diagnose().lines if line.group == "GitHub").lower()
    plain = re.sub(r"`[^`]*`|\*\*[^*]*\*\*", "", section(PAGE, "Once: the repository"))
    told = " ".join(re.sub(r"\s+", " ", name) for name in re.findall(r"\*([^*]+)\*", plain)).lower()
    for switch in (
        "selected branches and tags", "bypass configured protection rules", "prevent self-review", "required reviewers",
        "require actions to be pinned to a full-length commit sha", "enable release immutability", "restrict creations",
        "read repository contents and packages permissions", "restrict updates", "block force pushes",
        "require a pull request before merging", "restrict deletions",
    ):  # fmt: skip
        assert switch in remedies, switch
        assert switch in told, switch


def test_every_code_of_the_mint_is_explained() -> None:
    """The table holds PyPI's codes with the meaning the messages give them."""
    told = {row[0].strip("`"): row[1] for row in rows("When something fails") if re.fullmatch(r"`[a-z-]+`", row[0])}
    assert told == {code: answer.meaning for code, answer in MINT_ANSWERS.items()}


def test_every_command_in_a_block_is_run_by_a_test() -> None:
    """A console line is a session of nox (tests/docs/test_commands.py) or in the list above, with its test."""
    shown = {command.text for command in commands() if command.page == PAGE and command.block}
    assert {text for text in shown if not text.startswith("nox ")} == set(BLOCKS)
    for proof in BLOCKS.values():
        file, _, test = proof.split(" ")[0].partition("::")
        assert f"def {test or 'test_'}" in (ROOT / file).read_text("utf-8"), proof


def _git(folder: Path, *words: str, good: bool = True) -> str:
    identity = {f"GIT_{role}_{part}": "a@b" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
    alone = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    done = subprocess.run(
        ["git", *words], cwd=folder, env={**kept, **identity, **alone}, capture_output=True, text=True, check=False
    )
    assert (done.returncode == 0) is good, done.stderr
    return done.stdout.strip()


def test_the_way_from_a_branch_to_the_tag(tmp_path: Path) -> None:
    """The page's git commands, run: after a merge commit the tagged commit is on main, after squashing it is not."""
    _git(tmp_path, "init", "-q", "--bare", "-b", "main", "origin.git")
    _git(tmp_path, "clone", "-q", "origin.git", "clone")
    clone = tmp_path / "clone"
    _git(clone, "switch", "-q", "-c", "main")
    _git(clone, "commit", "-q", "--allow-empty", "-m", "one")
    _git(clone, "push", "-q", "origin", "main")
    shown = [Command(page=PAGE, text=text, block=True).words for text in BLOCKS if text.startswith("git ")]
    switch, push_branch, push_tag = shown
    _git(clone, *switch[1:])
    (clone / "version").write_text("1.2.3", "utf-8")
    _git(clone, "add", "version")
    _git(clone, "commit", "-q", "-m", "1.2.3")
    _git(clone, "tag", "-a", "-m", "1.2.3", "v1.2.3")
    _git(clone, *push_branch[1:])
    _git(clone, "switch", "-q", "-c", "squashed", "main")
    _git(clone, "merge", "-q", "--squash", "next-release")
    _git(clone, "commit", "-q", "-m", "squashed")
    _git(clone, "merge-base", "--is-ancestor", "v1.2.3", "squashed", good=False)
    _git(clone, "switch", "-q", "main")
    _git(clone, "merge", "-q", "--no-ff", "-m", "merged", "next-release")
    _git(clone, "merge-base", "--is-ancestor", "v1.2.3", "main")
    _git(clone, *push_tag[1:])
    assert _git(tmp_path / "origin.git", "tag") == "v1.2.3"


def test_the_page_is_linked_from_the_front_page() -> None:
    """Who wants to publish finds the page."""
    assert "docs/publishing.md" in page("README.md")
