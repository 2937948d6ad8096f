"""What a project needs to use the suite: proposed from what is there, never at anybody's cost."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from release.starter_template import OWN, TEMPLATE, template

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


@settings(max_examples=50)
@given(st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\r")))
def test_any_gitignore_is_added_to(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """Whatever stands there, every line stays and the folders are named once."""
    root = tmp_path_factory.mktemp("any")
    found = proposed(root, **{".gitignore": text})[".gitignore"]
    assert found.after.startswith(text.rstrip())
    assert found.same or found.after.rstrip().splitlines()[-1] in ("/release/", "/.nox/", "/.venv/", "__pycache__/")
