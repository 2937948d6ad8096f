"""Targets: what may be written, what it stands for, which wheels fit."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.markers import Marker, default_environment
from packaging.specifiers import SpecifierSet
from packaging.tags import platform_tags

from hephaestus.release.config import Config, ConfigurationError
from hephaestus.release.targets import Target, TargetSyntaxError, preferred_wheel, read_targets

GOOD = [
    "3.11-manylinux_2_28_x86_64",
    "3.12-macosx_11_0_arm64",
    "3.12-macosx_10_13_x86_64",
    "3.13-win_amd64",
    "3.14-win32",
    "3.13.2-musllinux_1_2_aarch64",
]


@pytest.mark.parametrize("text", GOOD)
def test_a_target_is_written_in_one_way(text: str) -> None:
    """What is read is written the same again."""
    assert Target.parse(text).name == text


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is not PYTHON-PLATFORM"),
        ("3.12", "is not PYTHON-PLATFORM"),
        ("cp312-win_amd64", "is not PYTHON-PLATFORM"),
        ("3.12-win_amd64\n", "is not PYTHON-PLATFORM"),
        ("3.12-Win_AMD64", "is not PYTHON-PLATFORM"),
        ("3.12-../win_amd64", "is not PYTHON-PLATFORM"),
        ("\u0663.12-win_amd64", "is not PYTHON-PLATFORM"),
        ("3.012-win_amd64", "is not PYTHON-PLATFORM"),
        ("3.08-win_amd64", "is written 3.8-win_amd64"),
        ("3.12.0-win_amd64", "is written 3.12-win_amd64"),
        ("3.7-win_amd64", "is for a Python before 3.8"),
        ("3.12-win_ia64", "has no known platform"),
        ("3.12-manylinux_2_28_sparc", "has no known machine"),
        ("3.12-manylinux_2_4_x86_64", "is older than any wheel"),
        ("3.12-manylinux_2_12_aarch64", "is older than any wheel"),
        ("3.12-manylinux_2_08_x86_64", "has no known platform"),
        ("3.12-manylinux2014_x86_64", "manylinux_2_17_x86_64 is the one in use"),
        ("3.12-linux_x86_64", "says nothing of the C library"),
        ("3.12-macosx_11_0_universal2", "is two machines"),
        ("3.12-macosx_10_15_arm64", "is for a macOS before any on arm64"),
        ("3.12-macosx_14_2_arm64", "is always 0"),
    ],
)
def test_what_is_no_target_is_told_why(text: str, why: str) -> None:
    """Each wrong spelling is refused with its own reason, and with the right one where there is one."""
    with pytest.raises(TargetSyntaxError, match=why):
        Target.parse(text)


def test_everything_wrong_with_a_list_is_said_at_once() -> None:
    """The configuration names the field once and every entry of it that is wrong."""
    targets = ["3.12-win_amd64", "3.12", "3.12-linux_x86_64", "3.12-win_amd64"]
    with pytest.raises(ConfigurationError) as caught:
        Config.read({"wheelhouse": {"targets": targets}})
    assert caught.value.what == "pyproject.toml: tool.hephaestus.release.wheelhouse.targets has 3 wrong entries"
    assert [line.partition(" ")[0] for line in caught.value.details] == [
        "'3.12'",
        "'3.12-linux_x86_64'",
        "'3.12-win_amd64'",
    ]
    assert read_targets(["3.12-win32"])[1] == []


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        ({"targets": "3.12-win32"}, "must be a list of strings"),
        ({"default": "both", "targets": ["3.12-win32"]}, "must be one of"),
        ({"default": "project"}, "there are no targets"),
    ],
)
def test_settings_that_mean_nothing_are_refused(table: dict[str, object], problem: str) -> None:
    """A wrong type, an unknown default and a default without targets."""
    with pytest.raises(ConfigurationError, match=problem):
        Config.read({"wheelhouse": table})


NUMBER = st.integers(0, 101).map(str) | st.sampled_from(["00", "08", ""])
MACHINE = st.sampled_from(["x86_64", "i686", "aarch64", "arm64", "AMD64", ""])
PLATFORM = st.one_of(
    st.builds("manylinux_2_{}_{}".format, NUMBER, MACHINE),
    st.builds("musllinux_1_{}_{}".format, NUMBER, MACHINE),
    st.builds("macosx_{}_{}_{}".format, NUMBER, NUMBER, MACHINE),
    st.text(max_size=20),
)


@given(st.builds("3.{}-{}".format, NUMBER, PLATFORM))
def test_whatever_is_read_is_safe_in_a_file_name(text: str) -> None:
    """Any text is refused, or its name is plain and reads as the same target."""
    try:
        target = Target.parse(text)
    except TargetSyntaxError:
        return
    assert target.name == text
    assert set(text) <= set("0123456789.-_abcdefghijklmnopqrstuvwxyz")
    assert target.tags
    assert target.environments


def test_older_wheels_fit_and_newer_do_not() -> None:
    """manylinux counts down, with its former names; macOS down with universal2; stable ABIs down with Python."""
    linux = Target.parse("3.12-manylinux_2_20_x86_64")
    assert preferred_wheel(["a-1-cp312-cp312-manylinux_2_28_x86_64.whl"], linux.tags) is None
    assert preferred_wheel(["a-1-cp311-cp311-manylinux_2_17_x86_64.whl"], linux.tags) is None
    assert preferred_wheel(["a-1-cp312-cp312-musllinux_1_2_x86_64.whl", "a-1.tar.gz"], linux.tags) is None
    wheels = [
        "a-1-py3-none-any.whl",
        "a-1-cp39-abi3-manylinux2014_x86_64.whl",
        "a-1-cp312-cp312-manylinux_2_5_x86_64.manylinux1_x86_64.whl",
    ]
    assert preferred_wheel(wheels, linux.tags) == wheels[2]
    assert preferred_wheel(wheels[:2], linux.tags) == wheels[1]
    assert preferred_wheel(wheels[:1], linux.tags) == wheels[0]
    mac = Target.parse("3.12-macosx_12_0_arm64")
    assert preferred_wheel(["a-1-cp312-cp312-macosx_10_9_universal2.whl"], mac.tags) is not None
    assert preferred_wheel(["a-1-cp312-cp312-macosx_13_0_arm64.whl"], mac.tags) is None
    assert preferred_wheel(["a-1-cp312-cp312-win32.whl"], Target.parse("3.12-win_amd64").tags) is None
    arm = Target.parse("3.12-manylinux_2_20_aarch64")
    assert arm.platforms[-2:] == ("manylinux_2_17_aarch64", "manylinux2014_aarch64")


def test_the_marker_environments_are_those_of_the_target() -> None:
    """First and last patch release, on each machine a tag stands for; every variable of PEP 508 is there."""
    found = Target.parse("3.11.4-win32").environments
    assert {(one["python_full_version"], one["platform_machine"]) for one in found} == {
        (version, machine) for version in ("3.11.4", "3.11.99") for machine in ("x86", "AMD64")
    }
    for one in found:
        assert set(one) == set(default_environment())
        assert Marker("sys_platform == 'win32' and os_name == 'nt' and python_version == '3.11'").evaluate(dict(one))
    assert "3.11.4" in SpecifierSet(Target.parse("3.11.4-win32").requires_python)
    assert "3.11.3" not in SpecifierSet(Target.parse("3.11.4-win32").requires_python)
    assert "3.12.0" not in SpecifierSet(Target.parse("3.11-win32").requires_python)


def test_a_target_says_of_itself_what_markers_see() -> None:
    """The markers written into a lock hold in the target's own environments and in no other's."""
    for text in GOOD:
        target = Target.parse(text)
        for other in GOOD:
            systems = [dict(one) for one in Target.parse(other).environments]
            holds = any(Marker(marker).evaluate(one) for marker in target.markers for one in systems)
            same = {one["sys_platform"] + one["platform_machine"] for one in systems} & {
                one["sys_platform"] + one["platform_machine"] for one in target.environments
            }
            assert holds is bool(same), (text, other)


def test_only_the_target_of_this_machine_covers_it() -> None:
    """Series, patch release, implementation and platform must all be met."""
    platforms = list(platform_tags())
    here = next(tag for tag in platforms if not tag.startswith("linux"))
    series = f"{sys.version_info.major}.{sys.version_info.minor}"
    target = Target.parse(f"{series}.2-{here}")
    assert target.covers(implementation="CPython", version=f"{series}.2", platforms=platforms)
    assert target.covers(implementation="CPython", version=f"{series}.10rc1", platforms=platforms)
    assert not target.covers(implementation="CPython", version=f"{series}.1", platforms=platforms)
    assert not target.covers(implementation="CPython", version="3.8.20", platforms=platforms)
    assert not target.covers(implementation="PyPy", version=f"{series}.2", platforms=platforms)
    assert not target.covers(implementation="CPython", version=f"{series}.2", platforms=["any"])
