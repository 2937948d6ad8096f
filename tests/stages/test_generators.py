"""Generated files: what the project's own programs would write differently is no source to build from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from stages.conftest import Context

from hephaestus.release.source import read_source
from hephaestus.stages.build import BuildStage
from hephaestus.stages.generators import GeneratorFailedError, StaleFilesError
from hephaestus.stages.runner import run_stage

GENERATOR = """\
import pathlib
import words

pathlib.Path("src/tiny_project/table.py").write_text(f"TABLE = {words.WORDS!r}\\n")
"""
WORDS = "WORDS = ('one', 'two')\n"
TABLE = "TABLE = ('one', 'two')\n"

Refused = Callable[..., Exception]


@pytest.fixture
def files(tiny: dict[str, str]) -> dict[str, str]:
    """A project with a generator, the module it imports, and what it has written."""
    return {
        **tiny,
        "tools/tables.py": GENERATOR,
        "tools/words.py": WORDS,
        "src/tiny_project/table.py": TABLE,
    }


@pytest.fixture
def refused(
    commit: Callable[..., Path], context_of: Callable[..., Context], monkeypatch: pytest.MonkeyPatch
) -> Refused:
    """What the build of these files ends in: the generators' own refusal, or _Built where they have none."""

    def build(*_words: object, **_options: object) -> None:
        raise _Built

    monkeypatch.setattr("hephaestus.stages.build._first_build", build)

    def run(files: dict[str, str], *generators: str) -> Exception:
        settings = f"\n[tool.hephaestus.release.build]\ngenerators = {list(generators)}\n"
        root = commit({**files, "pyproject.toml": files["pyproject.toml"] + settings})
        context = context_of(root, lock="build")
        with pytest.raises((GeneratorFailedError, StaleFilesError, _Built)) as caught:
            run_stage(BuildStage(ask=lambda *_: {}), context, recorder=context.environment)
        assert not list(root.glob("release/rehearsal/*/dist/*"))
        assert read_source(root).dirty == (), "nothing is written into the project itself"
        return caught.value

    return run


class _Built(Exception):
    """The build began."""


def test_files_that_are_up_to_date_are_built(refused: Refused, files: dict[str, str]) -> None:
    """A generator that writes what is committed already, with the help of a module beside it, stops nothing."""
    assert isinstance(refused(files, "python tools/tables.py"), _Built)


def test_stale_files_are_refused_by_name(refused: Refused, files: dict[str, str]) -> None:
    """Other bytes, a file more and a file less: each is named, with the commands that write them."""
    more = "import pathlib\npathlib.Path('extra.txt').write_text('x')\npathlib.Path('README.md').unlink()\n"
    spoiled = {**files, "tools/words.py": "WORDS = ('one',)\n", "tools/more.py": more}
    error = refused(spoiled, "python tools/tables.py", "python tools/more.py")
    assert isinstance(error, StaleFilesError)
    assert error.changes == {
        "src/tiny_project/table.py": "has other bytes",
        "extra.txt": "is not in the source",
        "README.md": "is gone",
    }
    assert "3 generated files are stale: README.md, extra.txt, src/tiny_project/table.py" in error.what
    assert error.next_step.startswith("`python tools/tables.py && python tools/more.py`, commit what changes")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import packaging\n", "No module named 'packaging'"),
        ("raise SystemExit('the table cannot be made')\n", "the table cannot be made"),
    ],
)
def test_a_generator_that_fails_says_so(refused: Refused, files: dict[str, str], code: str, words: str) -> None:
    """What it needs beyond Python's own library and the project is not there, though the build's tools have it."""
    error = refused({**files, "tools/tables.py": code}, "python tools/tables.py")
    assert isinstance(error, GeneratorFailedError)
    assert "`python tools/tables.py` ended with exit code 1" in error.what
    assert words in str(error)
