"""Runs that are killed, starved of space or cut off: nothing half-installed, the cache whole, the same completes."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from consumer.shop import ARCHIVE, NEED, TINY, Shop, installed, packed, sha256, wheels

from hephaestus.consumer.cache import MARKER, Unpacked
from hephaestus.standins.http import Request, Response

BOTH = {"need": "1.0", "tiny-project": "1.2.3"}
STEM = ARCHIVE.removesuffix(".tar.gz")
KEPT = sorted([ARCHIVE, STEM, *(f"{STEM}/{name}" for name in (MARKER, "requirements.txt", *wheels()))])

#: What has just changed something; at the others the state is the same as at one of these (`nox -s crash` tries all).
TELLING = ("private", "downloaded", "unpacked", "installed", "renamed")
#: Read before the shop takes every variable of ours away.
EVERY = os.environ.get("HEPHAESTUS_EVERY_BOUNDARY") == "1"


@dataclass
class Forker:
    """The program that runs the command in children."""

    process: subprocess.Popen[str]
    said: str = ""

    def run(
        self, argv: list[str], *, kill: int | None = None, space: int | None = None, trace: Path | None = None
    ) -> int:
        """The exit status of one run."""
        request = {"argv": argv, "kill": kill, "space": space, "trace": trace and str(trace)}
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        status, self.said = json.loads(self.process.stdout.readline())
        return int(status)


@pytest.fixture
def forker(shop: Shop) -> Iterator[Forker]:
    """One, ended with the test."""
    root = Path(__file__).resolve().parents[2]
    environ = {**os.environ, "PYTHONPATH": str(root / "src")}
    words = [sys.executable, str(Path(__file__).with_name("forked.py"))]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environ) as process:
        yield Forker(process=process)
        assert process.stdin is not None
        process.stdin.close()


def whole(shop: Shop) -> None:
    """What is in the cache at its place is whole: the archive, and wheels that are what their marker says."""
    archive, folder = shop.cache / ARCHIVE, shop.cache / STEM
    if archive.exists():
        assert archive.read_bytes() == packed(wheels())
    if folder.exists():
        unpacked = Unpacked.found(folder)
        assert unpacked is not None
        assert unpacked.intact


def test_killed_at_any_boundary_the_same_command_completes(shop: Shop, venv: Path, forker: Forker) -> None:
    """SIGKILL between any two effects: cache whole or empty, nothing or everything installed; then it goes through."""
    shop.release(shop.assets(packed(wheels())))
    trace = shop.folder / "trace"
    argv = shop.words("--python", venv)
    assert forker.run(argv, trace=trace) == 0, forker.said
    boundaries = trace.read_text().splitlines()
    assert len(boundaries) > 10, boundaries
    site = next(venv.parents[1].glob("lib/python*/site-packages"))
    for number, boundary in enumerate(boundaries, start=1):
        if not (EVERY or boundary.split()[1] in TELLING):
            continue
        shutil.rmtree(shop.cache)
        for path in [*site.glob("tiny_project*"), *site.glob("need*")]:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        assert forker.run(argv, kill=number) == -9, boundary
        whole(shop)
        assert installed(venv) in ({}, BOTH), boundary
        assert forker.run(argv) == 0, forker.said
        assert (installed(venv), shop.left()) == (BOTH, KEPT), boundary


@pytest.mark.parametrize("space", [50, 3_000, 200_000])
def test_where_space_runs_out_nothing_is_installed(shop: Shop, venv: Path, forker: Forker, space: int) -> None:
    """Too little for the list, for the bundle, for the archive: one sentence, and the same command completes."""
    heavy = replace(TINY, files={"tiny_data.txt": os.urandom(120_000).hex()})
    shop.release(shop.assets(packed(wheels(heavy, NEED))))
    argv = shop.words("--python", venv)
    assert forker.run(argv, space=space) == 1, forker.said
    assert "cannot" in forker.said
    assert "Traceback" not in forker.said
    assert (installed(venv), shop.left()) == ({}, []), forker.said
    assert forker.run(argv) == 0, forker.said
    assert installed(venv) == BOTH


def test_a_reset_connection_is_tried_again(shop: Shop) -> None:
    """The storage resets the connection twice: it is asked again, and the archive arrives."""
    shop.release(shop.assets())
    cuts = ["reset", "reset"]

    def cut(request: Request) -> Response | None:
        return Response(wire="reset") if request.path.startswith("/objects/") and cuts and cuts.pop() else None

    shop.before = cut
    assert shop.install("--download-only").code == 0
    assert cuts == []


def test_a_connection_cut_in_the_middle_is_gone_on_with_by_this_run_and_the_next(shop: Shop) -> None:
    """Cut at half of what is left, each time, until the patience ends; the same command then fetches the rest only."""
    archive = packed({**wheels(), "data.bin": os.urandom(1 << 16)})
    shop.release(shop.assets(archive))
    asked: list[int] = []
    cutting = True

    def cut(request: Request) -> Response | None:
        if not request.path.startswith("/objects/") or shop.downloads()[-1] != ARCHIVE:
            return None
        asked.append(int(request.headers.get("range", "bytes=0-").removeprefix("bytes=").rstrip("-")))
        answer = shop.github.handle(request)
        return replace(answer, wire="cut") if cutting else answer

    shop.before = cut
    done = shop.install("--download-only")
    assert (done.code, len(asked)) == (1, 3), done
    assert shop.left() == [
        ".hephaestus-rest",
        *(f".hephaestus-rest/{sha256(archive)}.part{end}" for end in ("", ".etag")),
    ]
    cutting = False
    assert shop.install("--download-only").code == 0
    whole = len(archive)
    assert asked == [arrived(whole, attempts) for attempts in range(4)]
    assert (shop.cache / ARCHIVE).read_bytes() == archive
    assert not (shop.cache / ".hephaestus-rest").exists()


def arrived(size: int, attempts: int) -> int:
    """How many bytes have arrived after so many attempts, each cut at half of what it was to bring."""
    done = 0
    for _ in range(attempts):
        done += (size - done) // 2
    return done


@pytest.mark.parametrize("mode", [0o700, 0o777])
def test_what_an_earlier_run_has_fetched_is_gone_on_with(shop: Shop, mode: int) -> None:
    """Half of the archive lies there with its ETag: only the rest is asked for; not from a folder others write to."""
    archive = packed(wheels())
    shop.release(shop.assets(archive))
    half = len(archive) // 2
    rests = shop.cache / ".hephaestus-rest"
    rests.mkdir(parents=True)
    rests.chmod(mode)
    (rests / f"{sha256(archive)}.part").write_bytes(archive[:half])
    (rests / f"{sha256(archive)}.part.etag").write_text('"one"')
    if mode == 0o700:
        (rests / "of-another-file.part").write_bytes(b"x")
    asked: list[str | None] = []

    def storage(request: Request) -> Response | None:
        if not request.path.startswith("/objects/") or shop.downloads()[-1] != ARCHIVE:
            return None
        asked.append(request.headers.get("range"))
        if "range" not in request.headers:
            return Response(body=archive, headers={"ETag": '"one"'})
        span = f"bytes {half}-{len(archive) - 1}/{len(archive)}"
        return Response(status=206, body=archive[half:], headers={"ETag": '"one"', "Content-Range": span})

    shop.before = storage
    done = shop.install("--download-only")
    assert (done.code, asked) == (0, [f"bytes={half}-" if mode == 0o700 else None]), done
    assert (shop.cache / ARCHIVE).read_bytes() == archive
    if mode == 0o700:
        assert shop.left() == KEPT


@pytest.mark.parametrize("answer", [Response(wire="reset"), Response(status=503), Response(status=502)])
def test_patience_has_an_end(shop: Shop, answer: Response) -> None:
    """So many attempts as --max-retries says, the first included; then one sentence, and nothing is left."""
    shop.release(shop.assets())
    shop.before = lambda _request: answer
    done = shop.install("--download-only", "--max-retries", "2")
    assert (done.code, len(shop.requests), shop.left()) == (1, 2, []), done
    assert "Traceback" not in done.err


def test_an_interrupt_leaves_nothing_behind(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the middle of the download: no private folder, no part of a file, exit code other than 0."""
    shop.release(shop.assets())

    monkeypatch.setattr("hephaestus.services.transfer.Arrival._write", raise_interrupt)
    done = shop.install("--download-only")
    assert done.code != 0
    assert shop.left() == []


@pytest.mark.parametrize(
    "where",
    [
        "hephaestus.release.extraction._Reading._unpack_one",
        "hephaestus.consumer.cache.place",
        "hephaestus.consumer.cache.tempfile.mkdtemp",
        "hephaestus.consumer.from_github.pinned_requirements",
    ],
)
def test_a_full_disk_is_one_sentence_wherever_it_strikes(
    shop: Shop, venv: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """While unpacking, renaming, making the private folder, writing the requirements: the same command completes."""
    shop.release(shop.assets())

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(shop.cache / "x"))

    with monkeypatch.context() as patch:
        patch.setattr(where, full)
        done = shop.install("--python", venv)
    assert (done.code, "No space left on device" in done.err) == (1, True), done
    whole(shop)
    assert shop.install("--python", venv).code == 0
    assert (installed(venv), shop.left()) == (BOTH, KEPT)


def raise_interrupt(*_: object) -> None:
    """What Ctrl-C does."""
    raise KeyboardInterrupt
