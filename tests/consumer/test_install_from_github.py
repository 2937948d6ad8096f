"""``hephaestus release install`` from a GitHub Release: what is proven is installed with no network, and kept."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest
from consumer.shop import ARCHIVE, NEED, TAG, TINY, Shop, installed, packed, sha256, wheels
from stages.releases import IDENTITY
from stages.served import Thing

from hephaestus.consumer.cache import MARKER
from hephaestus.consumer.installers import without_network

BOTH = {"need": "1.0", "tiny-project": "1.2.3"}
STEM = ARCHIVE.removesuffix(".tar.gz")
KEPT = sorted([ARCHIVE, STEM, *(f"{STEM}/{name}" for name in (MARKER, "requirements.txt", *wheels()))])


@pytest.mark.parametrize("kind", ["pip", "uv"])
def test_a_release_is_proven_installed_and_kept(shop: Shop, kind: str, request: pytest.FixtureRequest) -> None:
    """By the Python's own pip, or by uv where it has none: both wheels are in, archive and wheels in the cache."""
    python = request.getfixturevalue("pip_venv" if kind == "pip" else "venv")
    shop.release(shop.assets())
    done = shop.install("--python", python, "--json")
    assert (done.code, installed(python)) == (0, BOTH), done
    assert shop.left() == KEPT
    told = done.data
    assert (told["schema"], told["state"], told["place"], told["release"]) == (1, "installed", "o/r", TAG)
    assert {check["state"] for check in told["checks"]} == {"PASS"}
    assert [(one["name"], one["version"]) for one in told["installed"]] == sorted(BOTH.items())
    assert {one["sha256"] for one in told["installed"]} == {sha256(content) for content in wheels().values()}
    assert told["files"][0]["path"] == str(shop.cache / ARCHIVE)
    assert told["warnings"] == []
    # Each switch by itself: the environment keeps pip and uv from indexes as well.
    (command,) = [line for line in done.err.splitlines() if line.startswith("  > ")]
    for words in ("--no-index", "--require-hashes", "--only-binary :all:", "--find-links", "-r"):
        assert f" {words} " in command, command


