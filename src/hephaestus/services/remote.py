"""The remote of the project's git repository: what it has, and sending it a commit with its tag."""

from __future__ import annotations

import os

from hephaestus.release.bump import Plan, Remote
from hephaestus.release.errors import ReleaseError
from hephaestus.release.repository import Repository

__all__ = ["PushRefusedError", "push", "read_remote"]

#: Seconds a remote gets to list what it has, and to take a push.
_LISTING = 30.0
_PUSHING = 300.0


class PushRefusedError(ReleaseError):
    """Raised when the remote took neither commit nor tag; here both are made."""

    def __init__(self, *, plan: Plan, remote: str, output: str) -> None:
        lines = [line for line in output.splitlines() if line.strip()]
        super().__init__(
            what=f"bump: {plan.version} is committed and tagged here, but {remote} did not take it; nothing was sent",
            why="commit and tag go together or not at all (`git push --atomic`); the remote's own words follow",
            details=lines[-8:],
            next_step=f"mend what it reports, then: nox -s bump -- {plan.version} --push; to take the bump back "
            f"instead: git tag -d {plan.tag} && git reset --keep {plan.head[:12]}",
        )


def read_remote(repository: Repository, branch: str) -> Remote | None:
    """What the remote of ``branch`` has now, or None: there is no remote, or it does not answer."""
    name = repository.remote_of(branch)
    if not name:
        return None
    theirs = _branch_there(repository, branch)
    words = ("ls-remote", "--symref", name, "HEAD", f"refs/heads/{theirs}", "refs/tags/*")
    ran = repository.ask(*words, env=_unattended(repository), timeout=_LISTING)
    if ran.code != 0:
        return None
    default, head, tags = "", "", []
    for line in ran.output.splitlines():
        value, _, ref = line.partition("\t")
        if value.startswith("ref: ") and ref == "HEAD":
            default = value.removeprefix("ref: refs/heads/")
        elif ref == f"refs/heads/{theirs}":
            head = value
        elif ref.startswith("refs/tags/") and not ref.endswith("^{}"):
            tags.append(ref.removeprefix("refs/tags/"))
    return Remote(name=name, default=default, head=head, tags=tuple(tags))


def push(repository: Repository, plan: Plan) -> str:
    """Send branch and tag, both or neither; returns the remote's name. Raises PushRefusedError."""
    name = repository.remote_of(plan.branch)
    branch = f"refs/heads/{plan.branch}:refs/heads/{_branch_there(repository, plan.branch)}"
    words = ("push", "--atomic", "--porcelain", name, branch, f"refs/tags/{plan.tag}")
    ran = repository.ask(*words, env=_unattended(repository), timeout=_PUSHING)
    if ran.code != 0:
        raise PushRefusedError(plan=plan, remote=name, output=f"{ran.errors}\n{ran.output}")
    return name


def _branch_there(repository: Repository, branch: str) -> str:
    """What the branch is called on its remote."""
    merge = repository.setting(f"branch.{branch}.merge") if branch else ""
    return merge.removeprefix("refs/heads/") or branch


def _unattended(repository: Repository) -> dict[str, str]:
    """Variables under which neither git nor ssh asks anybody anything; the user's own ssh command is kept."""
    quiet = {"SSH_ASKPASS": "", "SSH_ASKPASS_REQUIRE": "never"}
    if not os.environ.get("GIT_SSH_COMMAND") and not repository.setting("core.sshCommand"):
        quiet["GIT_SSH_COMMAND"] = "ssh -o BatchMode=yes"
    return quiet
