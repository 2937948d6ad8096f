"""What a rehearsal survives: faults of services, killed processes, two runs at once, parallel sessions."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Iterable
from pathlib import Path

import filelock
import pytest
from e2e.projects import Project, gone, running, until

from hephaestus.release.directory import STAGES

#: Short, and yet longer than what passes between two questions of one run on a busy machine.
IDLE = {"HEPHAESTUS_STANDINS_IDLE": "5"}


def sent_once(project: Project, index: str) -> None:
    """Assert that an index was never sent other bytes under a name, and holds exactly dist/."""
    digests = project.digests()
    assert {(entry["filename"], entry["sha256"]) for entry in project.uploads(index)} == set(digests.items())
    assert project.served(index) == digests


@pytest.mark.parametrize(
    "fault",
    ["503@2", "stored-500@2", "stored-reset@2", "lag=3", "simple-503@2"],
)
def test_an_upload_survives_a_fault_of_the_index(before: Callable[[str], Project], fault: str) -> None:
    """The upload meets one fault of PyPI and still ends with every file there once, with the bytes of dist/."""
    project = before("upload-pypi")
    ran = project.nox("-s", "upload-pypi", "--no-dependencies", "--", f"--fault=pypi:{fault}")
    if ran.code != 0:
        assert "next:" in ran.output, ran.output
        assert "Traceback" not in ran.output.split("next:")[0].split("why:")[0]
        ran = project.nox("-s", "upload-pypi", "--no-dependencies")
    assert ran.code == 0, ran.output
    sent_once(project, "pypi")


@pytest.mark.parametrize("fault", ["sigstore:fulcio-500", "sigstore:rekor-500@2", "sigstore:tsa-down", "oidc:500"])
def test_signing_after_a_fault_is_complete(before: Callable[[str], Project], fault: str) -> None:
    """A fault while signing leaves nothing or everything; the same command afterwards signs all."""
    project = before("sign")
    built = project.files()
    ran = project.nox("-s", "sign", "--no-dependencies", "--", f"--fault={fault}")
    if ran.code != 0:
        assert project.files() == built
        assert "next:" in ran.output
        ran = project.nox("-s", "sign", "--no-dependencies")
    assert ran.code == 0, ran.output
    assert len(project.files()) == len(built) + 3 + 2 + 1


def test_a_fault_nobody_knows_is_refused(before: Callable[[str], Project]) -> None:
    """A fault that is not written as the grammar wants is refused with one clear error, before anything is done."""
    project = before("upload-pypi")
    ran = project.nox("-s", "upload-pypi", "--no-dependencies", "--", "--fault=pypi")
    assert ran.code == 1
    assert "Traceback" not in ran.output
    assert "pypi" in ran.output
    assert project.uploads("pypi") == []


def test_a_killed_host_is_replaced(before: Callable[[str], Project]) -> None:
    """After kill -9 of the stand-ins' process the next command starts another over the same state."""
    project = before("upload-pypi")
    assert project.nox("-s", "build").code == 0
    pid = project.host().pid
    os.kill(pid, signal.SIGKILL)
    assert until(lambda: gone(pid))
    ran = project.nox("-s", "upload-pypi")
    assert ran.code == 0, ran.output
    assert project.host().pid != pid
    sent_once(project, "pypi")
    assert len(project.uploads("testpypi")) == 2


def test_an_idle_host_ends_and_the_next_command_goes_on(before: Callable[[str], Project]) -> None:
    """The stand-ins end when idle; a stage run afterwards finds all they kept."""
    project = before("upload-pypi")
    assert project.nox("-s", "build", env=IDLE).code == 0
    # The stretch may be over before anybody looks: the lock is free when the process has ended.
    assert until(lambda: not (project.state / "host.json").exists())
    with filelock.FileLock(project.state / "host.lock", timeout=600):
        pass
    ran = project.nox("-s", "upload-pypi")
    assert ran.code == 0, ran.output
    assert ran.ended("upload-testpypi") == "skipped"
    sent_once(project, "pypi")


