"""The development sessions, each from a hash-locked list; and `lock`, which makes those lists."""

from __future__ import annotations

import os
from pathlib import Path

import nox

__all__ = ["LOCK_FOLDERS", "development_sessions"]

_LOCKS = Path("dev")

#: Every folder of locks: `nox -s lock` makes them again, Dependabot watches the same ones.
LOCK_FOLDERS = (_LOCKS, Path("src/hephaestus/toolchain/locks"))

#: What Dependabot reads from a lock's head, so that its own run of uv resolves as ours does
#: (docs/decisions/0008-the-workflow.md). `--only-binary` is left out: it would copy that into the lock.
_HOW = "nox -s lock (uv pip compile --universal --python-version 3.11 --generate-hashes)"


def development_sessions() -> None:
    """Register lint, types, tests, coverage, bench, crash, workflows and lock."""
    nox.session(name="lint", venv_backend="uv|virtualenv", reuse_venv=True, default=False)(lint)
    nox.session(name="types", venv_backend="uv|virtualenv", reuse_venv=True, default=False)(types)
    nox.session(name="tests", venv_backend="uv|virtualenv", reuse_venv=True, requires=["lint", "types"], default=False)(
        tests
    )
    nox.session(name="coverage", venv_backend="uv|virtualenv", reuse_venv=True, default=False)(coverage)
    nox.session(name="bench", venv_backend="uv|virtualenv", reuse_venv=True, default=False)(bench)
    nox.session(name="crash", venv_backend="uv|virtualenv", reuse_venv=True, default=False)(crash)
    nox.session(name="workflows", venv_backend="uv|virtualenv", reuse_venv=True, default=False)(workflows)
    nox.session(name="lock", python=False, default=False)(lock)


def lint(session: nox.Session) -> None:
    """Check style (ruff), formatting, and the directions of imports (import-linter)."""
    _install(session, "lint")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("lint-imports", env={"PYTHONPATH": "src"})


def types(session: nox.Session) -> None:
    """Check types (mypy, strict), here and as Windows has the standard library: what it lacks is named."""
    _install(session, "types")
    session.run("mypy")
    session.run("mypy", "--platform", "win32", "--cache-dir", ".mypy_cache/windows")


def tests(session: nox.Session) -> None:
    """Run the whole test suite; arguments after `--` go to pytest."""
    _install(session, "tests")
    session.run("python", "-m", "pytest", *(session.posargs or ["-n", "2", "--dist", "worksteal"]))


def coverage(session: nox.Session) -> None:
    """Measure what the tests below end-to-end reach, branches and child processes too; red below the threshold.

    Arguments after `--` go to pytest instead of the whole suite; the threshold then says nothing.
    """
    _install(session, "tests")
    chosen = session.posargs or ["-n", "2", "--dist", "worksteal", "-q"]
    session.run("python", "-m", "coverage", "erase")
    session.run("python", "-m", "coverage", "run", "-m", "pytest", "-m", "not e2e", *chosen)
    session.run("python", "-m", "coverage", "combine", "--quiet")
    session.run("python", "-m", "coverage", "report", *(["--fail-under=0"] if session.posargs else []))


def bench(session: nox.Session) -> None:
    """Measure what a release costs beside the bare tools it runs (`-- --help`; docs/benchmark.md)."""
    _install(session, "tests")
    session.run("python", "-m", "dev.bench", *session.posargs)


def crash(session: nox.Session) -> None:
    """Kill every stage at every boundary, run it again, hold the result against an undisturbed one (half an hour).

    So too the installation of a release.
    """
    _install(session, "tests")
    chosen = session.posargs or ["-n", "2", "--dist", "worksteal"]
    files = ("tests/e2e/test_crash.py", "tests/consumer/test_install_interrupted.py")
    session.run("python", "-m", "pytest", *files, *chosen, env={"HEPHAESTUS_EVERY_BOUNDARY": "1"})


def workflows(session: nox.Session) -> None:
    """Audit .github/ as CI does: zizmor with GitHub's answers (needs GH_TOKEN), and the schemas.

    What needs no network is proven by tests/workflows/ as well; only this asks whether a pinned commit is one of
    the action's own, and whether anything is known against it.
    """
    if not os.environ.get("GH_TOKEN"):
        session.error("workflows: GH_TOKEN is not set, so zizmor could not ask GitHub about the pinned commits; "
                      "set it to any token without permissions, or run `nox -s tests -- tests/workflows`")  # fmt: skip
    _install(session, "workflows")
    session.run("zizmor", "--strict-collection", "--persona=auditor", "--no-ignores", "--collect=all", ".github")
    check = ("check-jsonschema", "--builtin-schema")
    session.run(*check, "vendor.github-workflows", *map(str, sorted(Path(".github/workflows").glob("*.yml"))))
    session.run(*check, "vendor.dependabot", ".github/dependabot.yml")


def lock(session: nox.Session) -> None:
    """Make every lock again with uv: newest versions at least seven days old, all with hashes."""
    import datetime

    cutoff = (datetime.datetime.now(tz=datetime.UTC) - datetime.timedelta(days=7)).date().isoformat()
    for folder in LOCK_FOLDERS:
        with session.chdir(folder):
            for source in sorted(path.name for path in Path().glob("*.in")):
                session.run(
                    "uv", "pip", "compile", "--quiet", "--universal", "--python-version", "3.11", "--generate-hashes",
                    "--only-binary", ":all:", "--no-emit-index-url", "--custom-compile-command", _HOW, "--upgrade",
                    "--exclude-newer", cutoff, source, "--output-file", f"{source.removesuffix('.in')}.txt",
                    external=True,
                )  # fmt: skip


def _install(session: nox.Session, name: str) -> None:
    path = _LOCKS / f"{name}.txt"
    session.install("--require-hashes", "--only-binary", ":all:", "--no-deps", "-r", str(path))
