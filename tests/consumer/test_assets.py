"""Which archive of a release is installed: the default one, or that of the target the Python is."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from packaging.tags import platform_tags

from hephaestus.consumer.assets import choose
from hephaestus.consumer.options import InstallOptions
from hephaestus.consumer.wheels import Interpreter
from hephaestus.release.targets import read_targets
from hephaestus.services.releases import Asset, Release

#: Every platform tag of this machine that can be a target's, the closest first.
HERE = [target.platform for target in read_targets([f"3.12-{tag}" for tag in platform_tags()])[0]]
DEFAULT = "tiny-1.0-wheelhouse.tar.gz"
PYTHON = Interpreter(wanted="", executable=sys.executable, version="3.12.4", name="CPython")


def release(*names: str) -> Release:
    """A release of assets by name, in this order."""
    assets = tuple(
        Asset(id=number, name=name, size=1, uploaded=True, sha256=None, url=f"https://example.org/{number}")
        for number, name in enumerate(names)
    )
    return Release(
        id=1,
        tag="v1.0",
        name="",
        notes="",
        draft=False,
        prerelease=False,
        immutable=True,
        url="https://example.org",
        assets=assets,
    )


def chosen(*targets: str, interpreter: Interpreter | None = PYTHON, **options: str) -> str:
    """The archive chosen among the default one, listed last, and those of the targets."""
    names = [f"tiny-1.0-wheels-{target}.tar.gz{end}" for target in targets for end in (".sha256", "", ".sigstore.json")]
    asked = InstallOptions(destination=Path("unused"), **options)  # type: ignore[arg-type]
    return choose(release(*names, DEFAULT), asked, interpreter=interpreter).archive.name


def test_the_archive_of_the_closest_target_goes_first() -> None:
    """Same series, a platform this machine accepts, the newest of them; each part decides."""
    far, near = HERE[-1], HERE[0]
    assert chosen(f"3.12-{far}", "3.12-win_ia64", f"3.12-{near}") == f"tiny-1.0-wheels-3.12-{near}.tar.gz"
    assert chosen(f"3.12.2-{near}", f"3.12-{near}") == f"tiny-1.0-wheels-3.12.2-{near}.tar.gz"
    assert chosen(f"3.12.5-{near}", f"3.12-{near}") == f"tiny-1.0-wheels-3.12-{near}.tar.gz"


@pytest.mark.parametrize(
    "targets", [(), (f"3.13-{HERE[0]}",), ("3.12-musllinux_1_99_riscv64",), (f"3.12.5-{HERE[0]}",)]
)
def test_without_a_target_for_this_python_the_default_is_taken(targets: tuple[str, ...]) -> None:
    """Another series, another platform, a later patch release only."""
    assert chosen(*targets) == DEFAULT


def test_a_pattern_of_the_users_own_and_no_python_mean_what_they_say() -> None:
    """--asset-pattern decides alone, and a download for nobody in particular takes the default."""
    target = f"3.12-{HERE[0]}"
    assert chosen(target, interpreter=None) == DEFAULT
    assert chosen(target, asset_pattern="tiny*-wheelhouse.tar.gz") == DEFAULT
    other = "3.13-win_amd64"
    assert chosen(target, other, asset_pattern=f"*-wheels-{other}.tar.gz") == f"tiny-1.0-wheels-{other}.tar.gz"


def test_the_lists_and_the_bundle_are_of_the_chosen_archive() -> None:
    """What is verified is what is installed: the target's own checksum and bundle, not the default's."""
    archive = f"tiny-1.0-wheels-3.12-{HERE[0]}.tar.gz"
    ends = ("", ".sha256", ".sigstore.json")
    names = [f"{name}{end}" for name in (DEFAULT, archive) for end in ends]
    found = choose(release(*names), InstallOptions(destination=Path("unused")), interpreter=PYTHON)
    assert found.archive.name == archive
    assert [one.name for one in found.manifests] == [f"{archive}.sha256"]
    assert found.bundle is not None
    assert found.bundle.name == f"{archive}.sigstore.json"
