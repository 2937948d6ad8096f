"""The release directory: changed by whole steps only, whatever kills the process, and nothing in it goes unnoticed."""

from __future__ import annotations

import errno
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from hephaestus.release import files
from hephaestus.release.boundary import BoundaryFault, arm
from hephaestus.release.directory import STAGES, ReleaseDirectory
from hephaestus.release.files import NotWritableError
from hephaestus.release.receipts import Receipt, ReceiptError

# A forked child only passes boundaries and dies; from 3.12 on Python warns of forks where other tests run threads.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")

BUILD = {"dist/p-1-py3-none-any.whl": b"wheel", "dist/p-1.tar.gz": b"sdist", "SHA256SUMS": b"sums"}
REBUILD = {"dist/p-1-py3-none-any.whl": b"other wheel", "dist/p-1-py3-none-linux.whl": b"new", "SHA256SUMS": b"SUMS"}
SIGN = {
    **{f"bundles/{Path(name).name}.sigstore.json": b"bundle of " + content for name, content in BUILD.items()},
    **{f"attestations/{Path(name).name}.publish.attestation": content for name, content in BUILD.items()},
}


def receipt_of(stage: str, *, key: str = "0") -> Receipt:
    return Receipt(
        stage=stage, world="rehearsal", project="p", version="1", commit="c" * 40, dirty=False,
        key=f"sha256:{key * 64}", started="2026-01-02T03:04:05Z", seconds=1.0,
    )  # fmt: skip


def commit(directory: ReleaseDirectory, stage: str, outputs: dict[str, bytes], *, key: str = "0") -> Receipt:
    with directory.staging(stage) as staging:
        for name, content in outputs.items():
            staging.path(name).write_bytes(content)
        return directory.commit(staging, receipt_of(stage, key=key))


