"""The project as pyproject.toml says it; every bad input is one clear error."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hephaestus.release.config import ConfigurationError
from hephaestus.release.errors import ReleaseError
from hephaestus.release.project import Project, ProjectError, read_project


def project(root: Path, text: str) -> Project:
    """Write pyproject.toml and read it."""
    (root / "pyproject.toml").write_text(text, encoding="utf-8")
    return read_project(root)


class TestGood:
    """What is understood."""

    def test_names_in_all_their_forms(self, tmp_path: Path) -> None:
        """As written, as indexes compare it, as files begin with it; the tag is v and the version as written."""
        found = project(tmp_path, '[project]\nname = "My.Cool__Project"\nversion = "1.0rc1"\n')
        assert (found.name, found.normalized, found.file_name) == (
            "My.Cool__Project",
            "my-cool-project",
            "my_cool_project",
        )
        assert (found.tag, found.prerelease) == ("v1.0rc1", True)

    def test_backend_is_read_or_the_old_default(self, tmp_path: Path) -> None:
        """PEP 517's default where none is named."""
        text = '[project]\nname = "x"\nversion = "1"\n'
        assert project(tmp_path, text).backend == "setuptools.build_meta:__legacy__"
        named = f'{text}[build-system]\nrequires = []\nbuild-backend = "hatchling.build"\n'
        assert project(tmp_path, named).backend == "hatchling.build"

    @pytest.mark.parametrize(
        ("more", "repository", "assumed"),
        [
            ("", "example/x", True),
            ('[project.urls]\nSource = "https://github.com/o/n.git"\n', "o/n", False),
            ('[project.urls]\nSource = "https://github.com/o/n/"\n', "o/n", False),
            ('[project.urls]\nIssues = "https://github.com/o/n/issues"\n', "example/x", True),
            ('[project.urls]\nSource = "https://elsewhere.example/o/n"\n', "example/x", True),
            ('[tool.hephaestus.release]\nrepository = "a/b"\n', "a/b", False),
            ('[tool.hephaestus.release]\nrepository = "example/x"\n', "example/x", False),
        ],
    )
    def test_repository_is_configured_found_or_assumed(
        self, tmp_path: Path, more: str, repository: str, assumed: bool
    ) -> None:
        """Configuration goes first, a URL of a repository second; else it is made up, and known to be."""
        found = project(tmp_path, f'[project]\nname = "x"\nversion = "1"\n{more}')
        assert (found.repository, found.repository_assumed) == (repository, assumed)


class TestBad:
    """What is not understood."""

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("", "has no `name`"),
            ("[project]\nversion = '1'", "has no `name`"),
            ("[project]\nname = ''\nversion = '1'", "has no `name`"),
            ("[project]\nname = 1\nversion = '1'", "has no `name`"),
            ("[project]\nname = 'x'", "has no `version`"),
            ("[project]\nname = 'x'\ndynamic = 'version'", "has no `version`"),
            ("[project]\nname = 'x'\ndynamic = ['readme']", "has no `version`"),
            ("[project]\nname = 'x'\nversion = 1", "has no `version`"),
            ("[project]\nname = 'x'\nversion = 'one'", "'one' is no PEP 440 version"),
            ("[project]\nname = 'x'\nversion = ''", "'' is no PEP 440 version"),
            ("[project]\nname = 'x'\nversion = '1.2.x'", "is no PEP 440 version"),
            ("[project\n", "cannot be read"),
            ("[project]\nname = 'x'\nname = 'y'\n", "cannot be read"),
        ],
    )
    def test_each_is_one_error_with_the_change_to_make(self, tmp_path: Path, text: str, words: str) -> None:
        """The error names pyproject.toml and the field, and says what to write."""
        with pytest.raises(ProjectError, match=words) as error:
            project(tmp_path, text)
        assert error.value.what.startswith("pyproject.toml")
        assert error.value.next_step

    @pytest.mark.parametrize(
        ("text", "field"),
        [
            ("project = 1", "project"),
            ("tool = []", "tool"),
            ("[tool]\nhephaestus = 'x'", "hephaestus"),
            ("[tool.hephaestus]\nrelease = 3", "release"),
            ("build-system = 1", "build-system"),
            ("project.urls = []", "urls"),
        ],
    )
    def test_what_should_be_a_table_is_named(self, tmp_path: Path, text: str, field: str) -> None:
        """A scalar or a list in a table's place is a ConfigurationError with the field."""
        whole = text if text.startswith("project = ") else f"{text}\n[project]\nname = 'x'\nversion = '1'\n"
        whole = whole.replace("project.urls = []\n[project]\n", "[project]\nurls = []\n")
        with pytest.raises(ConfigurationError, match=f"{field} must be a table"):
            project(tmp_path, whole)

    def test_missing_file(self, tmp_path: Path) -> None:
        """A folder without pyproject.toml is no project."""
        with pytest.raises(ProjectError, match="does not exist here"):
            read_project(tmp_path)

    @pytest.mark.parametrize("content", [b"\xff\xfe", b'[project]\nname = "\xe9"\n'])
    def test_bytes_that_are_no_utf8(self, tmp_path: Path, content: bytes) -> None:
        """TOML is UTF-8; anything else is refused by name."""
        (tmp_path / "pyproject.toml").write_bytes(content)
        with pytest.raises(ProjectError, match="cannot be read"):
            read_project(tmp_path)

    def test_folder_in_its_place(self, tmp_path: Path) -> None:
        """A folder called pyproject.toml is refused by name."""
        (tmp_path / "pyproject.toml").mkdir()
        with pytest.raises(ProjectError, match="cannot be read"):
            read_project(tmp_path)

    @settings(deadline=None)
    @given(text=st.text())
    def test_any_text_is_a_project_or_one_of_our_errors(
        self, tmp_path_factory: pytest.TempPathFactory, text: str
    ) -> None:
        """Whatever stands there, nothing but a ReleaseError leaves."""
        root = tmp_path_factory.mktemp("any")
        (root / "pyproject.toml").write_text(f"[project]\nname = 'x'\n{text}", errors="surrogatepass")
        next_step = "none needed"
        try:
            read_project(root)
        except ReleaseError as error:
            next_step = error.next_step
        assert next_step
