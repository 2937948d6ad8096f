"""Fresh environments: really fresh, driven by the locked pip, and what is wrong in them is seen."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from stages.served import Thing, installing_world

from hephaestus.release.errors import StageFailed
from hephaestus.stages.installation import FreshEnvironment, Interpreter, check_probe, running_interpreter
from hephaestus.stages.stage import Context
from hephaestus.toolchain.process import Completed
from hephaestus.worlds.world import ChildKind

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def context(commit: Callable[..., Path], context_of: Callable[..., Context], tmp_path: Path) -> Context:
    """A context of smoke's environment, with no index."""
    root = commit({"pyproject.toml": '[project]\nname = "tiny-project"\nversion = "1.2.3"\n'})
    return context_of(root, lock="smoke", world=installing_world(tmp_path, testpypi=NOWHERE, user=NOWHERE))


def test_what_is_missing_in_an_environment_is_seen(context: Context, tmp_path: Path) -> None:
    """A wheel put in without what it needs: pip check and the probe both say so; nothing else is in there."""
    thing = Thing(requires=["need"], code="import need\n")
    wheel = tmp_path / thing.wheel_name
    wheel.write_bytes(thing.wheel())
    fresh = FreshEnvironment.make(context, context.work / "venv", running_interpreter(context))
    env = context.world.children[ChildKind.INSTALLER]
    done, installed = fresh.install(context, ["--no-deps", str(wheel)], env=env, report=tmp_path / "report.json")
    assert done.ok
    assert [(one.name, one.version, one.direct) for one in installed] == [("tiny-project", "1.2.3", True)]
    checked = fresh.check(context)
    assert (checked.ok, "need" in checked.output) == (False, True)
    probed, answer = fresh.probe(context, name="tiny-project")
    assert answer is not None
    assert answer["installed"] == {"tiny-project": "1.2.3"}
    codes = [one.code for one in check_probe(probed, answer, place="here", version="1.2.3", name="tiny-project")]
    assert codes == ["import-fails"]


def test_an_interpreter_that_does_not_work_is_named(context: Context, tmp_path: Path) -> None:
    """An environment that cannot be made is an error with the tool's words."""
    broken = Interpreter(wanted="9.9", executable=str(tmp_path / "no-python"), version="9.9.9", name="CPython")
    with pytest.raises(StageFailed, match="no-python"):
        FreshEnvironment.make(context, context.work / "venv", broken)


def test_a_probe_without_an_answer_is_a_finding() -> None:
    """Silence is not success."""
    done = Completed(argv=("python",), code=139, output="")
    (finding,) = check_probe(done, None, place="here", version="1", name="tiny")
    assert (finding.code, "139" in finding.message) == ("import-crashes", True)


def test_versions_and_missing_files_are_compared() -> None:
    """Metadata of another version, another __version__ and lost files are findings; equal spellings are not."""
    answer = {
        "version": "1.0.1",
        "missing": ["tiny/data.txt"],
        "modules": {"tiny": {"error": "", "version": "1.0"}, "other": {"error": "", "version": "not a version"}},
        "scripts": {},
    }
    done = Completed(argv=("python",), code=0, output="")
    codes = [one.code for one in check_probe(done, answer, place="here", version="1.0.0", name="tiny")]
    assert codes == ["wrong-version", "file-missing", "wrong-version"]
