"""The example files of bad distributions and bad signatures, each through the stage that must refuse it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from examples.collector import BAD, Case, cases, holds
from stages.conftest import plain_world
from stages.releases import IDENTITY, PROJECT, Spoilt, build, put, sdist, signatures, signing_world, wheel

from hephaestus.release.errors import ReleaseError
from hephaestus.stages.build import BuildStage
from hephaestus.stages.check import CheckStage
from hephaestus.stages.runner import run_stage
from hephaestus.stages.sign import SignDistributions
from hephaestus.stages.stage import Context, Stage
from hephaestus.stages.verification import Proof
from hephaestus.standins.sigstore import Serving
from hephaestus.worlds.world import ChildKind, DirtyPolicy, Policy, Sigstore, TagPolicy

MakeContext = Callable[[Case, str], Context]


@pytest.fixture
def made(
    commit: Callable[..., Path],
    context_of: Callable[..., Context],
    standin_sigstore: Serving,
    empty_index: str,
    tmp_path: Path,
) -> MakeContext:
    """The release of a case, built (and for check signed) as the case says; returns the context of ``lock``."""

    def make(case: Case, lock: str) -> Context:
        change = case.change
        project = dict(PROJECT)
        if config := change.get("project", {}).get("config"):
            project["pyproject.toml"] += f"\n[tool.hephaestus.release]\n{config}\n"
        job = change.get("job", {})
        identity = None if job.get("none") else replace(IDENTITY, **job)
        world = signing_world(plain_world(tmp_path, simple=empty_index), standin_sigstore, job=identity)
        cut_off = {"HTTPS_PROXY": change["public"]["proxy"]} if "public" in change else {}
        signer = {**world.children[ChildKind.SIGNER], **job.get("environment", {}), **cut_off}
        world = replace(world, children={**world.children, ChildKind.SIGNER: signer})
        if cut_off:
            world = replace(world, sigstore=Sigstore())
        context = context_of(commit(project), lock=lock, world=world)
        if change.get("release", {}).get("build", True):
            distributions = dict([
                wheel(Spoilt(**change.get("wheel", {})), tmp_path),
                sdist(Spoilt(**change.get("sdist", {})), project),
            ])  # fmt: skip
            build(context, distributions, sums=change.get("sums", {}).get("text"))
        if lock == "check":
            signing = change.get("signing", {})
            who = replace(IDENTITY, **signing.get("identity", {}))
            files = signatures(context.directory, standin_sigstore, identity=who, issuer=signing.get("issuer", ""))
            for spoil in signing.get("spoil", []):
                spoilt(files, spoil)
            put(context.directory, "sign", files)
        for spoil in change.get("release", {}).get("after", []):
            after(context.directory.path, spoil)
        return context

    return make


def spoilt(files: dict[str, bytes], spoil: dict[str, Any]) -> None:
    """Spoil one file of a set, before the receipt is written over it."""
    name = spoil["file"]
    match spoil["how"]:
        case "missing":
            del files[name]
        case "copy":
            files[name] = files[spoil["of"]]
        case "truncate":
            files[name] = files[name][: len(files[name]) // 2]
        case "text":
            files[name] = spoil["text"].encode()
        case "flip":
            content = bytearray(files[name])
            content[len(content) // 2] ^= 1
            files[name] = bytes(content)
        case other:
            raise ValueError(f"no way of spoiling: {other}")


def after(directory: Path, spoil: dict[str, Any]) -> None:
    """Spoil one file in place, behind the receipts' back."""
    path = directory / spoil["file"]
    files = {spoil["file"]: path.read_bytes()} if path.exists() else {}
    spoilt(files, spoil)
    if files:
        path.write_bytes(files[spoil["file"]])
    else:
        path.unlink()


