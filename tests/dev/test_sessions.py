"""The development sessions that no other test runs: what they would do, by a session that writes down its commands."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from dev.sessions import LOCK_FOLDERS, lock, workflows

ROOT = Path(__file__).resolve().parents[2]


class Stopped(Exception):
    """What ``session.error`` raises here."""


class Written:
    """A session that runs nothing: ``commands`` are the folder (relative to the project) and the words of each."""

    def __init__(self) -> None:
        self.commands: list[tuple[str, tuple[str, ...]]] = []
        self.installed: list[tuple[str, ...]] = []

    def run(self, *words: str, external: bool = False) -> None:
        """Write a command down; every path in it must be there, from where it would run."""
        del external
        self.commands.append((Path.cwd().relative_to(ROOT).as_posix(), words))

    def install(self, *words: str) -> None:
        """Write an installation down."""
        self.installed.append(words)

    @contextmanager
    def chdir(self, folder: Path) -> Iterator[None]:
        """Work in a folder, as nox does."""
        before = Path.cwd()
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)

    def error(self, message: str) -> None:
        """End the session."""
        raise Stopped(message)


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Written:
    """A session in the project's folder, where nox starts it."""
    monkeypatch.chdir(ROOT)
    return Written()


def test_lock_makes_every_lock_of_every_folder(session: Written) -> None:
    """One uv run a source, in the source's folder: universal, with hashes, wheels only, nothing younger than a week."""
    lock(session)  # type: ignore[arg-type]
    made = {(folder, words[words.index("--output-file") + 1]) for folder, words in session.commands}
    assert made == {
        (folder.as_posix(), path.with_suffix(".txt").name)
        for folder in LOCK_FOLDERS
        for path in (ROOT / folder).glob("*.in")
    }
    assert len(session.commands) == len(made) > 10
    for folder, words in session.commands:
        assert words[:3] == ("uv", "pip", "compile")
        assert {"--universal", "--generate-hashes", "--upgrade", "--exclude-newer", "--only-binary"} <= set(words)
        head = "".join((ROOT / folder / words[-1]).read_text(encoding="utf-8").splitlines(keepends=True)[:2])
        assert f"#    {words[words.index('--custom-compile-command') + 1]}\n" in head


def test_workflows_asks_github_or_says_that_it_cannot(session: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a token nothing is audited by half: the session ends, and names the part that needs none."""
    monkeypatch.delenv("GH_TOKEN", raising=False)
    with pytest.raises(Stopped, match="tests/workflows"):
        workflows(session)  # type: ignore[arg-type]
    assert session.commands == session.installed == []


def test_workflows_audits_online_and_strictly(session: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a token zizmor runs as in the tests but for --offline; the schemas see every file they are for."""
    monkeypatch.setenv("GH_TOKEN", "x")
    workflows(session)  # type: ignore[arg-type]
    assert [words[-1] for words in session.installed] == [str(Path("dev") / "workflows.txt")]
    audit, schema, dependabot = (words for _, words in session.commands)
    assert audit == (
        "zizmor", "--strict-collection", "--persona=auditor", "--no-ignores", "--collect=all", ".github",
    )  # fmt: skip
    assert [Path(word).name for word in schema[3:]] == ["ci.yml", "publish-pypi.yml"]
    assert dependabot[3:] == (".github/dependabot.yml",)
