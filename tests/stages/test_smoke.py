"""Smoke with real pip and real environments, from a small index: what works passes, everything else is named."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import uv
from stages.releases import build, put
from stages.served import BACKEND, ServedIndex, Thing, installing_world

from hephaestus.release.errors import ReleaseError
from hephaestus.release.receipts import Receipt
from hephaestus.stages.installation import Interpreter, Tampered, fitting_wheel, install_finding
from hephaestus.stages.proofs import PASSED_OVER
from hephaestus.stages.runner import run_stage
from hephaestus.stages.smoke import IndexLacksFiles, SmokeFailed, SmokeStage
from hephaestus.stages.smoke_trial import names_version
from hephaestus.stages.stage import Context, Evidence
from hephaestus.standins.http import Listener
from hephaestus.worlds.world import ChildKind, DirtyPolicy, Policy, TagPolicy, TestPyPIPolicy

PYPROJECT = '[project]\nname = "tiny-project"\nversion = "1.2.3"\n[tool.hephaestus.release.smoke]\n'
GOOD = Thing(scripts={"tiny": "tiny_project:main"})


@dataclass
class Clock:
    """Time that passes only while somebody sleeps."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class Bench:
    """Test PyPI, the user's own index, and a release that is built and uploaded."""

    testpypi: ServedIndex
    user: ServedIndex
    make: Callable[..., Context]
    clock: Clock

    def run(self, context: Context) -> Evidence:
        """Gates, which must hold, and the act."""
        stage = SmokeStage(sleep=self.clock.sleep, clock=self.clock)
        assert [finding.line() for finding in stage.gates(context)] == []
        with context.directory.staging("smoke") as staging:
            return stage.act(context, staging)


@pytest.fixture
def bench(commit: Callable[..., Path], context_of: Callable[..., Context], tmp_path: Path) -> Iterator[Bench]:
    """Two indexes that answer, and a maker of contexts for things and settings."""
    testpypi, user = ServedIndex(), ServedIndex()
    with Listener(testpypi) as first, Listener(user) as second:

        def make(
            thing: Thing = GOOD, *, settings: str = "sdist = false", sdist: bytes | None = None, **more: str
        ) -> Context:
            root = commit({"pyproject.toml": PYPROJECT + settings})
            user_url = more.pop("user", second.url)
            world = installing_world(tmp_path, testpypi=first.url, user=user_url, **more)
            context = context_of(root, lock="smoke", world=world)
            files = {thing.wheel_name: thing.wheel(), thing.sdist_name: sdist or thing.sdist()}
            build(context, files)
            put(context.directory, "upload-testpypi", {})
            for name, content in files.items():
                testpypi.put(name, content)
            return context

        yield Bench(testpypi=testpypi, user=user, make=make, clock=Clock())


def test_what_works_passes_with_proof_of_where_it_came_from(bench: Bench) -> None:
    """Wheel, extra and sdist install, ours by URL and hash from the index, needs from the user's own index only."""
    bench.user.put("need-1.0-py3-none-any.whl", Thing(name="need", version="1.0", code="").wheel())
    bench.user.put("old-1.0-py3-none-any.whl", Thing(name="old", version="1.0", code="").wheel())
    bench.user.yanked["old-1.0-py3-none-any.whl"] = "broken"
    squatted = Thing(name="need", version="99.0", code="raise SystemExit('squatted')")
    bench.testpypi.put(squatted.wheel_name, squatted.wheel())
    settings = (
        'extras = ["more"]\nversion-command = "tiny"\n'
        'commands = ["sh -c \'python -c \\"import tiny_project as t, sys; sys.exit(t.__version__ != sys.argv[1])\\" '
        "{version}'\"]"
    )
    context = bench.make(replace(GOOD, requires=["need"], extras={"more": ["old==1.0"]}), settings=settings)
    evidence = bench.run(context)
    (python,) = evidence.data["pythons"].values()
    wheel = context.directory.manifest()["dist/tiny_project-1.2.3-py3-none-any.whl"].removeprefix("sha256:")
    assert set(python) == {"wheel", "wheel[more]", "sdist"}
    assert python["wheel"]["origin"] == "{testpypi}/files/tiny_project-1.2.3-py3-none-any.whl"
    assert python["wheel"]["sha256"] == wheel
    assert python["sdist"]["origin"] == "{testpypi}/files/tiny_project-1.2.3.tar.gz"
    assert python["wheel"]["installed"] == {"need": "1.0", "tiny-project": "1.2.3"}
    assert python["wheel[more]"]["installed"] == {"need": "1.0", "old": "1.0", "tiny-project": "1.2.3"}
    assert python["wheel"]["scripts"] == ["tiny"]
    assert [(one.code, one.subject.split(" on ")[0]) for one in evidence.warnings] == [("yanked", "old 1.0")]
    assert "/simple/need/" not in bench.testpypi.seen


