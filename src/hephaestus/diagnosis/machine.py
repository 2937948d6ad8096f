"""What can be said on this machine alone: the clone, credentials that lie about, tools, clock, release folder."""

from __future__ import annotations

import os
import platform
import re
import shutil
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from pathlib import Path

from packaging.version import Version

from hephaestus.diagnosis.case import Case
from hephaestus.diagnosis.clone import commit_of, git_says, github_repositories
from hephaestus.diagnosis.credentials import StoredUnreadable, stored_credentials
from hephaestus.diagnosis.line import Check, Line, Question
from hephaestus.release.root import ReleaseRoot
from hephaestus.services.clock import server_time
from hephaestus.services.http import HttpClient

__all__ = ["CLOCK_SECONDS", "GROUP", "clock_question", "machine_lines"]

GROUP = "this machine"

#: sigstore's clients allow 5 s (facts: failures, fault 13); a Date header is a second coarse.
CLOCK_SECONDS = 6.0

#: What `dependencies` of this suite asks for; a nox of an older environment is found here all the same.
_NOX = Version("2026.8.10")

#: A requirements file of the repository, in a step's command.
_REQUIREMENTS = re.compile(r"^[^#\n]*?\s(?:-r|--requirement)[ =](?P<path>[A-Za-z0-9_.][^\s'\"$]*\.txt)\b", re.MULTILINE)


def machine_lines(case: Case) -> Iterator[Line]:
    """Every line that needs no network."""
    for code, subject, why, remedy, judge in (
        (
            "repository-named",
            "project",
            "certificates and publishers are bound to this name; a name that was made up signs for nobody",
            'set `repository = "OWNER/NAME"` in [tool.hephaestus.release] of pyproject.toml',
            _named,
        ),
        (
            "remote",
            "git remote",
            "the tag is pushed to a remote; it must be the repository that the publisher names",
            f"git remote set-url origin {case.site}.git (or correct `repository` in pyproject.toml)",
            _remote,
        ),
        (
            "tag",
            "git tag",
            "what is released is the commit of the tag; its name is `v` and the version",
            "make it: nox -s bump -- minor (or patch ...), or check out the commit of a release"
            if case.project.version_source.tagged
            else f"check the tag out (`git switch --detach {case.project.tag}`), or raise the version",
            _tag,
        ),
        (
            "workflow-file",
            "workflow file",
            "the publisher names this file, and GitHub runs it as it is in the tagged commit",
            f"commit .github/workflows/{case.workflow}, or correct `workflow` in [tool.hephaestus.release]",
            _workflow,
        ),
        (
            "workflow-lock",
            "workflow lock",
            "every job installs the suite from it, by hash; without it the first one fails, the tag being pushed",
            "make it with the command that `hephaestus init` prints, then commit it",
            _lock,
        ),
        (
            "tag-signing",
            "git signing",
            "releases need no signed tags; a clone set to sign them can make none without the program for it",
            "git config tag.gpgSign false (and tag.forceSignAnnotated false), or install the program it names",
            _signing,
        ),
        (
            "credentials",
            "stored credentials",
            "a token that lies about is what worms look for; Trusted Publishing needs none",
            "revoke them on the index (Account settings, API tokens), then delete them here",
            _credentials,
        ),
        (
            "tools",
            "tools",
            "the chain runs as nox sessions, on git; uv is faster where it is there",
            f"pip install 'nox>={_NOX}' (in a virtual environment), and git from its own installer",
            _tools,
        ),
        (
            "folder",
            "release folder",
            "everything of a release is kept there, and only there",
            "make the project's folder writable, or move what stands in that place away",
            _folder,
        ),
    ):
        yield judge(Check(code=code, group=GROUP, subject=subject, why=why, remedy=remedy), case)


def clock_question(case: Case, http: HttpClient) -> Question:
    """The question about the clock, which only somebody else can answer: GitHub, by the Date of any answer."""
    check = Check(
        code="clock",
        group=GROUP,
        subject="clock",
        why="signatures, identity tokens and certificates are refused by a clock that is wrong",
        remedy="let the system set its clock by the network (NTP)",
    )

    def answer(check: Check) -> Line:
        before = case.clock()
        there = server_time(case.addresses.github_api, http=http).timestamp()
        after = case.clock()
        # The Date was made at some moment in between: a slow answer is no wrong clock.
        off = max(before - there, there - after, 0.0)
        return check.judged(f"{off:.0f} s off", good=off <= CLOCK_SECONDS)

    return Question(check=check, answer=answer)


def _named(check: Check, case: Case) -> Line:
    shown = f"{case.project.name} {case.project.version}, {case.repository}"
    made_up = case.project.repository_assumed and case.repository == case.project.repository
    return check.judged(f"{shown} (made up)" if made_up else shown, good=not made_up)


