"""What git says about the clone at hand; nothing is fetched and nothing is changed."""

from __future__ import annotations

import re
from pathlib import Path

from hephaestus.release.repository import Repository

__all__ = ["commit_of", "git_says", "github_repositories"]

#: Seconds for one answer about what is on this disk.
_PATIENCE = 30.0
_GITHUB = re.compile(
    r"(?:https://(?:[^@/]+@)?github\.com/|(?:ssh://)?git@github\.com[:/])(?P<name>[^/\s]+/[^/\s]+?)(?:\.git)?/?\Z"
)


def git_says(root: Path, *arguments: str) -> str | None:
    """What git prints in ``root``, stripped; None when it fails or there is no git."""
    try:
        ran = Repository(root=root).ask(*arguments, timeout=_PATIENCE)
    except OSError:
        return None
    said = ran.text.encode(errors="surrogateescape").decode(errors="replace")
    return said.replace("\r\n", "\n").strip() if ran.code == 0 else None


def commit_of(root: Path, ref: str) -> str | None:
    """The commit of a ref, through annotated tags; None when there is none."""
    return git_says(root, "rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}")


def github_repositories(root: Path) -> dict[str, str] | None:
    """``OWNER/NAME`` per remote that is on GitHub, never an address (it may hold a token); None without git."""
    names = git_says(root, "remote")
    if names is None:
        return None
    urls = {name: git_says(root, "remote", "get-url", name) or "" for name in names.split()}
    found = {name: _GITHUB.match(url) for name, url in urls.items()}
    return {name: match["name"] for name, match in found.items() if match}
