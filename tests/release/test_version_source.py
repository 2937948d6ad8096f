"""Where a version comes from: every backend's setting recognised from text, every other shape refused by name."""

from __future__ import annotations

import contextlib
import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hephaestus.release.errors import ReleaseError
from hephaestus.release.project import Project, read_project
from hephaestus.release.version_files import VersionFileError
from hephaestus.release.version_source import (
    VersionSettingError,
    VersionSource,
    VersionSourceUnknownError,
    version_source,
)

BACKENDS = {
    "hatch": "hatchling.build",
    "setuptools": "setuptools.build_meta",
    "flit": "flit_core.buildapi",
    "pdm": "pdm.backend",
    "other": "scikit_build_core.build",
}


def written(root: Path, backend: str, more: str = "", *, requires: str = "[]", **files: str) -> str:
    """A pyproject.toml of that backend with a dynamic version, on disk with the other files."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    text = (
        '[project]\nname = "Tiny.Thing-x"\ndynamic = ["version"]\n'
        f'[build-system]\nrequires = {requires}\nbuild-backend = "{BACKENDS[backend]}"\n{more}'
    )
    (root / "pyproject.toml").write_text(text, encoding="utf-8")
    return text


def source(root: Path, backend: str, more: str = "", *, requires: str = "[]", **files: str) -> VersionSource:
    """Where the version comes from there."""
    return version_source(tomllib.loads(written(root, backend, more, requires=requires, **files)), root)


def read(root: Path, backend: str, more: str = "", **files: str) -> Project:
    """The project there."""
    written(root, backend, more, **files)
    return read_project(root)


class TestFiles:
    """The version is written in a file, which the backend's own setting names."""

    @pytest.mark.parametrize(
        ("backend", "more", "files", "place"),
        [
            ("hatch", '[tool.hatch.version]\npath = "a/b.py"', {"a/b.py": '\nVersion  ="v1.2"\n'}, "a/b.py:2"),
            ("hatch", '[tool.hatch]\nversion.path = "x"\nversion.source = "regex"', {"x": "version = '1.2'"}, "x:1"),
            ("hatch", '[tool.hatch.version]\npath = "x"\npattern = "b(?P<version>[^ ]+)"', {"x": "a\n\nb1.2 3"}, "x:3"),
            ("hatch", "", {"hatch.toml": '[version]\npath = "x"', "x": "VERSION = '1.2'\n"}, "x:1"),
            ("hatch", '[tool.hatch.version]\nsource = "vcs"',
             {"hatch.toml": '[version]\npath = "x"', "x": "VERSION = '1.2'\n"}, "x:1"),
            ("setuptools", '[tool.setuptools.dynamic]\nversion = {attr = "pkg.version"}',
             {"src/pkg/__init__.py": "version: str = '1.2'", "pkg/__init__.py": ""}, "src/pkg/__init__.py:1"),
            ("setuptools", '[tool.setuptools.dynamic]\nversion = {attr = "pkg.mod.v"}', {"pkg/mod.py": "v = w = '1.2'"},
             "pkg/mod.py:1"),
            ("setuptools", '[tool.setuptools]\npackage-dir = {"" = "lib"}\ndynamic.version = {attr = "pkg.v"}',
             {"lib/pkg.py": "v = '1.2'", "src/pkg.py": "v = '9'"}, "lib/pkg.py:1"),
            ("setuptools", '[tool.setuptools]\npackage-dir = {"a.b" = "x"}\ndynamic.version = {attr = "a.b.c.v"}',
             {"x/c.py": "v = '1.2'", "a/b/c.py": "v = '9'"}, "x/c.py:1"),
            ("setuptools", '[tool.setuptools.packages.find]\nwhere = ["lib"]\n'
             '[tool.setuptools.dynamic]\nversion = {attr = "pkg.v"}', {"lib/pkg/__init__.py": "v = '1.2'"},
             "lib/pkg/__init__.py:1"),
            ("setuptools", '[tool.setuptools.dynamic]\nversion = {file = "VER"}', {"VER": "\n 1.2 \n"}, "VER:2"),
            ("setuptools", '[tool.setuptools.dynamic]\nversion = {file = ["V"]}', {"V": "\ufeff1.2"}, "V:1"),
            ("flit", "", {"Tiny/Thing_x.py": "__version__ = '1.2'"}, "Tiny/Thing_x.py:1"),
            ("flit", '[tool.flit.module]\nname = "a.b"', {"src/a/b/__init__.py": "__version__ = '1.2'"},
             "src/a/b/__init__.py:1"),
            ("flit", '[tool.flit.module]\nname = "m"', {"m/__init__.py": "from m._version import __version__",
             "m/_version.py": "__version__ = '1.2'"}, "m/_version.py:1"),
            ("flit", '[tool.flit.module]\nname = "m"', {"m.py": "'''M.'''\n__version__ = '1.2'"}, "m.py:2"),
            ("pdm", '[tool.pdm.version]\nsource = "file"\npath = "m.py"', {"m.py": "__version__='1.2' # x"}, "m.py:1"),
            ("pdm", '[tool.pdm]\nversion = {path = "m.py", pattern = "at (.+)$"}', {"m.py": "0\nat 1.2\n"}, "m.py:2"),
        ],
    )  # fmt: skip
    def test_the_place_is_found_as_the_backend_finds_it(
        self, tmp_path: Path, backend: str, more: str, files: dict[str, str], place: str
    ) -> None:
        """Paths, patterns, layouts and names of modules as the backends' documentations have them."""
        found = read(tmp_path, backend, more, **files)
        assert (found.version, found.version_place, found.tag) == ("1.2", place, "v1.2")
        assert found.version_source.environment(name=found.name, version=found.version) == {}

    @pytest.mark.parametrize(
        ("path", "text", "line"),
        [
            ("v.py", '"""V."""\nversion = "1.2"\n', 2),
            ("v.py", "__version__ = '1.2'\n", 1),
            ("Cargo.toml", '[package]\nname = "x"\nversion = "1.2"\n', 3),
            ("package.json", '{\n "version": "1.2"\n}\n', 2),
            ("VERSION", "v1.2\n", 1),
        ],
    )
    def test_our_own_setting_names_any_file(self, tmp_path: Path, path: str, text: str, line: int) -> None:
        """For whatever no backend's setting tells of."""
        more = f'[tool.hephaestus.release]\nversion-from = "{path}"'
        found = read(tmp_path, "other", more, **{path: text})
        assert (found.version, found.version_place) == ("1.2", f"{path}:{line}")

    def test_our_own_setting_goes_before_the_backends(self, tmp_path: Path) -> None:
        """Whoever sets it knows why."""
        more = '[tool.hatch.version]\nsource = "code"\npath = "x.py"\n[tool.hephaestus.release]\nversion-from = "V"'
        assert read(tmp_path, "hatch", more, V="3.0\n").version == "3.0"


