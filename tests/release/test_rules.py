"""What the rules say about distributions: good ones, and ones spoiled in exactly one way."""

from __future__ import annotations

import importlib.metadata
import io
import random
import shutil
import struct
import sys
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.utils import canonicalize_name
from standins.index.distributions import (
    core_metadata,
    digest_line,
    make_sdist,
    make_wheel,
    wheel_members,
    write_wheel,
)
from trove_classifiers import classifiers as KNOWN  # noqa: N812 - a constant in all but name

from hephaestus.release import rules
from hephaestus.release.errors import Finding, Severity
from hephaestus.release.rules import bans
from hephaestus.release.rules.members import unsafe_reason

WHEEL = "tiny_thing-1.0-py3-none-any.whl"


def codes(findings: Sequence[Finding], severity: str = Severity.ERROR) -> list[str]:
    """The codes of one severity, in order."""
    return [finding.code for finding in findings if finding.severity == severity]


def test_good_distributions_have_nothing_to_say(tmp_path: Path) -> None:
    """A wheel and an sdist as a current backend makes them pass without a word."""
    paths = [make_wheel(tmp_path), make_sdist(tmp_path)]
    expected = rules.Expected(name="Tiny.Thing", version="1.0")
    assert rules.check_distributions(paths, expected=expected, classifiers=KNOWN) == []
    assert [rules.index_refusals(path, classifiers=KNOWN) for path in paths] == [[], []]


# One row for each answer in the record of the real service: what is spoiled, the status and the beginning of
# the message (facts on PyPI, section 1). Written down from the record, not from the rules.
RECORDED: list[tuple[str, Mapping[str, object], int, str]] = [
    (
        "wheel",
        {"filename": "Tiny_Thing-1.0-py3-none-any.whl"},
        400,
        "Filename 'Tiny_Thing-1.0-py3-none-any.whl' is invalid, should be 'tiny_thing-1.0-py3-none-any.whl'.",
    ),
    (
        "sdist",
        {"filename": "tiny-thing-1.0.tar.gz", "top": "tiny-thing-1.0"},
        400,
        "Filename 'tiny-thing-1.0.tar.gz' is invalid, should be 'tiny_thing-1.0.tar.gz'.",
    ),
    (
        "wheel",
        {"tags": "py3-none-linux_x86_64"},
        400,
        "Binary wheel 'tiny_thing-1.0-py3-none-linux_x86_64.whl' has an unsupported platform tag",
    ),
    ("wheel", {"version": "1.0+local.1"}, 400, "The use of local versions in '1.0+local.1' is not allowed."),
    ("wheel", {"fields": {"Requires-Dist": "other @ https://example.com/o.whl"}}, 400, "Can't have direct dependency:"),
    (
        "wheel",
        {"fields": {"Classifier": "Private :: Do Not Upload"}},
        400,
        "'Private :: Do Not Upload' is not a valid classifier.",
    ),
    ("wheel", {"fields": {"Metadata-Version": "2.6"}}, 400, "'2.6' is not a valid metadata version."),
    ("wheel", {"fields": {"Metadata-Version": "2.0"}}, 400, "'2.0' is not a valid metadata version."),
    ("wheel", {"name": "json"}, 400, "The name 'json' isn't allowed (conflict with Python Standard Library"),
    ("sdist", {"pkg_info": False}, 400, "Invalid distribution file."),
]


@pytest.mark.parametrize(("kind", "spoiled", "status", "beginning"), RECORDED)
def test_the_recorded_answers(
    tmp_path: Path, kind: str, spoiled: Mapping[str, object], status: int, beginning: str
) -> None:
    """For each spoiled file the first refusal has the real service's status and beginning."""
    make: Callable[..., Path] = make_wheel if kind == "wheel" else make_sdist
    refusals = rules.index_refusals(make(tmp_path, **spoiled), classifiers=KNOWN)
    assert refusals
    assert refusals[0].status == status
    assert refusals[0].message.startswith(beginning)