def test_nothing_is_taken_from_anywhere_else(shop: Shop, pip_venv: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dependency that the archive lacks is not fetched from an index the user has configured: it is an error."""
    shop.release(shop.assets(packed(wheels(TINY))))
    monkeypatch.setenv("PIP_INDEX_URL", f"{shop.url}/simple/")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", f"{shop.url}/more/")
    done = shop.install("--python", pip_venv)
    assert (done.code, installed(pip_venv)) == (1, {}), done
    assert "need" in done.err
    assert "Traceback" not in done.err
    assert not [request.path for request in shop.requests if request.path.startswith(("/simple", "/more"))]
    # Verified is verified: what could not be installed need not be fetched again.
    assert shop.left() == sorted(
        {ARCHIVE, STEM, *(f"{STEM}/{name}" for name in (MARKER, "requirements.txt", TINY.wheel_name))}
    )


def test_no_index_of_the_environment_reaches_the_installer() -> None:
    """Indexes, proxies and configuration files are taken away; pip and uv are told to use none."""
    given = {
        "PATH": "/bin",
        "PIP_INDEX_URL": "https://x",
        "UV_EXTRA_INDEX_URL": "https://x",
        "https_proxy": "http://x",
        "ALL_PROXY": "http://x",
        "PIP_CONFIG_FILE": "/home/me/pip.conf",
    }
    env = without_network(given)
    assert set(env) == {"PATH", "PIP_NO_INDEX", "PIP_CONFIG_FILE", "UV_OFFLINE", "UV_NO_CONFIG"}
    assert (env["PIP_NO_INDEX"], env["PIP_CONFIG_FILE"], env["UV_OFFLINE"]) == ("1", os.devnull, "1")


@pytest.mark.parametrize("kind", ["pip", "uv"])
def test_what_is_there_in_the_same_version_is_left_and_said(
    shop: Shop, kind: str, request: pytest.FixtureRequest
) -> None:
    """Installed a second time: nothing changes, and it is said that what is there was not proven just now."""
    python = request.getfixturevalue("pip_venv" if kind == "pip" else "venv")
    shop.release(shop.assets())
    assert shop.install("--python", python).code == 0
    done = shop.install("--python", python, "--json")
    assert (done.code, done.data["installed"]) == (0, []), done
    assert "need, tiny-project: installed in that version already" in done.data["warnings"][0]


def test_the_cache_is_used_again(shop: Shop, venv: Path) -> None:
    """The second run fetches list and bundle only, verifies again, and installs the same."""
    shop.release(shop.assets())
    assert shop.install("--download-only").code == 0
    assert ARCHIVE in shop.downloads()
    shop.requests.clear()
    done = shop.install("--python", venv, "--json")
    assert (done.code, installed(venv)) == (0, BOTH), done
    assert shop.downloads() == [f"{ARCHIVE}.sha256", f"{ARCHIVE}.sigstore.json"]
    assert done.data["files"][0]["reused"] is True
    assert shop.left() == KEPT


@pytest.mark.parametrize("damage", ["changed", "removed", "added", "linked", "marker"])
def test_unpacked_wheels_that_were_touched_are_unpacked_again(shop: Shop, venv: Path, damage: str) -> None:
    """The kept wheels are held against their digests before they are used."""
    shop.release(shop.assets())
    assert shop.install("--download-only").code == 0
    folder = shop.cache / STEM
    wheel = folder / NEED.wheel_name
    if damage == "changed":
        wheel.write_bytes(Thing(name="need", version="1.0", code="evil = 1\n").wheel())
    elif damage == "removed":
        wheel.unlink()
    elif damage == "added":
        (folder / "evil-1.0-py3-none-any.whl").write_bytes(b"x")
    elif damage == "linked":
        wheel.rename(shop.folder / "elsewhere")
        wheel.symlink_to(shop.folder / "elsewhere")
    else:
        marker = json.loads((folder / MARKER).read_text())
        marker["members"][NEED.wheel_name] = f"sha256:{'0' * 64}"
        (folder / MARKER).write_text(json.dumps(marker))
    done = shop.install("--python", venv)
    assert (done.code, installed(venv), shop.left()) == (0, BOTH, KEPT), done
    assert wheel.read_bytes() == NEED.wheel()


def test_a_cache_that_somebody_has_prepared_gets_nothing_installed(shop: Shop, venv: Path) -> None:
    """Wheels and marker that agree with each other and name the very archive: installed is what the archive holds."""
    archive = packed(wheels())
    shop.release(shop.assets(archive))
    evil = Thing(name="need", version="1.0", code="evil = 1\n").wheel()
    folder = shop.cache / STEM
    folder.mkdir(parents=True)
    members = {NEED.wheel_name: evil, TINY.wheel_name: TINY.wheel()}
    for name, content in members.items():
        (folder / name).write_bytes(content)
    digests = {name: f"sha256:{sha256(content)}" for name, content in members.items()}
    marker = {"schema": 1, "archive": ARCHIVE, "sha256": sha256(archive), "members": digests}
    (folder / MARKER).write_text(json.dumps(marker))
    (shop.cache / ARCHIVE).write_bytes(archive)
    done = shop.install("--python", venv)
    assert (done.code, installed(venv), shop.left()) == (0, BOTH, KEPT), done
    (module,) = venv.parents[1].glob("lib/python*/site-packages/need.py")
    assert module.read_text() == NEED.code
    assert (folder / NEED.wheel_name).read_bytes() == NEED.wheel()


def test_other_bytes_in_the_cache_are_replaced_only_when_told(shop: Shop) -> None:
    """An earlier download of other bytes is an error that names --overwrite, which replaces archive and wheels."""
    shop.release(shop.assets())
    assert shop.install("--download-only").code == 0
    other = packed(wheels(TINY, replace(NEED, version="1.1")))
    shop.release(shop.assets(other), tag="v1.2.4")
    refused = shop.install("--download-only", "--tag", "v1.2.4")
    # The signature is for v1.2.3; the cache is looked at before, so that nothing large is fetched in vain.
    assert refused.code == 1
    assert "with other bytes" in refused.err
    assert "--overwrite" in refused.err
    assert shop.left() == KEPT
    done = shop.install("--download-only", "--tag", "v1.2.4", "--overwrite", "--workflow", "publish-pypi.yml")
    assert done.code == 1
    assert "FAIL" in done.err
    assert shop.left() == KEPT


def test_overwrite_replaces_what_we_made(shop: Shop) -> None:
    """Damaged archive, wheels of another archive: with --overwrite both are the release's afterwards."""
    archive = packed(wheels())
    shop.release(shop.assets(archive))
    assert shop.install("--download-only").code == 0
    marker = json.loads((shop.cache / STEM / MARKER).read_text())
    (shop.cache / STEM / MARKER).write_text(json.dumps({**marker, "sha256": "0" * 64}))
    (shop.cache / ARCHIVE).write_bytes(b"other")
    assert "with other bytes" in shop.install("--download-only").err
    (shop.cache / ARCHIVE).write_bytes(archive)
    assert "of another archive" in shop.install("--download-only").err
    (shop.cache / ARCHIVE).write_bytes(b"other")
    done = shop.install("--download-only", "--overwrite")
    assert (done.code, shop.left()) == (0, KEPT), done
    assert (shop.cache / ARCHIVE).read_bytes() == archive


@pytest.mark.parametrize("options", [[], ["--overwrite"], ["--cleanup"], ["--overwrite", "--cleanup"]])
@pytest.mark.parametrize("kind", ["folder", "link", "file"])
def test_what_we_did_not_make_is_never_removed(shop: Shop, venv: Path, kind: str, options: list[str]) -> None:
    """A person's own folder where the wheels would go is refused before anything is fetched, and stays whole."""
    shop.release(shop.assets())
    mine = shop.folder / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    shop.cache.mkdir()
    place = shop.cache / STEM
    if kind == "folder":
        mine.rename(place)
        mine = place
    elif kind == "link":
        place.symlink_to(mine)
    else:
        place.write_text("a file")
    done = shop.install("--python", venv, *options)
    assert (done.code, installed(venv)) == (1, {}), done
    assert "did not make it" in done.err
    assert ARCHIVE not in shop.downloads()
    assert (mine / "thesis.txt").read_text() == "years of work"
    assert place.exists()


def test_cleanup_and_remove_archive(shop: Shop, venv: Path) -> None:
    """--cleanup removes the wheels, --remove-archive the archive, after success both are gone."""
    shop.release(shop.assets())
    done = shop.install("--python", venv, "--cleanup", "--remove-archive", "--json")
    assert (done.code, installed(venv), shop.left()) == (0, BOTH, []), done
    assert (done.data["folder"], done.data["files"][0]["path"]) == (None, "")


def test_a_failure_cleans_up_but_keeps_the_archive(shop: Shop, venv: Path) -> None:
    """--cleanup counts on failure too, --remove-archive after success only (facts: consumers, section 2)."""
    shop.release(shop.assets(packed(wheels(TINY))))
    done = shop.install("--python", venv, "--cleanup", "--remove-archive")
    assert (done.code, shop.left()) == (1, [ARCHIVE]), done


def test_a_dry_run_writes_nothing(shop: Shop, venv: Path) -> None:
    """It says what would be fetched and held against what, fetches nothing and makes no folder."""
    shop.release(shop.assets())
    done = shop.install("--python", venv, "--dry-run")
    assert (done.code, installed(venv), shop.downloads()) == (0, {}, []), done
    assert not shop.cache.exists()
    assert f"would install {ARCHIVE} from o/r ({TAG})" in done.out


def test_a_dry_run_refuses_what_the_run_would_refuse(shop: Shop, venv: Path) -> None:
    """Without a bundle there is nothing to install."""
    shop.release(shop.assets(bundle=None))
    assert shop.install("--python", venv, "--dry-run").code == 1


def test_the_latest_is_the_newest_stable_release(shop: Shop) -> None:
    """Drafts, flagged pre-releases and those by version alone are passed over, though they are newer."""
    shop.release(shop.assets())
    shop.release(shop.assets(name="tiny-1.2.4-wheelhouse.tar.gz"), tag="v1.2.4", draft=True)
    shop.release(shop.assets(name="tiny-1.3-wheelhouse.tar.gz"), tag="v1.3rc1", prerelease=True)
    shop.release(shop.assets(name="tiny-1.4-wheelhouse.tar.gz"), tag="v1.4rc1")
    done = shop.install("--dry-run", "--download-only", "--json")
    assert (done.code, done.data["release"]) == (0, TAG), done


def test_the_latest_of_one_package_is_never_anothers(shop: Shop, venv: Path) -> None:
    """GitHub's latest release is core's: a package without a prefix, and cli, get their own; core comes by its name."""
    shop.release(shop.assets())
    cli = shop.bundle(packed(wheels()), identity=replace(IDENTITY, ref="refs/tags/cli-v0.1"))
    shop.release(shop.assets(name="cli-0.1-wheelhouse.tar.gz", bundle=cli), tag="cli-v0.1")
    core = shop.bundle(packed(wheels()), identity=replace(IDENTITY, ref="refs/tags/core-v2.0.0"))
    shop.release(shop.assets(name="core-2.0.0-wheelhouse.tar.gz", bundle=core), tag="core-v2.0.0")
    shop.release(shop.assets(name="core-2.1rc1-wheelhouse.tar.gz"), tag="core-v2.1rc1")
    latest = shop.github._store.repository.latest
    shop.github._store.repository.latest = shop.github._store.repository.published(TAG).id  # type: ignore[union-attr]
    done = shop.install("--download-only", "--dry-run", "--json", "--tag-prefix", "core-")
    assert (done.code, done.data["release"]) == (0, "core-v2.0.0"), done
    shop.github._store.repository.latest = latest
    for words, release in (
        ([], TAG),
        (["--tag-prefix", "core-"], "core-v2.0.0"),
        (["--tag", "core-v2.0.0"], "core-v2.0.0"),
        (["--tag-prefix", "cli-"], "cli-v0.1"),
    ):
        done = shop.install("--download-only", "--json", *words)
        assert (done.code, done.data["release"]) == (0, release), done
        assert {check["state"] for check in done.data["checks"]} == {"PASS"}
    done = shop.install("--python", venv, "--tag-prefix", "core-")
    assert (done.code, installed(venv)) == (0, BOTH), done


def test_a_release_signed_at_the_tag_of_another_package_is_refused(shop: Shop) -> None:
    """The identity is pinned to the package's tag: the same version of the package without a prefix is no proof."""
    shop.release(shop.assets(), tag="core-v1.2.3")  # signed at v1.2.3
    done = shop.install("--download-only", "--tag", "core-v1.2.3")
    assert done.code == 1
    assert "core-v1.2.3" in done.err


def test_a_release_of_one_package_is_verified_at_its_own_tag(shop: Shop) -> None:
    """A candidate of core must be flagged as one; an archive that was signed at cli's tag proves nothing of core."""
    core, cli = (
        shop.bundle(packed(wheels()), identity=replace(IDENTITY, ref=f"refs/tags/{tag}"))
        for tag in ("core-v2.0rc1", "cli-v2.0rc1")
    )
    shop.release(shop.assets(name="core-2.0rc1-wheelhouse.tar.gz", bundle=core), tag="core-v2.0rc1", prerelease=True)
    done = shop.verify("--tag", "core-v2.0rc1")
    assert "PASS   github    release core-v2.0rc1: published" in done.out, done
    assert "PASS   signature bundle of core-2.0rc1-wheelhouse.tar.gz: signed by" in done.out, done
    shop.release(shop.assets(name="core-2.0rc2-wheelhouse.tar.gz", bundle=cli), tag="core-v2.0rc2")
    done = shop.verify("--tag", "core-v2.0rc2")
    assert done.code == 1
    assert "FAIL   github    release core-v2.0rc2: " in done.out, done
    assert "FAIL   signature bundle of core-2.0rc2-wheelhouse.tar.gz: " in done.out, done


@pytest.mark.parametrize("words", [[], ["--tag-prefix", "cli-"]])
def test_where_only_other_packages_are_released_their_prefixes_are_named(shop: Shop, words: list[str]) -> None:
    """Nothing is picked from among other packages' releases, and it is said how to name one."""
    shop.release(shop.assets(), tag="core-v1.2.3")
    done = shop.install("--download-only", *words)
    assert (done.code, "--tag-prefix core-" in done.err) == (1, True), done
    assert shop.downloads() == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "has no stable release"),
        (["--tag", "v9"], "has no release v9"),
        (["--tag", "1.2.3"], "name it with `--tag v1.2.3`"),
        (["--tag", "v1.2.4"], "still a draft"),
        (["--tag", "../../../user"], "has no release ../../../user"),
    ],
)
def test_a_release_that_is_not_there_is_named(shop: Shop, words: list[str], said: str) -> None:
    """No stable one, no such tag, a draft only its writers see, a tag that would leave the address."""
    shop.release(shop.assets(), tag="v1.2.4", draft=True)
    given = ["--token", "ghs_" + "a" * 36] if "v1.2.4" in words else []
    done = shop.install("--download-only", *words, *given)
    assert (done.code, said in done.err) == (1, True), done
    asked = [request.path for request in shop.requests]
    assert all(path.startswith(("/repos/o/r/releases", "/objects/")) for path in asked), asked


