"""Which assets are chosen: by pattern, in the API's order, and never one with an unfit name."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from hephaestus.consumer.assets import choose
from hephaestus.consumer.options import InstallOptions
from hephaestus.consumer.refusals import AssetMissing
from hephaestus.consumer.wheels import pinned_requirements
from hephaestus.release.extraction import ArchiveRefused
from hephaestus.release.names import unfit_member_name
from hephaestus.services.releases import Asset, Release

OPTIONS = InstallOptions(destination=Path("/nowhere"))
ARCHIVE = "tiny-1.2.3-wheelhouse.tar.gz"


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
    chosen = choose(release("a-wheelhouse.sha256", f"{ARCHIVE}.sha256", ARCHIVE, "SHA256SUMS"), OPTIONS)
    assert [asset.name for asset in chosen.manifests] == [f"{ARCHIVE}.sha256", "SHA256SUMS"]


def test_the_bundle_beside_the_archive_goes_before_the_pattern() -> None:
    """The modern name before the old one, both before whatever else matches."""
    names = ["x-wheelhouse.sigstore", f"{ARCHIVE}.sigstore", f"{ARCHIVE}.sigstore.json", ARCHIVE]
    for expected in (f"{ARCHIVE}.sigstore.json", f"{ARCHIVE}.sigstore", "x-wheelhouse.sigstore"):
        bundle = choose(release(*names), OPTIONS).bundle
        assert bundle is not None
        assert bundle.name == expected
        names.remove(expected)
    assert choose(release(*names), OPTIONS).bundle is None


def test_the_rest_of_a_broken_upload_is_no_asset() -> None:
    """What GitHub lists but never got whole is passed over."""
    other = "tiny-1.2.4-wheelhouse.tar.gz"
    assert choose(release(ARCHIVE, other, broken=(ARCHIVE,)), OPTIONS).archive.name == other


@given(
    st.lists(st.text(min_size=1) | st.sampled_from([ARCHIVE, f"{ARCHIVE}.sha256", "x-wheelhouse.tar.gz"]), unique=True)
)
def test_any_names_are_chosen_from_or_refused(names: list[str]) -> None:
    """Whatever a release holds: the first fit archive that matches, or a refusal that says why."""
    try:
        chosen = choose(release(*names), OPTIONS)
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