def test_a_file_too_large_has_the_recorded_answer(tmp_path: Path) -> None:
    """The size limit, 100 MB unless raised, is named in MB with the project, as the service does."""
    path = make_wheel(tmp_path, files={"data.txt": random.Random(1).randbytes(600_000).hex()})
    assert rules.Limits().file == 100 * 1024 * 1024
    limits = rules.Limits(file=512 * 1024)
    (refusal,) = rules.index_refusals(path, limits=limits)
    assert refusal.message.startswith("File too large. Limit for project 'tiny-thing' is 0 MB.")
    assert codes(rules.check_distribution(path, limits=limits)) == ["file-size"]


# field values the index refuses -> our code
REFUSED_FIELDS = [
    ({"Name": ""}, "field-missing"),
    ({"Version": ""}, "field-missing"),
    ({"Summary": ["a", "b"]}, "field-repeated"),
    ({"Author": "J\udcf6rg"}, "metadata-encoding"),
    ({"License": "MIT"}, "license-twice"),
    ({"License-Expression": "MIT or later"}, "license-expression"),
    ({"License-Expression": "GPL3"}, "license-expression"),
    ({"License-File": "../LICENSE"}, "license-file-path"),
    ({"License-File": "LICENSE"}, "license-file-missing"),
    ({"Classifier": "Programming Language :: Cobol :: 99"}, "classifier-unknown"),
    ({"Classifier": "Private :: Ours"}, "classifier-private"),
    ({"Requires-Dist": "not a requirement !"}, "dependency-invalid"),
    ({"Requires-Dist": "a @ git+https://example.com/a"}, "dependency-direct-url"),
    ({"Requires-Python": "3.11"}, "requires-python"),
    ({"Requires-Python": ">=three"}, "requires-python"),
    ({"Project-URL": "https://example.com"}, "project-url"),
    ({"Project-URL": f"{'L' * 33}, https://example.com"}, "project-url"),
    ({"Project-URL": "Home, ftp://example.com"}, "project-url"),
    ({"Project-URL": f"Home, https://example.com/{'a' * 2100}"}, "project-url"),
    ({"Project-URL": "Home, https://[broken"}, "project-url"),
    ({"Home-Page": "UNKNOWN"}, "home-page"),
    ({"Summary": "s" * 513}, "summary"),
    ({"Summary": "one\n  two"}, "summary"),
    ({"Description-Content-Type": "text/html"}, "description-content-type"),
    ({"Description-Content-Type": "text/markdown; variant=Wiki"}, "description-content-type"),
    ({"Description-Content-Type": "text/markdown; charset=latin-1"}, "description-content-type"),
]


@pytest.mark.parametrize(("fields", "code"), REFUSED_FIELDS)
def test_fields_the_index_refuses(tmp_path: Path, fields: Mapping[str, str], code: str) -> None:
    """Each bad field is one error with its code, and the index refuses it too."""
    path = tmp_path / WHEEL
    members = wheel_members()
    content = core_metadata("tiny-thing", "1.0", fields).encode("utf-8", "surrogateescape")
    members["tiny_thing-1.0.dist-info/METADATA"] = content
    write_wheel(path, _rerecord(members))
    assert codes(rules.check_distribution(path, classifiers=KNOWN))[0] == code
    assert rules.index_refusals(path, classifiers=KNOWN)[0].status == 400


GOOD_FIELDS = [
    {"Metadata-Version": "2.5"},
    {"Metadata-Version": "2.1"},
    {"License-Expression": "Apache-2.0 OR (MIT AND LicenseRef-Own)"},
    {"Requires-Dist": ["a>=1; python_version < '3.13'", "b[extra]~=2.0"]},
    {"Project-URL": ["Home, https://example.com", f"{'L' * 32}, http://example.com/a,b"]},
    {"Description-Content-Type": "text/markdown; charset=UTF-8; variant=GFM"},
    {"Description-Content-Type": "text/x-rst"},
    {"Keywords": "a,b c"},
    {"Requires-Python": ">=3.8,!=3.9.*"},
]