def test_tags_that_are_no_versions_are_passed_over(shop: Shop) -> None:
    """Where GitHub names no latest one, the newest by version counts; tags without a version cannot be newest."""
    shop.release(shop.assets(), tag="v1.2.2")
    shop.release(shop.assets(name="tiny-1.2.3-wheelhouse.tar.gz"), tag="v1.2.3")
    shop.release(shop.assets(name="tiny-nightly-wheelhouse.tar.gz"), tag="nightly")
    shop.github._store.repository.latest = None
    done = shop.install("--dry-run", "--download-only", "--json")
    assert (done.code, done.data["release"]) == (0, "v1.2.3"), done


def test_memory_does_not_grow_with_the_archive(shop: Shop) -> None:
    """48 MiB are fetched, hashed, verified, unpacked and, the second time, held against their digests in half of it."""
    import tracemalloc

    shop.release(shop.assets())
    assert shop.install("--download-only").code == 0  # what is imported on the way is not counted
    archive = packed({f"p{number}-1.0-py3-none-any.whl": os.urandom(12 << 20) for number in range(4)})
    bundle = shop.bundle(archive, identity=replace(IDENTITY, ref="refs/tags/v1.2.4"))
    shop.release(shop.assets(archive, name="tiny-1.2.4-wheelhouse.tar.gz", bundle=bundle), tag="v1.2.4")
    del archive
    tracemalloc.start()
    try:
        for _ in range(2):
            assert shop.install("--download-only").code == 0
        assert tracemalloc.get_traced_memory()[1] < 24 << 20
    finally:
        tracemalloc.stop()