def test_everything_that_is_wrong_is_said_at_once(bench: Bench) -> None:
    """Import, version, scripts, commands and the sdist's build are all tried, and all their faults are listed."""
    thing = replace(
        GOOD,
        code='__version__ = "1.2.4"\nbroken = 3\n',
        files={"tiny_extra/__init__.py": "import no_such_module\n"},
        scripts={"dead": "tiny_project:nothing", "number": "tiny_project:broken"},
    )
    settings = 'commands = ["python -c \'raise SystemExit(3)\'", "no-such-program"]\n'
    settings += 'version-command = "python -c \'print(\\"tiny 1.2.30\\")\'"'
    sdist = thing.sdist(backend="raise RuntimeError('no compiler')\n")
    with pytest.raises(SmokeFailed) as caught:
        bench.run(bench.make(thing, settings=settings, sdist=sdist))
    found = {(finding.code, finding.subject.split(" on ")[0]) for finding in caught.value.findings}
    assert found == {
        ("import-fails", "tiny_extra"),
        ("wrong-version", "tiny_project.__version__"),
        ("dead-script", "dead"),
        ("dead-script", "number"),
        ("command-fails", "`python -c 'raise SystemExit(3)'`"),
        ("command-fails", "`no-such-program`"),
        ("command-fails", "`python -c 'print(\"tiny 1.2.30\")'`"),
        ("sdist-build", "tiny_project-1.2.3.tar.gz"),
    }
    assert "No module named 'no_such_module' (tiny_extra/__init__.py:1)" in str(caught.value)
    assert "RuntimeError: no compiler" in str(caught.value)
    assert "must not reach PyPI" in str(caught.value)


def test_code_that_ends_the_process_is_a_finding(bench: Bench) -> None:
    """A module which calls os._exit on import cannot take the answer away unseen."""
    with pytest.raises(SmokeFailed) as caught:
        bench.run(bench.make(replace(GOOD, code="import os\nprint('{}', flush=True)\nos._exit(0)\n")))
    assert [finding.code for finding in caught.value.findings] == ["import-crashes"]


def test_a_missing_dependency_is_named(bench: Bench) -> None:
    """A requirement that no index has is a finding with its name, and Test PyPI's copy of it is no help."""
    bench.testpypi.put("need-1.0-py3-none-any.whl", Thing(name="need", version="1.0").wheel())
    with pytest.raises(SmokeFailed) as caught:
        bench.run(bench.make(replace(GOOD, requires=["need>=1"])))
    (finding,) = caught.value.findings
    assert finding.code == "dependency-missing"
    assert finding.subject.startswith("need>=1")


def test_a_dependency_out_of_test_pypi_is_refused(bench: Bench) -> None:
    """When the user's pip also reads Test PyPI, the report shows it and the release stops."""
    squatted = Thing(name="need", version="99.0", code="")
    bench.testpypi.put(squatted.wheel_name, squatted.wheel())
    context = bench.make(replace(GOOD, requires=["need"]))
    installer = dict(context.world.children[ChildKind.INSTALLER])
    installer["PIP_EXTRA_INDEX_URL"] = context.world.indexes["testpypi"].simple_url
    world = replace(context.world, children={**context.world.children, ChildKind.INSTALLER: installer})
    with pytest.raises(SmokeFailed) as caught:
        bench.run(replace(context, world=world))
    assert [(one.code, one.subject.split(" on ")[0]) for one in caught.value.findings] == [
        ("dependency-confusion", "need 99.0")
    ]


def test_wrong_bytes_behind_the_right_digest_are_tampering(bench: Bench) -> None:
    """pip's hash check fails for our file: never promote, and nothing of it has run."""
    context = bench.make()
    right = bench.testpypi.files[GOOD.wheel_name]
    changed = replace(GOOD, code="raise SystemExit('tampered')").wheel()
    bench.testpypi.files[GOOD.wheel_name] = changed
    import hashlib

    bench.testpypi.pretended[GOOD.wheel_name] = hashlib.sha256(right).hexdigest()
    with pytest.raises(Tampered, match="do not promote"):
        bench.run(context)