def _remote(check: Check, case: Case) -> Line:
    remotes = github_repositories(case.project.root)
    if remotes is None:
        return check.failed("git says nothing here: no git, or no repository")
    fitting = [name for name, where in remotes.items() if where.casefold() == case.repository.casefold()]
    shown = ", ".join(f"{name} is {where}" for name, where in sorted(remotes.items()))
    return check.judged(shown or "no remote is on GitHub", good=bool(fitting))


def _tag(check: Check, case: Case) -> Line:
    tag, root = case.project.tag, case.project.root
    head = commit_of(root, "HEAD")
    if head is None:
        return check.failed("there is no commit")
    there = commit_of(root, f"refs/tags/{tag}")
    if case.project.version_source.tagged and there != head:
        newest = f"the newest, {tag}, is {there[:12]}" if there is not None else "there is none yet"
        return check.failed(f"HEAD ({head[:12]}) has no tag of a release, which gives the version; {newest}")
    if there is None:
        return check.passed(f"{tag} does not exist yet; HEAD is {head[:12]}")
    return check.judged(f"{tag} is {there[:12]}, HEAD is {head[:12]}", good=there == head)


def _workflow(check: Check, case: Case) -> Line:
    root, tag = case.project.root, case.project.tag
    top = git_says(root, "rev-parse", "--show-toplevel")
    refs = [ref for ref in (f"refs/tags/{tag}", "HEAD") if commit_of(root, ref)]
    if top is None or not refs:
        return check.failed("there is no commit")
    path = f".github/workflows/{case.workflow}"
    missing = [ref for ref in refs if git_says(Path(top), "cat-file", "-e", f"{ref}:{path}") is None]
    return check.judged(
        f"{path} is not in {', '.join(missing)}" if missing else f"{path} is committed", good=not missing
    )


def _lock(check: Check, case: Case) -> Line:
    tag = f"refs/tags/{case.project.tag}"
    ref = tag if commit_of(case.project.root, tag) else "HEAD"
    root = case.project.root
    text = git_says(root, "cat-file", "blob", f"{ref}:.github/workflows/{case.workflow}")
    if text is None:
        return check.unknown("the workflow is not committed")
    named = sorted(set(_REQUIREMENTS.findall(text)))
    # A package in a folder has its commands run there; git takes what begins with a dot from the folder it is asked in.
    here = (git_says(root, "rev-parse", "--show-prefix") or "").rstrip("/")
    at = "./" if here and f"working-directory: {here}\n" in text else ""
    missing = [path for path in named if git_says(root, "cat-file", "-e", f"{ref}:{at}{path}") is None]
    if missing:
        return check.failed(f"{', '.join(missing)} is not in {ref}")
    return check.passed(f"{', '.join(named)} is committed" if named else "the workflow names none")


def _signing(check: Check, case: Case) -> Line:
    def setting(name: str, *options: str) -> str:
        return git_says(case.project.root, "config", *options, "--get", name) or ""

    if "true" not in (setting("tag.gpgSign", "--bool"), setting("tag.forceSignAnnotated", "--bool")):
        return check.passed("not required")
    kind = setting("gpg.format") or "openpgp"
    usual = {"openpgp": "gpg", "x509": "gpgsm", "ssh": "ssh-keygen"}.get(kind, "gpg")
    program = setting(f"gpg.{kind}.program") or (setting("gpg.program") if kind == "openpgp" else "") or usual
    found = shutil.which(program, path=case.environ.get("PATH", "")) is not None
    return check.judged(f"tags are signed with {program}" + ("" if found else ", which is not there"), good=found)


def _credentials(check: Check, case: Case) -> Line:
    # The token of a private index stands in the very variable that the configuration names for it.
    meant = {index.token_variable for index in case.project.config.indexes.values()}
    environ = {name: value for name, value in case.environ.items() if name not in meant}
    try:
        found = list(stored_credentials(environ, case.home))
    except StoredUnreadable as error:
        return check.unknown(f"{error.path} cannot be read")
    return check.judged(", ".join(found) if found else "none found", good=not found)


def _tools(check: Check, case: Case) -> Line:
    path = case.environ.get("PATH", "")
    git = git_says(case.project.root, "--version")
    nox = _version_of("nox")
    uv = "uv" if shutil.which("uv", path=path) else "no uv"
    shown = f"Python {platform.python_version()}, {git or 'no git'}, nox {nox or 'missing'}, {uv}"
    return check.judged(shown, good=git is not None and nox is not None and nox >= _NOX)


def _version_of(name: str) -> Version | None:
    try:
        return Version(installed_version(name))
    except PackageNotFoundError:
        return None


def _folder(check: Check, case: Case) -> Line:
    root = ReleaseRoot(path=case.project.root / case.project.config.directory, rehearsal=False)
    shown = f"{case.project.config.directory}/"
    if root.foreign:
        return check.failed(f"{shown} was not made by this suite")
    standing = next(folder for folder in (root.path, *root.path.parents) if folder.exists())
    writable = standing.is_dir() and os.access(standing, os.W_OK | os.X_OK)
    return check.judged(f"{shown} {'is' if writable else 'is not'} writable", good=writable)