@pytest.mark.parametrize("fields", GOOD_FIELDS)
def test_fields_that_are_fine(tmp_path: Path, fields: Mapping[str, str]) -> None:
    """Unusual but valid fields raise no alarm."""
    assert rules.check_distribution(make_wheel(tmp_path, fields=fields), classifiers=KNOWN) == []


WARNED_FIELDS = [
    ({"License-Expression": "mit"}, "license-spelling"),
    ({"License-Expression": "", "License": "see file"}, "license-old-style"),
    ({"License-Expression": ""}, "license-missing"),
    ({"Requires-Python": ""}, "requires-python-missing"),
    ({"Summary": ""}, "summary-missing"),
    ({"Keywords": "a b c"}, "keywords-separator"),
    ({"Description-Content-Type": ""}, "description-content-type-missing"),
]


@pytest.mark.parametrize(("fields", "code"), WARNED_FIELDS)
def test_fields_worth_a_warning(tmp_path: Path, fields: Mapping[str, str], code: str) -> None:
    """What the index takes but a maintainer should know is a warning, not an error."""
    path = make_wheel(tmp_path, fields=fields)
    findings = rules.check_distribution(path, classifiers=KNOWN)
    assert codes(findings) == []
    assert codes(findings, Severity.WARNING) == [code]
    assert rules.index_refusals(path, classifiers=KNOWN) == []


def test_a_license_classifier_beside_spdx_is_our_error(tmp_path: Path) -> None:
    """PEP 639 forbids the pair; the index takes it, so only check refuses."""
    path = make_wheel(tmp_path, fields={"Classifier": "License :: OSI Approved :: MIT License"})
    assert codes(rules.check_distribution(path, classifiers=KNOWN)) == ["license-classifier"]
    assert rules.index_refusals(path, classifiers=KNOWN) == []


def test_unchecked_classifiers_are_said_so(tmp_path: Path) -> None:
    """Without the official list an unknown classifier passes, with a warning; a private one never does."""
    path = make_wheel(tmp_path, fields={"Classifier": ["Made :: Up", "Private :: Ours"]})
    findings = rules.check_distribution(path)
    assert codes(findings) == ["classifier-private"]
    assert codes(findings, Severity.WARNING) == ["classifiers-unchecked"]


@pytest.mark.parametrize(
    ("version", "error", "warnings"),
    [
        ("1.0rc1", [], []),
        ("1.0.post1", [], []),
        ("1.0.dev0", [], ["version-dev"]),
        ("1!2.0", [], ["version-epoch"]),
        ("1.0+g1234", ["version-local"], []),
        ("one", ["version-invalid"], []),
    ],
)
def test_versions(tmp_path: Path, version: str, error: list[str], warnings: list[str]) -> None:
    """Local and invalid versions are errors, epochs and development releases warnings."""
    findings = [
        f
        for f in rules.check_distribution(make_sdist(tmp_path, version=version), classifiers=KNOWN)
        if f.code.startswith("version")
    ]
    assert codes(findings) == error
    assert codes(findings, Severity.WARNING) == warnings


def test_a_version_written_oddly_is_a_warning(tmp_path: Path) -> None:
    """01.0-RC.1 is 1.0rc1, and is said so."""
    stem = "tiny_thing-1.0rc1"
    path = make_sdist(tmp_path, fields={"Version": "01.0-RC.1"}, filename=f"{stem}.tar.gz", top=stem)
    findings = rules.check_distribution(path)
    assert codes(findings) == []
    assert "version-not-normalised" in codes(findings, Severity.WARNING)