def tree(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def refused(stage: Stage, context: Context) -> ReleaseError:
    """The error of a stage which must refuse, and must leave the release directory as it was."""
    before = tree(context.directory.path)
    with pytest.raises(ReleaseError) as raised:
        run_stage(stage, context, recorder=context.environment)  # type: ignore[arg-type]
    assert tree(context.directory.path) == before
    return raised.value


def believe(_context: Context, proofs: Iterable[Proof]) -> list[dict[str, Any]]:
    """Every signature holds: the answer of the worker, without its second of imports."""
    return [
        {"file": one.file.name, "proof": one.proof.name, "kind": one.kind, "ok": True, "log_index": 1} for one in proofs
    ]


@pytest.mark.parametrize("case", cases("check"), ids=str)
def test_check_refuses(case: Case, made: MakeContext, monkeypatch: pytest.MonkeyPatch) -> None:
    """check names what is wrong in the example, what to do, and leaves the release as it was."""
    if "signing" not in case.change:
        # That good signatures are found good is proved elsewhere, once.
        monkeypatch.setattr("hephaestus.stages.check.verify", believe)
    holds(case, refused(CheckStage(), made(case, "check")))


@pytest.mark.parametrize("case", [case for case in cases("check") if case.change.get("before_signing")], ids=str)
def test_sign_refuses_the_same_before_anything_is_signed(case: Case, made: MakeContext) -> None:
    """What an index would refuse is never signed: sign's gates hold an error about the example too."""
    context = made(case, "sign")
    assert "nothing was sent" in str(refused(SignDistributions(), context))
    assert not [line for line in context.narrator.lines if "sigstore" in line]  # type: ignore[attr-defined]


@pytest.mark.parametrize("case", cases("sign"), ids=str)
def test_sign_refuses(case: Case, made: MakeContext, sigstore_faults: Callable[..., None]) -> None:
    """sign names what is wrong in the example and keeps nothing of the attempt."""
    context = made(case, "sign")
    sigstore_faults(*case.change.get("faults", ()))
    holds(case, refused(SignDistributions(), context))
    assert not (context.directory.path / "bundles").exists()


@pytest.mark.parametrize("case", cases("build"), ids=str)
def test_build_refuses(
    case: Case, commit: Callable[..., Path], context_of: Callable[..., Context], empty_index: str, tmp_path: Path
) -> None:
    """build names what is wrong in the example and leaves no distribution."""
    project = case.change.get("project", {})
    root = commit(
        {
            **PROJECT,
            "pyproject.toml": f"{PROJECT['pyproject.toml']}\n{project.get('extra', '')}",
            "tiny.py": (Path(__file__).parent / "tiny_backend.py").read_text(encoding="utf-8"),
            ".gitignore": "release/\n",
            **project.get("files", {}),
        }
    )
    for name, text in project.get("later", {}).items():
        (root / name).write_text(text, encoding="utf-8")
    strict = Policy(dirty=DirtyPolicy.REFUSE, tag=TagPolicy.REQUIRED) if case.change.get("strict") else None
    world = plain_world(tmp_path, simple=empty_index, policy=strict)
    context = context_of(root, lock="build", world=world)
    holds(case, refused(BuildStage(), context))
    assert not context.directory.dist.exists()


def test_every_example_is_collected_by_somebody() -> None:
    """Each folder of examples is read by a test that names it, and each example stands in a folder."""
    sources = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parents[1].rglob("test_*.py"))
    for folder in sorted(path for path in BAD.iterdir() if path.is_dir()):
        assert f'cases("{folder.name}"' in sources, f"nobody collects {folder.name}"
    assert not list(BAD.glob("*.toml"))


@pytest.mark.parametrize(
    "text",
    [
        'about = "x"\n',
        'about = "x"\n[expect]\nerror = "E"\n',
        '[expect]\nerror = "E"\nwords = ["w"]\n',
        'about = "x"\n[expect]\nerror = "E"\nwords = ["w"]\ncodes = "typo"\n',
    ],
)
def test_an_example_that_expects_nothing_is_refused(text: str, tmp_path: Path) -> None:
    """An example which could not fail breaks the collection instead."""
    (tmp_path / "x.toml").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"x\.toml"):
        Case.read(tmp_path / "x.toml")
