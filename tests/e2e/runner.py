"""Where the executed workflow runs: a place, the stand-ins behind it, and what they hold afterwards."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from e2e.projects import Setting, git, gone, until
from e2e.workflow import FILE, Run

from hephaestus.release.chain import REQUIRES
from hephaestus.standins.services import Configuration
from hephaestus.toolchain.locks import read_lock
from hephaestus.toolchain.virtualenvs import cached_environment
from hephaestus.worlds.children import installer
from hephaestus.worlds.hosting import Host, ensure_host

__all__ = ["REPOSITORY", "STAGES", "SUCCESS", "Runner", "told"]

REPOSITORY = "IAmJonoBo/Hephaestus"
ENVIRONMENTS = {"testpypi": "testpypi", "pypi": "pypi"}
STAGES = list(REQUIRES)
SUCCESS = dict.fromkeys([*STAGES, "verdict"], "success")


@dataclass(kw_only=True)
class Runner:
    """One place where jobs run, and the stand-ins behind them, which know one ``project`` and its ``workflow``."""

    origin: Path
    folder: Path
    state: Path
    setting: Setting
    project: str = "tiny-thing"
    workflow: str = FILE
    hosts: list[Host] = field(default_factory=list)

    @property
    def cache(self) -> Path:
        return Path(self.setting.environ["HEPHAESTUS_CACHE"])

    def host(self, *faults: str) -> Host:
        """The living stand-ins, with exactly these faults armed."""
        environ = self.setting.environ
        host = ensure_host(
            self.state,
            python=lambda: cached_environment(read_lock("standins"), env=installer(environ), cache=self.cache),
            configuration=Configuration(
                project=self.project, repository=REPOSITORY, workflow=self.workflow, environments=ENVIRONMENTS
            ),
            cache=self.cache,
            environ=environ,
            idle_seconds=300,
            faults=faults,
            run=f"{len(self.hosts)}",
        )
        self.hosts.append(host)
        return host

    def run(self, tag: str = "v1.2.3", **options: Any) -> Run:
        """A fresh run on ``tag``, which is on GitHub's main branch with its commit."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        host = self.host()
        history = git(self.origin, "rev-list", "--reverse", tag).split()
        host.push(history, tag=tag)
        given = {"cache": self.cache, "repository": REPOSITORY, "file": self.workflow, **options}
        return Run(origin=self.origin, ref=tag, folder=self.folder, host=host, **given)

    def rest(self) -> None:
        """End the stand-ins."""
        for host in {host.pid: host for host in self.hosts}.values():
            if not gone(host.pid):
                host.shut_down()
                assert until(lambda pid=host.pid: gone(pid))  # type: ignore[misc]

    def served(self, index: str) -> dict[str, str]:
        """File name to sha256 of what an index holds."""
        path = self.state / "index" / index / "state.json"
        state = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"files": {}}
        return {name: file["sha256"] for name, file in state["files"].items()}

    def sent(self, index: str) -> dict[str, set[str]]:
        """Every file name an index was sent, with every digest that was sent under it."""
        path = self.state / "index" / index / "journal.jsonl"
        found: dict[str, set[str]] = {}
        for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else ():
            entry = json.loads(line)
            if "filename" in entry:
                found.setdefault(entry["filename"], set()).add(entry["sha256"])
        return found

    def release(self, tag: str = "v1.2.3") -> dict[str, Any]:
        """The GitHub Release of a tag as the stand-in keeps it; empty when there is none."""
        kept = json.loads((self.state / "github" / "repository.json").read_text(encoding="utf-8"))
        return next((release for release in kept["releases"] if release["tag"] == tag), {})

    def settle(self, run: Run, *, tag: str = "v1.2.3") -> None:
        """What every complete release looks like, whatever happened on the way."""
        assert run.results() == SUCCESS, told(run)
        assert run.green
        served = self.served("pypi")
        assert len(served) == 2
        assert served == self.served("testpypi")
        for index in ENVIRONMENTS:
            assert all(len(digests) == 1 for digests in self.sent(index).values()), "other bytes were sent"
        release = self.release(tag)
        assert (release["draft"], release["immutable"], release["prerelease"]) == (False, True, False)
        assert len({asset["name"] for asset in release["assets"]}) == 12


def told(run: Run) -> str:
    """What a person sees of a run: each job's end, and the last of what failed ones said."""
    return "\n".join(
        f"{name}: {job.result}\n{job.output[-1500:] if job.result == 'failure' else ''}"
        for name, job in run.jobs.items()
    )