TAKEN_TAGS = [
    "py3-none-any", "cp311-cp311-manylinux2014_x86_64", "cp311-cp311-manylinux_2_28_aarch64",
    "cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64", "cp311-abi3-musllinux_1_2_x86_64",
    "cp311-cp311-macosx_10_9_universal2", "cp311-cp311-macosx_11_0_arm64", "cp311-cp311-win_amd64",
    "cp311-cp311-win32", "cp311-cp311-win_arm64", "py2.py3-none-any", "py3-none-linux_armv7l",
    "cp313-cp313-ios_13_0_arm64_iphoneos", "cp313-cp313-android_21_arm64_v8a",
]  # fmt: skip
REFUSED_TAGS = [
    "cp311-cp311-linux_x86_64", "cp311-cp311-linux_aarch64", "cp311-cp311-manylinux_x86_64",
    "cp311-cp311-macosx_9_0_arm64", "py3-none-plan9", "cp311-cp311-win_amd65", "py3-none-anywhere",
    "cp311-cp311-manylinux2014_x86_64.linux_x86_64",
]  # fmt: skip


@pytest.mark.parametrize("tags", TAKEN_TAGS)
def test_platform_tags_taken(tmp_path: Path, tags: str) -> None:
    """Tags that installers elsewhere can rely on pass."""
    python, abi, platforms = tags.split("-")
    expanded = [f"{p}-{abi}-{q}" for p in python.split(".") for q in platforms.split(".")]
    path = make_wheel(tmp_path, tags=tags, wheel_tags=expanded)
    assert codes(rules.check_distribution(path)) == []


@pytest.mark.parametrize("tags", REFUSED_TAGS)
def test_platform_tags_refused(tmp_path: Path, tags: str) -> None:
    """A tag that only fits the machine it was built on is refused, also beside a good one."""
    path = make_wheel(tmp_path, tags=tags)
    assert "platform-tag" in codes(rules.check_distribution(path))
    assert any("unsupported platform tag" in r.message for r in rules.index_refusals(path))


@pytest.mark.parametrize(
    "filename",
    ["tiny thing-1.0.tar.gz", "tïny-1.0.tar.gz", "tiny_thing-1.0.zip", "tiny_thing-1.0-none-any.whl", "a.egg", "x.whl"],
)  # fmt: skip
def test_names_that_are_no_distribution(tmp_path: Path, filename: str) -> None:
    """Spaces, other alphabets, other formats and half a wheel name are refused by check and index alike."""
    path = make_wheel(tmp_path, filename=filename)
    assert any(code.startswith("filename") for code in codes(rules.check_distribution(path)))
    assert rules.index_refusals(path)


def test_a_distribution_of_another_release_is_named(tmp_path: Path) -> None:
    """A stale wheel and one of another project are errors with both names."""
    stale, other = make_wheel(tmp_path, version="0.9"), make_wheel(tmp_path, name="else")
    findings = rules.check_distributions([stale, other], expected=rules.Expected(name="tiny-thing", version="1.0"))
    assert {"version-unexpected", "project-unexpected"} <= set(codes(findings))


def _rerecord(members: dict[str, bytes]) -> dict[str, bytes]:
    record = next(name for name in members if name.endswith("/RECORD"))
    body = {name: content for name, content in members.items() if name != record}
    lines = [*(digest_line(name, content) for name, content in body.items()), f"{record},,", ""]
    return {**body, record: "\n".join(lines).encode()}


def _without(part: str) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        members = {n: c for n, c in wheel_members().items() if not n.endswith(part)}
        write_wheel(path, _rerecord(members) if part != "/RECORD" else members)

    return spoil


def _with(name: str, content: bytes = b"x\n") -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        write_wheel(path, _rerecord({name: content, **wheel_members()}))

    return spoil


def _bytes(change: Callable[[bytes], bytes]) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        make_wheel(path.parent)
        path.write_bytes(change(path.read_bytes()))

    return spoil


def _duplicate(path: Path) -> None:
    make_wheel(path.parent)
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("tiny_thing.py", "other")


def _encrypt(content: bytes) -> bytes:
    at = content.rindex(b"PK\x01\x02")
    flags = struct.unpack_from("<H", content, at + 8)[0] | 1
    return content[: at + 8] + struct.pack("<H", flags) + content[at + 10 :]


