"""The version and its tag: where it is written, how it may be spelled."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.version import InvalidVersion, Version

from hephaestus.release.errors import Severity
from hephaestus.release.increments import incremented
from hephaestus.release.versions import (
    bump_command,
    changelog_findings,
    next_version,
    occurrences,
    tag_findings,
    version_findings,
)

PYPROJECT = '[project]\nname = "x"\nversion = "1.2.3"\n\n[tool.other]\nversion = "9"\n'


def project(root: Path, files: dict[str, str]) -> Path:
    """Write a project."""
    for name, content in {"pyproject.toml": PYPROJECT, **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content, encoding="utf-8")
    return root


def places(root: Path, *version_files: str) -> list[tuple[str, str]]:
    """Where the version is written, and which."""
    return [(found.place, found.version) for found in occurrences(root, package="x", version_files=version_files)]


class TestOccurrences:
    """Where the version is written."""

    @pytest.mark.parametrize(
        ("path", "text", "line"),
        [
            ("src/x/__init__.py", '"""X."""\n__version__ = "1.2.3"\n', 2),
            ("src/x/__init__.py", "__version__: str = '1.2.3'\n", 1),
            ("x/__init__.py", '__version__ = version = "1.2.3"\n', 1),
            ("src/x/__about__.py", '__version__ = (\n    "1.2.3"\n)\n', 2),
            ("src/x/_version.py", '\ufeff__version__ = "1.2.3"\n', 1),
        ],
    )
    def test_plain_strings_in_the_package_are_found(self, tmp_path: Path, path: str, text: str, line: int) -> None:
        """Each customary module, each way to write it, with the line of the string itself."""
        root = project(tmp_path, {"src/x/__init__.py" if path.startswith("src") else "x/__init__.py": "", path: text})
        assert places(root) == [("pyproject.toml:3", "1.2.3"), (f"{path}:{line}", "1.2.3")]

    @pytest.mark.parametrize(
        "text",
        [
            'from importlib.metadata import version\n__version__ = version("x")\n',
            "from ._version import __version__\n",
            'def f():\n    __version__ = "9"\n',
            "__version__ = (1, 2, 3)\n",
            "this is no Python\n",
            '"""\n__version__ = "9"\n"""\n',
        ],
    )
    def test_what_is_no_plain_string_is_not_guessed_at(self, tmp_path: Path, text: str) -> None:
        """Computed, imported, local, unreadable or quoted versions say nothing; nothing is ever run."""
        assert places(project(tmp_path, {"src/x/__init__.py": text})) == [("pyproject.toml:3", "1.2.3")]

    @pytest.mark.parametrize(
        ("path", "text", "line"),
        [
            ("VERSION", "1.2.3\n", 1),
            ("VERSION", "\nv1.2.3\n", 2),
            ("package.json", '{\n "name": "x",\n "version": "1.2.3",\n "other": "1"\n}\n', 3),
            ("CITATION.cff", "cff-version: 1.2.0\nversion: 1.2.3\n", 2),
            ("setup.cfg", "[metadata]\nversion = 1.2.3\n", 2),
            ("Cargo.toml", '[package]\nversion = "1.2.3"\n', 2),
            ("docs/conf.py", 'project = "x"\nversion = "1.2.3"\n', 2),
        ],
    )
    def test_configured_files_of_any_kind(self, tmp_path: Path, path: str, text: str, line: int) -> None:
        """A bare file, JSON, YAML, INI, TOML, Python."""
        assert places(project(tmp_path, {path: text}), path)[1:] == [(f"{path}:{line}", "1.2.3")]

    def test_package_of_another_name_is_found_when_it_is_the_only_one(self, tmp_path: Path) -> None:
        """A distribution called x may hold the package y; of two strangers none is taken."""
        root = project(tmp_path, {"src/y/__init__.py": '__version__ = "1"\n'})
        assert places(root)[1:] == [("src/y/__init__.py:1", "1")]
        assert places(project(root, {"src/z/__init__.py": ""}))[1:] == []

    def test_findings_name_place_and_both_versions(self, tmp_path: Path) -> None:
        """A stale version, a file without one, a file that is not there, a path that leads out."""
        root = project(tmp_path, {"src/x/__init__.py": '__version__ = "1.2.2"\n', "EMPTY": "nothing here\n"})
        files = ("EMPTY", "absent.txt", "../outside")
        found = version_findings(root, version="1.2.3", package="x", version_files=files)
        assert [(finding.code, finding.subject) for finding in found] == [
            ("version-differs", "src/x/__init__.py:1"),
            ("version-file", "EMPTY"),
            ("version-file", "absent.txt"),
            ("version-file", "../outside"),
        ]
        assert "says 1.2.2, pyproject.toml says 1.2.3" in found[0].message
        assert all(finding.remedy for finding in found)

    @settings(deadline=None)
    @given(text=st.text())
    def test_no_text_makes_it_fail(self, tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
        """Whatever stands in a file, reading it finds occurrences or none."""
        root = tmp_path_factory.mktemp("any")
        for name in ("pyproject.toml", "VERSION", "m.py"):
            (root / name).write_text(text, encoding="utf-8", errors="surrogatepass")
        occurrences(root, package="x", version_files=("VERSION", "m.py"))
        changelog_findings(root, version="1")


class TestTags:
    """The tag of a release."""

    def judged(self, *tags: str, required: bool = True, given: str = "", version: str = "1.2.3") -> list[str]:
        """Findings for tags at the commit, as code and subject."""
        found = tag_findings(version=version, tags=tags, commit="c" * 40, required=required, given=given)
        return [f"{finding.code} {finding.subject}" for finding in found]

    def test_right_tag_passes_beside_others(self) -> None:
        """More tags at the commit do no harm once the right one is there."""
        assert self.judged("nightly", "v1", "v1.2.3") == []

    def test_tags_that_are_no_versions_say_nothing(self) -> None:
        """A tag of another purpose neither satisfies nor contradicts."""
        assert self.judged("nightly", "deploy-7") == ["tag-missing v1.2.3"]
        assert self.judged("nightly", required=False) == []

    @pytest.mark.parametrize(
        "tag", ["1.2.3", "v1.2.3.0", "V1.2.3", "v01.2.3", "release-1.2.3", "v1.2.4", "1.2.4", "v1.2.3rc1"]
    )
    @pytest.mark.parametrize("required", [True, False])
    def test_other_spelling_or_version_is_refused(self, tag: str, required: bool) -> None:
        """Required or not: the commit was meant to be something else, or misspelled."""
        assert self.judged(tag, required=required) == [f"tag-differs {tag}"]

    def test_equal_when_normalised_shows_both(self) -> None:
        """`v1.2` for 1.2.0: both spellings and the commands to mend it."""
        (finding,) = tag_findings(version="1.2.0", tags=("v1.2",), commit="c" * 40, required=True)
        assert "version 1.2.0, which has the tag v1.2.0" in finding.message
        assert "git tag -d v1.2" in finding.remedy

    def test_the_tags_of_other_packages_say_nothing(self) -> None:
        """Only a tag of the package's own prefix satisfies or contradicts; each of its spellings still does."""

        def judged(*tags: str, prefix: str = "core-") -> list[str]:
            found = tag_findings(version="1.2.3", tags=tags, commit="c" * 40, required=True, prefix=prefix)
            return [f"{finding.code} {finding.subject}" for finding in found]

        assert judged("v9.9.9", "cli-v4.0", "core-v1.2.3") == []
        assert judged("v1.2.3", "cli-v1.2.3") == ["tag-missing core-v1.2.3"]
        assert judged("core-1.2.3") == ["tag-differs core-1.2.3"]
        assert judged("core-v1.2.4") == ["tag-differs core-v1.2.4"]
        assert judged("core-v1.2.4", "v1.2.3", prefix="") == []

    def test_asked_tag_must_fit(self) -> None:
        """What was asked for is held against the version before anything at the commit is."""
        assert self.judged("v1.2.3", given="v1.2.4") == ["tag-differs v1.2.4"]
        assert self.judged("v1.2.3", given="v1.2.3") == []


