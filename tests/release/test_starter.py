"""What a project needs to use the suite: proposed from what is there, never at anybody's cost."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from release.starter_template import OWN, TEMPLATE, template
from ruamel.yaml import YAML

from hephaestus.release.project import read_project
from hephaestus.release.starter import Proposal, StarterError, proposals

PYPROJECT = '[project]\nname = "Tiny_Thing"\nversion = "1.2.0"\n'


def proposed(root: Path, **files: str) -> dict[str, Proposal]:
    """What is proposed for a project of these files."""
    for name, text in {"pyproject.toml": PYPROJECT, **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    found = proposals(read_project(root), repository="o/tiny", suite="0.3.0")
    return {proposal.path: proposal for proposal in found}


def packaged(top: Path, folder: str = "packages/core", **files: str) -> dict[str, Proposal]:
    """What is proposed for a project of these files in a folder of a repository."""
    root = top / folder
    for name, text in {"pyproject.toml": PYPROJECT, **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    found = proposals(read_project(root), repository="o/tiny", suite="0.3.0", top=top)
    return {proposal.path: proposal for proposal in found}


def refused(root: Path, **files: str) -> StarterError:
    """The refusal of a project of these files."""
    with pytest.raises(StarterError) as raised:
        proposed(root, **files)
    assert raised.value.next_step
    return raised.value


def test_the_template_is_the_projects_own_workflow() -> None:
    """An adopter's workflow is this project's but for names (`python tests/release/starter_template.py` writes it)."""
    assert TEMPLATE.read_text(encoding="utf-8") == template()
    own = OWN.read_text(encoding="utf-8")
    for word in ("IAmJonoBo/Hephaestus", "hephaestus-toolkit", "dev/release.txt"):
        assert word in own
        assert word not in template().replace("(hephaestus-toolkit)", "")


def test_a_fresh_project_gets_everything(tmp_path: Path) -> None:
    """Nothing but pyproject.toml: every file is new or added to, with the project's own names."""
    found = proposed(tmp_path)
    assert list(found) == [
        "noxfile.py", "pyproject.toml", ".gitignore", ".github/workflows/publish-pypi.yml", ".github/release.in",
    ]  # fmt: skip
    assert all(proposal.safe and not proposal.same for proposal in found.values())
    workflow = found[".github/workflows/publish-pypi.yml"].after
    assert "github.repository == 'o/tiny'" in workflow
    assert "https://pypi.org/project/tiny-thing/" in workflow
    assert "-r .github/release.txt" in workflow
    assert "@" not in workflow.replace("actions/checkout@", "").replace("-artifact@", "")
    assert "hephaestus-toolkit==0.3.0" in found[".github/release.in"].after
    assert tomllib.loads(found["pyproject.toml"].after)["tool"]["hephaestus"]["release"] == {"repository": "o/tiny"}
    assert found[".gitignore"].after == "/release/\n/.nox/\n/.venv/\n__pycache__/\n"
    ast.parse(found["noxfile.py"].after)


def test_the_noxfile_is_the_one_of_the_front_page(tmp_path: Path) -> None:
    """README.md shows a whole noxfile; that is what is written."""
    readme = (OWN.parents[2] / "README.md").read_text(encoding="utf-8")
    assert f"```python\n{proposed(tmp_path)['noxfile.py'].after}```" in readme


def test_what_is_written_once_is_not_proposed_again(tmp_path: Path) -> None:
    """With everything proposed in place, every proposal is what is there already."""
    proposals_of = {path: proposal.after for path, proposal in proposed(tmp_path).items()}
    again = proposed(tmp_path, **proposals_of)
    assert all(proposal.same for proposal in again.values())


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_additions_keep_every_line_and_its_end(tmp_path: Path, end: str) -> None:
    """pyproject.toml and .gitignore: the former lines with their ends, then the new ones with the same."""
    pyproject = (PYPROJECT + "# last words\n[tool.other]\nx = 1").replace("\n", end)
    found = proposed(tmp_path, **{"pyproject.toml": pyproject, ".gitignore": f"*.pyc{end}release/{end}"})
    for name in ("pyproject.toml", ".gitignore"):
        proposal = found[name]
        assert proposal.adds
        assert proposal.before is not None
        assert proposal.after.startswith(proposal.before)
        assert proposal.after.count("\n") == proposal.after.count(end)
    assert found[".gitignore"].after == f"*.pyc{end}release/{end}/.nox/{end}/.venv/{end}__pycache__/{end}"