def tree(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def killed(action: Callable[[], object], *, at: int) -> bool:
    """Whether a forked child that does ``action`` was killed at boundary ``at`` (False: it ended before)."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            arm(BoundaryFault(kill_at=at))
            action()
            code = 0
        finally:
            os._exit(code)
    status = os.waitpid(child, 0)[1]
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0
    return False


def every_kill(
    tmp_path: Path, before: Callable[[ReleaseDirectory], object], action: Callable[[ReleaseDirectory], object]
) -> int:
    """Kill ``action`` at every boundary: after recovery the directory is as before or as after; returns how many."""
    pattern = ReleaseDirectory(path=tmp_path / "before")
    pattern.path.mkdir()
    before(pattern)
    old = tree(pattern.path)
    shutil.copytree(pattern.path, tmp_path / "after")
    action(ReleaseDirectory(path=tmp_path / "after"))
    new = tree(tmp_path / "after")
    assert new != old
    reached = set()
    for at in range(1, 200):
        directory = ReleaseDirectory(path=tmp_path / f"killed-{at}")
        shutil.copytree(pattern.path, directory.path)
        if not killed(lambda directory=directory: action(directory), at=at):  # type: ignore[misc]
            assert reached == {"old", "new"}
            return at - 1
        directory.recover()
        found = tree(directory.path)
        assert found in (old, new), f"killed at {at}"
        reached.add("old" if found == old else "new")
        assert directory.damage() == []
        assert directory.recover() == []
        action(directory)
        assert tree(directory.path) == new
    raise AssertionError("the action never ends")


@needs_fork
def test_a_first_build_killed_anywhere_is_all_or_nothing(tmp_path: Path) -> None:
    """SIGKILL at every boundary of a build into an empty directory."""
    assert every_kill(tmp_path, lambda _: None, lambda directory: commit(directory, "build", BUILD)) > 8


@needs_fork
def test_a_second_build_killed_anywhere_is_all_or_nothing(tmp_path: Path) -> None:
    """SIGKILL at every boundary of a build that replaces, adds and removes files."""
    every_kill(
        tmp_path,
        lambda directory: commit(directory, "build", BUILD),
        lambda directory: commit(directory, "build", REBUILD, key="1"),
    )


@needs_fork
def test_signing_killed_anywhere_is_all_or_nothing(tmp_path: Path) -> None:
    """SIGKILL at every boundary of a stage with two folders of outputs, beside those of another stage."""
    every_kill(
        tmp_path,
        lambda directory: commit(directory, "build", BUILD),
        lambda directory: commit(directory, "sign", SIGN),
    )


@needs_fork
def test_killed_again_while_recovering(tmp_path: Path) -> None:
    """A recovery may itself be killed at every boundary; the next one ends the same."""
    after = ReleaseDirectory(path=tmp_path / "after")
    after.path.mkdir()
    commit(after, "build", BUILD)
    new = tree(after.path)
    half = ReleaseDirectory(path=tmp_path / "half")
    half.path.mkdir()
    # The first rename is that of the receipt within the staging folder: the point of no return; two boundaries on,
    # one output is in its place and the others are not.
    names = trace(tmp_path, lambda: commit(half_copy(half, "traced"), "build", BUILD))
    at = 1 + max(number for number, name in enumerate(names) if name.startswith("rename p-1.tar.gz"))
    assert killed(lambda: commit(half, "build", BUILD), at=at)
    for again in range(1, 50):
        directory = half_copy(half, f"again-{again}")
        if not killed(directory.recover, at=again):
            break
        directory.recover()
        assert tree(directory.path) == new
    else:
        raise AssertionError("the recovery never ends")
    assert again > 3


def half_copy(half: ReleaseDirectory, name: str) -> ReleaseDirectory:
    return ReleaseDirectory(path=Path(shutil.copytree(half.path, half.path.parent / name)))


def trace(tmp_path: Path, action: Callable[[], object]) -> list[str]:
    arm(BoundaryFault(trace=tmp_path / "trace"))
    try:
        action()
    finally:
        arm(None)
    return [line.partition(" ")[2] for line in (tmp_path / "trace").read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def directory(tmp_path: Path) -> ReleaseDirectory:
    made = ReleaseDirectory(path=tmp_path / "1")
    made.path.mkdir()
    commit(made, "build", BUILD)
    return made


def full(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_disk_full_before_the_end_leaves_all_as_it_was(
    directory: ReleaseDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that fills up before the receipt is written leaves the former outputs and no rest."""
    before = tree(directory.path)
    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(NotWritableError, match="cannot be written"):
        commit(directory, "build", REBUILD)
    monkeypatch.undo()
    assert tree(directory.path) == before
    assert directory.recover() == []


def test_a_stage_whose_outputs_do_not_fit_says_so(directory: ReleaseDirectory) -> None:
    """A stage that writes into its staging folder while the disk is full ends in an error with a way on."""
    before = tree(directory.path)

    def stage() -> None:
        with directory.staging("sign") as staging:
            staging.path("bundles/a").write_bytes(b"")
            full()

    with pytest.raises(NotWritableError) as raised:
        stage()
    assert "disk is full" in raised.value.why
    assert tree(directory.path) == before


def test_other_errors_of_a_stage_are_its_own(directory: ReleaseDirectory) -> None:
    """Only errors of writing are told as such; a file that is not found stays what it is."""

    def stage() -> None:
        with directory.staging("sign"):
            (directory.path / "nothing").read_bytes()

    with pytest.raises(FileNotFoundError):
        stage()
    assert not (directory.path / ".staged").exists()


@pytest.mark.parametrize("after", range(4))
def test_a_rename_that_fails_is_finished_by_the_next_run(
    directory: ReleaseDirectory, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    """Past the point of no return a failing rename loses nothing: recovery puts the rest into place."""
    rename, seen = Path.replace, []

    def fail(path: Path, target: Path) -> Path:
        seen.append(path)
        # The receipt's own replacement within the staging folder comes first.
        if len(seen) == after + 2:
            full()
        return rename(path, target)

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(NotWritableError):
        commit(directory, "build", REBUILD, key="1")
    monkeypatch.undo()
    assert directory.recover() == ["build: an interrupted run had finished its work; it is now in place"]
    assert {name: content for name, content in tree(directory.path).items() if "receipts" not in name} == REBUILD
    assert directory.damage() == []


def codes(directory: ReleaseDirectory) -> dict[str, str]:
    return {finding.subject: finding.code for finding in directory.damage()}


WHEEL = "dist/p-1-py3-none-any.whl"


def test_what_receipts_say_is_whole(directory: ReleaseDirectory) -> None:
    """Files as recorded, with a summary beside them, are no damage."""
    (directory.path / "summary.json").write_text("{}", encoding="utf-8")
    assert codes(directory) == {}
    assert set(directory.manifest()) == set(BUILD)


def test_every_kind_of_damage_is_named(directory: ReleaseDirectory, tmp_path: Path) -> None:
    """Foreign, changed, missing, linked and hard-linked files, and linked folders: each by name and kind."""
    (directory.path / "dist" / "foreign.whl").write_bytes(b"x")
    (directory.path / "notes.txt").write_bytes(b"x")
    (directory.path / "SHA256SUMS.sig").write_bytes(b"x")
    (directory.path / "receipts" / "invented.json").write_bytes(b"{}")
    (directory.path / WHEEL).write_bytes(b"WHEEL")
    (directory.path / "dist" / "p-1.tar.gz").unlink()
    (directory.path / "elsewhere").symlink_to(tmp_path)
    (tmp_path / "sums").write_bytes(BUILD["SHA256SUMS"])
    (directory.path / "SHA256SUMS").unlink()
    (directory.path / "SHA256SUMS").symlink_to(tmp_path / "sums")
    assert codes(directory) == {
        "dist/foreign.whl": "foreign",
        "notes.txt": "foreign",
        "SHA256SUMS.sig": "foreign",
        "receipts/invented.json": "foreign",
        WHEEL: "changed",
        "dist/p-1.tar.gz": "missing",
        "elsewhere": "foreign",
        "SHA256SUMS": "linked",
    }


def test_a_hard_link_is_no_file_of_its_own(directory: ReleaseDirectory, tmp_path: Path) -> None:
    """A file with a second name could be changed from outside without a trace."""
    os.link(directory.path / WHEEL, tmp_path / "second-name")
    assert codes(directory) == {WHEEL: "linked"}


def test_one_flipped_bit_is_noticed(directory: ReleaseDirectory) -> None:
    """The smallest change of a file is damage."""
    path = directory.path / WHEEL
    content = bytearray(path.read_bytes())
    content[0] ^= 1
    path.write_bytes(content)
    assert codes(directory) == {WHEEL: "changed"}


def test_only_the_files_asked_for_are_looked_at(directory: ReleaseDirectory) -> None:
    """A gate that needs some files is not stopped by others."""
    (directory.path / "dist" / "p-1.tar.gz").unlink()
    manifest = directory.manifest()
    assert directory.damage(of={WHEEL: manifest[WHEEL]}) == []
    assert [finding.code for finding in directory.damage(of=manifest)] == ["missing"]


def test_files_of_a_stage_without_receipt_are_nobodys(directory: ReleaseDirectory) -> None:
    """Without sign's receipt the signatures are not foreign: sign looks at them again. Build's own are unharmed."""
    commit(directory, "sign", SIGN)
    (directory.path / "receipts" / "sign.json").unlink()
    assert codes(directory) == {}
    assert set(directory.manifest()) == set(BUILD)


def test_a_name_that_only_begins_like_a_stages_file_is_foreign(directory: ReleaseDirectory) -> None:
    """Without build's receipt SHA256SUMS is nobody's, but SHA256SUMS.evil is foreign."""
    (directory.path / "receipts" / "build.json").unlink()
    (directory.path / "SHA256SUMS.evil").write_bytes(b"x")
    assert codes(directory) == {"SHA256SUMS.evil": "foreign"}


def test_a_later_stage_cannot_claim_an_earlier_ones_file(directory: ReleaseDirectory) -> None:
    """Two receipts that disagree about a file prove nothing, so they are refused."""
    with directory.staging("check") as staging:
        staging.path(WHEEL).write_bytes(b"mine")
        directory.commit(staging, receipt_of("check"))
    with pytest.raises(ReceiptError, match=r"claims dist/p-1-py3-none-any\.whl"):
        directory.manifest()


def test_a_receipt_under_another_stages_name_is_refused(directory: ReleaseDirectory) -> None:
    """Copying a receipt does not make a stage done."""
    shutil.copyfile(directory.path / "receipts" / "build.json", directory.path / "receipts" / "check.json")
    with pytest.raises(ReceiptError, match="is the receipt of build"):
        directory.receipt("check")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]"])
def test_an_unreadable_receipt_is_refused_by_name(directory: ReleaseDirectory, content: bytes) -> None:
    """An empty, truncated, binary or wrong receipt is an error that names the file and the way on."""
    (directory.path / "receipts" / "build.json").write_bytes(content)
    with pytest.raises(ReceiptError, match=r"receipts/build\.json") as raised:
        directory.receipt("build")
    assert "run the stage again" in raised.value.next_step


def test_receipts_come_in_the_order_of_the_chain(directory: ReleaseDirectory) -> None:
    """Whatever order stages ran in, their receipts are listed in the chain's."""
    for stage in ("verify", "check", "sign"):
        commit(directory, stage, {})
    assert list(directory.receipts()) == [stage for stage in STAGES if stage in {"build", "verify", "check", "sign"}]


def test_an_abandoned_stage_leaves_nothing(directory: ReleaseDirectory) -> None:
    """Ending a staging block without commit is as if it had not begun."""
    before = tree(directory.path)
    with directory.staging("sign") as staging:
        staging.path("bundles/a").write_bytes(b"x")
    assert tree(directory.path) == before
    assert not (directory.path / ".staged").exists()


def test_temporary_files_of_a_killed_run_are_swept(directory: ReleaseDirectory) -> None:
    """What a kill left of an unfinished write is no damage, and gone after recovery."""
    leftover = directory.path / "receipts" / f"{files.TEMPORARY_PREFIX}0123"
    leftover.write_bytes(b"half")
    assert codes(directory) == {}
    directory.recover()
    assert not leftover.exists()
