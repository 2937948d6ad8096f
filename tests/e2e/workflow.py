"""The publishing workflow, executed as far as one machine can: jobs, steps and expressions as its YAML has them.

Every job gets a fresh clone and an empty HOME, only the variables its job has on GitHub, an identity only where the
YAML grants ``id-token: write``, and artifacts only through upload and download steps. All jobs run in one place, as
on GitHub's runners. A ``plain`` run installs everything anew in every job, without uv; the others find what the
install step made for the same lock, and uv, on their runner: a step that was proven once need not cost every test.
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from e2e.expressions import Expressions
from e2e.projects import environment, git
from ruamel.yaml import YAML

from hephaestus.worlds.hosting import Host

__all__ = ["FILE", "Job", "Run", "services_file", "triggered"]

#: The workflow under test; its name is part of the publisher's identity.
FILE = "publish-pypi.yml"

#: What a runner has that leads to packages; nothing of it belongs to the project.
_SOURCES = ("PIP_", "UV_", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY")


@dataclass(kw_only=True)
class Job:
    """How a job ended: ``result`` as GitHub names it, everything its steps said, its outputs and its summary."""

    name: str
    result: str
    output: str = ""
    outputs: dict[str, str] = field(default_factory=dict)
    summary: str = ""
    environ: dict[str, str] = field(default_factory=dict)


@dataclass(kw_only=True)
class Run:
    """One run of the workflow ``file`` on a tag of ``origin``; ``jobs`` holds how each ended last.

    ``lost`` names jobs whose runner is lost while their session works: its processes are killed at their first tool.
    ``tamper`` is called with a job's name and workspace when its artifacts have arrived, before its session.
    """

    origin: Path
    ref: str
    folder: Path
    host: Host
    cache: Path
    repository: str
    file: str = FILE
    kind: str = "tags"
    event: str = "push"
    plain: bool = False
    variables: Mapping[str, str] = field(default_factory=dict)
    attempt: int = 0
    jobs: dict[str, Job] = field(default_factory=dict)
    lost: set[str] = field(default_factory=set)
    tamper: Callable[[str, Path], None] | None = None

    def results(self) -> dict[str, str]:
        """Every job and how it ended."""
        return {name: job.result for name, job in self.jobs.items()}

    def copy(self, folder: Path, host: Host) -> Run:
        """The run as it stands, elsewhere and over other stand-ins: its artifacts and outputs, no workspace."""
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.folder / "artifacts", folder / "artifacts", symlinks=True)
        return replace(self, folder=folder, host=host, jobs=copy.deepcopy(self.jobs))

    @property
    def sha(self) -> str:
        """The commit the run stands on."""
        return git(self.origin, "rev-parse", f"{self.ref}^{{commit}}").strip()

    @property
    def workflow(self) -> dict[str, Any]:
        """The workflow as the ref's own commit has it."""
        text = git(self.origin, "show", f"{self.ref}:.github/workflows/{self.file}")
        loaded: dict[str, Any] = YAML(typ="safe").load(text)
        return loaded

    @property
    def green(self) -> bool:
        """Whether GitHub would show the run as successful."""
        return all(job.result in ("success", "skipped") for job in self.jobs.values())

    def start(self, *, only: Callable[[str], bool] = lambda _name: True) -> None:
        """One attempt: the jobs ``only`` names are run in the order of their needs, the others stay as they ended."""
        self.attempt += 1
        jobs = self.workflow["jobs"]
        waiting = [name for name in jobs if only(name)]
        for name in waiting:
            self.jobs.pop(name, None)
        while waiting:
            ready = next(name for name in waiting if all(need in self.jobs for need in jobs[name].get("needs", ())))
            waiting.remove(ready)
            self.jobs[ready] = self._job(ready, jobs[ready])

    def rerun_failed(self) -> None:
        """ "Re-run failed jobs": those that failed, and every job that waits for one of them."""
        jobs = self.workflow["jobs"]
        again = {name for name, job in self.jobs.items() if job.result not in ("success", "skipped")}
        again |= {name for name, job in self.jobs.items() if job.result == "skipped" and name in jobs}
        grown = True
        while grown:
            more = {name for name, job in jobs.items() if set(job.get("needs", ())) & again} - again
            grown = bool(more)
            again |= more
        self.start(only=again.__contains__)

    def rerun_all(self) -> None:
        """ "Re-run all jobs"."""
        self.jobs.clear()
        self.start()

    def _job(self, name: str, job: Mapping[str, Any]) -> Job:
        contexts = {"github": self._github(), "vars": self.variables, "needs": self._needs(job), "steps": {}}
        results = [self.jobs[need].result for need in job.get("needs", ())]
        status = {
            "success": lambda: all(result == "success" for result in results),
            "failure": lambda: "failure" in results,
            "always": lambda: True,
            "cancelled": lambda: False,
            "join": lambda values, mark: str(mark).join(map(str, values)),
        }
        expressions = Expressions(contexts=contexts, functions=status)
        if not expressions.condition(job.get("if", "success()")):
            return Job(name=name, result="skipped")
        return self._steps(name, job, expressions)

    def _steps(self, name: str, job: Mapping[str, Any], expressions: Expressions) -> Job:
        done = Job(name=name, result="success")
        workspace = self.folder / "workspace"
        home = self.folder / "home"
        for folder in (workspace, home):
            shutil.rmtree(folder, ignore_errors=True)
        workspace.mkdir(parents=True)
        base = self._environ(name, job, home)
        base |= _filled(self.workflow.get("env", {}), expressions) | _filled(job.get("env", {}), expressions)
        for step in job["steps"]:
            if "if" in step and not expressions.condition(step["if"]):
                continue
            files = {key: self.folder / f"{key.lower()}.txt" for key in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
            for path in files.values():
                path.write_text("", encoding="utf-8")
            environ = base | _filled(step.get("env", {}), expressions)
            environ |= {key: str(path) for key, path in files.items()}
            outputs: dict[str, str] = {}
            if "run" in step:
                if step.get("id") == "nox" and self.tamper is not None:
                    self.tamper(name, workspace)
                code = self._run(expressions.text(step["run"]), workspace / self._where(step, job), environ, done)
                done.summary += files["GITHUB_STEP_SUMMARY"].read_text(encoding="utf-8")
                outputs = dict(
                    line.split("=", 1) for line in files["GITHUB_OUTPUT"].read_text(encoding="utf-8").splitlines()
                )
                done.environ = environ
                if code != 0:
                    done.result = "failure"
                    return done
            else:
                outputs = self._action(step["uses"], _filled(step.get("with", {}), expressions), workspace)
            if "id" in step:
                expressions.contexts["steps"][step["id"]] = {"outputs": outputs}
        done.outputs = _filled(job.get("outputs", {}), expressions)
        return done

    def _where(self, step: Mapping[str, Any], job: Mapping[str, Any]) -> str:
        """The folder a step runs in: its own word, its job's, the workflow's, else the top of the workspace."""
        said = (step, *(each.get("defaults", {}).get("run", {}) for each in (job, self.workflow)))
        return str(next((each["working-directory"] for each in said if "working-directory" in each), "."))

    def _run(self, command: str, folder: Path, environ: Mapping[str, str], done: Job) -> int:
        if not folder.is_dir():
            # The runner starts no shell there, and the step fails with these words.
            done.output += f"An error occurred trying to start process with working directory '{folder}'.\n"
            return 1
        tools = self._ready_made(folder, command) if " pip install " in command and not self.plain else None
        if tools is not None and tools.is_dir():
            (folder / ".venv").symlink_to(tools, target_is_directory=True)
            return 0
        dies = done.name in self.lost and command.startswith(".venv/bin/nox ")
        with subprocess.Popen(
            ["bash", "-e", "-c", command], cwd=folder, env=dict(environ), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, encoding="utf-8", start_new_session=True,
        ) as process:  # fmt: skip
            assert process.stdout is not None
            for line in process.stdout:
                done.output += line
                if dies and line.startswith("  "):
                    # At the first thing a session tells of its own work, and with it all it has started.
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(process.pid, signal.SIGKILL)
        code = process.returncode
        if tools is not None and code == 0:
            (folder / ".venv").rename(tools)
            (folder / ".venv").symlink_to(tools, target_is_directory=True)
        return code

    def _ready_made(self, folder: Path, command: str) -> Path:
        """Where the result of the install step is kept: by this runner's place, the folder, and the lock it installs.

        The scripts of an environment name the place it was made in.
        """
        lock = (folder / command.rpartition(" -r ")[2].strip()).read_bytes()
        place = folder.relative_to(self.folder / "workspace").as_posix().encode()
        return self.folder.parent / f"{self.folder.name}-tools-{hashlib.sha256(lock + place).hexdigest()[:12]}"

    def _action(self, uses: str, given: Mapping[str, str], workspace: Path) -> dict[str, str]:
        action = uses.partition("@")[0]
        artifacts = self.folder / "artifacts"
        if action == "actions/checkout":
            assert given["persist-credentials"] == "false"
            self._check_out(workspace, whole=given.get("fetch-depth") == "0")
            return {}
        if action == "actions/upload-artifact":
            number = str(len(list(artifacts.iterdir())) + 1) if artifacts.is_dir() else "1"
            held = artifacts / number
            packed = _packed(workspace / given["path"], hidden=given.get("include-hidden-files") == "true")
            assert packed, "if-no-files-found: error"
            _unpacked(packed, held / "content")
            names = [json.loads((path / "name.json").read_text()) for path in artifacts.iterdir() if path != held]
            assert given["name"] not in names, "an artifact's name can be used once in a run"
            (held / "name.json").write_text(json.dumps(given["name"]), encoding="utf-8")
            return {"artifact-id": number}
        if action == "actions/download-artifact":
            assert given["artifact-ids"], "the job before handed over no artifact"
            content = _packed(artifacts / given["artifact-ids"] / "content", hidden=True)
            _unpacked(content, workspace / given["path"])
            return {}
        raise AssertionError(f"an action nobody stands in for: {uses}")

    def _check_out(self, workspace: Path, *, whole: bool) -> None:
        """What actions/checkout 6.0.2 does (src/git-source-provider.ts, src/ref-helper.ts): no clone.

        A repository with one remote: its branches and tags as they are, or with no depth given this one commit alone
        under a lightweight tag; then the ref by force. A tag is checked out by itself, with no local branch.
        """
        ref = f"refs/{self.kind}/{self.ref}"
        there = f"refs/remotes/origin/{self.ref}" if self.kind == "heads" else ref
        git(workspace, "init", "-q")
        git(workspace, "remote", "add", "origin", str(self.origin))
        fetch = ("fetch", "-q", "--no-tags", "--prune", "--no-recurse-submodules")
        if whole:
            git(workspace, *fetch, "origin", "+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*")
        else:
            git(workspace, *fetch, "--depth=1", "origin", f"+{self.sha}:{there}")
        assert git(workspace, "rev-parse", f"{there}^{{commit}}").strip() == self.sha, "the ref was moved since"
        git(workspace, "checkout", "-q", "--force", *(("-B", self.ref) if self.kind == "heads" else ()), there)

    def _github(self) -> dict[str, str]:
        return {
            "repository": self.repository,
            "ref": f"refs/{self.kind}/{self.ref}",
            "ref_name": self.ref,
            "ref_type": {"tags": "tag", "heads": "branch"}[self.kind],
            "sha": self.sha,
            "event_name": self.event,
            "run_id": "77",
            "run_attempt": str(self.attempt),
            "token": self.host.github_token,
        }

    def _needs(self, job: Mapping[str, Any]) -> dict[str, Any]:
        ended = {need: self.jobs[need] for need in job.get("needs", ())}
        return {name: {"result": job.result, "outputs": job.outputs} for name, job in ended.items()}

    def _environ(self, name: str, job: Mapping[str, Any], home: Path) -> dict[str, str]:
        """What the job has on GitHub: the runner's defaults; an identity only where it is granted one."""
        # The suite's own environment, where uv is, is no part of a runner unless uv is to be found on it.
        here = str(Path(sys.executable).parent)
        path = [place for place in os.environ["PATH"].split(os.pathsep) if place != here and not _holds_uv(place)]
        whole = environment(home, cache=self.cache, path=os.pathsep.join(path))
        environ = {key: value for key, value in whole.items() if key in _RUNNER or key.startswith(_SOURCES)}
        github = self._github()
        workflow = f"{self.repository}/.github/workflows/{self.file}@{github['ref']}"
        environ |= {
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_JOB": name,
            "GITHUB_WORKFLOW_REF": workflow,
            **{f"GITHUB_{key.upper()}": value for key, value in github.items() if key != "token"},
            "GITHUB_WORKSPACE": str(self.folder / "workspace"),
            "XDG_CONFIG_HOME": str(home / ".config"),
            **_TOLD,
            "HEPHAESTUS_SERVICES": str(services_file(self.host, self.folder / "services.json")),
        }
        if not self.plain:
            environ["PATH"] = os.pathsep.join([str(_uv_alone(self.folder)), environ["PATH"]])
        if job.get("permissions", {}).get("id-token") == "write":
            place = job.get("environment", {}).get("name", "-")
            identity = {
                "repository": self.repository, "workflow": self.file, "ref": github["ref"], "sha": github["sha"],
                "event_name": self.event,
            }  # fmt: skip
            told = self.host.jobs(identity, [place])[place]
            environ |= {key: value for key, value in told.items() if key.startswith("ACTIONS_ID_TOKEN_")}
        return environ


#: What GitHub's runners set besides, with the values of the public service: nothing may take an address from it.
_TOLD = {
    "GITHUB_ACTION": "nox", "GITHUB_ACTOR": "someone", "GITHUB_API_URL": "https://api.github.com",
    "GITHUB_BASE_REF": "", "GITHUB_GRAPHQL_URL": "https://api.github.com/graphql", "GITHUB_HEAD_REF": "",
    "GITHUB_REF_PROTECTED": "true",
    "GITHUB_RETENTION_DAYS": "90", "GITHUB_SERVER_URL": "https://github.com", "GITHUB_WORKFLOW": "Publish",
    "DEBIAN_FRONTEND": "noninteractive", "PIPX_BIN_DIR": "/opt/pipx_bin", "PIPX_HOME": "/opt/pipx",
    "RUNNER_ARCH": "X64", "RUNNER_ENVIRONMENT": "github-hosted", "RUNNER_OS": "Linux",
}  # fmt: skip

#: Variables of any runner that say nothing about the project.
_RUNNER = ("HOME", "LANG", "PATH", "TMPDIR", "TEMP", "TMP", "HEPHAESTUS_CACHE", "PYENV_ROOT")


def triggered(origin: Path, tag: str) -> list[str]:
    """The workflow files that a push of the tag starts, by the filters in the tag's own commit.

    Of GitHub's filter patterns ``*`` (no slash) and ``[]`` are read as fnmatch reads them; tags have no slash here.
    """
    names = git(origin, "ls-tree", "--name-only", tag, ".github/workflows/").splitlines()
    loaded = {name: YAML(typ="safe").load(git(origin, "show", f"{tag}:{name}")) for name in names}
    filters = {name: (workflow["on"].get("push") or {}).get("tags", ()) for name, workflow in loaded.items()}
    return [Path(name).name for name in names if any(fnmatchcase(tag, pattern) for pattern in filters[name])]


def services_file(host: Host, path: Path) -> Path:
    """Write where the stand-ins of ``host`` are now, as HEPHAESTUS_SERVICES takes it."""
    told = {
        "schema": 1,
        "indexes": {"testpypi": host.url("testpypi"), "pypi": host.url("pypi")},
        "github": {"api": host.url("github"), "uploads": f"{host.url('github')}/uploads"},
        "trust_config": str(host.trust_config),
        "authority": str(host.authority),
        "proxy": host.url("proxy"),
    }
    path.write_text(json.dumps(told), encoding="utf-8")
    return path


def _filled(given: Mapping[str, str], expressions: Expressions) -> dict[str, str]:
    return {
        key: expressions.text(str(value).lower() if isinstance(value, bool) else str(value))
        for key, value in given.items()
    }


def _packed(folder: Path, *, hidden: bool) -> dict[str, bytes]:
    """What an artifact keeps of a folder: names and bytes of files, nothing else (actions/upload-artifact, README).

    No permissions, no times, no empty folders, no links; hidden files only where they are asked for; and no file at
    all when one's name holds a character that some file system does not take, or differs from another in case alone.
    """
    found = {path.relative_to(folder): path for path in sorted(folder.rglob("*")) if path.is_file()}
    kept = {
        name.as_posix(): path.read_bytes()
        for name, path in found.items()
        if hidden or not any(part.startswith(".") for part in name.parts)
    }
    assert not [name for name in kept if set(name) & set('":<>|*?\r\n')], "the path for one of the files is not valid"
    assert len({name.casefold() for name in kept}) == len(kept), "uploads are case insensitive"
    return kept


def _unpacked(files: Mapping[str, bytes], folder: Path) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def _holds_uv(place: str) -> bool:
    return any((Path(place) / name).exists() for name in ("uv", "uv.exe"))


def _uv_alone(folder: Path) -> Path:
    """A folder with uv in it and nothing else."""
    place = folder / "uv"
    place.mkdir(exist_ok=True)
    uv = shutil.which("uv", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    assert uv is not None
    if not (place / "uv").exists():
        (place / "uv").symlink_to(uv)
    return place