class TestTags:
    """The version comes from the tag."""

    @pytest.mark.parametrize(
        ("backend", "more", "requires", "variables"),
        [
            ("hatch", '[tool.hatch.version]\nsource = "vcs"', "[]", ["SETUPTOOLS_SCM_PRETEND_VERSION"]),
            ("setuptools", "[tool.setuptools_scm]", "[]", ["SETUPTOOLS_SCM_PRETEND_VERSION_FOR_TINY_THING_X"]),
            ("setuptools", "[tool.vcs-versioning]", "[]", ["SETUPTOOLS_SCM_PRETEND_VERSION_FOR_TINY_THING_X"]),
            ("setuptools", "", '["!", "setuptools_scm[simple]>=9"]',
             ["SETUPTOOLS_SCM_PRETEND_VERSION_FOR_TINY_THING_X"]),
            ("pdm", '[tool.pdm.version]\nsource = "scm"', "[]", ["PDM_BUILD_SCM_VERSION"]),
        ],
    )  # fmt: skip
    def test_the_builders_are_told_as_the_tools_document_it(
        self, tmp_path: Path, backend: str, more: str, requires: str, variables: list[str]
    ) -> None:
        """setuptools-scm for this distribution alone; hatch-vcs passes no name on; PDM has a variable of its own."""
        found = source(tmp_path, backend, more, requires=requires)
        assert (found.tagged, found.file, found.repository) == (True, None, False)
        assert found.environment(name="Tiny.Thing-x", version="1.2") == dict.fromkeys(variables, "1.2")

    def test_our_own_setting_tells_every_tool_there_is(self, tmp_path: Path) -> None:
        """Which tool a backend asks is not known then: all are told, and the export carries the tag."""
        found = version_source(tomllib.loads(written(tmp_path, "other")), tmp_path, version_from="tag")
        names = set(found.environment(name="x", version="1.2"))
        assert names >= {
            "SETUPTOOLS_SCM_PRETEND_VERSION_FOR_X",
            "PDM_BUILD_SCM_VERSION",
            "UV_DYNAMIC_VERSIONING_BYPASS",
        }
        assert found.repository

    @pytest.mark.parametrize(
        ("backend", "more", "files", "expected"),
        [
            ("hatch", '[tool.hatch.version]\nsource = "vcs"\n[tool.hatch.build.hooks.vcs]\nversion-file = "a.py"', {},
             ("a.py",)),
            ("hatch", '[tool.hatch.version]\nsource = "vcs"\n[tool.hatch.build.targets.wheel.hooks.vcs]\n'
             'version-file = "a.py"', {}, ("a.py",)),
            ("hatch", '[tool.hatch.version]\nsource = "vcs"',
             {"hatch.toml": '[build.hooks.vcs]\nversion-file = "b.py"'}, ("b.py",)),
            ("setuptools", '[tool.setuptools_scm]\nversion_file = "a.py"', {}, ("a.py",)),
            ("setuptools", '[tool.setuptools_scm]\nwrite_to = "a.py"', {}, ("a.py",)),
            ("pdm", '[tool.pdm.version]\nsource = "scm"\nwrite_to = "p/a.py"', {}, ("p/a.py", "src/p/a.py")),
            ("pdm", '[tool.pdm]\nversion = {source = "scm", write_to = "p/a.py"}\nbuild.package-dir = "l"', {},
             ("p/a.py", "l/p/a.py")),
        ],
    )  # fmt: skip
    def test_the_files_that_a_build_writes_are_known(
        self, tmp_path: Path, backend: str, more: str, files: dict[str, str], expected: tuple[str, ...]
    ) -> None:
        """What the tools are set to write the version into: no source says it there, and no check wonders."""
        assert source(tmp_path, backend, more, **files).written == expected