def test_an_existing_noxfile_gets_the_call_only_when_forced(tmp_path: Path) -> None:
    """Sessions of one's own: the call is proposed at the end, and is not written without a word."""
    noxfile = "import nox\n\n\n@nox.session\ndef tests(session):\n    session.run('pytest')\n"
    found = proposed(tmp_path, **{"noxfile.py": noxfile})["noxfile.py"]
    assert not found.safe
    assert found.after.startswith(noxfile.rstrip())
    assert found.after.endswith("\nrelease_sessions()\n")
    assert "+release_sessions()" in found.diff()


@pytest.mark.parametrize(
    "call", ["release_sessions(prefix='x-')", "hephaestus.nox.release_sessions()", "if True:\n    release_sessions()"]
)
def test_a_noxfile_that_calls_already_is_left_alone(tmp_path: Path, call: str) -> None:
    """However it is called, there is nothing to do."""
    assert proposed(tmp_path, **{"noxfile.py": f"import hephaestus.nox\n{call}\n"})["noxfile.py"].same


@pytest.mark.parametrize(
    "session",
    ["@nox.session\ndef build(session): ...", "@nox.session(name='build')\ndef b(session): ...",
     "@session()\ndef build(s): ...", "nox.session(name='build')(print)"],
)  # fmt: skip
def test_sessions_of_the_same_name_are_refused(tmp_path: Path, session: str) -> None:
    """Nox would refuse the noxfile altogether; the prefix is named as the way out."""
    error = refused(tmp_path, **{"noxfile.py": f"import nox\n\n{session}\n"})
    assert "build" in error.what
    assert "prefix=" in error.next_step


@pytest.mark.parametrize(
    ("files", "what"),
    [
        ({"noxfile.py": "def (:\n"}, "noxfile.py cannot be read"),
        ({"noxfile.py": "x = '\udcff'\n"}, "noxfile.py cannot be read"),
        ({".gitignore": "\udcff\n"}, ".gitignore cannot be read"),
        ({"pyproject.toml": PYPROJECT + "[tool]\nhephaestus = {}\n"}, "no room"),
    ],
)
def test_what_cannot_be_extended_is_refused(tmp_path: Path, files: dict[str, str], what: str) -> None:
    """Broken Python, no UTF-8, an inline table: refused, and nothing is lost."""
    assert what in refused(tmp_path, **files).what


def test_settings_that_exist_are_kept(tmp_path: Path) -> None:
    """A configured workflow name and directory are followed; the table itself stays as it is."""
    text = PYPROJECT + '\n[tool.hephaestus.release]\nworkflow = "ship.yml"\ndirectory = "out"\n'
    found = proposed(tmp_path, **{"pyproject.toml": text})
    assert found["pyproject.toml"].same
    assert ".github/workflows/ship.yml" in found
    assert "/out/" in found[".gitignore"].after


def test_a_package_in_a_folder_gets_tags_and_a_workflow_of_its_own(tmp_path: Path) -> None:
    """Its own files go into its folder, workflow and lock to the top, where GitHub and every package find them."""
    found = packaged(tmp_path)
    assert list(found) == [
        "packages/core/noxfile.py", "packages/core/pyproject.toml", "packages/core/.gitignore",
        ".github/workflows/publish-core.yml", ".github/release.in",
    ]  # fmt: skip
    written = tomllib.loads(found["packages/core/pyproject.toml"].after)["tool"]["hephaestus"]["release"]
    assert written == {"repository": "o/tiny", "tag-prefix": "core-", "workflow": "publish-core.yml"}
    assert found["packages/core/.gitignore"].after.startswith("/release/\n")
    text = found[".github/workflows/publish-core.yml"].after
    assert "@" not in text.replace("actions/checkout@", "").replace("-artifact@", "")
    workflow = YAML(typ="safe").load(text)
    assert workflow["name"] == "Publish tiny-thing"
    assert workflow["on"]["push"]["tags"] == ["core-v[0-9]*"]
    assert workflow["concurrency"]["group"] == "publish-core"
    assert workflow["defaults"] == {"run": {"working-directory": "packages/core"}}
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    paths = {step["with"]["path"] for step in steps if "path" in step.get("with", {})}
    assert paths == {"packages/core/release/"}
    installs = {step["run"].rpartition(" ")[2] for step in steps if "pip install" in step.get("run", "")}
    assert installs == {"../../.github/release.txt"}
    # A job without a checkout has no such folder to run in.
    bare = [
        job for job in workflow["jobs"].values() if not any("checkout" in step.get("uses", "") for step in job["steps"])
    ]
    assert [step["working-directory"] for job in bare for step in job["steps"]] == ["."]