def _other_method(path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as archive:
        for name, content in wheel_members().items():
            archive.writestr(name, content)


def _link(path: Path) -> None:
    make_wheel(path.parent)
    with zipfile.ZipFile(path, "a") as archive:
        info = zipfile.ZipInfo("link.py")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")


def _other_local_name(content: bytes) -> bytes:
    return content.replace(b"tiny_thing.py", b"evil_thing.py", 1)


def _other_local_method(content: bytes) -> bytes:
    return content[:8] + struct.pack("<H", zipfile.ZIP_STORED) + content[10:]


def _other_local_size(content: bytes) -> bytes:
    return content[:18] + struct.pack("<L", 1) + content[22:]


def _hidden_between(content: bytes, size: int = 100) -> bytes:
    directory = content.index(b"PK\x01\x02")
    end = content.rindex(b"PK\x05\x06")
    moved = struct.pack("<L", directory + size)
    return content[:directory] + b"h" * size + content[directory:end] + content[end : end + 16] + moved + b"\0\0"


def _wrong_count(content: bytes) -> bytes:
    end = content.rindex(b"PK\x05\x06")
    return content[: end + 8] + struct.pack("<2H", 1, 1) + content[end + 12 :]


def _zip64(content: bytes) -> bytes:
    end = content.rindex(b"PK\x05\x06")
    return content[: end + 16] + b"\xff\xff\xff\xff" + content[end + 20 :]


def _bomb(path: Path) -> None:
    write_wheel(path, _rerecord({"zeros.bin": bytes(70 * 1024 * 1024), **wheel_members()}))


# what is done to the wheel, our code, whether the index refuses it too
SPOILED_WHEELS: dict[str, tuple[Callable[[Path], None], str, bool]] = {
    "no RECORD": (_without("/RECORD"), "wheel-no-record", True),
    "no WHEEL": (_without("/WHEEL"), "wheel-no-wheel", True),
    "no METADATA": (_without("/METADATA"), "metadata-unreadable", True),
    "duplicate member": (_duplicate, "zip-duplicate", True),
    "trailing byte": (_bytes(lambda content: content + b"\n"), "zip-trailing", True),
    "prepended bytes": (_bytes(lambda content: b"#!/bin/sh\n" + content), "zip-prepended", True),
    "not a zip": (_bytes(lambda _: b"no zip"), "zip-unreadable", True),
    "empty": (_bytes(lambda _: b""), "zip-unreadable", True),
    "truncated": (_bytes(lambda content: content[:200]), "zip-unreadable", True),
    "encrypted": (_bytes(_encrypt), "zip-encrypted", True),
    "bzip2": (_other_method, "zip-method", True),
    "symbolic link": (_link, "zip-link", True),
    "local name differs": (_bytes(_other_local_name), "zip-ambiguous", True),
    "wrong count": (_bytes(_wrong_count), "zip-ambiguous", True),
    "local method differs": (_bytes(_other_local_method), "zip-ambiguous", True),
    "local size differs": (_bytes(_other_local_size), "zip-ambiguous", True),
    "hidden bytes": (_bytes(_hidden_between), "zip-ambiguous", True),
    "few hidden bytes": (_bytes(lambda content: _hidden_between(content, 16)), "zip-ambiguous", True),
    "zip64": (_bytes(_zip64), "zip-", True),
    "climbing name": (_with("../evil.py"), "zip-unsafe-name", True),
    "absolute name": (_with("/evil.py"), "zip-unsafe-name", True),
    "drive": (_with("C:evil.py"), "zip-unsafe-name", True),
    "backslash": (_with("a\\evil.py"), "zip-unsafe-name", True),
    "bomb": (_bomb, "compression-bomb", True),
    "second dist-info": (_with("other-1.dist-info/RECORD"), "wheel-dist-info", True),
    ".pth": (_with("evil.pth"), "pth-file", False),
    ".pth in data": (_with("tiny_thing-1.0.data/purelib/evil.pth"), "pth-file", False),
    ".env": (_with(".env", b"TOKEN=1"), "private-file", False),
    ".git": (_with("pkg/.git/config"), "private-file", False),
    ".venv": (_with(".venv/pyvenv.cfg"), "private-file", False),
    "top-level tests": (_with("tests/test_a.py"), "top-level-stray", False),
    "case twins": (_with("TINY_thing.py"), "case-twins", False),
}


@pytest.mark.parametrize("case", SPOILED_WHEELS)
def test_spoiled_wheels(tmp_path: Path, case: str) -> None:
    """Each defect is found under its code with a remedy; the index refuses exactly those it refuses in truth."""
    spoil, code, by_index = SPOILED_WHEELS[case]
    path = tmp_path / WHEEL
    spoil(path)
    errors = [f for f in rules.check_distribution(path) if f.severity == Severity.ERROR]
    assert any(finding.code.startswith(code) for finding in errors), errors
    assert all(f.remedy and f.subject == WHEEL for f in errors)
    assert bool(rules.index_refusals(path)) is by_index


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: text.replace("tiny_thing.py,sha256=", "tiny_thing.py,sha256=A"), "other bytes"),
        (lambda text: text + f"ghost.py,sha256={'A' * 43},1\n", "not inside"),
        (lambda text: "\n".join(text.splitlines()[1:]), "not listed"),
        (lambda text: text.replace("sha256=", "md5="), "no sha256"),
        (lambda text: text + "a,b\n", "2 fields"),
        (lambda text: text + text.splitlines()[0] + "\n", "listed twice"),
    ],
)
def test_a_record_that_is_not_true(tmp_path: Path, change: Callable[[str], str], words: str) -> None:
    """Every way a RECORD can lie is our error; the index only mails the owner."""
    members = wheel_members()
    record = "tiny_thing-1.0.dist-info/RECORD"
    members[record] = change(members[record].decode()).encode()
    path = write_wheel(tmp_path / WHEEL, members)
    findings = rules.check_distribution(path)
    assert "record-mismatch" in codes(findings)
    assert any(words in finding.message for finding in findings)
    assert rules.index_refusals(path) == []


