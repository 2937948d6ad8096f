"""check: real tools over distributions and signatures, good and bad."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from stages.conftest import plain_world
from stages.releases import PROJECT, SDIST, WHEEL, Spoilt, build, put, sdist, signatures, signing_world, wheel
from stages.standins import edit_receipt, forget

from hephaestus.release.config import CheckConfig
from hephaestus.release.errors import GateRefused
from hephaestus.stages.check import CheckFailed, CheckStage
from hephaestus.stages.runner import Outcome, run_stage
from hephaestus.stages.stage import Context
from hephaestus.standins.http import Listener, Request, Response
from hephaestus.standins.sigstore import Serving
from hephaestus.toolchain.process import Completed
from hephaestus.worlds.world import DirtyPolicy

MakeContext = Callable[..., Context]
MakeRelease = Callable[..., Context]


@pytest.fixture
def release(
    commit: Callable[..., Path], context_of: MakeContext, standin_sigstore: Serving, empty_index: str, tmp_path: Path
) -> MakeRelease:
    """Make a project with distributions built and signed, each spoilt as asked; returns the context of check."""

    def make(
        *,
        files: dict[str, str] | None = None,
        wheel_spoilt: Spoilt | None = None,
        sdist_spoilt: Spoilt | None = None,
        simple: str = empty_index,
    ) -> Context:
        project = {**PROJECT, **(files or {})}
        root = commit(project)
        world = signing_world(plain_world(tmp_path, simple=simple), standin_sigstore)
        context = context_of(root, lock="check", world=world)
        made = dict([wheel(wheel_spoilt or Spoilt(), tmp_path), sdist(sdist_spoilt or Spoilt(), project)])
        build(context, made)
        put(context.directory, "sign", signatures(context.directory, standin_sigstore))
        return context

    return make


def check(context: Context) -> Outcome:
    return run_stage(CheckStage(), context, recorder=context.environment)  # type: ignore[arg-type]


def test_a_good_release_passes_with_its_evidence(release: MakeRelease) -> None:
    """A whole release passes the real tools, and the receipt holds sizes, log indexes and the first publication."""
    outcome = check(release())
    assert outcome.receipt is not None
    evidence = outcome.receipt.evidence
    assert evidence["findings"] == []
    assert set(evidence["sizes"]) == {WHEEL, SDIST}
    assert len(evidence["signatures"]) == 5
    assert evidence["publication"]["state"] == "first release"


def kept(context: Context) -> dict[str, Any]:
    """The evidence as it is read back from the receipt."""
    receipt = context.directory.receipt("check")
    assert receipt is not None
    return dict(receipt.evidence)


def refusal(context: Context) -> CheckFailed:
    with pytest.raises(CheckFailed) as raised:
        check(context)
    return raised.value


def test_everything_wrong_is_shown_at_once(release: MakeRelease) -> None:
    """Errors of the tools, the rules, the sdist and the signatures come in one message, warnings after them."""
    context = release(
        wheel_spoilt=Spoilt(
            fields={"Description-Content-Type": "text/x-rst", "Classifier": ["No :: Such"]},
            description="Title\n=====\n\n.. nosuch::\n",
            files={"tests/__init__.py": ""},
        ),
        sdist_spoilt=Spoilt(files={".env": "TOKEN=1\n", "notes.txt": "x\n"}, fields={"Classifier": ["No :: Such"]}),
    )
    signed = context.directory.receipt("sign")
    assert signed is not None
    files = {path: (context.directory.path / path).read_bytes() for path in signed.outputs}
    forged = {f"bundles/{SDIST}.sigstore.json": files["bundles/SHA256SUMS.sigstore.json"]}
    put(context.directory, "sign", {**files, **forged})
    failure = refusal(context)
    codes = {finding.code for finding in failure.errors}
    assert codes >= {
        "bundle-invalid",
        "classifier-unknown",
        "description-rendering",
        "private-file",
        "sdist-unclean",
        "top-level-stray",
        "wheel-contents-w005",
    }
    assert {finding.code for finding in failure.warnings} == {"sdist-added"}
    kinds = [detail.partition(":")[0] for detail in failure.details]
    assert kinds == sorted(kinds)
    assert all(finding.remedy for finding in (*failure.errors, *failure.warnings)), failure
    assert context.directory.receipt("check") is None


def test_warnings_alone_stop_nothing_and_are_kept(release: MakeRelease) -> None:
    """What the sdist leaves out, adds and rewrites is told and recorded, and the release goes on."""
    context = release(
        files={"docs/a.md": "x\n", "docs/b.md": "x\n", "scripts/run.sh": "x\n", ".github/ci.yml": "x\n"},
        sdist_spoilt=Spoilt(
            left_out=["docs/a.md", "docs/b.md", ".github/ci.yml"],
            files={"generated.txt": "x\n", "setup.cfg": "x\n", "tiny_project.egg-info/SOURCES.txt": "x\n"},
            changed={"scripts/run.sh": "y\n"},
        ),
    )
    outcome = check(context)
    assert outcome.receipt is not None
    assert {finding.code: finding.message for finding in outcome.warnings} == {
        "sdist-added": "one file that the commit does not have: generated.txt",
        "sdist-changed": "one file with other bytes than in the commit: scripts/run.sh",
        "sdist-left-out": "2 files of the commit not in it: docs/",
    }
    assert {finding["code"] for finding in outcome.receipt.evidence["findings"]} == {
        finding.code for finding in outcome.warnings
    }
    compared = kept(context)["sdists"][SDIST]
    assert compared["left_out"] == [".github/ci.yml", "docs/a.md", "docs/b.md"]


def test_the_same_release_is_not_checked_twice(release: MakeRelease) -> None:
    """The second run skips; another setting of check runs it again."""
    context = release()
    assert check(context).state == "done"
    assert check(context).state == "skipped"
    config = replace(context.project.config, check=CheckConfig(size_budget=10**6))
    changed = replace(context, project=replace(context.project, config=config))
    assert check(changed).state == "done"


def test_a_check_of_wheel_contents_can_be_waived(release: MakeRelease) -> None:
    """``check.ignore`` takes the codes of check-wheel-contents, which are then no finding."""
    context = release(
        files={
            "pyproject.toml": PROJECT["pyproject.toml"] + '\n[tool.hephaestus.release]\ncheck = { ignore = ["W004"] }\n'
        },
        wheel_spoilt=Spoilt(files={"tiny_project/my-part/__init__.py": "x = 1\n"}),
    )
    assert check(context).warnings == ()


@pytest.mark.parametrize("gone", ["build", "sign"])
def test_nothing_is_checked_before_it_is_built_and_signed(release: MakeRelease, gone: str) -> None:
    """Without the receipt of build or sign the gates refuse and name the command; no tool runs."""
    context = release()
    (context.directory.path / "receipts" / f"{gone}.json").unlink()
    with pytest.raises(GateRefused) as raised:
        check(context)
    assert f"nox -s {gone}" in str(raised.value)
    assert context.environment.commands == []  # type: ignore[attr-defined]


def test_signatures_of_a_former_build_are_stale(release: MakeRelease, tmp_path: Path) -> None:
    """Built again after signing: the signatures are of other bytes, which the gate says."""
    context = release()
    build(context, dict([wheel(Spoilt(files={"tiny_project/new.py": ""}), tmp_path), sdist(Spoilt(), PROJECT)]))
    with pytest.raises(GateRefused) as raised:
        check(context)
    assert {finding.code for finding in raised.value.findings} == {"stale-receipt"}


def test_an_sdist_of_another_commit_is_not_compared(release: MakeRelease) -> None:
    """Away from the commit that was built there is nothing to compare with, which is a warning."""
    context = release()
    assert context.source is not None
    elsewhere = replace(context, source=replace(context.source, commit="f" * 40))
    (warning,) = check(elsewhere).warnings
    assert warning.code == "sdist-not-compared"
    assert "here is ffffffffffff" in warning.message


@pytest.mark.parametrize("claim", [{"tree": "e" * 40}, {"tree": "e" * 40, "dirty": True}])
def test_an_sdist_to_be_published_is_compared_or_refused(release: MakeRelease, claim: dict[str, Any]) -> None:
    """A back end of ill will could have the receipt of build tell of another tree: not compared is then not checked."""
    context = release()
    policy = replace(context.world.policy, dirty=DirtyPolicy.REFUSE)
    context = replace(context, world=replace(context.world, policy=policy))
    assert check(context).warnings == ()
    forget(context.directory, "check")
    evidence = {"source": {"tree": claim["tree"]}}
    edit_receipt(context.directory, "build", evidence=evidence, dirty=claim.get("dirty", False))
    with pytest.raises(CheckFailed) as raised:
        check(context)
    assert [finding.code for finding in raised.value.errors] == ["sdist-not-compared"]


def test_a_tool_that_gives_no_verdict_is_an_error(release: MakeRelease, monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence of a tool, or an exit code without a finding, is never taken for a pass."""
    context = release()

    def silent(argv: list[str], **_: Any) -> Completed:
        names = [f"Checking {word}: PASSED" for word in argv if word.endswith((".whl", ".gz"))]
        text = "\n".join(names) if "twine" in argv else "Segmentation fault"
        return Completed(argv=tuple(argv), code=1, output=text)

    monkeypatch.setattr(context.environment, "run", silent)
    failure = refusal(context)
    assert {(finding.code, finding.subject) for finding in failure.errors} == {
        ("tool-failed", WHEEL),
        ("tool-failed", SDIST),
    }
    assert "Segmentation fault" in str(failure)