def test_both_packages_of_a_repository_share_nothing_but_the_lock(tmp_path: Path) -> None:
    """What is written for the second one changes no file of the first; written once, nothing is proposed again."""
    first = packaged(tmp_path)
    for path, proposal in first.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(proposal.after, encoding="utf-8")
    second = packaged(tmp_path, "packages/cli")
    assert {path for path in second if path in first} == {".github/release.in"}
    assert second[".github/release.in"].same
    assert 'tags: ["cli-v[0-9]*"]' in second[".github/workflows/publish-cli.yml"].after
    again = packaged(tmp_path, **{"pyproject.toml": first["packages/core/pyproject.toml"].after})
    assert all(proposal.same for proposal in again.values())


def test_the_only_package_may_be_in_a_folder(tmp_path: Path) -> None:
    """Settings that are there say what it is: without a prefix its tags are `v*`, as ever."""
    found = packaged(tmp_path, "python", **{"pyproject.toml": PYPROJECT + "[tool.hephaestus.release]\n"})
    assert found["python/pyproject.toml"].same
    text = found[".github/workflows/publish-pypi.yml"].after
    assert 'tags: ["v[0-9]*"]' in text
    assert "working-directory: python\n" in text
    assert "-r ../.github/release.txt" in text


@pytest.mark.parametrize(
    ("folder", "prefix"),
    [("viewer", "Tiny_Thing-"), ("v2", "Tiny_Thing-"), ("_private", "Tiny_Thing-"), ("my.core", "my.core-")],
)
def test_a_folder_whose_name_begins_no_tag(tmp_path: Path, folder: str, prefix: str) -> None:
    """A name that would be matched by `v*`, or that no tag begins with, gives way to the project's."""
    written = tomllib.loads(packaged(tmp_path, folder)[f"{folder}/pyproject.toml"].after)
    assert written["tool"]["hephaestus"]["release"]["tag-prefix"] == prefix


def test_a_folder_that_a_workflow_cannot_name_is_refused(tmp_path: Path) -> None:
    """A space, or what a pattern gives a meaning to, would lead artifacts elsewhere."""
    for folder in ("my core", "core[1]"):
        with pytest.raises(StarterError, match="cannot name the folder"):
            packaged(tmp_path, folder)


def test_names_that_begin_no_tag_at_all_are_refused(tmp_path: Path) -> None:
    """Neither folder nor project gives a prefix: the person is asked for one."""
    with pytest.raises(StarterError, match="cannot begin with `viewer-`") as raised:
        packaged(tmp_path, "viewer", **{"pyproject.toml": PYPROJECT.replace("Tiny_Thing", "vtk-tools")})
    assert "tag-prefix" in raised.value.next_step


def test_the_workflow_hands_over_the_folder_that_is_configured(tmp_path: Path) -> None:
    """Another release folder is in every artifact step."""
    text = PYPROJECT + '[tool.hephaestus.release]\ndirectory = "out/releases"\n'
    workflow = proposed(tmp_path, **{"pyproject.toml": text})[".github/workflows/publish-pypi.yml"].after
    assert workflow.count("path: out/releases/\n") == TEMPLATE.read_text(encoding="utf-8").count("path: ")


@settings(max_examples=50)
@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\r")))
def test_any_gitignore_is_added_to(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """Whatever stands there, every line stays and the folders are named once."""
    root = tmp_path_factory.mktemp("any")
    found = proposed(root, **{".gitignore": text})[".gitignore"]
    assert found.after.startswith(text.rstrip())
    assert found.same or found.after.rstrip().splitlines()[-1] in ("/release/", "/.nox/", "/.venv/", "__pycache__/")
