"""docs/verifying.md, typed: every command of the page over a public release, good and spoilt, ours and the others'."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from consumer.conftest import Verify
from docs.documents import blocks, commands, section
from stages.releases import VERSION, WHEEL
from stages.standins import ARCHIVE, TAG, Scene

from hephaestus.consumer.verdict import State
from hephaestus.release.archive import write_archive

PAGE = "docs/verifying.md"
COMMANDS = [command for command in commands() if command.page == PAGE and command.block]
OURS = [command.text for command in COMMANDS if command.words[0] == "hephaestus"]
THEIRS = [command.text for command in COMMANDS if command.words[0] != "hephaestus"]

#: The page speaks of this project's release, the stand-ins have a tiny one.
NAMES = {
    "hephaestus-toolkit": "tiny-project",
    "hephaestus_toolkit": "tiny_project",
    "hephaestus-0.2.5": "tiny-project-0.2.5",
    "IAmJonoBo/Hephaestus": "o/r",
    "0.2.5": VERSION,
}

#: Programs of the page's shell commands that neither Python nor the tests' lock bring along.
ABSENT = [program for program in ("curl", "sha256sum") if shutil.which(program) is None]

Shell = Callable[[str], "subprocess.CompletedProcess[str]"]


def renamed(command: str) -> str:
    """A command of the page as the stand-ins' release needs it."""
    for name, tiny in NAMES.items():
        command = command.replace(name, tiny)
    return command


@pytest.fixture
def assets(public: Scene, tmp_path: Path) -> Path:
    """What a user who has downloaded the release's assets has."""
    folder = tmp_path / "downloads" / "assets"
    folder.mkdir(parents=True)
    for part in ("dist", "bundles", "wheelhouse", "SHA256SUMS"):
        path = public.directory.path / part
        for file in path.iterdir() if path.is_dir() else [path]:
            shutil.copy(file, folder)
    bundles: dict[str, Path | bytes] = {path.name: path for path in folder.glob("*.sigstore.json")}
    with (folder / f"sigstore-bundles-{TAG}.tar.gz").open("wb") as stream:
        write_archive(stream, bundles, epoch=1_700_000_000)
    shutil.copy(public.standins.serving.trusted_root, folder.parent / "trusted_root.json")
    return folder


@pytest.fixture
def shell(assets: Path, public: Scene) -> Shell:
    """Run a command of the page, in the folder of the assets; only trust root and index are the stand-ins'."""
    serving, home = public.standins.serving, assets.parent / "home"
    cache = home / "sigstore-python" / "tuf" / "https%3A%2F%2Ftuf-repo-cdn.sigstore.dev"
    cache.mkdir(parents=True)
    config = json.loads(serving.trust_config.read_text(encoding="utf-8"))
    (cache / "trusted_root.json").write_text(json.dumps(config["trustedRoot"]), encoding="utf-8")
    (cache / "signing_config.v0.2.json").write_text(json.dumps(config["signingConfig"]), encoding="utf-8")
    index = public.world.indexes["pypi"].simple_url.removesuffix("/simple/")

    def run(command: str) -> subprocess.CompletedProcess[str]:
        line = renamed(command).replace("https://pypi.org", index)
        line = line.replace("sigstore verify", f"sigstore --trust-config {serving.trust_config} verify", 1)
        line = line.replace("pypi-attestations verify pypi", "pypi-attestations verify pypi --offline")
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        env = {"PATH": path, "HOME": str(home), "XDG_CACHE_HOME": str(home), "NO_PROXY": "127.0.0.1", "COLUMNS": "200"}
        return subprocess.run(
            line, shell=True, cwd=assets, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )

    return run


def test_our_commands_verify_a_whole_release(assets: Path, verify: Verify, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each command with our tool ends with 0 over the whole release, and with 1 when one byte of it is another."""
    monkeypatch.chdir(assets.parent)
    assert len(OURS) == 6
    for command in OURS:
        words = renamed(command).split()[3:]
        instead = {"trusted_root": ""} if "--trusted-root" in words else {}
        code, out, err = verify(*words, **instead)
        assert (code, err) == (0, ""), f"{command}\n{out}{err}"
    (assets / WHEEL).write_bytes((assets / WHEEL).read_bytes() + b"\n")
    for command in OURS:
        if "assets" in command:
            assert verify(*renamed(command).split()[3:])[0] == 1, command


@pytest.mark.skipif(bool(ABSENT), reason=f"{', '.join(ABSENT)}: not installed, and the page's commands use it")
def test_the_commands_without_our_tool_verify_it_too(shell: Shell, assets: Path) -> None:
    """sha256sum, sigstore and pypi-attestations agree with us; each of them refuses what was changed."""
    assert len(THEIRS) == 7
    for command in THEIRS:
        done = shell(command)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    for name in (WHEEL, ARCHIVE, "SHA256SUMS"):
        (assets / name).write_bytes((assets / name).read_bytes() + b"\n")
    for command in THEIRS:
        if not command.startswith("curl"):
            assert shell(command).returncode != 0, command


def test_the_page_tells_what_the_command_tells(public: Scene, verify: Verify) -> None:
    """The JSON of the page has the shape that is printed; the states and places of the page are those there are."""
    _, out, _ = verify("tiny-project==1.2.3", "--json")
    printed, (shown,) = json.loads(out), (json.loads(block) for block in blocks(PAGE, "json"))
    assert list(shown) == list(printed)
    assert list(shown["identity"]) == list(printed["identity"])
    assert list(shown["facts"][0]) == list(printed["facts"][0])
    (lines,) = blocks(PAGE, "text")
    assert [line.split()[0] for line in lines.splitlines()] == [State.PASS, State.ABSENT, State.FAIL]
    _, more, _ = verify(public.directory.path, "--json")
    places = {fact["place"] for told in (out, more) for fact in json.loads(told)["facts"]}
    rows = section(PAGE, "Reading the lines").split("| place |")[1]
    assert {place for place in places if f"| `{place}` |" not in rows} == set()
