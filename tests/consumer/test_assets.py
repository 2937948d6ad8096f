"""Which assets are chosen: by pattern, in the API's order, and never one with an unfit name."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.tags import platform_tags

from hephaestus.consumer.assets import choose
from hephaestus.consumer.options import InstallOptions
from hephaestus.consumer.refusals import AssetMissing
from hephaestus.consumer.wanted import Wanted
from hephaestus.consumer.wheels import Interpreter, pinned_requirements
from hephaestus.release.extraction import ArchiveRefused
from hephaestus.release.names import unfit_member_name
from hephaestus.release.targets import Target, read_targets
from hephaestus.services.releases import Asset, Release

OPTIONS = InstallOptions(destination=Path("/nowhere"))
ARCHIVE = "tiny-1.2.3-wheelhouse.tar.gz"
HERE = Wanted.here()


def made_for(*targets: str) -> list[str]:
    """The assets of a release with the default archive and one for each of these targets."""
    return [ARCHIVE, *(f"tiny-1.2.3-wheels-{target}.tar.gz" for target in targets)]


def interpreter(version: str, name: str = "CPython") -> Wanted:
    """A Python on this platform."""
    return Wanted(interpreter=Interpreter(wanted="x", executable="x", version=version, name=name))


def release(*names: str, broken: tuple[str, ...] = ()) -> Release:
    """A release that holds assets of these names."""
    assets = tuple(
        Asset(id=number, name=name, size=1, uploaded=name not in broken, sha256=None, url="https://x")
        for number, name in enumerate(names)
    )
    return Release(
        id=1, tag="v1.2.3", name="", notes="", draft=False, prerelease=False, immutable=False, url="https://x",
        assets=assets,
    )  # fmt: skip


def test_the_list_beside_the_archive_goes_before_the_pattern() -> None:
    """Of two lists that match, the one that is named after the archive; SHA256SUMS as well."""
    chosen = choose(release("a-wheelhouse.sha256", f"{ARCHIVE}.sha256", ARCHIVE, "SHA256SUMS"), OPTIONS, wanted=HERE)
    assert [asset.name for asset in chosen.manifests] == [f"{ARCHIVE}.sha256", "SHA256SUMS"]


def test_the_bundle_beside_the_archive_goes_before_the_pattern() -> None:
    """The modern name before the old one, both before whatever else matches."""
    names = ["x-wheelhouse.sigstore", f"{ARCHIVE}.sigstore", f"{ARCHIVE}.sigstore.json", ARCHIVE]
    for expected in (f"{ARCHIVE}.sigstore.json", f"{ARCHIVE}.sigstore", "x-wheelhouse.sigstore"):
        bundle = choose(release(*names), OPTIONS, wanted=HERE).bundle
        assert bundle is not None
        assert bundle.name == expected
        names.remove(expected)
    assert choose(release(*names), OPTIONS, wanted=HERE).bundle is None


@pytest.mark.parametrize(
    ("wanted", "taken"),
    [
        ("3.12-win_amd64", "3.12-win_amd64"),
        ("3.12-manylinux_2_39_x86_64", "3.12-manylinux_2_28_x86_64"),
        ("3.12-manylinux_2_20_x86_64", "3.12-manylinux_2_17_x86_64"),
        ("3.13.2-win_amd64", "3.13.2-win_amd64"),
        ("3.13.1-win_amd64", None),
        ("3.11-win_amd64", None),
        ("3.12-musllinux_1_2_x86_64", None),
    ],
)
def test_a_target_takes_the_closest_archive_that_serves_it(wanted: str, taken: str | None) -> None:
    """The very target, else the newest platform that it can run; never one for a newer system, patch or series."""
    targets = (
        "3.12-manylinux_2_17_x86_64", "3.12-manylinux_2_28_x86_64", "3.12-win_amd64", "3.13.2-win_amd64",
    )  # fmt: skip
    chosen = choose(release(*made_for(*targets)), OPTIONS, wanted=Wanted(target=Target.parse(wanted)))
    assert chosen.archive.name == (made_for(taken)[1] if taken else ARCHIVE)
    assert (chosen.named, chosen.targets) == (taken is not None, tuple(sorted(targets)))


def test_a_python_here_takes_the_archive_of_its_target() -> None:
    """By series, implementation and this platform; a pattern of one's own is followed instead."""
    here = read_targets([f"3.12-{platform}" for platform in platform_tags()])[0][0].name
    assets = release(*made_for(here, "3.12-win_amd64" if "linux" in here else "3.12-manylinux_2_28_x86_64"))
    assert choose(assets, OPTIONS, wanted=interpreter("3.12.4")).archive.name == made_for(here)[1]
    for other in (interpreter("3.11.9"), interpreter("3.12.4", "PyPy")):
        assert choose(assets, OPTIONS, wanted=other).archive.name == ARCHIVE
    own = InstallOptions(destination=Path("/nowhere"), asset_pattern="*wheelhouse.tar.gz")
    chosen = choose(assets, own, wanted=interpreter("3.12.4"))
    assert (chosen.archive.name, chosen.targets, chosen.named) == (ARCHIVE, (), False)


def test_what_does_not_fit_is_told_with_the_wheels_there_are() -> None:
    """One distribution for Windows, one for anything: of the first only, and only where it does not fit."""
    files = ["a-1.0-cp312-cp312-win_amd64.whl", "b-1.0-py3-none-any.whl"]
    assert Wanted(target=Target.parse("3.12-win_amd64")).lacks(files) == {}
    assert Wanted(target=Target.parse("3.12-macosx_11_0_arm64")).lacks(files) == {"a": files[:1]}
    assert interpreter("3.11.0").lacks(files) == {"a": files[:1]}


def test_the_rest_of_a_broken_upload_is_no_asset() -> None:
    """What GitHub lists but never got whole is passed over."""
    other = "tiny-1.2.4-wheelhouse.tar.gz"
    assert choose(release(ARCHIVE, other, broken=(ARCHIVE,)), OPTIONS, wanted=HERE).archive.name == other


@given(
    st.lists(st.text(min_size=1) | st.sampled_from([ARCHIVE, f"{ARCHIVE}.sha256", "x-wheelhouse.tar.gz"]), unique=True)
)
def test_any_names_are_chosen_from_or_refused(names: list[str]) -> None:
    """Whatever a release holds: the first fit archive that matches, or a refusal that says why."""
    try:
        chosen = choose(release(*names), OPTIONS, wanted=HERE)
    except (AssetMissing, ArchiveRefused):
        return
    matching = [name for name in names if "wheelhouse" in name and name.endswith(".tar.gz")]
    assert chosen.archive.name == matching[0]
    assert unfit_member_name(chosen.archive.name) is None


def test_requirements_hold_every_wheel_of_a_distribution() -> None:
    """Two wheels of one version are two hashes of one line; names and versions are normalized."""
    digest = "sha256:" + "0" * 64
    files = {
        "Need_It-1.0.0-cp311-cp311-win_amd64.whl": digest,
        "need_it-1.0.0-py3-none-any.whl": digest,
        "a-2-py3-none-any.whl": digest,
    }
    lines = pinned_requirements(files).splitlines()
    assert lines == [f"a==2 --hash={digest}", f"need-it==1.0.0 --hash={digest} --hash={digest}"]