def test_tags_inside_and_outside_must_agree(tmp_path: Path) -> None:
    """A renamed wheel is found by the tags in its WHEEL file."""
    path = make_wheel(tmp_path, wheel_tags=["cp311-cp311-win_amd64"])
    assert codes(rules.check_distribution(path)) == ["wheel-tags"]


SPOILED_SDISTS: dict[str, tuple[dict[str, object], str, bool]] = {
    "wrong folder": ({"top": "tiny-thing-1.0"}, "sdist-top-folder", True),
    "two folders": ({"files": {"../other/a.py": ""}}, "sdist-unsafe-name", True),
    "no PKG-INFO": ({"pkg_info": False}, "sdist-no-pkg-info", True),
    "link out": ({"links": {"a": "../../etc/passwd"}}, "sdist-link", True),
    "absolute link": ({"links": {"a": "/etc/passwd"}}, "sdist-link", True),
    "duplicate": ({"links": {"pyproject.toml": "x"}}, "sdist-duplicate", True),
    "secret": ({"files": {".pypirc": "x"}}, "private-file", False),
    "license missing": ({"fields": {"License-File": "LICENSE"}}, "license-file-missing", True),
}


@pytest.mark.parametrize("case", SPOILED_SDISTS)
def test_spoiled_sdists(tmp_path: Path, case: str) -> None:
    """Each defect of an sdist is found, and the index refuses those it refuses in truth."""
    spoiled, code, by_index = SPOILED_SDISTS[case]
    path = make_sdist(tmp_path, **spoiled)  # type: ignore[arg-type]
    assert code in codes(rules.check_distribution(path))
    assert bool(rules.index_refusals(path)) is by_index


def test_an_sdist_bomb_is_not_read_to_its_end(tmp_path: Path) -> None:
    """An sdist of zeros is refused once it has passed ratio and size."""
    path = make_sdist(tmp_path, files={"zeros": "\0" * (70 * 1024 * 1024)})
    assert "compression-bomb" in codes(rules.check_distribution(path))


