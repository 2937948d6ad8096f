"""Unmodified twine, uv and pip against the stand-in index on the loopback."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from standins.index.bench import BASE, Bench
from standins.index.distributions import make_sdist, make_wheel

from hephaestus.standins.http import Listener

pytestmark = pytest.mark.conformance


@pytest.fixture
def served(bench: Bench) -> Iterator[tuple[Bench, str]]:
    """The index behind a listener, and its address."""
    with Listener(lambda request: bench.index.handle(request)) as listener:
        yield bench, listener.url


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Nothing from our own environment but the path: an empty HOME, no keyring, no configuration."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path / "home"),
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        "NO_PROXY": "127.0.0.1,localhost",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_RETRIES": "0",
        "UV_HTTP_RETRIES": "0",
        "COLUMNS": "200",
        "NO_COLOR": "1",
    }


def run(environment: dict[str, str], *argv: object) -> subprocess.CompletedProcess[str]:
    """Run a client; stdin is closed."""
    return subprocess.run(
        [str(argument) for argument in argv],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


def twine(environment: dict[str, str], url: str, token: str, *paths: Path) -> subprocess.CompletedProcess[str]:
    """``twine upload`` with a token as password."""
    return run(
        environment, sys.executable, "-m", "twine", "upload", "--non-interactive", "--disable-progress-bar",
        "--repository-url", f"{url}/legacy/", "--username", "__token__", "--password", token, *paths,
    )  # fmt: skip


def pip(environment: dict[str, str], url: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """pip against the index alone, without a cache."""
    return run(
        environment, sys.executable, "-m", "pip", *arguments[:1], "--no-cache-dir", "--no-deps",
        "--index-url", f"{url}/simple/", *arguments[1:],
    )  # fmt: skip


def uv(environment: dict[str, str], *arguments: object) -> subprocess.CompletedProcess[str]:
    """uv beside our Python, without configuration."""
    beside = Path(sys.executable).with_name("uv")
    command = str(beside) if beside.exists() else shutil.which("uv")
    assert command, "uv belongs to the test environment"
    return run(environment, command, *arguments, "--no-config")


def requirement(folder: Path, path: Path) -> Path:
    """A requirements file that pins the file's digest."""
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    pinned = folder / "requirements.txt"
    pinned.write_text(f"tiny-thing==1.0 --hash=sha256:{digest}\n", encoding="utf-8")
    return pinned


def test_twine_uploads_and_pip_installs(served: tuple[Bench, str], environment: dict[str, str], tmp_path: Path) -> None:
    """twine uploads both files, twice; pip downloads the sdist and installs the wheel under its hash."""
    bench, url = served
    dist = tmp_path / "dist"
    wheel, sdist = make_wheel(dist), make_sdist(dist)
    token = bench.mint()
    for _ in range(2):
        uploaded = twine(environment, url, token, wheel, sdist)
        assert uploaded.returncode == 0, uploaded.stdout + uploaded.stderr
    assert [attempt.stored for attempt in bench.index.journal()] == [True, True, False, False]
    pinned = requirement(tmp_path, wheel)
    site = tmp_path / "site"
    installed = pip(environment, url, "install", "--require-hashes", "--target", site, "-r", pinned)
    assert installed.returncode == 0, installed.stdout + installed.stderr
    assert (site / "tiny_thing.py").read_text() == "VERSION = '1.0'\n"
    got = pip(environment, url, "download", "--only-binary", ":all:", "--dest", tmp_path / "got", "tiny-thing")
    assert got.returncode == 0, got.stdout + got.stderr
    assert (tmp_path / "got" / wheel.name).read_bytes() == wheel.read_bytes()


def test_twine_says_what_the_index_said(served: tuple[Bench, str], environment: dict[str, str], tmp_path: Path) -> None:
    """Other bytes under a name: twine fails and prints the index's own words."""
    bench, url = served
    token = bench.mint()
    bench.upload(make_wheel(tmp_path), token)
    refused = twine(environment, url, token, make_wheel(tmp_path, files={"more.py": "1"}))
    assert refused.returncode == 1
    assert "File already exists ('tiny_thing-1.0-py3-none-any.whl'" in refused.stdout + refused.stderr


def test_twine_tries_again_after_a_503(served: tuple[Bench, str], environment: dict[str, str], tmp_path: Path) -> None:
    """twine repeats a 5xx by itself; the index has the file once, the journal all attempts."""
    bench, url = served
    bench.fault("503", "stored-500@2")
    uploaded = twine(environment, url, bench.mint(), make_wheel(tmp_path))
    assert uploaded.returncode == 0, uploaded.stdout + uploaded.stderr
    attempts = bench.index.journal()
    assert [attempt.status for attempt in attempts] == [503, 500, 200]
    assert len({attempt.sha256 for attempt in attempts}) == 1


def test_uv_publishes_and_compares_hashes(
    served: tuple[Bench, str], environment: dict[str, str], tmp_path: Path
) -> None:
    """uv publishes, skips identical files by --check-url, and stops at other bytes."""
    bench, url = served
    dist = tmp_path / "dist"
    wheel, sdist = make_wheel(dist), make_sdist(dist)
    publish = (
        "publish", "--trusted-publishing", "never", "--publish-url", f"{url}/legacy/", "--check-url", f"{url}/simple/",
        "--token", bench.mint(), "--cache-dir", tmp_path / "cache",
    )  # fmt: skip
    first = uv(environment, *publish, wheel, sdist)
    assert first.returncode == 0, first.stdout + first.stderr
    assert bench.shown() == [wheel.name, sdist.name]
    again = uv(environment, *publish, "--no-cache", wheel, sdist)
    assert again.returncode == 0, again.stdout + again.stderr
    assert len(bench.index.journal()) == 2
    make_wheel(dist, files={"more.py": "1"})
    other = uv(environment, *publish, "--no-cache", wheel)
    assert other.returncode == 2
    assert "Local file and index file do not match" in other.stderr