def test_a_bad_idle_time_is_refused(before: Callable[[str], Project]) -> None:
    """HEPHAESTUS_STANDINS_IDLE that is no number of seconds is one clear error."""
    ran = before("upload-pypi").nox("-s", "build", env={"HEPHAESTUS_STANDINS_IDLE": "soon"})
    assert ran.code == 1
    assert "HEPHAESTUS_STANDINS_IDLE is 'soon'" in ran.output
    assert "next:" in ran.output


def test_a_killed_run_leaves_no_process_and_no_work_folder(before: Callable[[str], Project], tmp_path: Path) -> None:
    """After kill -9 of nox all its processes end by themselves, and the next run clears what it left and completes."""
    project = before("sign")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    env = {**IDLE, "TMPDIR": str(temporary)}
    with running(project, "-s", "sign", "--no-dependencies", env=env) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "sigstore" in line and line.startswith("  > "):
                break
        # The command is printed before its process exists; killed in between, that process would start unseen.
        assert until(lambda: any("sigstore" in line for line in _naming(temporary)))
        process.kill()
    assert until(lambda: not _naming(project.root) and not _naming(temporary))
    # On a busy machine a second may pass between two questions to the stand-ins.
    ran = project.nox("-s", "sign", "--no-dependencies", env={"TMPDIR": str(temporary)})
    assert ran.code == 0, ran.output
    assert [path.name for path in temporary.iterdir() if path.name.startswith("hephaestus-")] == []
    assert not (project.directory.path / ".staged").exists()


def test_of_two_runs_at_once_one_waits(before: Callable[[str], Project]) -> None:
    """Two runs of the same release at once both succeed, every file is sent once, and one said whom it waited for.

    The first is held in the middle of a stage until the second has met it: on their own they may miss each other.
    """
    project = before("upload-testpypi")
    words = ("-s", "upload-pypi")
    with running(project, *words) as first:
        assert first.stdout is not None
        before_it = _until(first.stdout, lambda line: line.startswith("  > ") and "twine" in line)
        first.send_signal(signal.SIGSTOP)
        try:
            with running(project, *words) as second:
                assert second.stdout is not None
                met = _until(second.stdout, lambda line: "waiting for pid" in line)
                first.send_signal(signal.SIGCONT)
                outputs = [process.communicate(timeout=3000)[0] for process in (first, second)]
                assert [first.returncode, second.returncode] == [0, 0], (before_it, met, outputs)
        finally:
            first.send_signal(signal.SIGCONT)
    assert f"waiting for pid {first.pid}" in met[-1]
    for index in ("testpypi", "pypi"):
        sent_once(project, index)
        assert len(project.uploads(index)) == 2


def _until(stream: Iterable[str], wanted: Callable[[str], bool]) -> list[str]:
    """The lines of a running process up to the wanted one; that it never came fails."""
    lines = []
    for line in stream:
        lines.append(line)
        if wanted(line):
            return lines
    pytest.fail(f"it ended before: {''.join(lines)}")


def test_the_chain_runs_in_parallel(before: Callable[[str], Project]) -> None:
    """`nox -j2 -s release` completes the release: what needs an order keeps it."""
    project = before("sign")
    ran = project.nox("-j2", "-s", "release")
    assert ran.code == 0, ran.output
    assert project.stages() == list(STAGES)
    assert project.receipt("github-release")["evidence"]["state"] == "published"
    for index in ("testpypi", "pypi"):
        sent_once(project, index)


def test_a_run_ended_by_the_person_can_go_on(before: Callable[[str], Project]) -> None:
    """Ctrl-C in the middle of an upload ends nox with 130 and leaves a release that the same command completes."""
    project = before("upload-pypi")
    with running(project, "-s", "upload-pypi", "--no-dependencies") as process:
        assert process.stdout is not None
        for line in process.stdout:
            if " -m twine " in line and " upload " in line:
                break
        assert process.poll() is None, "nox had ended before it was interrupted"
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=600)
    assert process.returncode in (1, 130)
    ran = project.nox("-s", "upload-pypi", "--no-dependencies")
    assert ran.code == 0, ran.output
    sent_once(project, "pypi")


def _naming(root: Path) -> list[str]:
    """The command lines of running processes that name a folder."""
    shown = subprocess.run(["ps", "-wweo", "args="], capture_output=True, text=True, check=True).stdout
    return [line for line in shown.splitlines() if str(root) in line and "ps -wweo" not in line]