class TestChangelog:
    """CHANGELOG.md."""

    @pytest.mark.parametrize(
        ("text", "silent"),
        [
            ("# Changelog\n\n## [Unreleased]\n\n## [1.2.2] - 2026-01-01\n", False),
            ("# Changelog\n\n## [1.2.3] - 2026-01-01\n", False),
            ("# Changelog\n\n## v1.2.3\n", False),
            ("# Changelog\n\n## [1.2.2] - 2026-01-01\n", True),
            ("# News\n\n## What is new\n", False),
            ("", False),
        ],
    )
    def test_only_a_changelog_in_shape_can_be_silent(self, tmp_path: Path, text: str, silent: bool) -> None:
        """A section of the version or [Unreleased] suffices; a file of another shape is not judged."""
        (tmp_path / "CHANGELOG.md").write_text(text)
        found = changelog_findings(tmp_path, version="1.2.3")
        assert [finding.severity for finding in found] == ([Severity.WARNING] if silent else [])

    def test_no_changelog_says_nothing(self, tmp_path: Path) -> None:
        """Not every project keeps one."""
        assert changelog_findings(tmp_path, version="1.2.3") == []


class TestNext:
    """The version after this one."""

    @pytest.mark.parametrize(
        ("version", "following"),
        [
            ("1.2.3", "1.2.4"), ("1.2", "1.3"), ("2.0rc1", "2.0rc2"), ("1.0.post1", "1.0.post2"),
            ("1.0.dev3", "1.0.dev4"), ("1!2.0", "1!2.1"), ("1.0a1.dev2", "1.0a1.dev3"),
        ],
    )  # fmt: skip
    def test_same_kind_one_more(self, version: str, following: str) -> None:
        """A final release, a candidate, a post, a development release."""
        assert next_version(version) == following

    @settings(deadline=None)
    @given(
        st.tuples(
            st.sampled_from(["", "1!"]),
            st.lists(st.integers(0, 99), min_size=1, max_size=4),
            st.sampled_from(["", "a1", "b2", "rc3"]),
            st.sampled_from(["", ".post4"]),
            st.sampled_from(["", ".dev5"]),
        )
    )
    def test_always_later(self, parts: tuple[str, list[int], str, str, str]) -> None:
        """Whatever the version, the next one sorts after it, and the command for it is one that bump takes."""
        epoch, release, *rest = parts
        version = epoch + ".".join(map(str, release)) + "".join(rest)
        assert Version(next_version(version)) > Version(version)
        # What errors tell people to type, bump takes as it stands.
        *command, word = bump_command(version).split()
        assert (command, incremented(version, [word])) == (["nox", "-s", "bump", "--"], word)

    def test_no_version_is_refused(self) -> None:
        """What PEP 440 does not know has no successor."""
        with pytest.raises(InvalidVersion):
            next_version("not a version")
