"""`hephaestus init`: what it writes, what it leaves, what it needs to know."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
import typer
from release.repositories import git, isolated
from typer.testing import CliRunner

from hephaestus.cli import app

WORKFLOW = ".github/workflows/publish-pypi.yml"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh project with a remote on GitHub, in which the command runs."""
    isolated(monkeypatch, tmp_path / "home")
    root = tmp_path / "fresh"
    root.mkdir()
    git(root, "init", "-q")
    git(root, "remote", "add", "origin", "git@github.com:o/tiny.git")
    (root / "pyproject.toml").write_text('[project]\nname = "tiny"\nversion = "0.1.0"\n')
    monkeypatch.chdir(root)
    return root


def ran(*words: str) -> tuple[int, str, str]:
    """Run it: exit code, output, errors."""
    done = CliRunner().invoke(app, ["init", *words])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout, done.stderr


def files(root: Path) -> dict[str, bytes]:
    """Every file of the project."""
    listed = [path for path in root.rglob("*") if path.is_file() and ".git" not in path.relative_to(root).parts]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in listed}


def test_a_fresh_project_is_made_ready_and_told_what_is_next(root: Path) -> None:
    """All files, the repository from the remote; the lock is next, then the rehearsal; a second run changes nothing."""
    code, output, _ = ran()
    assert code == 0
    assert "tiny 0.1.0, setuptools.build_meta:__legacy__, github.com/o/tiny" in output
    assert "uv pip compile" in output
    assert sorted(files(root)) == sorted(["pyproject.toml", "noxfile.py", ".gitignore", WORKFLOW, ".github/release.in"])
    written = files(root)
    (root / ".github" / "release.txt").write_text("x")
    code, output, _ = ran()
    assert (code, output.count("as it should be")) == (0, 5)
    assert "nox -s release" in output
    assert files(root) == {**written, ".github/release.txt": b"x"}


