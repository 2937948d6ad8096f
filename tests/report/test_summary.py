"""The summary: what the receipts say, as data and as text; nothing it says is its own."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from report.releases import project, released

from hephaestus.release.directory import STAGES
from hephaestus.release.errors import ReleaseError
from hephaestus.release.indexes import IndexConfig
from hephaestus.release.receipts import ReceiptError
from hephaestus.report.summary import brief, current, render, summarize, write
from hephaestus.stages.proofs import PASSED_OVER
from hephaestus.worlds.private import PrivateTarget

TOKEN = "pypi-" + "A" * 40
ERROR = ReleaseError(what=f"the index refused {TOKEN}", why="it is read-only", next_step="nox -s upload-pypi")


def states(told: dict[str, Any]) -> dict[str, str]:
    """The state of each stage."""
    return {stage["stage"]: stage["state"] for stage in told["stages"]}


class TestData:
    """``summarize``."""

    def test_nothing_done_names_the_first_stage(self, tmp_path: Path) -> None:
        """An empty directory: no files, every stage open, build comes next."""
        told = summarize(project(tmp_path), released(tmp_path, "build"), world="rehearsal")
        assert told["next"] == "nox -s sign"
        empty = summarize(project(tmp_path), released(tmp_path / "other", "build"), world="rehearsal")
        assert set(states(empty).values()) == {"done", "not done"}

    def test_a_directory_that_is_not_there_is_a_release_not_begun(self, tmp_path: Path) -> None:
        """Without a directory every stage is open, nothing is known of the commit, and build comes next."""
        from hephaestus.release.directory import ReleaseDirectory

        told = summarize(project(tmp_path), ReleaseDirectory(path=tmp_path / "none"), world="publish")
        assert set(states(told).values()) == {"not done"}
        assert (told["next"], told["commit"], told["dirty"], told["files"]) == ("nox -s build", "", False, [])
        assert told["world"] == "publish"

    def test_everything_done_leaves_nothing_to_do(self, tmp_path: Path) -> None:
        """All receipts there: files with digest and size, the project as indexes spell it, no next command."""
        told = summarize(project(tmp_path), released(tmp_path), world="rehearsal")
        assert set(states(told).values()) == {"done"}
        assert told["next"] == ""
        assert told["project"] == "tiny-thing"
        assert told["tag"] == "v1.2.3"
        assert told["commit"] == "c" * 40
        assert told["files"] == [{"path": "dist/x.whl", "sha256": hashlib.sha256(b"wheel").hexdigest(), "size": 5}]

    def test_a_missing_file_has_no_size(self, tmp_path: Path) -> None:
        """A file that went away since is still named, with size 0."""
        directory = released(tmp_path)
        (directory.path / "dist" / "x.whl").unlink()
        told = summarize(project(tmp_path), directory, world="rehearsal")
        assert [file["size"] for file in told["files"]] == [0]

    def test_a_stage_done_for_other_bytes_is_stale(self, tmp_path: Path) -> None:
        """A receipt whose inputs are no longer what is there does not count as done; it is what comes next."""
        other = {"inputs": {"dist/x.whl": f"sha256:{'0' * 64}"}}
        told = summarize(project(tmp_path), released(tmp_path, sign=other), world="rehearsal")
        assert states(told)["sign"] == "stale"
        assert told["next"] == "nox -s sign"

    def test_services_say_what_their_receipts_prove(self, tmp_path: Path) -> None:
        """The evidence of the uploads and of the GitHub Release is taken over as it stands."""
        evidence = {"evidence": {"state": "complete", "files": 2}}
        told = summarize(project(tmp_path), released(tmp_path, upload_pypi=evidence), world="rehearsal")
        assert told["services"]["upload-pypi"] == {"state": "complete", "files": 2}
        assert set(told["services"]) == {"upload-testpypi", "upload-pypi", "github-release"}

    def test_a_receipt_that_cannot_be_read_is_an_error(self, tmp_path: Path) -> None:
        """Nothing is summarized over a damaged receipt."""
        directory = released(tmp_path)
        (directory.path / "receipts" / "smoke.json").write_text("{}", encoding="utf-8")
        with pytest.raises(ReceiptError, match=r"smoke\.json"):
            summarize(project(tmp_path), directory, world="rehearsal")


class TestFailures:
    """Failures are told, kept, and forgotten when their stage has succeeded since."""

    def test_a_failure_is_told_without_its_secrets(self, tmp_path: Path) -> None:
        """The failed stage is named with what, why and next; a token in the message is taken out."""
        directory = released(tmp_path, "build", "sign", "check")
        told = summarize(project(tmp_path), directory, world="rehearsal", failed=("upload-testpypi", ERROR))
        failure = told["failures"]["upload-testpypi"]
        assert failure["what"] == "the index refused ***"
        assert (failure["why"], failure["next"]) == ("it is read-only", "nox -s upload-pypi")
        assert states(told)["upload-testpypi"] == "failed"
        assert told["next"] == "nox -s upload-testpypi"
        assert TOKEN not in json.dumps(told)

    def test_a_failure_is_remembered_until_its_stage_is_done(self, tmp_path: Path) -> None:
        """A later run of another stage still tells it; a newer receipt of the same stage ends it."""
        directory = released(tmp_path, "build")
        write(summarize(project(tmp_path), directory, world="rehearsal", failed=("sign", ERROR)), directory)
        assert "sign" in summarize(project(tmp_path), directory, world="rehearsal")["failures"]
        released(tmp_path, "sign", sign={"started": "9999-01-01T00:00:00Z"})
        assert summarize(project(tmp_path), directory, world="rehearsal")["failures"] == {}

    def test_a_failure_is_over_when_the_stage_is_found_to_hold(self, tmp_path: Path) -> None:
        """`-- --tag=v9` was refused, without it the old receipt holds: the stage is done, not failed for ever."""
        directory = released(tmp_path)
        write(summarize(project(tmp_path), directory, world="rehearsal", failed=("build", ERROR)), directory)
        assert not current(directory, "build")
        told = summarize(project(tmp_path), directory, world="rehearsal", held="build")
        assert (states(told)["build"], told["failures"], told["next"]) == ("done", {}, "")
        write(told, directory)
        assert current(directory, "build")

    def test_a_failure_after_a_success_counts(self, tmp_path: Path) -> None:
        """A stage that was done long ago and has failed since is failed."""
        directory = released(tmp_path)
        write(summarize(project(tmp_path), directory, world="rehearsal", failed=("verify", ERROR)), directory)
        told = summarize(project(tmp_path), directory, world="rehearsal")
        assert states(told)["verify"] == "failed"
        assert told["next"] == "nox -s verify"

    @pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"failures": []}', '{"failures": null}', "\x00"])
    def test_a_summary_that_cannot_be_read_told_nothing(self, tmp_path: Path, text: str) -> None:
        """summary.json is for programs, not a source: damaged, it is as if it were not there."""
        directory = released(tmp_path)
        (directory.path / "summary.json").write_text(text, encoding="utf-8")
        assert summarize(project(tmp_path), directory, world="rehearsal")["failures"] == {}


class TestPolicy:
    """What policy leaves out is no gap."""

    @pytest.mark.parametrize(("promoted", "state"), [(False, "left out"), (True, "not done")])
    def test_a_pre_release_needs_no_upload_to_pypi(self, tmp_path: Path, promoted: bool, state: str) -> None:
        """Without promotion upload-pypi is left out, with a reason; with it, it is open."""
        directory = released(tmp_path, *(stage for stage in STAGES if stage != "upload-pypi"))
        pre = project(tmp_path, version="1.2.3rc1", prerelease_to_pypi=promoted)
        told = summarize(pre, directory, world="rehearsal")
        assert states(told)["upload-pypi"] == state
        assert told["next"] == ("nox -s upload-pypi" if promoted else "")
        assert ("left out: a pre-release" in render(told)) is not promoted

    @pytest.mark.parametrize(("answer", "state"), [(PASSED_OVER, "left out"), ("complete", "not done")])
    def test_smoke_is_left_out_only_with_a_test_pypi_that_was_passed_over(
        self, tmp_path: Path, answer: str, state: str
    ) -> None:
        """An index that policy let the release pass over leaves smoke nothing to install; else smoke is open."""
        directory = released(
            tmp_path, *(stage for stage in STAGES if stage != "smoke"),
            upload_testpypi={"evidence": {"state": answer}},
        )  # fmt: skip
        told = summarize(project(tmp_path), directory, world="rehearsal")
        assert states(told)["smoke"] == state


class TestPrivateIndex:
    """A release to a private index and one to the public ones never pass for each other."""

    TARGET = PrivateTarget(name="internal", config=IndexConfig())

    def test_it_is_whole_without_the_stages_that_have_no_part_in_it(self, tmp_path: Path) -> None:
        """Five stages done, five left out with a reason: complete, shown against that index alone."""
        stages = [stage for stage in STAGES if stage not in self.TARGET.left_out]
        worlds: dict[str, Any] = {stage.replace("-", "_"): {"world": self.TARGET.label} for stage in stages}
        directory = released(tmp_path, *stages, **worlds)
        told = summarize(project(tmp_path), directory, world=self.TARGET.label, target=self.TARGET)
        assert set(states(told).values()) == {"done", "left out"}
        assert (told["next"], told["index"]) == ("", "internal")
        text = render(told) + brief(told)
        assert "  internal   done" in text
        assert "  PyPI " not in text
        assert "GitHub   " not in text
        open_ = summarize(project(tmp_path), directory, world="publish")
        assert set(states(open_).values()) == {"not done"}
        assert (open_["next"], open_["services"], open_["commit"]) == ("nox -s build", {}, "")
        assert "its receipt is of publish:internal" in render(open_)

    def test_receipts_of_a_public_release_count_for_nothing(self, tmp_path: Path) -> None:
        """The other way round: everything that has a part in it is open, with the command that goes there."""
        directory = released(tmp_path)
        told = summarize(project(tmp_path), directory, world=self.TARGET.label, target=self.TARGET)
        assert set(states(told).values()) == {"not done", "left out"}
        assert told["next"] == "nox -s build -- --publish --index internal"

    def test_a_failure_of_another_world_is_none_of_this_one(self, tmp_path: Path) -> None:
        """What failed on the way to the public indexes is not told of the private one."""
        directory = released(tmp_path, "build")
        write(summarize(project(tmp_path), directory, world="publish", failed=("sign", ERROR)), directory)
        told = summarize(project(tmp_path), directory, world=self.TARGET.label, target=self.TARGET)
        assert told["failures"] == {}


class TestText:
    """``render``, ``brief`` and ``write``."""

    def test_the_text_names_every_file_service_and_stage(self, tmp_path: Path) -> None:
        """Whole digests, sizes, one line a service, one a stage, and the end in words."""
        evidence = {"evidence": {"state": "complete"}}
        told = summarize(project(tmp_path), released(tmp_path, upload_pypi=evidence), world="rehearsal")
        text = render(told)
        assert "tiny-thing 1.2.3   rehearsal of commit cccccccccccc\n" in text
        assert f"  {hashlib.sha256(b'wheel').hexdigest()}        5 B  dist/x.whl" in text
        assert "  PyPI       complete" in text
        assert all(f"  {stage} " in text for stage in STAGES)
        assert "complete: nothing is left to do" in text

    def test_uncommitted_changes_are_told(self, tmp_path: Path) -> None:
        """A dirty build says so beside its commit."""
        told = summarize(project(tmp_path), released(tmp_path, build={"dirty": True}), world="rehearsal")
        assert "of commit cccccccccccc, with uncommitted changes" in render(told)

    def test_the_brief_tells_done_open_and_services(self, tmp_path: Path) -> None:
        """After a failure: what the services have, what is done, what is open."""
        directory = released(tmp_path, "build", "sign")
        told = summarize(project(tmp_path), directory, world="rehearsal", failed=("check", ERROR))
        assert brief(told) == (
            "  tiny-thing 1.2.3: Test PyPI not done; PyPI not done; GitHub not done\n"
            "  done: build, sign\n"
            "  open: check, upload-testpypi, smoke, upload-pypi, wheelhouse, sign-wheelhouse, github-release, verify\n"
        )

    def test_the_brief_has_words_for_nothing(self, tmp_path: Path) -> None:
        """Nothing done and nothing open are said in words."""
        from hephaestus.release.directory import ReleaseDirectory

        nothing = summarize(project(tmp_path), ReleaseDirectory(path=tmp_path / "none"), world="rehearsal")
        assert "done: nothing yet" in brief(nothing)
        assert "open: nothing" in brief(summarize(project(tmp_path), released(tmp_path), world="rehearsal"))

    def test_a_failed_service_is_failed_whatever_it_proved_before(self, tmp_path: Path) -> None:
        """An upload that was complete once and failed since is shown as failed."""
        directory = released(tmp_path, upload_pypi={"evidence": {"state": "complete"}})
        told = summarize(project(tmp_path), directory, world="rehearsal", failed=("upload-pypi", ERROR))
        assert "PyPI failed" in brief(told)

    def test_what_is_written_is_the_same_data(self, tmp_path: Path) -> None:
        """summary.json holds exactly the summary, as JSON."""
        directory = released(tmp_path)
        told = summarize(project(tmp_path), directory, world="rehearsal")
        assert json.loads(write(told, directory).read_text(encoding="utf-8")) == told

    @settings(max_examples=25)
    @given(done=st.sets(st.sampled_from(STAGES)))
    def test_whatever_is_done_next_is_the_first_that_is_not(
        self, tmp_path_factory: pytest.TempPathFactory, done: set[str]
    ) -> None:
        """For any set of receipts the next command is the first open stage, and text and brief can be made."""
        folder = tmp_path_factory.mktemp("any")
        there = [stage for stage in STAGES if stage in done]
        from hephaestus.release.directory import ReleaseDirectory

        directory = released(folder, *there) if there else ReleaseDirectory(path=folder / "none")
        told = summarize(project(folder), directory, world="rehearsal")
        open_ = [stage for stage in STAGES if stage not in done]
        assert told["next"] == (f"nox -s {open_[0]}" if open_ else "")
        assert told["next"] in render(told)
        assert brief(told)