def test_what_is_odd_but_harmless_is_said(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A token of no known shape, an inventory that old clients read: a warning each, and it goes on."""
    monkeypatch.setenv("HEPHAESTUS_SIGSTORE_INVENTORY", "inventory.json")
    shop.github._token = "odd"
    shop.release(shop.assets(), token="odd")
    done = shop.install("--download-only", "--token", "odd", "--json")
    assert done.code == 0, done
    assert ["HEPHAESTUS_SIGSTORE_INVENTORY" in done.data["warnings"][0], "token" in done.data["warnings"][1]] == [
        True
    ] * 2


def test_pip_arguments_need_a_pip(shop: Shop, venv: Path) -> None:
    """Where uv would install, arguments for pip are refused instead of passed over."""
    done = shop.install("--python", venv, "--pip-arg=--no-compile")
    assert (done.code, shop.requests) == (1, []), done
    assert "ensurepip" in done.err


def test_a_repository_that_is_not_there_is_named(shop: Shop) -> None:
    """Nobody's repository, or one that needs a token: which one, and what to check."""
    done = shop.install("--download-only", "--repository", "nobody/nothing")
    assert (done.code, "nobody/nothing" in done.err, "token" in done.err) == (1, True, True), done


def test_a_python_can_be_named_as_on_the_command_line(shop: Shop, venv: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name alone is looked up on PATH; a relative path is the caller's."""
    shop.release(shop.assets())
    monkeypatch.setenv("PATH", f"{venv.parent}{os.pathsep}{os.environ['PATH']}")
    done = shop.install("--python", "python", "--json")
    assert (done.code, done.data["python"]) == (0, str(venv)), done
    monkeypatch.chdir(venv.parents[1])
    done = shop.install("--python", "bin/python", "--json")
    assert (done.code, done.data["python"]) == (0, str(venv)), done


def test_a_release_without_a_wheelhouse_lists_what_it_has(shop: Shop) -> None:
    """The names that are there are in the message."""
    shop.release({"notes.txt": b"hello", "SHA256SUMS": b"x"})
    done = shop.install("--download-only")
    assert done.code == 1
    assert "it has notes.txt" in done.err


def test_an_odd_name_of_another_asset_is_no_obstacle(shop: Shop) -> None:
    """Only the chosen names are judged (facts: consumers, section 8); the first that matches is taken."""
    shop.release({"-odd.tar.gz": b"x", **shop.assets(), "tiny-1.2.3-wheels-linux.tar.gz": b"y"})
    assert shop.install("--download-only").code == 0


OTHER = "cp313-cp313-win_arm64"
FOR_OTHER = "tiny-1.2.3-wheels-3.13-win_arm64.tar.gz"


def targeted(shop: Shop, *, default: dict[str, bytes]) -> None:
    """A release with its default archive, and one for a Windows that this is not."""
    elsewhere = packed({f"need-1.0-{OTHER}.whl": NEED.wheel()})
    shop.release({**shop.assets(packed(default)), **shop.assets(elsewhere, name=FOR_OTHER)})


def test_a_download_is_for_the_target_that_was_asked_for(shop: Shop) -> None:
    """--target takes the archive of another machine; without it this Python's, and the others are named."""
    targeted(shop, default=wheels())
    done = shop.install("--download-only", "--target", "3.13-win_arm64", "--json")
    assert (done.code, done.data["files"][0]["name"]) == (0, FOR_OTHER), done
    done = shop.install("--download-only", "--json")
    assert (done.code, done.data["files"][0]["name"]) == (0, ARCHIVE), done
    assert "`--target` takes another: 3.13-win_arm64" in done.err


def test_a_download_for_nobody_is_refused_with_the_targets_there_are(shop: Shop) -> None:
    """The default archive is held against what was asked for: named or not, wheels of another platform are refused."""
    targeted(shop, default={f"need-1.0-{OTHER}.whl": NEED.wheel()})
    for words in (("--target", "3.12-macosx_11_0_arm64"), ()):
        done = shop.install("--download-only", *words)
        assert done.code == 1, done
        assert "has no archive for " in done.err
        assert "it has one for 3.13-win_arm64" in done.err
        assert f"{ARCHIVE} has need only as need-1.0-{OTHER}.whl" in done.err
        assert "--target" in done.err


def test_the_only_archive_is_taken_by_who_asks_for_none(shop: Shop, venv: Path) -> None:
    """With one archive there is nothing to choose; who names a Python it does not fit is told."""
    shop.release(shop.assets(packed({f"need-1.0-{OTHER}.whl": NEED.wheel()})))
    assert shop.install("--download-only").code == 0
    done = shop.install("--download-only", "--python", venv)
    assert (done.code, "has no archive for Python 3." in done.err) == (1, True), done


def test_patterns_choose_other_assets(shop: Shop) -> None:
    """Each of the three patterns is followed, from the command line and from the environment."""
    archive = packed(wheels())
    named = {"x.tar.gz": archive, "x.sums": f"{sha256(archive)}  x.tar.gz\n".encode(), "x.proof": shop.bundle(archive)}
    shop.release({**shop.assets(packed(wheels(NEED))), **named})
    words = ["--asset-pattern", "x.*.gz", "--manifest-pattern", "x.su*", "--sigstore-pattern", "*.proof"]
    done = shop.install("--download-only", "--json", *words)
    assert (done.code, done.data["files"][0]["name"]) == (0, "x.tar.gz"), done


def test_a_young_release_is_warned_about(shop: Shop) -> None:
    """Hours old: installed, with a warning that says so."""
    shop.now[0] = time.time() - 5 * 3600 - 60
    shop.release(shop.assets())
    done = shop.install("--download-only", "--json")
    assert done.code == 0
    assert done.data["warnings"] == ["o/r v1.2.3 was published 5 hours ago: few can have looked at it yet"]


@pytest.mark.parametrize(
    ("there", "coming"), [("hephaestus", "hephaestus-toolkit"), ("hephaestus-toolkit", "hephaestus")]
)
def test_two_distributions_never_share_files_unasked(shop: Shop, venv: Path, there: str, coming: str) -> None:
    """The other name is installed: refused with the exact command, before anything is installed; gone on when told."""
    old = Thing(name=there, version="0.2.0", code="")
    new = Thing(name=coming, version="1.2.3", code="")
    import subprocess

    import uv

    wheel = shop.folder / old.wheel_name
    wheel.write_bytes(old.wheel())
    subprocess.run([uv.find_uv_bin(), "pip", "install", "-q", "--no-index", "--python", venv, wheel], check=True)
    shop.release(shop.assets(packed(wheels(new))))
    done = shop.install("--python", venv)
    assert (done.code, installed(venv)) == (1, {there: "0.2.0"}), done
    assert f"uv pip uninstall --python {venv} {there}" in done.err
    done = shop.install("--python", venv, "--allow-shared-files")
    assert (done.code, installed(venv)) == (0, {there: "0.2.0", coming: "1.2.3"}), done
    assert f"warning: {there} 0.2.0 is installed" in done.err


def test_a_wheelhouse_for_elsewhere_is_refused_before_pip_is_asked(shop: Shop, venv: Path) -> None:
    """One wheel for another platform: the message names it, and nothing of the rest is installed."""
    foreign = Thing(name="need", version="1.0", code="", tags="cp311-cp311-win_amd64")
    shop.release(shop.assets(packed(wheels(TINY, foreign))))
    done = shop.install("--python", venv)
    assert (done.code, installed(venv)) == (1, {}), done
    assert f"need only as {foreign.wheel_name}" in done.err
    assert "--asset-pattern" in done.err


@pytest.mark.parametrize("python", ["/no/such/python", "/bin/true", "/etc/passwd", "/bin/echo"])
def test_what_is_no_python_is_refused_before_anything_is_asked(shop: Shop, python: str) -> None:
    """Missing, silent, not a program, something else: one sentence, no request."""
    done = shop.install("--python", python)
    assert (done.code, shop.requests) == (1, []), done
    assert f"cannot install into {python}" in done.err


def test_a_python_of_the_system_is_refused(shop: Shop, venv: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """PEP 668's mark: refused up front with the way to an environment; pip's own switch goes on."""
    from hephaestus.consumer.target import Target

    look = Target.look

    def managed(python: str, **more: object) -> Target:
        return replace(look(python, **more), managed=True)  # type: ignore[arg-type]

    monkeypatch.setattr(Target, "look", managed)
    done = shop.install("--python", venv)
    assert (done.code, shop.requests) == (1, []), done
    assert "python3 -m venv" in done.err


def test_where_there_is_neither_pip_nor_uv_it_says_so(shop: Shop, venv: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the command that brings pip."""
    monkeypatch.setattr("hephaestus.consumer.target._uv", lambda _env: "")
    done = shop.install("--python", venv)
    assert (done.code, f"{venv} -m ensurepip" in done.err) == (1, True), done


def test_a_refusal_is_data_too(shop: Shop) -> None:
    """--json: the refusal on standard output with its kind, the message on standard error, exit code 1."""
    done = shop.install("--download-only", "--json")
    assert done.code == 1
    assert (done.data["state"], done.data["error"]) == ("refused", "ReleaseMissing")
    assert done.data["what"] in done.err


def test_pip_arguments_are_handed_on(shop: Shop, pip_venv: Path) -> None:
    """--pip-arg and its old spelling reach pip; the old one wins when both are given."""
    shop.release(shop.assets())
    target = shop.folder / "target"
    words = ["--python", "/no/such/python", "--python-executable", pip_venv, "--pip-arg=--quiet"]
    done = shop.install(*words, "--pip-args=--target", f"--pip-args={target}", "--no-upgrade")
    assert done.code == 0, done
    assert (target / "tiny_project.py").is_file()
    assert installed(pip_venv) == {}
    command = next(line for line in done.err.splitlines() if " -m pip install" in line)
    assert "--upgrade" not in command
    assert "--quiet" not in command


def test_another_identity_may_be_named(shop: Shop) -> None:
    """--workflow, and --sigstore-identity with the tag's place left open: any one of several."""
    archive = packed(wheels())
    other = replace(IDENTITY, workflow="release.yml")
    shop.release(shop.assets(archive, bundle=shop.bundle(archive, identity=other)))
    assert shop.install("--download-only").code == 1
    assert shop.install("--download-only", "--workflow", "release.yml").code == 0
    base = "https://github.com/o/r/.github/workflows"
    words = [
        "--sigstore-identity",
        f"{base}/x.yml@refs/heads/main",
        "--sigstore-identity",
        f"{base}/release.yml@refs/tags/*",
    ]
    assert shop.install("--download-only", *words).code == 0