def test_a_wrong_digest_on_the_page_is_tampering_before_anything_is_installed(bench: Bench) -> None:
    """Another digest than ours on the index ends the stage at once, without a file being fetched."""
    context = bench.make()
    bench.testpypi.files[GOOD.wheel_name] = replace(GOOD, code="").wheel()
    with pytest.raises(Tampered, match=r"tiny_project-1\.2\.3-py3-none-any\.whl"):
        bench.run(context)
    assert not [path for path in bench.testpypi.seen if path.startswith("/files/")]
    assert bench.clock.now == 0


def test_the_receipt_names_no_place_of_this_machine(bench: Bench, tmp_path: Path) -> None:
    """Through the runner: the receipt proves origin and hash without a port or a path, and a second run skips."""
    context = bench.make(settings="sdist = true")
    stage = SmokeStage(sleep=bench.clock.sleep, clock=bench.clock)
    outcome = run_stage(stage, context, recorder=context.environment)  # type: ignore[arg-type]
    assert outcome.receipt is not None
    text = outcome.receipt.render()
    for place in (str(tmp_path), "127.0.0.1", str(Path.home() / ".cache")):
        assert place not in text
    assert run_stage(stage, context, recorder=context.environment).state == "skipped"  # type: ignore[arg-type]


def test_lag_is_waited_for(bench: Bench) -> None:
    """Files that show up later are no failure; the wait is said and polls as the policy says."""
    context = bench.make()
    bench.testpypi.hidden = 3
    bench.run(context)
    assert bench.clock.now == 3 * context.world.policy.poll_seconds
    assert any("waiting for testpypi" in line for line in context.narrator.lines)  # type: ignore[attr-defined]


@pytest.mark.parametrize(("api", "state", "word"), [(True, "LAGGING", "cache"), (False, "ABSENT", "upload")])
def test_what_never_shows_up_is_told_apart(bench: Bench, api: bool, state: str, word: str) -> None:
    """After the budget an old cached page is told from an upload that did not arrive."""
    context = bench.make()
    bench.testpypi.hidden, bench.testpypi.known_to_api = 10**6, api
    with pytest.raises(IndexLacksFiles, match=word) as caught:
        bench.run(context)
    assert caught.value.state == {"LAGGING": "published, not yet propagated", "ABSENT": "absent"}[state]
    assert bench.clock.now == context.world.policy.propagation_seconds


def test_a_file_that_goes_out_of_sight_again_is_lag(bench: Bench) -> None:
    """Another node of the cache may answer the next request with an old page: said as such, never a traceback."""
    context = bench.make()
    bench.testpypi.blink = 2
    with pytest.raises(IndexLacksFiles, match="not yet propagated"):
        bench.run(context)


def test_uv_makes_the_same_environments(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """With uv on PATH the environment is made by it, and what is proven is the same."""
    context = bench.make()
    path = f"{Path(uv.find_uv_bin()).parent}:{context.world.children[ChildKind.INSTALLER]['PATH']}"
    children = {kind: {**env, "PATH": path} for kind, env in context.world.children.items()}
    evidence = bench.run(replace(context, world=replace(context.world, children=children)))
    (python,) = evidence.data["pythons"].values()
    assert python["wheel"]["installed"] == {"tiny-project": "1.2.3"}
    assert any("> uv venv" in line for line in context.narrator.lines)  # type: ignore[attr-defined]


def test_the_gates_name_every_missing_python_and_extra(bench: Bench) -> None:
    """Pythons this machine does not have are named together; an extra the wheel lacks is one, too."""
    context = bench.make(settings='pythons = ["3.99", "4.5"]')
    (finding,) = SmokeStage().gates(context)
    assert finding.subject == "Python 3.99, 4.5"
    context = bench.make(settings=f'extras = ["nope"]\npythons = ["{sys.version_info[0]}.{sys.version_info[1]}"]')
    assert [(one.code, one.subject) for one in SmokeStage().gates(context)] == [("extra-unknown", "nope")]


def test_without_a_receipt_nothing_is_tried(commit: Callable[..., Path], context_of: Callable[..., Context]) -> None:
    """The gates ask for build and upload-testpypi."""
    context = context_of(commit({"pyproject.toml": PYPROJECT}), lock="smoke")
    assert {finding.subject for finding in SmokeStage().gates(context)} == {"build", "upload-testpypi"}


@pytest.mark.parametrize(
    ("state", "policy", "exempt"),
    [
        (PASSED_OVER, TestPyPIPolicy.OPTIONAL, True),
        (PASSED_OVER, TestPyPIPolicy.REQUIRED, False),
        ("complete", TestPyPIPolicy.OPTIONAL, False),
    ],
)
def test_only_an_optional_index_that_was_down_exempts(
    bench: Bench, state: str, policy: TestPyPIPolicy, exempt: bool
) -> None:
    """Exempt needs both: the policy's leave and the upload's word, for these very bytes."""
    context = bench.make()
    receipt = context.directory.receipt("upload-testpypi")
    assert receipt is not None
    _rewrite(context, replace(receipt, evidence={"state": state}))
    allowed = Policy(dirty=DirtyPolicy.LABEL, tag=TagPolicy.ASSUMED, testpypi=policy)
    context = replace(context, world=replace(context.world, policy=allowed))
    assert bool(SmokeStage().exempt(context)) is exempt
    other = dict.fromkeys(receipt.inputs, f"sha256:{'1' * 64}")
    _rewrite(context, replace(receipt, evidence={"state": state}, inputs=other))
    assert SmokeStage().exempt(context) == ""


def _rewrite(context: Context, receipt: Receipt) -> None:
    path = context.directory.path / "receipts" / f"{receipt.stage}.json"
    path.write_text(receipt.render(), encoding="utf-8")


def test_the_key_changes_with_files_and_settings(bench: Bench) -> None:
    """Another wheel or another setting is another input."""
    first = SmokeStage().inputs(bench.make())
    assert first != SmokeStage().inputs(bench.make(settings='commands = ["tiny"]'))
    assert first.files != SmokeStage().inputs(bench.make(replace(GOOD, code=""))).files


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("tiny 1.2.3", True),
        ("v1.2.3.", True),
        ("tiny, version 1.2.3 (Python 3.11)", True),
        ("1.2.30", False),
        ("11.2.3", False),
        ("1.2.3.1", False),
        ("1.2.3rc1", False),
        ("1.2.3-rc1", False),
        ("1.2.3+local", False),
        ("0.1.2.3", False),
        ("", False),
    ],
)
def test_only_the_exact_version_is_named(text: str, named: bool) -> None:
    """A version is not named by one that merely begins or ends like it."""
    assert names_version(text, "1.2.3") is named