def test_a_reader_that_leaves_does_not_leave_half_of_the_files(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`hephaestus init | head`: when the pipe closes at the first word, every file is written already."""

    def closed(*_: object, **__: object) -> None:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    monkeypatch.setattr(typer, "echo", closed)
    done = CliRunner().invoke(app, ["init"])
    assert done.exit_code == 1
    assert sorted(files(root)) == sorted(["pyproject.toml", "noxfile.py", ".gitignore", WORKFLOW, ".github/release.in"])


def test_a_dry_run_writes_nothing(root: Path) -> None:
    """It shows what would be new and what would be added, and leaves the folder as it is."""
    before = files(root)
    code, output, _ = ran("--dry-run")
    assert code == 0
    assert '+repository = "o/tiny"' in output
    assert files(root) == before


def test_what_exists_is_left_until_its_name_is_said(root: Path) -> None:
    """Another workflow and a noxfile: shown as diffs, kept, exit code 1; the others are written; --force names them."""
    (root / "noxfile.py").write_text("import nox\n")
    (root / WORKFLOW).parent.mkdir(parents=True)
    (root / WORKFLOW).write_text("name: mine\n")
    code, output, errors = ran()
    assert code == 1
    assert "-name: mine" in output
    assert f"hephaestus init --force noxfile.py --force {WORKFLOW}" in errors
    assert (root / "noxfile.py").read_text() == "import nox\n"
    assert (root / WORKFLOW).read_text() == "name: mine\n"
    assert (root / ".gitignore").is_file()
    code, _, errors = ran("--force", "noxfile.py")
    assert code == 1
    assert "release_sessions()" in (root / "noxfile.py").read_text()
    assert (root / WORKFLOW).read_text() == "name: mine\n"
    assert ran("--force", WORKFLOW)[0] == 0
    assert "name: Publish" in (root / WORKFLOW).read_text()


@pytest.mark.parametrize(
    ("url", "words", "found"),
    [
        ("https://github.com/o/tiny.git", [], "o/tiny"),
        ("ssh://git@github.com/o/tiny", [], "o/tiny"),
        ("https://user:secret@github.com/o/tiny", [], "o/tiny"),
        ("https://example.org/o/tiny", ["--repository", "a/b"], "a/b"),
        ("git@github.com:o/tiny.git", ["--repository", "a/b"], "a/b"),
    ],
)
def test_the_repository_is_that_of_the_remote_or_the_one_said(
    root: Path, url: str, words: list[str], found: str
) -> None:
    """Every way to write a remote on GitHub; what is said goes first; a token in a URL is never shown."""
    git(root, "remote", "set-url", "origin", url)
    code, output, _ = ran(*words)
    assert code == 0
    assert f"github.com/{found}\n" in output
    assert f"github.repository == '{found}'" in (root / WORKFLOW).read_text()
    assert not any(b"secret" in content for content in files(root).values())
    assert "secret" not in output


def test_the_projects_own_word_goes_before_the_remote(root: Path) -> None:
    """A configured repository is kept; without a remote on GitHub the project's URL tells it."""
    pyproject = root / "pyproject.toml"
    plain = pyproject.read_text()
    pyproject.write_text(f'{plain}[project.urls]\nHome = "https://github.com/from/url"\n')
    git(root, "remote", "remove", "origin")
    assert "github.com/from/url\n" in ran("--dry-run")[1]
    pyproject.write_text(f'{plain}[tool.hephaestus.release]\nrepository = "a/configured"\n')
    git(root, "remote", "add", "origin", "git@github.com:o/tiny.git")
    assert "github.com/a/configured\n" in ran("--dry-run")[1]


def test_two_remotes_without_an_origin_are_a_question(root: Path) -> None:
    """Neither is chosen."""
    git(root, "remote", "rename", "origin", "mine")
    git(root, "remote", "add", "theirs", "git@github.com:x/tiny.git")
    code, _, errors = ran()
    assert code == 1
    assert "o/tiny, x/tiny" in errors


@pytest.mark.parametrize(
    ("url", "words", "problem"),
    [
        ("https://example.org/o/tiny", [], "no remote and no project URL"),
        ("git@github.com:o/tiny.git", ["--repository", "tiny"], "is not OWNER/NAME"),
        ("git@github.com:o/tiny.git", ["--force", "README.md"], "writes no such file"),
    ],
)
def test_what_is_not_known_or_wrong_is_refused_before_anything_is_written(
    root: Path, url: str, words: list[str], problem: str
) -> None:
    """No repository, a malformed one, a file that is none of init's: refused with the way on, nothing written."""
    git(root, "remote", "set-url", "origin", url)
    before = files(root)
    code, _, errors = ran(*words)
    assert code == 1
    assert problem in errors
    assert "next: hephaestus init" in errors
    assert files(root) == before


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('[project]\nname = "x"\ndynamic = ["version"]\n', "project.version is dynamic"),
        ('[project]\nversion = "1"\n', "no `name`"),
        ("[project\n", "cannot be read"),
        (None, "does not exist"),
    ],
)
def test_a_project_that_cannot_be_released_is_told_so(root: Path, text: str | None, problem: str) -> None:
    """A dynamic version, no name, broken TOML, no pyproject.toml: nothing is written."""
    (root / "pyproject.toml").unlink()
    if text is not None:
        (root / "pyproject.toml").write_text(text)
    code, _, errors = ran()
    assert code == 1
    assert problem in errors
    assert not (root / "noxfile.py").exists()


def test_a_package_in_a_folder_of_its_repository(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its files beside it, its workflow and the lock at the top; the lock's command goes there; again: nothing."""
    folder = root / "packages" / "core"
    folder.mkdir(parents=True)
    (root / "pyproject.toml").rename(folder / "pyproject.toml")
    monkeypatch.chdir(folder)
    code, output, errors = ran()
    assert (code, errors) == (0, "")
    assert sorted(files(root)) == sorted(
        [".github/release.in", ".github/workflows/publish-core.yml"]
        + [f"packages/core/{name}" for name in (".gitignore", "noxfile.py", "pyproject.toml")]
    )
    assert "new              .github/workflows/publish-core.yml" in output
    assert "\n  cd ../.. && uv pip compile" in output
    assert ran()[1].count("as it should be") == 5
    (root / ".github/workflows/publish-core.yml").write_text("name: mine\n")
    code, _, errors = ran()
    assert code == 1
    assert "hephaestus init --force .github/workflows/publish-core.yml" in errors
    assert ran("--force", ".github/workflows/publish-core.yml")[0] == 0