class TestRefused:
    """What cannot be known without running code, or is not of the documented shape."""

    @pytest.mark.parametrize(
        ("backend", "more", "words"),
        [
            ("hatch", "", "tool.hatch.version names no path"),
            ("hatch", '[tool.hatch.version]\nsource = "code"\npath = "x.py"', "'code', which runs code"),
            ("hatch", '[tool.hatch.version]\nsource = "env"', "'env', which runs code"),
            ("setuptools", "", r"neither tool\.setuptools\.dynamic\.version nor \[tool\.setuptools_scm\]"),
            ("setuptools", '[tool.setuptools_scm]\n[tool.setuptools.dynamic]\nversion = {file = "x"}', "both tool"),
            ("pdm", "", "tool.pdm.version names no source"),
            ("pdm", '[tool.pdm.version]\nsource = "call"\ngetter = "m:f"', "'call', which runs code"),
            ("pdm", '[tool.pdm.version]\nsource = "file"', "tool.pdm.version names no path"),
            ("other", "", "how scikit_build_core.build finds it is not known here"),
        ],
    )
    def test_what_no_text_says_is_refused_with_the_ways_there_are(
        self, tmp_path: Path, backend: str, more: str, words: str
    ) -> None:
        """The refusal says what is set, and names our setting or the static version as the way on."""
        with pytest.raises(VersionSourceUnknownError, match=words) as raised:
            source(tmp_path, backend, more)
        assert "version-from" in raised.value.next_step or "remove one" in raised.value.next_step

    @pytest.mark.parametrize(
        ("backend", "more", "field"),
        [
            ("hatch", "[tool.hatch]\nversion = 1", "tool.hatch.version must be a table"),
            ("hatch", "[tool.hatch.version]\npath = 1", "tool.hatch.version.path must be a string"),
            ("hatch", '[tool.hatch.version]\npath = "x"\npattern = 2', "tool.hatch.version.pattern must be a string"),
            ("setuptools", '[tool.setuptools.dynamic]\nversion = "x"', "is neither"),
            ("setuptools", "[tool.setuptools.dynamic]\nversion = {}", "is neither"),
            ("setuptools", '[tool.setuptools.dynamic]\nversion = {file = ["a", "b"]}', "must name one file"),
            ("setuptools", '[tool.setuptools.dynamic]\nversion = {attr = "version"}', "no name such as"),
            ("setuptools", '[tool.setuptools.dynamic]\nversion = {attr = "a..b"}', "no name such as"),
            ("setuptools", "[tool]\nsetuptools = 1", "setuptools must be a table"),
            ("flit", "[tool.flit]\nmodule = 1", "tool.flit.module must be a table"),
            ("pdm", "[tool.pdm.version]\nsource = 1", "tool.pdm.version.source must be a string"),
        ],
    )
    def test_a_shape_that_no_documentation_has_is_named(
        self, tmp_path: Path, backend: str, more: str, field: str
    ) -> None:
        """The backend would refuse it too, but later and in its own words."""
        with pytest.raises(VersionSettingError, match=field):
            source(tmp_path, backend, more)

    def test_a_hatch_toml_that_is_none_is_named(self, tmp_path: Path) -> None:
        """It would go before pyproject.toml, so what stands there cannot be passed over."""
        with pytest.raises(VersionSettingError, match=r"hatch\.toml cannot be read"):
            source(tmp_path, "hatch", **{"hatch.toml": "[version"})

    @pytest.mark.parametrize(
        ("backend", "more"),
        [
            ("hatch", '[tool.hatch.version]\npath = "gone.py"'),
            ("hatch", '[tool.hatch.version]\npath = "../gone.py"'),
            ("hatch", '[tool.hatch.version]\npath = "/etc/hostname"'),
            ("setuptools", '[tool.setuptools.dynamic]\nversion = {attr = "no.where.version"}'),
            ("setuptools", '[tool.setuptools.dynamic]\nversion = {file = "gone"}'),
            ("flit", ""),
            ("pdm", '[tool.pdm.version]\nsource = "file"\npath = "gone.py"'),
            ("other", '[tool.hephaestus.release]\nversion-from = "gone.py"'),
        ],
    )
    def test_a_file_that_is_not_there_is_named(self, tmp_path: Path, backend: str, more: str) -> None:
        """Or is not below the project: with the setting that names it."""
        with pytest.raises(VersionFileError, match=r"does not exist|leaves the folder|not a relative") as raised:
            read(tmp_path, backend, more)
        assert raised.value.next_step

    def test_our_setting_beside_a_static_version_is_refused(self, tmp_path: Path) -> None:
        """Two places that say it: one of them would be ignored."""
        text = '[project]\nname = "x"\nversion = "1"\n[tool.hephaestus.release]\nversion-from = "tag"\n'
        (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
        with pytest.raises(ReleaseError, match=r"version-from is set, but project\.version says the version already"):
            read_project(tmp_path)

    @settings(deadline=None, max_examples=150)
    @given(
        backend=st.sampled_from([*BACKENDS]),
        tool=st.recursive(
            st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=9)),
            lambda inner: st.lists(inner, max_size=2)
            | st.dictionaries(
                st.sampled_from(
                    ["hatch", "setuptools", "flit", "pdm", "version", "dynamic", "module", "attr", "file", "path",
                     "build", "pattern", "source", "package-dir", "packages", "find", "where",
                     "setuptools_scm", "hooks"]
                ),
                inner,
                max_size=4,
            ),
            max_leaves=14,
        ),
    )  # fmt: skip
    def test_any_settings_are_a_source_or_one_of_our_errors(self, backend: str, tool: object) -> None:
        """Whatever stands below `tool`, nothing but a ReleaseError leaves, and a source is one of the two kinds."""
        data = {"project": {"name": "x"}, "build-system": {"build-backend": BACKENDS[backend]}, "tool": tool}
        kinds = {True}
        with contextlib.suppress(ReleaseError):
            found = version_source(data, Path("no-such-folder"))
            kinds = {found.tagged, found.file is None}
        assert len(kinds) == 1