PAGE = "application/vnd.pypi.simple.v1+json"


def published(folder: Path, *spoilt: tuple[str, Spoilt], broken: str = "") -> Callable[[Request], Response]:
    """An index with wheels of the tiny project under other versions."""
    files = {}
    for version, one in spoilt:
        name, content = wheel(one, folder)
        files[name.replace("1.2.3", version)] = content

    def answer(request: Request) -> Response:
        if broken:
            return Response(status=503, body=broken.encode())
        name = request.path.rpartition("/")[2]
        if name in files:
            return Response(body=files[name])
        listed = [
            {"filename": name, "url": f"/{name}", "hashes": {"sha256": hashlib.sha256(content).hexdigest()}}
            for name, content in files.items()
        ]
        page = {"meta": {"api-version": "1.1"}, "name": "tiny-project", "files": listed}
        return Response(headers={"Content-Type": PAGE}, body=json.dumps(page).encode())

    return answer


def test_what_changes_against_the_last_publication_is_told(release: MakeRelease, tmp_path: Path) -> None:
    """Dependencies, Python, entry points, files and size are held against the last stable version below ours."""
    before = Spoilt(
        fields={"Requires-Dist": ["a>=1", "b"], "Requires-Python": ">=3.7"}, files={"tiny_project/old.py": "x = 1\n"}
    )
    answer = published(tmp_path, ("1.1.0", before), ("1.0.0", Spoilt()), ("1.2.0rc1", Spoilt()), ("2.0.0", Spoilt()))
    fields = {"Requires-Dist": ["a>=2", "c; python_version < '3.12'"]}
    entry = {"tiny_project-1.2.3.dist-info/entry_points.txt": "[console_scripts]\ntiny = tiny_project:main\n"}
    with Listener(answer) as listener:
        context = release(
            wheel_spoilt=Spoilt(fields=fields, files=entry),
            sdist_spoilt=Spoilt(fields=fields),
            simple=f"{listener.url}/simple/",
        )
        outcome = check(context)
    assert outcome.receipt is not None
    assert outcome.warnings == ()
    publication = kept(context)["publication"]
    assert (publication["state"], publication["version"]) == ("compared", "1.1.0")
    changes = {change["what"]: (change["before"], change["after"]) for change in publication["difference"]["changes"]}
    assert changes == {
        "dependency a": (">=1", ">=2"),
        "dependency b": ("any version", ""),
        'dependency c (python_version < "3.12")': ("", "any version"),
        "requires-python": (">=3.7", ">=3.8"),
        "entry point console_scripts tiny": ("", "tiny_project:main"),
    }
    assert publication["difference"]["files_added"] == ["tiny_project.dist-info/entry_points.txt"]
    assert publication["difference"]["files_removed"] == ["tiny_project/old.py"]
    told = "\n".join(context.narrator.lines)  # type: ignore[attr-defined]
    assert "dependency b: gone (was any version)" in told
    assert "files removed: tiny_project/old.py" in told


def test_an_index_that_does_not_answer_is_only_a_warning(release: MakeRelease) -> None:
    """The comparison is for reading; without it the release goes on, and says that it did."""
    (warning,) = check(release(simple="http://127.0.0.1:9/simple/")).warnings
    assert (warning.code, warning.subject) == ("publication-not-compared", "index pypi")


def test_a_published_wheel_that_is_broken_is_only_a_warning(release: MakeRelease, tmp_path: Path) -> None:
    """What is wrong with the old version is no reason against the new one."""
    with Listener(published(tmp_path, ("1.1.0", Spoilt(keep=50)))) as listener:
        (warning,) = check(release(simple=f"{listener.url}/simple/")).warnings
    assert warning.code == "publication-not-compared"
    assert "tiny_project-1.1.0-py3-none-any.whl" in warning.message
