"""A version written in a file: read as text; whatever would have to be run is refused with its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packaging.version import Version

from hephaestus.release.version_files import VersionFile, VersionFileError, written_version
from hephaestus.release.versions import Occurrence

PYTHON = VersionFile(path="m.py", setting="a.setting", names=("__version__",))


def put(root: Path, text: str | bytes, path: str = "m.py") -> Path:
    """The folder with that file in it."""
    (root / path).write_bytes(text.encode() if isinstance(text, str) else text)
    return root


@pytest.mark.parametrize(
    ("text", "line", "version"),
    [
        ("__version__ = '1.2'", 1, "1.2"),
        ('\n\n__version__: str = "1.2rc1"  # it\'s here\n', 3, "1.2rc1"),
        ("import sys\nsys.exit(1)\n__version__ = version = '1.2'\n", 3, "1.2"),
        ("__version__: str\n__version__ = '1.2'\n", 2, "1.2"),
        ("__version__ = (\n    '1.2'\n)\n", 2, "1.2"),
        (b"# -*- coding: utf-8 -*-\r\n__version__ = '1.2'\r\n", 2, "1.2"),
    ],
)
def test_a_plain_string_is_read_and_nothing_is_run(tmp_path: Path, text: str | bytes, line: int, version: str) -> None:
    """At the top level of the file, with the line of the string itself; what stands around it is never executed."""
    assert written_version(put(tmp_path, text), PYTHON) == Occurrence(path="m.py", line=line, version=version)


@pytest.mark.parametrize(
    ("text", "place", "problem"),
    [
        ("__version__ = '.'.join(['1', '2'])\n", "m.py:1", "computes `__version__`"),
        ("\n__version__ = (1, 2)\n", "m.py:2", "computes `__version__`"),
        ("__version__ = f'{1}.2'\n", "m.py:1", "computes `__version__`"),
        ("__version__ = '1.2'\n__version__ += '.dev1'\n", "m.py:2", r"more than once \(lines 1, 2\)"),
        ("__version__ = '1.2'\n\n__version__ = '1.3'\n", "m.py:3", r"more than once \(lines 1, 3\)"),
        ("try:\n    from ._v import __version__\nexcept ImportError:\n    pass\n", "m.py:2", "by running code"),
        ("if 1:\n    __version__ = '1.2'\n", "m.py:2", "by running code"),
        ("import _v as __version__\n", "m.py:1", "by running code"),
        ("def __version__(): return '1'\n", "m.py:1", "by running code"),
        ("version = '1.2'\n", "m.py", "assigns no `__version__`"),
        ("", "m.py", "assigns no `__version__`"),
        ("__version__ = \n", "m.py", "no Python that can be read"),
        ("__version__ = '1.2'\0", "m.py", "no Python that can be read"),
        ("__version__ = 'one'\n", "m.py:1", "'one', which is no PEP 440 version"),
        ("__version__ = ''\n", "m.py:1", "'', which is no PEP 440 version"),
        (b"__version__ = '\xff'", "m.py", "cannot be read"),
    ],
)
def test_what_is_computed_or_not_there_is_named_with_its_line(
    tmp_path: Path, text: str | bytes, place: str, problem: str
) -> None:
    """The refusal begins with the place, says what is wrong, and ends in the change to make."""
    with pytest.raises(VersionFileError, match=problem) as raised:
        written_version(put(tmp_path, text), PYTHON)
    assert raised.value.place == place
    assert raised.value.what.startswith(f"{place} ")
    assert raised.value.why.startswith("a.setting says")
    assert raised.value.next_step


@pytest.mark.parametrize(
    ("pattern", "group", "problem"),
    [
        ("(?P<version>", "version", "is none"),
        ("at (.+)", "version", "has no group 'version'"),
        ("at .+", 1, "has no group 1"),
        ("at (?P<version>x)?", "version", "leaves the group 'version'"),
        ("^nowhere (?P<version>.+)", "version", "has no line that"),
        ("at (?P<version>.)", "version", "'w', which is no PEP 440"),
    ],
)
def test_a_pattern_that_finds_no_version_is_refused(
    tmp_path: Path, pattern: str, group: str | int, problem: str
) -> None:
    """No regular expression, no such group, no match, or another text than a version."""
    with pytest.raises(VersionFileError, match=problem):
        written_version(put(tmp_path, "at work\n"), VersionFile(path="m.py", setting="s", pattern=pattern, group=group))


@pytest.mark.parametrize(
    ("text", "fields", "problem"),
    [
        ("1.2\n1.3\n", False, "holds 2 lines"),
        ("\n", False, "holds no lines"),
        ("version = 1.2\n", False, "no PEP 440 version"),
        ("1.2\n1.3\n", True, "names no version"),
        ("", True, "names no version"),
        ("version = 1.2.x\n", True, "no PEP 440 version"),
    ],
)
def test_a_text_that_is_not_a_version_alone_is_refused(tmp_path: Path, text: str, fields: bool, problem: str) -> None:
    """What a build backend takes whole must be one line; ours may be a field of a configuration file."""
    with pytest.raises(VersionFileError, match=problem):
        written_version(put(tmp_path, text, "V"), VersionFile(path="V", setting="s", fields=fields))


def test_a_folder_in_its_place_is_refused(tmp_path: Path) -> None:
    """It cannot be read, and is named."""
    (tmp_path / "m.py").mkdir()
    with pytest.raises(VersionFileError, match="cannot be read"):
        written_version(tmp_path, PYTHON)


@pytest.mark.parametrize("names", [("__version__",), ()])
@pytest.mark.parametrize("through", ["file", "folder"])
def test_a_link_out_of_the_project_is_not_followed(tmp_path: Path, names: tuple[str, ...], through: str) -> None:
    """What lies elsewhere, such as this process's environment, is neither read nor quoted in the refusal."""
    project = tmp_path / "project"
    (tmp_path / "away").mkdir()
    project.mkdir()
    put(tmp_path / "away", "__version__ = 'planted'\n")
    path = "m.py" if through == "file" else "in/m.py"
    (project / path.partition("/")[0]).symlink_to(tmp_path / "away" / ("m.py" if through == "file" else ""))
    with pytest.raises(VersionFileError, match="a link leads out of the project") as caught:
        written_version(project, VersionFile(path=path, setting="s", names=names, pattern="(?P<version>.+)"))
    assert "planted" not in str(caught.value)


