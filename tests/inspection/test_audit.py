"""The audit's verdicts, from what was gathered: pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from hephaestus.consumer.verdict import State, Verdict
from hephaestus.inspection.audit import Audited, Claims, File, Manifest, Tag, audit
from hephaestus.release.tags import version_of_tag

V = Version("1.0")
OURS = Claims(repository="Owner/repo", workflow="publish-pypi.yml")
WHEEL = File(filename="x-1.0-py3-none-any.whl", sha256="a" * 64, attestations=1, publishers=(OURS,))
SDIST = File(filename="x-1.0.tar.gz", sha256="b" * 64, attestations=1, publishers=(OURS,))
SUMS = {WHEEL.filename: "a" * 64, SDIST.filename: "b" * 64}
TAG = Tag(name="v1.0", here="c" * 40, github="c" * 40)


def clean(**changes: Any) -> Audited:
    """Version 1.0 on PyPI alone, with everything in order."""
    base: dict[str, Any] = {
        "repository": "Owner/repo",
        "workflow": "publish-pypi.yml",
        "indexes": {"pypi": {V: [WHEEL, SDIST]}},
        "tags": {V: [TAG]},
        "manifests": {V: Manifest(files=SUMS)},
        "statuses": {"pypi": "active"},
    }
    return Audited(**(base | changes))


def one(found: Audited, *accepted: str) -> Verdict:
    """The one verdict."""
    (verdict,) = audit(found, accepted=[Version(version) for version in accepted])
    return verdict


def files(**changes: Any) -> dict[str, Any]:
    """The wheel spoilt in one way."""
    return {"indexes": {"pypi": {V: [replace(WHEEL, **changes), SDIST]}}}


def test_what_is_in_order_passes() -> None:
    """Tag, manifest, digests and publisher agree: one PASS line with the number of files."""
    assert one(clean()) == Verdict(state=State.PASS, place="pypi", subject="1.0", reason="2 files")


@pytest.mark.parametrize(
    ("changes", "state", "reason", "acceptable"),
    [
        ({"tags": {}}, State.FAIL, "no tag v1.0", True),
        ({"tags": {V: [replace(TAG, github=None)]}}, State.FAIL, "v1.0 is a tag here and not on GitHub", True),
        ({"tags": {V: [replace(TAG, github="d" * 40)]}}, State.FAIL, "v1.0 is at cccccccccccc here and at dddd", False),
        ({"tags": {V: [TAG, replace(TAG, name="v1.0.0")]}}, State.FAIL, "more than one tag is of it", False),
        ({"manifests": {}}, State.FAIL, "no SHA256SUMS on a GitHub Release", True),
        ({"manifests": {V: Manifest(trouble="line 3: odd")}}, State.FAIL, "could not be read: line 3: odd", False),
        ({"manifests": {V: Manifest(files={SDIST.filename: "b" * 64})}}, State.FAIL, "not in the manifest", False),
        ({"manifests": {V: Manifest(files={**SUMS, "y": "0" * 64})}}, State.FAIL, "PyPI lacks y", False),
        (files(sha256="f" * 64), State.FAIL, "has sha256 ffff", False),
        (files(sha256=None), State.FAIL, "has sha256 None", False),
        (files(attestations=0, publishers=()), State.FAIL, "has no attestation", True),
        (files(publishers=(Claims(repository="Evil/repo", workflow="publish-pypi.yml"),)), State.FAIL,
         "published by Evil/repo publish-pypi.yml", False),
        (files(publishers=(Claims(repository="Owner/repo", workflow="other.yml"),)), State.FAIL,
         "published by Owner/repo other.yml", False),
        (files(publishers=(OURS, Claims(repository="", workflow=""))), State.FAIL, "an unknown publisher", False),
        (files(unproven=("the certificate is of another tag",)), State.FAIL, "of another tag", False),
        (files(yanked="eats data"), State.FAIL, "1 of 2 files are yanked (eats data)", False),
        ({"indexes": {"pypi": {V: [replace(one, yanked="") for one in (WHEEL, SDIST)]}}}, State.FAIL, "yanked", True),
        ({"indexes": {"pypi": {}}}, State.ABSENT, "v1.0 is a tag, PyPI has no file of it", True),
    ],
)  # fmt: skip
def test_each_defect_has_its_line(changes: dict[str, Any], state: State, reason: str, acceptable: bool) -> None:
    """Broken in one way: the line says which; only what history cannot mend can be accepted."""
    found = clean(**changes)
    verdict = one(found)
    assert verdict.state is state
    assert reason in verdict.reason
    known = one(found, "1.0")
    assert (known.state is State.PASS) is acceptable
    assert reason in known.reason


def test_a_repository_is_compared_as_indexes_do() -> None:
    """The case of owner and name says nothing; PyPI keeps the one it was configured with."""
    assert one(clean(repository="owner/REPO")).state is State.PASS


@pytest.mark.parametrize(("status", "lines"), [("quarantined", 1), ("archived", 2), ("deprecated", 2)])
def test_a_project_that_is_not_active_is_a_line(status: str, lines: int) -> None:
    """A quarantined project shows no files, so no version is said to lack them; an archived one is still audited."""
    verdicts = audit(clean(statuses={"pypi": status}))
    assert len(verdicts) == lines
    assert (verdicts[0].state, verdicts[0].reason) == (State.FAIL, f"it is {status}")


def test_a_silent_service_is_a_failure_and_its_tags_are_not_missing() -> None:
    """Without GitHub nobody can tell its tags: that is the line, not one accusation a version."""
    found = clean(tags={V: [replace(TAG, github=None)]}, troubles={"github": "no answer"}, github_told=False)
    verdicts = audit(found)
    assert [verdict.state for verdict in verdicts] == [State.FAIL, State.PASS]


def test_a_pre_release_is_expected_on_test_pypi_only() -> None:
    """A tag of a release candidate without a file on PyPI is as it should be."""
    rc = Version("2.0rc1")
    found = clean(
        indexes={"testpypi": {}, "pypi": {}}, tags={rc: [Tag(name="v2.0rc1", here="c" * 40, github="c" * 40)]}
    )
    assert [(verdict.place, verdict.state) for verdict in audit(found)] == [("testpypi", State.ABSENT)]


@pytest.mark.parametrize(
    ("name", "version"),
    [("v1.0", "1.0"), ("v2.0rc1", "2.0rc1"), ("1.0", None), ("vnext", None), ("v", None), ("", None)],
)
def test_tags_of_versions(name: str, version: str | None) -> None:
    """Only ``v<version>`` is a release's tag; others are somebody else's business."""
    assert version_of_tag(name) == (None if version is None else Version(version))


def test_the_tag_that_is_missing_is_named_as_the_package_has_it() -> None:
    """Where a repository holds several packages, a version without a tag lacks the tag with the prefix."""
    verdict = audit(clean(tags={}, tag_prefix="core-"))[0]
    assert "no tag core-v" in verdict.reason


_FILES = st.builds(
    File,
    filename=st.sampled_from([WHEEL.filename, SDIST.filename, "x-1.0-other.whl"]),
    sha256=st.sampled_from([None, "a" * 64, "b" * 64, "f" * 64]),
    yanked=st.sampled_from([None, "", "why"]),
    attestations=st.integers(0, 2),
    publishers=st.lists(st.sampled_from([OURS, Claims(repository="E/r", workflow="w.yml")]), max_size=2).map(tuple),
)


@given(st.lists(_FILES, min_size=1, max_size=3), st.booleans(), st.booleans())
def test_nothing_foreign_ever_passes(served: list[File], tagged: bool, accept: bool) -> None:
    """Whatever is served: a PASS means that every digest is the manifest's and no publisher is foreign."""
    found = clean(indexes={"pypi": {V: served}}, tags={V: [TAG]} if tagged else {})
    verdict = audit(found, accepted=[V] if accept else [])[-1]
    if verdict.state is State.PASS:
        assert all(SUMS.get(file.filename) == file.sha256 for file in served)
        assert all(claims == OURS for file in served if file.attestations for claims in file.publishers)
        assert accept or all(file.attestations and file.yanked is None for file in served)
