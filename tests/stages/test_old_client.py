"""What clients up to 0.2.0 do with our releases: each constraint of facts (consumers, section 7) by its name.

The client is re-enacted (old_client.py), from a description of it; its own code is not run. C4c - only its GitHub
source ever worked - is why there is no other source here.
"""

from __future__ import annotations

import fnmatch
import os
import random
import shutil
import subprocess
import tarfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from stages.old_client import OldClient, OldClientError
from stages.wheelhouses import WINDOWS, MadeWheelhouse

from hephaestus.release.project import read_project
from hephaestus.stages.stage import Context
from hephaestus.stages.wheelhouse import OLD_CLIENT_PATTERN, archive_name
from hephaestus.toolchain.virtualenvs import python_of

ROOT = Path(__file__).resolve().parents[2]

#: An index and a proxy nobody answers at, and no configuration: pip ends with an error as soon as it asks for anything.
NO_INDEX = {
    "PATH": os.environ["PATH"],
    "HOME": os.environ.get("HOME", "/"),
    "PIP_CONFIG_FILE": os.devnull,
    "PIP_INDEX_URL": "http://127.0.0.1:9/simple/",
    "PIP_RETRIES": "0",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_NO_COMPILE": "1",
}


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """A fresh environment's interpreter, without pip."""
    import sys

    argv = [sys.executable, "-m", "uv", "venv", "--quiet", "--no-project", "--python", sys.executable]
    subprocess.run([*argv, str(tmp_path / "venv")], check=True)
    return python_of(tmp_path / "venv")


def test_c1_c2_c7_c8_c9_an_old_client_installs_our_wheelhouse(
    made_wheelhouse: MadeWheelhouse, python: Path, tmp_path: Path
) -> None:
    """Archive and checksum are found by its patterns; other files at the root do no harm; one pip call takes it all."""
    client = OldClient(made_wheelhouse.assets, made_wheelhouse.names)
    assert (client.pick(client.asset_pattern), client.pick(client.manifest_pattern)) == (
        made_wheelhouse.archive,
        f"{made_wheelhouse.archive}.sha256",
    )
    installed = client.install(python, tmp_path / "unpacked", env=NO_INDEX)
    assert [name.split("-")[0] for name in installed] == ["late", "native", "need", "tiny_project"]
    left = {path.name for path in (tmp_path / "unpacked").iterdir()} - set(installed)
    assert left == {"requirements.txt", "pylock.toml", "sbom.cdx.json"}
    done = subprocess.run([python.parent / "tiny"], capture_output=True, text=True, check=True)
    assert done.stdout == "tiny 1.2.3\n"
    assert client.warnings == ["no Sigstore bundle; going on with the checksum"]


def test_c3_c4_bundles_are_named_so_that_it_passes_over_them(
    made_wheelhouse: MadeWheelhouse, python: Path, tmp_path: Path
) -> None:
    """None of our names matches its pattern; a modern bundle under a name that does would end it."""
    assert f"{made_wheelhouse.archive}.sigstore.json" in made_wheelhouse.names
    assert fnmatch.filter(made_wheelhouse.names, "*wheelhouse*.sigstore") == []
    folder = tmp_path / "assets"
    shutil.copytree(made_wheelhouse.assets, folder)
    modern = folder / f"{made_wheelhouse.archive}.sigstore.json"
    modern.rename(modern.with_suffix(""))
    client = OldClient(folder, sorted(path.name for path in folder.iterdir()))
    with pytest.raises(OldClientError, match="no certificate chain"):
        client.install(python, tmp_path / "unpacked", env=NO_INDEX)
    assert not (tmp_path / "unpacked").exists()


def test_c5_no_other_asset_is_taken_in_whatever_order(made_wheelhouse: MadeWheelhouse) -> None:
    """One name matches its pattern, so the first that matches is it; the other target and the bundles are not seen."""
    names = made_wheelhouse.names
    assert f"tiny-project-1.2.3-wheels-{WINDOWS.name}.tar.gz" in names
    assert "sigstore-bundles-v1.2.3.tar.gz" in names
    for seed in range(20):
        random.Random(seed).shuffle(names)
        client = OldClient(made_wheelhouse.assets, names)
        assert client.pick(OLD_CLIENT_PATTERN) == made_wheelhouse.archive
        assert client.pick(client.manifest_pattern) == f"{made_wheelhouse.archive}.sha256"


def test_c1_c4b_c6_this_project_is_named_as_it_looks_for_it() -> None:
    """Prefix hephaestus, whatever the distribution is called; tags are v and the version."""
    project = read_project(ROOT)
    here = cast("Context", SimpleNamespace(project=project))
    assert archive_name(here) == f"hephaestus-{project.version}-wheelhouse.tar.gz"
    assert project.tag == f"v{project.version}"
    assert project.normalized == "hephaestus-toolkit"


def test_c7_c8_the_archive_is_what_its_reader_takes(made_wheelhouse: MadeWheelhouse) -> None:
    """gzip, flat, nothing but regular files that the data filter passes unchanged, wheels at the root."""
    path = made_wheelhouse.assets / made_wheelhouse.archive
    assert path.read_bytes()[:2] == b"\x1f\x8b"
    with tarfile.open(path, "r:gz") as archive:
        for member in archive:
            assert member.isreg()
            assert "/" not in member.name
            filtered = tarfile.data_filter(member, "/nowhere")
            assert (filtered.name, filtered.linkname) == (member.name, "")


def test_c9_a_wheelhouse_for_elsewhere_fails_it_whole(
    made_wheelhouse: MadeWheelhouse, python: Path, tmp_path: Path
) -> None:
    """Asked for by its --asset-pattern, the other target's archive fails in pip, and nothing is installed of it."""
    pattern = f"*-wheels-{WINDOWS.name}.tar.gz"
    client = OldClient(made_wheelhouse.assets, made_wheelhouse.names, pattern, f"{pattern}.sha256")
    with pytest.raises(OldClientError, match=r"native-2\.0-cp39-abi3-win_amd64\.whl is not a supported wheel"):
        client.install(python, tmp_path / "unpacked", env=NO_INDEX)
    assert not (python.parent / "tiny").exists()


def _change_archive(folder: Path, name: str) -> None:
    with (folder / name).open("ab") as stream:
        stream.write(b"x")


def _contradict(folder: Path, name: str) -> None:
    with (folder / f"{name}.sha256").open("a") as stream:
        stream.write(f"{'0' * 64}  {name}\n")


def _no_sum(folder: Path, name: str) -> None:
    (folder / f"{name}.sha256").unlink()


@pytest.mark.parametrize(
    ("spoil", "why"),
    [(_change_archive, "does not match"), (_contradict, "listed twice"), (_no_sum, "no checksum manifest")],
)
def test_the_re_enacted_client_checks_what_it_is_said_to_check(
    made_wheelhouse: MadeWheelhouse, tmp_path: Path, spoil: Any, why: str
) -> None:
    """It can fail: a changed archive, a contradicting line, a missing manifest end it before it unpacks."""
    folder = tmp_path / "assets"
    shutil.copytree(made_wheelhouse.assets, folder)
    spoil(folder, made_wheelhouse.archive)
    client = OldClient(folder, sorted(path.name for path in folder.iterdir()))
    with pytest.raises(OldClientError, match=why):
        client.install(Path("/nonexistent"), tmp_path / "unpacked", env=NO_INDEX)
    assert not (tmp_path / "unpacked").exists()
