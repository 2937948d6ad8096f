"""Hostile and damaged releases through the real command: each is refused by name, and nothing of it is left or used."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from consumer.shop import ARCHIVE, NEED, TAG, TINY, Done, Shop, packed, sha256, wheels
from stages.releases import IDENTITY
from stages.served import Thing

from hephaestus.consumer.cache import MARKER
from hephaestus.consumer.wheels import pinned_requirements
from hephaestus.standins.http import Request, Response

WHEEL = TINY.wheel_name


def tar(*members: tuple[str, bytes, dict[str, object]]) -> bytes:
    """A .tar.gz of any members, by Python's own tarfile."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, content, fields in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            for field, value in fields.items():
                setattr(info, field, value)
            archive.addfile(info, io.BytesIO(content))
    return gzip.compress(buffer.getvalue(), mtime=0)


def refused(shop: Shop, *words: object) -> Done:
    """The command ends with 1, in words, and leaves no archive, no wheels, no private folder, no installation."""
    done = shop.install(*words)
    assert done.code == 1, done
    assert done.out == ""
    assert "next:" in done.err
    assert "Traceback" not in done.err
    assert shop.left() == []
    return done


GOOD = wheels()
LINK: dict[str, object] = {"linkname": "/etc/passwd"}
HOSTILE = {
    "traversal": (tar(("../evil.whl", b"x", {})), "evil"),
    "absolute": (tar(("/tmp/evil.whl", b"x", {})), "evil"),
    "folder": (tar(("a/evil.whl", b"x", {})), "evil"),
    "symlink": (tar((WHEEL, b"", {"type": tarfile.SYMTYPE, **LINK})), "symbolic link"),
    "hardlink": (tar((WHEEL, b"", {"type": tarfile.LNKTYPE, **LINK})), "hard link"),
    "device": (tar((WHEEL, b"", {"type": tarfile.CHRTYPE})), "a device"),
    "pipe": (tar((WHEEL, b"", {"type": tarfile.FIFOTYPE})), "a pipe"),
    "duplicate": (tar((WHEEL, b"x", {}), (WHEEL, b"y", {})), "stands in it twice"),
    "case twin": (tar((WHEEL, b"x", {}), (WHEEL.title(), b"x", {})), "only in case"),
    "trailing": (packed(GOOD) + b"more", "data follows"),
    "second stream": (packed(GOOD) + packed(GOOD), "data follows"),
    "cut": (packed(GOOD)[:-20], "cut short"),
    "no gzip": (b"hello", "not a gzip file"),
    "no wheel": (packed({"readme.txt": b"hello"}, listed=False), "holds no wheel"),
    "no wheel's name": (packed({"evil.whl": b"x"}, listed=False), "named like no wheel"),
    "another wheel than listed": (
        packed({**GOOD, "requirements.txt": f"need==1.0 --hash=sha256:{'0' * 64}\n".encode()}, listed=False),
        "not in its own list",
    ),
    "a wheel less than listed": (
        packed({**GOOD, "requirements.txt": b"".join(
            f"x==1 --hash=sha256:{digest}\n".encode()
            for digest in ["0" * 64, *(sha256(content) for content in GOOD.values())]
        )}, listed=False),
        "which no wheel in it has",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_is_no_flat_archive_of_its_own_wheels_is_refused(shop: Shop, kind: str) -> None:
    """Rightly signed and listed all the same: the archive itself is hostile or wrong."""
    archive, said = HOSTILE[kind]
    shop.release(shop.assets(archive))
    done = refused(shop, "--download-only")
    assert said in done.err
    assert not Path("/tmp/evil.whl").exists()
    assert not list(shop.folder.rglob("evil.whl"))


def test_a_bomb_is_refused(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """What unpacks to more than a wheelhouse can be is stopped on the way."""
    from hephaestus.release import extraction

    limits = extraction.Limits(total_size=1 << 20)
    monkeypatch.setattr("hephaestus.release.extraction.Limits", lambda: limits)
    shop.release(shop.assets(tar((WHEEL, bytes(5 << 20), {}))))
    assert "unpacks to more than" in refused(shop, "--download-only").err


def flipped(content: bytes, at: int) -> bytes:
    """One bit of one byte turned."""
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


@pytest.mark.parametrize("place", [0.0, 0.3, 0.99])
def test_one_flipped_byte_of_the_archive_is_refused(shop: Shop, place: float) -> None:
    """Behind the digests, the storage serves another byte: it is thrown away on arrival."""
    archive = packed(wheels())
    shop.release(shop.assets(archive))
    shop.served(ARCHIVE).write_bytes(flipped(archive, int(place * len(archive))))
    assert "its SHA-256 is" in refused(shop, "--download-only").err


@pytest.mark.parametrize("stored", [b"", b"longer than it was"])
def test_another_size_is_refused(shop: Shop, stored: bytes) -> None:
    """Fewer or more bytes than GitHub itself says the asset has."""
    archive = packed(wheels())
    shop.release(shop.assets(archive))
    shop.served(ARCHIVE).write_bytes(archive + stored if stored else archive[:-1])
    assert "its size is" in refused(shop, "--download-only").err


def test_a_flipped_byte_in_checksum_and_archive_alike_is_refused_by_the_signature(shop: Shop) -> None:
    """Whoever can replace the assets can replace the list beside them: only the signature tells."""
    archive = packed(wheels())
    changed = packed({**wheels(), "evil-1.0-py3-none-any.whl": NEED.wheel()})
    shop.release(shop.assets(changed, bundle=shop.bundle(archive)))
    done = refused(shop, "--download-only")
    assert "is not what" in done.err
    assert "FAIL" in done.err


@pytest.mark.parametrize(
    "identity",
    [
        replace(IDENTITY, repository="evil/r"),
        replace(IDENTITY, workflow="other.yml"),
        replace(IDENTITY, ref="refs/heads/main"),
        replace(IDENTITY, ref="refs/tags/v1.2.2"),
    ],
    ids=["repository", "workflow", "branch", "tag"],
)
def test_a_signature_of_somebody_else_is_refused(shop: Shop, identity: object) -> None:
    """A valid signature by another repository, workflow, branch or tag proves nothing about this release."""
    archive = packed(wheels())
    shop.release(shop.assets(archive, bundle=shop.bundle(archive, identity=identity)))  # type: ignore[arg-type]
    assert "FAIL" in refused(shop, "--download-only").err


LISTS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "conflicting second line": (
        lambda archive: f"{sha256(archive)}  {ARCHIVE}\n{'0' * 64}  {ARCHIVE}\n".encode(),
        "listed twice with different digests",
    ),
    "another digest": (lambda _: f"{'0' * 64}  {ARCHIVE}\n".encode(), "not the same everywhere"),
    "another name": (lambda archive: f"{sha256(archive)}  other.tar.gz\n".encode(), "has no checksum"),
    "no digest": (lambda _: f"hello  {ARCHIVE}\n".encode(), "line 1: is not `<64 hex digits>  <name>`"),
    "nothing": (lambda _: b"# nothing\n", "names no file"),
    "a path": (lambda archive: f"{sha256(archive)}  ../{ARCHIVE}\n".encode(), "leaves the folder"),
    "no text": (lambda _: b"\xff\xfe\x00", "is not `<64 hex digits>  <name>`"),
}


@pytest.mark.parametrize("kind", LISTS)
def test_a_list_that_says_two_things_or_nothing_is_refused(shop: Shop, kind: str) -> None:
    """Before the archive is fetched: it must be listed once, under its name, with one digest."""
    make, said = LISTS[kind]
    archive = packed(wheels())
    shop.release(shop.assets(archive, sums=make(archive)))
    assert said in refused(shop, "--download-only").err
    assert ARCHIVE not in shop.downloads()


def test_the_lists_of_a_release_must_agree(shop: Shop) -> None:
    """SHA256SUMS beside the archive's own checksum: both are read, and a wheel in it is held against it too."""
    archive = packed(wheels())
    files = shop.assets(archive)
    shop.release({**files, "SHA256SUMS": f"{'0' * 64}  {ARCHIVE}\n".encode()})
    assert "SHA256SUMS says" in refused(shop, "--download-only").err
    listed = f"{'0' * 64}  {WHEEL}\n{sha256(archive)}  {ARCHIVE}\n".encode()
    shop.release({**shop.assets(archive, name=ARCHIVE, bundle=None), "SHA256SUMS": listed}, tag="v1.2.4")
    done = refused(shop, "--download-only", "--tag", "v1.2.4", "--allow-unsigned")
    assert f"{WHEEL}: its SHA-256 is not the same everywhere" in done.err


@pytest.mark.parametrize(("lacking", "said"), [("bundle", "no Sigstore bundle"), ("sums", "no checksum")])
def test_what_lacks_a_proof_is_refused_and_says_how_to_go_on(shop: Shop, lacking: str, said: str) -> None:
    """Releases of old have no bundle: refused, with the option that accepts them and the one that names another."""
    shop.release(shop.assets(**{lacking: None}))
    done = refused(shop, "--download-only")
    assert said in done.err
    assert "--allow-unsigned" in done.err
    assert "--tag" in done.err


def test_allowing_the_unsigned_says_aloud_what_is_not_proven(shop: Shop) -> None:
    """Neither list nor bundle: taken as asked, each lack is a warning and an ABSENT line."""
    shop.release(shop.assets(sums=None, bundle=None))
    done = shop.install("--download-only", "--allow-unsigned", "--json")
    assert done.code == 0, done
    absent = [check["subject"] for check in done.data["checks"] if check["state"] == "ABSENT"]
    assert absent == [f"checksum of {ARCHIVE}", f"Sigstore bundle of {ARCHIVE}"]
    assert done.err.count("not proven, accepted because of --allow-unsigned") == 2


def test_where_nothing_can_verify_nothing_is_verified(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the extra nor an environment to be had: refused with the command that helps; said aloud when allowed."""
    from hephaestus.consumer.trust import Trust, VerificationUnavailable

    def unavailable(*_: object) -> None:
        raise VerificationUnavailable(reason="no network")

    monkeypatch.setattr(Trust, "verify", unavailable)
    shop.release(shop.assets())
    assert "[verify]" in refused(shop, "--download-only").err
    done = shop.install("--download-only", "--allow-unsigned", "--json")
    assert done.code == 0, done
    assert [check["subject"] for check in done.data["checks"] if check["state"] == "ABSENT"] == [
        f"verified signature of {ARCHIVE}"
    ]
    assert "signatures cannot be verified: no network" in done.err


def test_a_list_or_bundle_of_endless_size_is_not_fetched(shop: Shop) -> None:
    """No list of checksums has megabytes: it is refused by the size GitHub states."""
    shop.release(shop.assets(sums=b"#" * (5 << 20)))
    assert "is larger than" in refused(shop, "--download-only").err
    assert shop.downloads() == []


@pytest.mark.parametrize("name", ["tiny-1.2.3.zip", "con.tar.gz", "tiny~1.tar.gz"])
def test_an_archive_of_another_kind_or_an_unfit_name_is_refused(shop: Shop, name: str) -> None:
    """Chosen by a pattern of the user's: no gzip by name, a device of Windows, characters that mean something."""
    sent = name.replace("~", "-")  # with the other nothing is uploaded: GitHub itself would change it
    shop.release(shop.assets(name=sent))

    def named(request: Request) -> Response | None:
        answer = shop.github.handle(request)
        return replace(answer, body=answer.body.replace(sent.encode(), name.encode()))

    shop.before = named
    done = refused(shop, "--download-only", "--asset-pattern", name)
    assert name in done.err


def test_allowing_the_unsigned_does_not_allow_the_wrongly_signed(shop: Shop) -> None:
    """A bundle that is there and does not hold is refused whatever was allowed."""
    archive = packed(wheels())
    shop.release(shop.assets(archive, bundle=shop.bundle(b"other bytes")))
    assert "FAIL" in refused(shop, "--download-only", "--allow-unsigned").err


def test_an_old_bundle_name_is_found_too(shop: Shop) -> None:
    """`.sigstore` is looked for where there is no `.sigstore.json`."""
    archive = packed(wheels())
    files = shop.assets(archive)
    files[f"{ARCHIVE}.sigstore"] = files.pop(f"{ARCHIVE}.sigstore.json")
    shop.release(files)
    done = shop.install("--download-only", "--tag", TAG)
    assert done.code == 0, done
    assert f"{ARCHIVE}.sigstore" in shop.downloads()


@pytest.mark.parametrize("kind", ["list", "bundle"])
def test_a_proof_whose_name_leads_elsewhere_is_refused(shop: Shop, tmp_path: Path, kind: str) -> None:
    """GitHub's answer names the list or the bundle with a path: nothing is written outside of the private folder."""
    outside = tmp_path / "outside"
    outside.mkdir()
    was = f"{ARCHIVE}.sha256" if kind == "list" else f"{ARCHIVE}.sigstore.json"
    evil = f"{outside}/x-wheelhouse.{'sha256' if kind == 'list' else 'sigstore.json'}"
    shop.release(shop.assets())

    def renamed(request: Request) -> Response | None:
        answer = (
            shop.github.handle(request) if "/releases/" in request.path and "/assets/" not in request.path else None
        )
        return answer and replace(answer, body=answer.body.replace(f'"{was}"'.encode(), json.dumps(evil).encode()))

    shop.before = renamed
    assert evil in refused(shop, "--download-only", "--tag", "v1.2.3").err
    assert list(outside.iterdir()) == []


def test_another_release_than_the_one_asked_for_is_refused(shop: Shop) -> None:
    """Asked for v1.2.3, GitHub answers with v1.0.0, rightly signed at its own tag: the old is not the new."""
    old = packed(wheels())
    identity = replace(IDENTITY, ref="refs/tags/v1.0.0")
    shop.release(shop.assets(old, bundle=shop.bundle(old, identity=identity)), tag="v1.0.0")

    def instead(request: Request) -> Response | None:
        if request.path.endswith("/releases/tags/v1.2.3"):
            return shop.github.handle(replace(request, path=request.path.replace("v1.2.3", "v1.0.0")))
        return None

    shop.before = instead
    assert "v1.0.0" in refused(shop, "--download-only", "--tag", "v1.2.3").err


def test_wheels_in_the_cache_are_held_against_the_archive(shop: Shop, pip_venv: Path) -> None:
    """Other wheels lie unpacked in the cache, with a marker that claims they are the archive's: the archive decides."""
    archive = packed(wheels())
    shop.release(shop.assets(archive))
    assert shop.install("--download-only").code == 0
    folder = shop.cache / ARCHIVE.removesuffix(".tar.gz")
    evil = Thing(name="need", version="1.0", code="NEEDED = 'evil'\n")
    (folder / evil.wheel_name).write_bytes(evil.wheel())
    marker = json.loads((folder / MARKER).read_text())
    marker["members"][evil.wheel_name] = f"sha256:{sha256(evil.wheel())}"
    listing = pinned_requirements({name: value for name, value in marker["members"].items() if name.endswith(".whl")})
    (folder / "requirements.txt").write_text(listing)
    marker["members"]["requirements.txt"] = f"sha256:{sha256(listing.encode())}"
    (folder / MARKER).write_text(json.dumps(marker))
    done = shop.install("--python", pip_venv)
    assert done.code == 0, done
    code = next(pip_venv.parents[1].glob("lib/python*/site-packages/need*.py")).read_text()
    assert code == NEED.code
    assert (folder / evil.wheel_name).read_bytes() == NEED.wheel()