@pytest.mark.parametrize("name", [".DS_Store", "pkg/.vscode/settings.json", "pkg/__pycache__/a.pyc"])
def test_traces_of_a_machine_are_warnings(tmp_path: Path, name: str) -> None:
    """What an editor or system left behind is said, but stops nothing."""
    findings = rules.check_distribution(make_sdist(tmp_path, files={name: "x"}))
    assert codes(findings) == []
    assert codes(findings, Severity.WARNING) == ["machine-file"]


def test_an_example_of_an_environment_file_is_fine(tmp_path: Path) -> None:
    """.env.example is documentation, .env.local is a secret."""
    assert rules.check_distribution(make_sdist(tmp_path, files={".env.example": "x"})) == []
    assert codes(rules.check_distribution(make_sdist(tmp_path, files={".env.local": "x"}))) == ["private-file"]


def test_real_wheels_of_others_pass() -> None:
    """Wheels made by other people's backends, as virtualenv carries them, are refused by no index rule."""
    folder = Path(str(importlib.metadata.distribution("virtualenv").locate_file("virtualenv/seed/wheels/embed")))
    wheels = sorted(folder.glob("*.whl"))
    assert wheels
    assert {path.name: rules.index_refusals(path, classifiers=KNOWN) for path in wheels} == {
        path.name: [] for path in wheels
    }


def test_a_set_with_copies_and_clashes(tmp_path: Path) -> None:
    """Two sdists, equal bytes under two names, and two wheels of one tag are each found."""
    wheel = make_wheel(tmp_path)
    twin = tmp_path / "tiny_thing-1.0-py2.py3-none-any.whl"
    shutil.copy(wheel, twin)
    sdists = [make_sdist(tmp_path), make_sdist(tmp_path, version="1.1")]
    found = codes(rules.check_distributions([wheel, twin, *sdists]))
    assert {"content-twice", "wheel-tag-twice", "sdist-several", "metadata-differs-version"} <= set(found)


@pytest.mark.parametrize(
    ("field", "value"),
    [("Requires-Dist", "other>=2"), ("Requires-Python", ">=3.12"), ("License-Expression", "Apache-2.0")],
)
def test_wheel_and_sdist_must_agree(tmp_path: Path, field: str, value: str) -> None:
    """A wheel that promises something else than its sdist is an error, unless the sdist says the field is dynamic."""
    wheel = make_wheel(tmp_path, fields={field: value})
    assert f"metadata-differs-{field.lower()}" in codes(rules.check_distributions([make_sdist(tmp_path), wheel]))
    dynamic = make_sdist(tmp_path, fields={"Dynamic": field})
    assert codes(rules.check_distributions([dynamic, wheel])) == []


def test_project_size_counts_what_is_published(tmp_path: Path) -> None:
    """The project's limit includes the bytes already on the index."""
    path = make_wheel(tmp_path)
    limits = rules.Limits(project=1000)
    assert "project-size" in codes(rules.check_distributions([path], limits=limits, published=900))


def test_everything_is_found_at_once(tmp_path: Path) -> None:
    """Several defects in one file are several findings in one call."""
    path = make_wheel(
        tmp_path,
        fields={"License": "MIT", "Summary": "x" * 600, "Requires-Dist": "a @ https://example.com/a"},
        files={"evil.pth": "import evil"},
        tags="py3-none-linux_x86_64",
    )
    assert set(codes(rules.check_distribution(path))) == {
        "license-twice",
        "summary",
        "dependency-direct-url",
        "pth-file",
        "platform-tag",
    }