def test_a_version_may_be_named_in_its_normal_form() -> None:
    """1.0-rc.1 in the project is 1.0rc1 to every tool."""
    assert names_version("tiny 1.0rc1", "1.0-rc.1")


def test_the_wheel_that_fits_best_is_taken() -> None:
    """An interpreter gets its own wheel before the pure one, and none that is for another system."""
    python = Interpreter(wanted="", executable="", version="3.11.7", name="CPython")
    pure, foreign = "a-1-py3-none-any.whl", "a-1-cp311-cp311-win32.whl"
    assert fitting_wheel([pure, foreign, "a-1-cp311-none-any.whl", "a-1.tar.gz"], python) == "a-1-cp311-none-any.whl"
    assert fitting_wheel([pure, "a-1-cp312-none-any.whl"], python) == pure
    assert fitting_wheel([foreign], python) is None


@pytest.mark.parametrize(
    ("output", "code", "subject"),
    [
        (
            "ERROR: Package 'need' requires a different Python: 3.11.7 not in '>=3.14'",
            "python-unsupported",
            "need on here",
        ),
        (
            "ERROR: Could not find a version that satisfies the requirement need (from versions: none)\n"
            "ERROR: No matching distribution found for need",
            "dependency-missing",
            "need on here",
        ),
        (
            "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE. If\n"
            "    need from http://i/need-1.whl (from tiny @ http://i/x):\n        Expected sha256 00\n"
            "             Got        11\n",
            "dependency-hash",
            "need from http://i/need-1.whl on here",
        ),
        (
            "ERROR: Cannot install a==1 and b==2 because these package versions have conflicting dependencies.",
            "dependency-conflict",
            "a==1 and b==2 on here",
        ),
        ("ERROR: a-1-cp39-cp39-win32.whl is not a supported wheel on this platform.", "wheel-unsupported",
         "a-1-cp39-cp39-win32.whl on here"),
        ("error: metadata-generation-failed", "build-fails", "x on here"),
        ("something else", "install-fails", "x on here"),
        ("", "install-fails", "x on here"),
    ],
)  # fmt: skip
def test_pips_words_are_understood(output: str, code: str, subject: str) -> None:
    """Each way pip fails has its own code; what is not understood is passed on in pip's words."""
    finding = install_finding(output, place="here", name="x")
    assert (finding.code, finding.subject) == (code, subject)


def test_errors_are_release_errors() -> None:
    """Every failure of smoke is one a person can act on."""
    for kind in (SmokeFailed, IndexLacksFiles, Tampered):
        assert issubclass(kind, ReleaseError)
    assert "build_wheel" in BACKEND
