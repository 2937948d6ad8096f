"""How a release stands, asked of services that keep the real ones' rules."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from inspection.outside import NAME, Outside, project_at

from hephaestus.inspection.manifest import Expected
from hephaestus.inspection.standing import Asked, GitHubStanding, IndexStanding, ask, wanted_indexes
from hephaestus.inspection.way_on import next_step
from hephaestus.release.project import Project
from hephaestus.worlds.world import TestPyPIPolicy

NOW = datetime(2027, 1, 15, tzinfo=UTC)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return project_at(tmp_path / "project", "1.2.3")


def asked(outside: Outside, project: Project, *, known: bool = True, token: str = "", days: float = 0.0) -> Asked:
    """Ask, ``days`` after now."""
    digests = outside.digests(project.version) if known else {}
    expected = Expected(source="the receipts here", files=digests, assets={"SHA256SUMS": ""}) if known else Expected()
    places = outside.places(project, **({"token": token} if token else {}))
    return ask(project, places, expected, now=datetime.now(UTC) + timedelta(days=days))


def states(index: IndexStanding) -> dict[str, str]:
    """What is said of each file, by the end of its name."""
    return {file.filename.rpartition(".")[2]: str(file.state) for file in index.files}


def test_nothing_is_anywhere(outside: Outside, project: Project) -> None:
    """Before the first upload every file is missing everywhere, no deadline runs, and the workflow comes next."""
    told = asked(outside, project)
    for index in told.indexes.values():
        assert (index.state, states(index)) == ("absent", {"whl": "missing", "gz": "missing"})
        assert (index.deadline, index.days_left) == (None, None)
    assert told.github == GitHubStanding(state="absent")
    assert "gh workflow run publish-pypi.yml --ref v1.2.3" in next_step(project, told)


def test_half_an_upload_has_a_deadline(outside: Outside, project: Project) -> None:
    """One file of two: the other is missing, and 14 days are left, counted from the first file on that index."""
    wheel = next(name for name in outside.make("1.2.3") if name.endswith(".whl"))
    outside.upload("1.2.3", "testpypi")
    outside.upload("1.2.3", "pypi", only=[wheel])
    told = asked(outside, project, days=3.5)
    pypi = told.indexes["pypi"]
    assert (pypi.state, states(pypi)) == ("partial", {"whl": "identical", "gz": "missing"})
    assert pypi.days_left == 11
    assert told.indexes["testpypi"].state == "complete"
    late = asked(outside, project, days=15)
    assert late.indexes["pypi"].days_left == 0
    assert "takes no more files of 1.2.3" in next_step(project, late)
    assert "1.2.4" in next_step(project, late)


def test_other_bytes_are_a_conflict_and_foreign_files_are_named(outside: Outside, project: Project) -> None:
    """What is there under our name with other bytes, or under no name of ours, is told apart from what is ours."""
    outside.upload("1.2.3", "pypi")
    wheel, sdist = sorted(outside.make("1.2.3"), reverse=True)
    assert wheel.endswith(".whl") or sdist.endswith(".whl")
    expected = Expected(source="x", files={wheel: "0" * 64})
    told = ask(project, outside.places(project), expected, now=datetime.now(UTC))
    found = {file.filename: str(file.state) for file in told.indexes["pypi"].files}
    assert found == {wheel: "conflict", sdist: "foreign"}
    assert told.indexes["pypi"].state == "conflict"
    assert "can never be replaced" in next_step(project, told)


def test_lag_is_no_absence(outside: Outside, project: Project) -> None:
    """A file that the JSON API has and the simple page does not show yet is published, not missing."""
    outside.upload("1.2.3", "testpypi")
    outside.fault("pypi:lag=9@2")
    outside.upload("1.2.3", "pypi")
    told = asked(outside, project)
    assert sorted(states(told.indexes["pypi"]).values()) == ["identical", "published, not yet propagated"]
    assert told.indexes["pypi"].state == "propagating"
    assert next_step(project, told).startswith("wait")


def test_a_yank_shows_on_every_file_with_its_reason(outside: Outside, project: Project) -> None:
    """A yanked release is complete by bytes and still not well: the next command proves the yank."""
    outside.upload("1.2.3")
    outside.yank("1.2.3", "eats data", "pypi")
    told = asked(outside, project)
    assert [file.yanked for file in told.indexes["pypi"].files] == ["eats data", "eats data"]
    assert told.indexes["pypi"].state == "yanked"
    assert next_step(project, told) == "hephaestus release rollback 1.2.3 --verify"


@pytest.mark.parametrize(("status", "state"), [("quarantined", "quarantined"), ("archived", "complete")])
def test_the_status_of_the_project_is_told(outside: Outside, project: Project, status: str, state: str) -> None:
    """A quarantined project shows no files, which is not absence; an archived one serves on."""
    outside.upload("1.2.3")
    outside.benches["pypi"].index.set_status(NAME, status, "because")  # type: ignore[arg-type]
    told = asked(outside, project)
    assert (told.indexes["pypi"].status, told.indexes["pypi"].reason) == (status, "because")
    assert told.indexes["pypi"].state == state


@pytest.mark.parametrize("fault", ["pypi:down", "pypi:html", "pypi:bad-json", "pypi:simple-reset", "github:502"])
def test_who_does_not_answer_is_a_state(outside: Outside, project: Project, fault: str) -> None:
    """One service that fails leaves the others' answers standing, and the step is to ask again."""
    outside.upload("1.2.3")
    outside.release("1.2.3")
    outside.fault(f"{fault}x99")
    told = asked(outside, project)
    assert told.indexes["testpypi"].state == "complete"
    silent = told.github.trouble if fault.startswith("github") else told.indexes["pypi"].trouble
    assert silent
    assert "again" in next_step(project, told)