def test_a_link_to_itself_is_refused(tmp_path: Path) -> None:
    """It is named, like anything else that cannot be read."""
    (tmp_path / "m.py").symlink_to("m.py")
    with pytest.raises(VersionFileError, match="cannot be read"):
        written_version(tmp_path, PYTHON)


def test_a_link_within_the_project_is_followed(tmp_path: Path) -> None:
    """It means the same in every clone."""
    (put(tmp_path, "__version__ = '1.2'\n", "real.py") / "m.py").symlink_to("real.py")
    assert written_version(tmp_path, PYTHON).version == "1.2"


@pytest.mark.parametrize("path", [".git/config", ".GIT/config", "sub/.git/config"])
def test_what_git_keeps_for_itself_is_never_read(tmp_path: Path, path: str) -> None:
    """A checkout in a workflow may keep its token there, and a refusal quotes what it found."""
    (tmp_path / path).parent.mkdir(parents=True)
    put(tmp_path, "extraheader = AUTHORIZATION: basic planted\n", path)
    with pytest.raises(VersionFileError, match="cannot be where the version is: is git's own") as caught:
        written_version(tmp_path, VersionFile(path=path, setting="s", pattern="(?P<version>.+)"))
    assert "planted" not in str(caught.value)


@settings(deadline=None, max_examples=150)
@given(
    text=st.lists(
        st.sampled_from(
            [
                "__version__",
                "version",
                " = ",
                "'1.2'",
                '"3"',
                "\n",
                "(",
                ")",
                ", ",
                "f",
                "if 1:",
                "    ",
                "\0",
                "\\",
                "é",
            ]
        ),
        max_size=12,
    ).map("".join),
    kind=st.sampled_from(["python", "pattern", "fields", "alone"]),
)
def test_any_text_holds_a_version_or_is_refused(tmp_path_factory: pytest.TempPathFactory, text: str, kind: str) -> None:
    """What comes back is a version that stands on the line that is named; nothing but our error leaves."""
    file = {
        "python": PYTHON,
        "pattern": VersionFile(path="m.py", setting="s", pattern=r"version = '(?P<version>.+)'"),
        "fields": VersionFile(path="m.py", setting="s", fields=True),
        "alone": VersionFile(path="m.py", setting="s"),
    }[kind]
    root = put(tmp_path_factory.mktemp("any"), text)
    refused = ""
    try:
        found = written_version(root, file)
    except VersionFileError as error:
        refused = error.next_step
    assert refused or (Version(found.version) and found.version in text.split("\n")[found.line - 1])
