"""``[tool.hephaestus.release]``: every setting has its type and its values, every error its dotted field."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hephaestus.release.config import Config, ConfigurationError
from hephaestus.release.mistakes import line_of
from hephaestus.release.project import read_project

HERE = "tool.hephaestus.release"


def read(text: str) -> Config:
    """Read the table as it stands in TOML."""
    return Config.read(tomllib.loads(text))


class TestGood:
    """What is understood."""

    def test_nothing_said_is_the_default(self) -> None:
        """An empty table is a whole configuration."""
        assert read("") == Config()

    def test_every_field_is_read(self) -> None:
        """Dashes in TOML, underscores in Python, tables within."""
        config = read(
            'repository = "Owner/name.py"\nworkflow = "release.yaml"\ndirectory = "out/release"\n'
            'testpypi = "optional"\nprerelease-to-pypi = true\nversion-files = ["VERSION"]\n'
            '[build]\nconstraints = "build.txt"\nreproducible = "require"\n'
            '[check]\nsize-budget = 5\nignore = ["W002"]\n'
            '[smoke]\npythons = ["3.12"]\nextras = ["cli"]\nimports = ["a"]\ncommands = ["a --help"]\n'
            'version-command = "a --version"\nsdist = false\n'
            '[wheelhouse]\nprefix = "a"\nextras = ["b"]\n'
        )
        assert (config.repository, config.workflow, config.directory) == (
            "Owner/name.py",
            "release.yaml",
            "out/release",
        )
        assert (config.testpypi, config.prerelease_to_pypi, config.version_files) == ("optional", True, ("VERSION",))
        assert (config.build.constraints, config.build.reproducible) == ("build.txt", "require")
        assert (config.check.size_budget, config.check.ignore) == (5, ("W002",))
        assert config.smoke.commands == ("a --help",)
        assert config.smoke.sdist is False
        assert config.wheelhouse.extras == ("b",)


class TestBad:
    """What is not understood is named, never passed over."""

    @pytest.mark.parametrize(
        ("text", "field", "words"),
        [
            ("colour = 1", f"{HERE}.colour", "is unknown"),
            ('tag-prefix = "core/"', f"{HERE}.tag-prefix", "ends in `-`"),
            ("tag-prefix = 1", f"{HERE}.tag-prefix", "must be a string"),
            ("version_files = []", f"{HERE}.version_files", "known here: .*version-files"),
            (
                "[build]\nconstraint = 'x'",
                f"{HERE}.build.constraint",
                "known here: constraints, generators, reproducible",
            ),
            ("build = 1", f"{HERE}.build", "must be a table"),
            ("smoke = []", f"{HERE}.smoke", "must be a table"),
            ("repository = 1", f"{HERE}.repository", "must be a string"),
            ("repository = 'https://github.com/o/n'", f"{HERE}.repository", 'is not "OWNER/NAME"'),
            ("repository = 'name'", f"{HERE}.repository", 'is not "OWNER/NAME"'),
            ("workflow = '.github/workflows/x.yml'", f"{HERE}.workflow", "is not a workflow file name"),
            ("workflow = ''", f"{HERE}.workflow", "is not a workflow file name"),
            ("directory = ''", f"{HERE}.directory", "below the project's root"),
            ("directory = '.'", f"{HERE}.directory", "below the project's root"),
            ("directory = '/tmp'", f"{HERE}.directory", "below the project's root"),
            ("directory = '../out'", f"{HERE}.directory", "below the project's root"),
            ("directory = '~/out'", f"{HERE}.directory", "below the project's root"),
            ("testpypi = 'no'", f"{HERE}.testpypi", "must be one of required, optional"),
            ("prerelease-to-pypi = 1", f"{HERE}.prerelease-to-pypi", "true or false"),
            ("prerelease-to-pypi = 'yes'", f"{HERE}.prerelease-to-pypi", "true or false"),
            ("version-files = 'VERSION'", f"{HERE}.version-files", "a list of strings"),
            ("version-files = [1]", f"{HERE}.version-files", "a list of strings"),
            ("[build]\nreproducible = 'maybe'", f"{HERE}.build.reproducible", "auto, require, report, off"),
            ("[build]\nreproducible = true", f"{HERE}.build.reproducible", "must be a string"),
            ("[build]\ngenerators = 'python x.py'", f"{HERE}.build.generators", "a list of strings"),
            ("[build]\ngenerators = ['make tables']", f"{HERE}.build.generators", "commands of Python"),
            ("[build]\ngenerators = ['python']", f"{HERE}.build.generators", "commands of Python"),
            ("[build]\ngenerators = ['python \"x.py']", f"{HERE}.build.generators", "commands of Python"),
            ("[check]\nsize-budget = 0", f"{HERE}.check.size-budget", "above 0"),
            ("[check]\nsize-budget = -1", f"{HERE}.check.size-budget", "above 0"),
            ("[check]\nsize-budget = 1.5", f"{HERE}.check.size-budget", "a whole number"),
            ("[check]\nsize-budget = true", f"{HERE}.check.size-budget", "a whole number"),
            ("[smoke]\nsdist = 'no'", f"{HERE}.smoke.sdist", "true or false"),
        ],
    )
    def test_error_names_the_dotted_field(self, text: str, field: str, words: str) -> None:
        """Unknown, of the wrong type, or out of its values: field, problem, and what to do."""
        with pytest.raises(ConfigurationError, match=words) as error:
            read(text)
        assert error.value.what.startswith(f"pyproject.toml: {field} ")
        assert field in error.value.next_step

    @settings(deadline=None)
    @given(
        table=st.dictionaries(
            st.sampled_from(["repository", "workflow", "directory", "testpypi", "version-files", "build", "x"]),
            st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text()) | st.just({}),
        )
    )
    def test_any_table_is_read_or_refused(self, table: dict[str, Any]) -> None:
        """Whatever stands there, it is a configuration or a ConfigurationError."""
        refusal: ConfigurationError | None = None
        try:
            Config.read(table)
        except ConfigurationError as error:
            refusal = error
        named = [mistake.field for mistake in refusal.mistakes] if refusal is not None else []
        assert all(name in str(refusal) for name in named)
        assert set(named) <= {f"{HERE}.{name}" for name in table}


class TestSeveral:
    """All that is wrong is said at once, each with its line."""

    TEXT = (
        '[project]\nname = "x"\nversion = "1"\n\n'
        "[tool.hephaestus.release]\ncolour = 1\nworkflow = [\n  'release.yml',\n]\n\n"
        "[tool.hephaestus.release.build]\nreproducible = 'maybe'\n"
        "[tool.hephaestus.release.wheelhouse]\ndefault = 'project'\ntargets = '3.12-win32'\n"
        "[tool.hephaestus.release.indexes.Inside]\nupload-url = 3\nsimple-url = 'http://example.org'\n"
        "[tool.hephaestus.release.indexes]\nother = 3\n"
    )

    def told(self, tmp_path: Path, text: str) -> ConfigurationError:
        """What is said of a pyproject.toml."""
        (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
        with pytest.raises(ConfigurationError) as error:
            read_project(tmp_path)
        return error.value

    def test_every_mistake_is_told_with_its_line(self, tmp_path: Path) -> None:
        """Unknown, of a wrong type, out of its values, in any table: one refusal, nothing told that only follows."""
        error = self.told(tmp_path, self.TEXT)
        assert error.what == "pyproject.toml: 8 settings are not understood"
        starts = [detail.replace(f"{HERE}.", "").split(" ")[:3] for detail in error.details]
        assert starts == [
            ["line", "6:", "colour"],
            ["line", "7:", "workflow"],
            ["line", "15:", "wheelhouse.targets"],
            ["line", "17:", "indexes.Inside.upload-url"],
            ["line", "20:", "indexes.other"],
            ["line", "12:", "build.reproducible"],
            ["line", "16:", "indexes.Inside"],
            ["line", "18:", "indexes.Inside.simple-url"],
        ]

    def test_one_mistake_keeps_its_message_and_gets_its_line(self, tmp_path: Path) -> None:
        """A single mistake is told as ever, the line after the file's name."""
        error = self.told(tmp_path, '[project]\nname = "x"\nversion = "1"\n[tool.hephaestus.release]\nworkfow = 1\n')
        assert error.what.startswith(f"pyproject.toml, line 5: {HERE}.workfow is unknown")

    def test_what_is_missing_is_told_with_the_line_of_its_table(self, tmp_path: Path) -> None:
        """An index without addresses: both fields, each at the index's own table."""
        text = '[project]\nname = "x"\nversion = "1"\n[tool.hephaestus.release.indexes.inside]\nusername = "u"\n'
        assert self.told(tmp_path, text).details == (
            f"line 4: {HERE}.indexes.inside.upload-url is missing",
            f"line 4: {HERE}.indexes.inside.simple-url is missing",
        )

    @pytest.mark.parametrize(
        ("text", "line"),
        [
            ("", None),
            ("a = 1\n", None),
            ("tool = {x = {y = 1}}\n", 1),
            ('[tool.x]\n# y = 1\nz = """\ny = 1\n"""\ny = [\n1,\n]\n', 6),
            ("[tool]\nx.y = 1\n", 2),
            ("[tool.x.y]\n", 1),
            ('[tool.x."\\u0079"]\n', None),
            ("[tool.x]\n", 1),
        ],
    )
    def test_a_line_is_told_only_where_it_is_sure(self, text: str, line: int | None) -> None:
        """Comments, strings of several lines and other spellings of a key lead to no wrong line."""
        assert line_of("tool.x.y", text) == line