def test_the_manifest_may_come_from_github(outside: Outside, project: Project) -> None:
    """On a machine without the release directory the digests come from SHA256SUMS of the GitHub Release."""
    outside.upload("1.2.3")
    outside.release("1.2.3")
    told = asked(outside, project, known=False)
    assert told.manifest == "SHA256SUMS of the GitHub Release v1.2.3"
    assert {index.state for index in told.indexes.values()} == {"complete"}


def test_without_any_manifest_nothing_is_called_identical(outside: Outside, project: Project) -> None:
    """What is served is listed, and said to be compared with nothing."""
    outside.upload("1.2.3")
    told = asked(outside, project, known=False)
    assert told.manifest == ""
    assert told.indexes["pypi"].state == "served, not compared"


def test_a_draft_is_seen_with_a_token_only(outside: Outside, project: Project) -> None:
    """A draft waits for its publication; without a token it cannot be seen, which is said and not taken for absence."""
    outside.upload("1.2.3")
    outside.release("1.2.3", publish=False)
    told = asked(outside, project)
    assert (told.github.state, told.github.complete, told.github.assets) == ("draft", True, 1)
    assert next_step(project, told)
    places = outside.places(project, token="")
    blind = ask(project, places, Expected(), now=NOW)
    assert (blind.github.state, blind.github.hidden) == ("absent", True)


def test_missing_assets_are_named(outside: Outside, project: Project) -> None:
    """A published release that lacks an asset, or has one with other bytes, is not complete."""
    outside.upload("1.2.3")
    outside.release("1.2.3")
    expected = Expected(
        source="x", files=outside.digests("1.2.3"), assets={"SHA256SUMS": "0" * 64, "wheelhouse.tar.gz": ""}
    )
    told = ask(project, outside.places(project), expected, now=datetime.now(UTC))
    assert (told.github.missing, told.github.different) == (("wheelhouse.tar.gz",), ("SHA256SUMS",))
    assert not told.github.complete
    assert next_step(project, told)


def test_a_complete_release_leaves_nothing_to_do(outside: Outside, project: Project) -> None:
    """Both indexes and GitHub hold everything: there is no next step."""
    outside.upload("1.2.3")
    outside.release("1.2.3")
    told = asked(outside, project)
    assert {index.state for index in told.indexes.values()} == {"complete"}
    assert (told.github.state, next_step(project, told)) == ("published", "")


def test_an_optional_test_pypi_is_not_waited_for(outside: Outside, project: Project) -> None:
    """Where policy lets Test PyPI be down, its silence and its gaps leave nothing to do."""
    outside.upload("1.2.3", "pypi")
    outside.release("1.2.3")
    optional = replace(outside.places(project).policy, testpypi=TestPyPIPolicy.OPTIONAL)
    places = replace(outside.places(project), policy=optional)
    expected = Expected(source="x", files=outside.digests("1.2.3"))
    told = ask(project, places, expected, now=datetime.now(UTC))
    assert (told.wanted, told.indexes["testpypi"].state, next_step(project, told)) == (("pypi",), "absent", "")
    assert wanted_indexes(project_at(project.root, "2.0rc1"), places.policy) == ()
    assert wanted_indexes(project_at(project.root, "2.0rc1"), outside.places(project).policy) == ("testpypi",)


def test_a_manifest_that_cannot_be_read_compares_nothing(outside: Outside, project: Project) -> None:
    """A broken SHA256SUMS on GitHub is no manifest: what is served is said to be compared with nothing."""
    outside.upload("1.2.3")
    outside.release("1.2.3", content="not a manifest\n")
    told = asked(outside, project, known=False)
    assert (told.manifest, told.indexes["pypi"].state) == ("", "served, not compared")


def test_what_cannot_be_completed_any_more_needs_a_new_version(outside: Outside, project: Project) -> None:
    """A frozen release without an asset, and a quarantined project: neither is mended by running again."""
    outside.github.set_immutable_releases(True)
    outside.upload("1.2.3")
    outside.release("1.2.3")
    expected = Expected(source="x", files=outside.digests("1.2.3"), assets={"wheelhouse.tar.gz": ""})
    told = ask(project, outside.places(project), expected, now=datetime.now(UTC))
    assert told.github.immutable
    assert "immutable and lacks assets" in next_step(project, told)
    outside.benches["pypi"].index.set_status(NAME, "quarantined")
    told = ask(project, outside.places(project), expected, now=datetime.now(UTC))
    assert "administrators decide" in next_step(project, told)
