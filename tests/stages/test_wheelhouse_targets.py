"""Wheelhouses for other machines: the right wheels by tag and by marker, proven by a resolver, and by another one."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
import tarfile
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from stages.wheelhouses import GOOD, HERE, MAC, NATIVE, NEEDS, WINDOWS, Bench, MadeWheelhouse, serve_needs

from hephaestus.release.targets import Target
from hephaestus.stages.stage import Context
from hephaestus.stages.wheelhouse import WheelhouseStage, planned_archives, seen_by_old_clients
from hephaestus.stages.wheelhouse_needs import PlannedArchive, WheelsMissing
from hephaestus.stages.wheelhouse_packing import pack
from hephaestus.stages.wheelhouse_proof import OfflineInstallFailed, prove
from hephaestus.worlds.world import ChildKind


def test_each_target_gets_what_it_needs_and_no_more(made_wheelhouse: MadeWheelhouse, tmp_path: Path) -> None:
    """Three archives made on one machine: tags and markers of each target, lists of these very files, and uv agrees."""
    names = {
        HERE: "tiny-project-1.2.3-wheelhouse.tar.gz",
        WINDOWS: f"tiny-project-1.2.3-wheels-{WINDOWS.name}.tar.gz",
        MAC: f"tiny-project-1.2.3-wheels-{MAC.name}.tar.gz",
    }
    told = {one["target"]: one for one in (made_wheelhouse.data, *made_wheelhouse.data["further"])}
    everywhere = {"late", "native", "need", "tiny-project"}
    expected = {HERE: everywhere, WINDOWS: everywhere | {"only-windows"}, MAC: everywhere | {"only-mac"}}
    if sys.platform == "darwin":
        expected[HERE] = expected[MAC]
    elif sys.platform == "win32":
        expected[HERE] = expected[WINDOWS]
    for target, name in names.items():
        digest = hashlib.sha256((made_wheelhouse.assets / name).read_bytes()).hexdigest()
        sums = (made_wheelhouse.assets / f"{name}.sha256").read_bytes()
        assert sums == f"{digest}  {name}\n".encode()
        assert (told[target.name]["archive"], told[target.name]["sha256"]) == (name, digest)
        assert set(told[target.name]["resolved"]) == expected[target]
        assert told[target.name]["resolved"]["native"] == "2.0"
        assert ("offline" in told[target.name]) is (target is HERE)
        folder = tmp_path / target.name
        with tarfile.open(made_wheelhouse.assets / name) as archive:
            archive.extractall(folder, filter="data")
        wheels = sorted(path.name for path in folder.glob("*.whl"))
        assert {wheel.split("-")[0].replace("_", "-") for wheel in wheels} == expected[target]
        assert f"native-2.0-{NATIVE[target]}.whl" in wheels
        assert {path.name for path in folder.iterdir()} == {*wheels, "pylock.toml", "requirements.txt", "sbom.cdx.json"}
        _check_lists(folder, wheels)
        _check_bill(folder, expected[target])
        if target in UV:
            _ask_uv(folder, target)
    assert made_wheelhouse.warnings == ["bound"]
    bill = (made_wheelhouse.assets / "sbom.cdx.json").read_bytes()
    assert bill == (tmp_path / HERE.name / "sbom.cdx.json").read_bytes()


def test_every_archive_is_signed_and_attached(made_wheelhouse: MadeWheelhouse) -> None:
    """What sign-wheelhouse signs and github-release attaches follows from the receipt: each archive, each checksum."""
    archives = {name for name in made_wheelhouse.names if name.endswith(".tar.gz") and "-wheel" in name}
    assert len(archives) == 3
    for name in archives:
        assert {f"{name}.sha256", f"{name}.sigstore.json"} <= set(made_wheelhouse.names)
    assert {"sbom.cdx.json", "sbom.cdx.json.sigstore.json"} <= set(made_wheelhouse.names)


def _check_lists(folder: Path, wheels: list[str]) -> None:
    """The list and the lock name exactly the wheels beside them, with their digests."""
    digests = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in wheels}
    lines = (folder / "requirements.txt").read_text().splitlines()
    assert [line.partition("--hash=sha256:")[2] for line in lines] == [digests[name] for name in wheels]
    lock = tomllib.loads((folder / "pylock.toml").read_text())
    locked = [wheel for package in lock["packages"] for wheel in package["wheels"]]
    assert {one["path"]: one["hashes"] for one in locked} == {
        name: {"sha256": found} for name, found in digests.items()
    }
    assert all(one["size"] == (folder / one["path"]).stat().st_size for one in locked)
    assert lock["lock-version"] == "1.0"


def _check_bill(folder: Path, expected: set[str]) -> None:
    """The bill lists what the archive holds, and who needs whom on the target."""
    bill = json.loads((folder / "sbom.cdx.json").read_text())
    components = {one["name"] for one in (*bill["components"], bill["metadata"]["component"])}
    assert components == expected
    needs = {one["ref"]: one.get("dependsOn", []) for one in bill["dependencies"]}
    assert {ref.split("/")[1].split("@")[0] for ref in needs["pkg:pypi/tiny-project@1.2.3"]} == expected - {
        "tiny-project"
    }


UV = {WINDOWS: "x86_64-pc-windows-msvc", MAC: "aarch64-apple-darwin"}


def _ask_uv(folder: Path, target: Target) -> None:
    """Another resolver, with platforms of its own: the archive suffices, and the project's name alone finds it all."""
    for version in (f"3.{target.minor}.0", f"3.{target.minor}.99"):
        argv: list[Any] = [sys.executable, "-m", "uv", "pip", "compile", "-", "--no-index", "--find-links", folder]
        argv += ["--python-platform", UV[target], "--python-version", version, "--no-config", "--no-header"]
        argv += ["--no-annotate", "--offline", "--quiet", "--only-binary", ":all:"]
        done = subprocess.run(argv, input="tiny-project\n", capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        pinned = {line.split(" ")[0] for line in (folder / "requirements.txt").read_text().splitlines()}
        found = set(done.stdout.split())
        assert found <= pinned
        assert version.endswith(".0") or found == pinned


def test_an_archive_that_lacks_what_a_marker_asks_for_is_refused(bench: Bench) -> None:
    """pip alone, told of the platform only, leaves the marker's need out; the proof refuses what it has made so."""
    serve_needs(bench.user)
    context = bench.make(replace(GOOD, requires=NEEDS[2:3]), settings=f'targets = ["{WINDOWS.name}"]')
    (planned,), _ = planned_archives(context)
    folder = context.work / "naive"
    wheel = context.directory.dist / planned.wheel
    argv = ["python", "-m", "pip", "download", "--quiet", "--only-binary", ":all:", "--dest", str(folder), str(wheel)]
    argv += ["--python-version", WINDOWS.python, "--platform", WINDOWS.platform]
    done = context.environment.run(argv, env=context.world.children[ChildKind.INSTALLER])
    assert done.ok, done.output
    assert "only_windows-1.0-py3-none-any.whl" not in {path.name for path in folder.iterdir()}
    with pytest.raises(OfflineInstallFailed, match="only-windows") as caught:
        _packed_and_proven(context, planned, folder)
    assert caught.value.findings[0].code == "dependency-missing"


def _packed_and_proven(context: Context, planned: PlannedArchive, folder: Path) -> None:
    archive = context.work / planned.name
    wheels = {path.name: path for path in folder.iterdir()}
    packed, _ = pack(context, planned, wheels, archive, sbom=context.work / "sbom.json")
    prove(context, planned, archive, packed)


def test_a_need_without_a_wheel_for_one_target_names_it(bench: Bench) -> None:
    """What no index has for a target is told with the target, and nothing is kept."""
    serve_needs(bench.user)
    del bench.user.files[f"native-2.0-{NATIVE[WINDOWS]}.whl"]
    context = bench.make(replace(GOOD, requires=NEEDS), settings=f'targets = ["{WINDOWS.name}"]')
    with pytest.raises(WheelsMissing, match=rf"native.* on {WINDOWS.name}") as caught:
        bench.run(context)
    assert WINDOWS.name in caught.value.next_step
    assert not (context.directory.path / "wheelhouse").exists()


def test_the_gates_hold_every_target_against_our_wheels(bench: Bench) -> None:
    """No wheel of ours for a target, a Python we do not allow, a default that fits nowhere: before any download."""
    compiled = replace(GOOD, tags="cp312-cp312-manylinux_2_17_x86_64")
    for_windows = replace(GOOD, tags="cp313-cp313-win_amd64", fields={"Requires-Python": ">=3.13.2"})
    targets = ["3.12-manylinux_2_28_x86_64", "3.13-win_amd64", MAC.name, "3.13.2-win_amd64"]
    settings = f'targets = {targets}\ndefault = "project"\n'
    context = bench.make(compiled, for_windows, settings=settings)
    assert [(one.target.name, one.wheel) for one in planned_archives(context)[0] if one.target] == [
        ("3.12-manylinux_2_28_x86_64", compiled.wheel_name),
        ("3.13-win_amd64", for_windows.wheel_name),
        ("3.13.2-win_amd64", for_windows.wheel_name),
    ]
    lines = [finding.line() for finding in WheelhouseStage().gates(context)]
    assert [line.partition(" ->")[0] for line in lines] == [
        "wheel: no wheel of this release fits every platform, as the default archive must",
        f"wheel: no wheel of this release fits {MAC.name}",
        "3.13-win_amd64: includes Python 3.13.0, which tiny_project-1.2.3-cp313-cp313-win_amd64.whl does not allow "
        "(it requires >=3.13.2)",
    ]
    assert not [path for path in bench.user.seen if path.startswith("/files/")]


def test_the_default_can_be_our_wheel_alone(bench: Bench) -> None:
    """default = "project": one wheel for any platform, and an archive of its own for the first target as well (C9)."""
    serve_needs(bench.user)
    settings = f'targets = ["{MAC.name}"]\ndefault = "project"\nprefix = "tiny"\n'
    evidence, files = bench.run(bench.make(replace(GOOD, requires=NEEDS), settings=settings))
    with tarfile.open(fileobj=io.BytesIO(files["wheelhouse/tiny-1.2.3-wheelhouse.tar.gz"])) as archive:
        assert archive.getnames() == ["tiny_project-1.2.3-py3-none-any.whl", "sbom.cdx.json"]
    assert [one["archive"] for one in evidence.data["further"]] == [f"tiny-1.2.3-wheels-{MAC.name}.tar.gz"]
    bill = json.loads(files["wheelhouse/sbom.cdx.json"])
    assert "native" in {one["name"] for one in bill["components"]}
    assert (evidence.data["complete"], evidence.data["further"][0]["complete"]) == (False, True)
    assert evidence.warnings == []


def test_a_project_whose_name_misleads_old_clients_is_warned() -> None:
    """A name with "wheelhouse" in it makes every asset match their pattern (C5): said, since nothing can be done."""
    names = ["my_wheelhouse-1.0-py3-none-any.whl", "my_wheelhouse-1.0.tar.gz", f"a-1.0-wheels-{WINDOWS.name}.tar.gz"]
    (warning,) = seen_by_old_clients(names)
    assert (warning.code, warning.subject, warning.severity) == ("old-client", "my_wheelhouse-1.0.tar.gz", "warning")