def test_uv_installs_under_a_hash(served: tuple[Bench, str], environment: dict[str, str], tmp_path: Path) -> None:
    """uv installs the wheel by its hash, and builds from metadata it asked for separately."""
    bench, url = served
    wheel = make_wheel(tmp_path)
    bench.upload(wheel, bench.mint())
    install = (
        "pip", "install", "--python", sys.executable, "--target", tmp_path / "site", "--index-url", f"{url}/simple/",
        "--require-hashes", "--cache-dir", tmp_path / "cache", "-r", requirement(tmp_path, wheel),
    )  # fmt: skip
    installed = uv(environment, *install)
    assert installed.returncode == 0, installed.stdout + installed.stderr
    assert (tmp_path / "site" / "tiny_thing.py").exists()


def test_pip_and_uv_refuse_wrong_bytes(served: tuple[Bench, str], environment: dict[str, str], tmp_path: Path) -> None:
    """Both find out when other bytes are served than the page promises."""
    bench, url = served
    wheel = make_wheel(tmp_path)
    bench.upload(wheel, bench.mint())
    bench.fault("wrong-bytesx9")
    refused = pip(environment, url, "download", "--dest", tmp_path / "got", "tiny-thing")
    assert refused.returncode == 1
    assert "DO NOT MATCH THE HASHES" in refused.stderr
    install = ("pip", "install", "--python", sys.executable, "--target", tmp_path / "site", "--no-cache")
    other = uv(environment, *install, "--index-url", f"{url}/simple/", "-r", requirement(tmp_path, wheel))
    assert other.returncode != 0
    assert "Hash mismatch" in other.stderr


def test_pip_waits_for_the_page(served: tuple[Bench, str], environment: dict[str, str], tmp_path: Path) -> None:
    """Under lag pip finds no version until the page shows the file, and then installs it."""
    bench, url = served
    bench.fault("lag=1")
    bench.upload(make_wheel(tmp_path), bench.mint())
    download = ("download", "--dest", tmp_path / "got", "tiny-thing==1.0")
    early = pip(environment, url, *download)
    assert early.returncode == 1
    assert "No matching distribution found" in early.stderr
    later = pip(environment, url, *download)
    assert later.returncode == 0, later.stdout + later.stderr


def test_pip_reads_the_html_too_and_skips_what_is_yanked(
    served: tuple[Bench, str], environment: dict[str, str], tmp_path: Path
) -> None:
    """A yanked release is not chosen, but an exact pin still gets it."""
    bench, url = served
    for version in ("1.0", "1.1"):
        bench.index.seed(make_wheel(tmp_path, version=version))
    bench.index.yank("tiny-thing", "1.1", "broken")
    chosen = pip(environment, url, "download", "--dest", tmp_path / "a", "Tiny.Thing")
    pinned = pip(environment, url, "download", "--dest", tmp_path / "b", "tiny-thing==1.1")
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["tiny_thing-1.0-py3-none-any.whl"], chosen.stderr
    assert [path.name for path in (tmp_path / "b").iterdir()] == ["tiny_thing-1.1-py3-none-any.whl"], pinned.stderr
    assert "broken" in pinned.stderr


def test_uv_trusts_its_cache_for_ten_minutes(
    served: tuple[Bench, str], environment: dict[str, str], tmp_path: Path
) -> None:
    """The cache headers set the trap they set in truth: uv does not ask again until told to refresh."""
    bench, url = served
    bench.index.seed(make_wheel(tmp_path))
    install = (
        "pip", "install", "--python", sys.executable, "--target", tmp_path / "site", "--index-url", f"{url}/simple/",
        "--cache-dir", tmp_path / "cache",
    )  # fmt: skip
    assert uv(environment, *install, "tiny-thing==1.0").returncode == 0
    bench.index.seed(make_wheel(tmp_path, version="1.1"))
    trapped = uv(environment, *install, "tiny-thing==1.1")
    assert trapped.returncode == 1
    assert "no version of tiny-thing==1.1" in trapped.stderr
    freed = uv(environment, *install, "--refresh-package", "tiny-thing", "tiny-thing==1.1")
    assert freed.returncode == 0, freed.stderr


def test_pip_gets_the_sdist_as_uploaded(served: tuple[Bench, str], environment: dict[str, str], tmp_path: Path) -> None:
    """The sdist comes byte for byte, through pip's own check of the digest the page promises."""
    bench, url = served
    sdist = make_sdist(tmp_path)
    bench.upload(sdist, bench.mint())
    (entry,) = bench.simple()["files"]
    address = f"{url}{entry['url'].removeprefix(BASE)}#sha256={entry['hashes']['sha256']}"
    plain = ("download", "--no-build-isolation", "--dest", tmp_path / "got")
    got = pip(environment, url, *plain, f"tiny-thing @ {address}")
    assert got.returncode == 0, got.stdout + got.stderr
    assert (tmp_path / "got" / sdist.name).read_bytes() == sdist.read_bytes()