def test_a_name_of_the_standard_library_matters_once(tmp_path: Path) -> None:
    """The index bans such names when a project is created, not afterwards."""
    assert rules.project_refusals("json", exists=False)[0].status == 400
    assert rules.project_refusals("json", exists=True) == []
    assert rules.project_refusals("-bad-", exists=True)
    path = make_wheel(tmp_path, "json")
    assert codes(rules.check_distributions([path])) == ["name-stdlib"]
    assert rules.check_distributions([path], exists=True) == []
    assert rules.index_refusals(path, exists=True) == []


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("os.path", "name-stdlib"), ("os_path", "name-stdlib"), ("OS--Path", "name-stdlib"), ("thread", "name-stdlib"),
        ("distutils", "name-stdlib"), ("urllib2", "name-stdlib"), ("xml.etree", "name-stdlib"),
        ("concurrent-futures", "name-stdlib"), ("annotationlib", "name-stdlib"), ("json", "name-stdlib"),
        ("requirements.txt", "name-banned"), ("Requirements_TXT", "name-banned"), ("rrequirements-txt", "name-banned"),
        ("requirements", ""), ("requirements-dev.txt", ""), ("json5", ""), ("ospath", ""), ("path-os", ""),
    ],
)  # fmt: skip
def test_names_that_nobody_gets(tmp_path: Path, name: str, code: str) -> None:
    """Modules of any Python, past and inner ones too, and what is typed for a file: in any spelling, only when new."""
    assert rules.project_refusals(name, exists=True) == []
    refusals = rules.project_refusals(name, exists=False)
    assert [refusal.message.startswith(f"The name {name!r} isn't allowed") for refusal in refusals] == [True] * bool(
        code
    )
    path = make_wheel(tmp_path, canonicalize_name(name))
    assert codes(rules.check_distributions([path])) == ([code] if code else [])
    assert rules.check_distributions([path], exists=True) == []


def test_the_modules_of_this_python_are_banned() -> None:
    """Every module of the Python that runs is known, and the list is normalised, sorted and without repetition."""
    assert all(bans.is_stdlib(module.strip("_")) for module in sys.stdlib_module_names)
    lines = Path(bans.__file__).with_name("stdlib_names.txt").read_text(encoding="utf-8").splitlines()
    names = [name for line in lines if not line.startswith("#") for name in line.split()]
    assert names == sorted({canonicalize_name(name) for name in names})


class _Unseekable(io.RawIOBase):
    """A pipe-like file: ZipFile then streams, with data descriptors behind the members."""

    def __init__(self) -> None:
        self.content = b""

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        self.content += bytes(data)
        return len(data)


def test_a_streamed_wheel_is_fine(tmp_path: Path) -> None:
    """Sizes behind the members instead of before them are no hidden content."""
    pipe = _Unseekable()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in wheel_members().items():
            archive.writestr(name, content)
    path = tmp_path / WHEEL
    path.write_bytes(pipe.content)
    assert archive.infolist()[0].flag_bits & 0x8
    assert rules.check_distribution(path) == []


def test_license_files_of_older_metadata_are_no_promise(tmp_path: Path) -> None:
    """Before 2.4 the field meant nothing reliable, so its absence inside is not held against a file."""
    fields = {"Metadata-Version": "2.2", "License-File": "LICENSE"}
    for path in (make_wheel(tmp_path, fields=fields), make_sdist(tmp_path, fields=fields)):
        assert codes(rules.check_distribution(path)) == []


@given(st.from_regex(r"\A[a-z0-9]([a-z0-9._-]{0,20}[a-z0-9])?\Z"), st.integers(0, 99), st.integers(0, 99))
def test_stems_are_normal(name: str, major: int, minor: int) -> None:
    """A file name stem has one dash, between the normalised name and the version."""
    stem = rules.filename_stem(name, f"{major}.{minor}")
    head, _, version = stem.partition("-")
    assert canonicalize_name(head) == canonicalize_name(name)
    assert version == f"{major}.{minor}"


@given(st.text(max_size=30))
def test_names_judged_safe_stay_inside(name: str) -> None:
    """Whatever passes as a member name has plain relative parts only."""
    if not unsafe_reason(name):
        assert not Path(name).is_absolute()
        assert not {"..", ".", ""} & set(name.split("/"))
        assert "\\" not in name


@given(st.binary(max_size=300))
def test_any_bytes_are_judged(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """Whatever stands in a file, the rules answer with findings and the index refuses it."""
    folder = tmp_path_factory.mktemp("any")
    for name in (WHEEL, "tiny_thing-1.0.tar.gz"):
        path = folder / name
        path.write_bytes(content)
        assert codes(rules.check_distribution(path))
        assert rules.index_refusals(path)
