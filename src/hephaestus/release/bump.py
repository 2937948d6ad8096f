"""Bump: every place the version is written, the changelog, one commit, one annotated tag - all of it or none.

``plan_bump`` looks at everything and collects every reason not to act; ``Transaction`` (bump_transaction) then acts.
"""

from __future__ import annotations

import difflib
import re
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from packaging.version import Version

from hephaestus.release.changelog import NAME, Comparison, read_changelog, unreleased_findings, with_release
from hephaestus.release.errors import Finding, GateRefused
from hephaestus.release.increments import incremented
from hephaestus.release.notes import last_stable
from hephaestus.release.project import Project
from hephaestus.release.repository import Repository
from hephaestus.release.source import Source, read_source
from hephaestus.release.tags import meant_by_tag, tag_of, version_of_tag
from hephaestus.release.uv_lock import with_own_version
from hephaestus.release.version_files import VersionFileError
from hephaestus.release.versions import Occurrence, occurrences, version_findings

__all__ = ["Edit", "Plan", "Remote", "plan_bump"]

#: How many names a message lists before it counts the rest.
_NAMED = 5


@dataclass(frozen=True, kw_only=True)
class Remote:
    """What a remote has now: its default branch, the commit of ours there (or empty), every tag."""

    name: str
    default: str = ""
    head: str = ""
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Edit:
    """One file, before and after; ``path`` is below the project."""

    path: str
    before: bytes
    after: bytes

    def diff(self) -> str:
        """A unified diff, for people."""
        old, new = (text.decode("utf-8", "replace").splitlines() for text in (self.before, self.after))
        return "\n".join(difflib.unified_diff(old, new, self.path, self.path, n=1, lineterm=""))


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a bump will do. ``head`` is the commit it starts from; ``remarks`` are worth reading, and stop nothing."""

    root: Path
    words: tuple[str, ...]
    version: str
    head: str
    branch: str
    subject: str
    annotation: str
    edits: tuple[Edit, ...] = ()
    done: bool = False
    remarks: tuple[str, ...] = ()
    tag_prefix: str = ""

    @property
    def tag(self) -> str:
        """The annotated tag."""
        return tag_of(self.version, self.tag_prefix)


@dataclass(kw_only=True)
class _Review:
    """Findings and remarks as they are collected."""

    findings: list[Finding] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def refuse(self, code: str, subject: str, message: str, remedy: str) -> None:
        self.findings.append(Finding(code=code, subject=subject, message=message, remedy=remedy))


def plan_bump(project: Project, words: Sequence[str], *, date: str, branch: str = "", remote: Remote | None) -> Plan:
    """Everything a bump would do; raises GateRefused with every reason not to, IncrementError, SourceError.

    ``date`` is written into the changelog; ``branch`` is another branch than the default one, where that is meant;
    ``remote`` is None where it could not be asked. Reads only.
    """
    version = incremented(project.version, words)
    source = read_source(project.root)
    repository = Repository(root=project.root)
    plan = Plan(
        root=project.root,
        words=tuple(words),
        version=version,
        head=source.commit,
        branch=source.branch,
        # Where the history is shared, the first line says whose release it is.
        subject=f"Release {project.name} {version}" if project.config.tag_prefix else f"Release {version}",
        annotation=f"{project.name} {version}",
        tag_prefix=project.config.tag_prefix,
    )
    if version == project.version and repository.commit_of(plan.tag) == source.commit and not source.dirty:
        return replace(plan, done=True)
    review = _Review()
    _review_tree(review, source)
    _review_branch(review, repository, source, branch, remote)
    _review_tags(review, repository, plan, elsewhere=bool(branch), remote=remote)
    places = _places(review, project, repository)
    edits = [
        *_version_edits(review, project, places, version),
        *_lock_edits(project, version),
        *_changelog_edit(review, project, repository, plan, date),
    ]
    _review_files(review, repository, edits)
    _review_tagged(review, project, source, edits)
    for role in ("AUTHOR", "COMMITTER") if not review.findings else ():
        if repository.ask("var", f"GIT_{role}_IDENT").code != 0:
            remedy = 'git config user.name "..." && git config user.email "..."'
            review.refuse("identity", "git", f"does not know the {role.lower()} of a commit here", remedy)
    if review.findings:
        raise GateRefused(stage="bump", findings=review.findings, next_step=f"nox -s bump -- {' '.join(words)}")
    return replace(plan, edits=tuple(edits), remarks=tuple(review.remarks))


def _review_tree(review: _Review, source: Source) -> None:
    if source.dirty:
        names = ", ".join(source.dirty[:_NAMED]) + (
            f" and {len(source.dirty) - _NAMED} more" if len(source.dirty) > _NAMED else ""
        )
        review.refuse("dirty", "git", f"the work tree differs from its commit: {names}", "commit or stash them")
    if source.shallow:
        remedy = "git fetch --unshallow --tags"
        review.refuse("shallow-clone", "git", "this clone is shallow: tags and history may be missing", remedy)


def _review_branch(review: _Review, repository: Repository, source: Source, wanted: str, remote: Remote | None) -> None:
    here = source.branch
    default = wanted or (remote.default if remote is not None else "") or _default_known(repository, here)
    if not here:
        remedy = f"git switch {default or 'main'}"
        review.refuse("detached", "git", "HEAD is detached: the commit would be on no branch", remedy)
        return
    if here != default:
        message = f"this is branch {here}; a version is made on {default}"
        review.refuse("branch", "git", message, f"git switch {default}, or say `--branch {here}`")
    update = f"git pull --ff-only {remote.name if remote is not None else ''}".rstrip()
    if remote is not None and remote.head:
        if not repository.contains(remote.head):
            message = f"{remote.name}/{here} has commits that are not here"
            review.refuse("behind", "git", message, update)
        return
    behind = repository.ask("rev-list", "--count", "HEAD..@{upstream}")
    if behind.text not in ("", "0"):
        review.refuse("behind", "git", f"{here} is {behind.text} commits behind its upstream", update)


def _default_known(repository: Repository, here: str) -> str:
    """The default branch as far as it is known here: the remote's as last fetched, else a customary name."""
    remote = repository.remote_of(here)
    known = repository.ask("symbolic-ref", "--short", f"refs/remotes/{remote}/HEAD").text if remote else ""
    if known:
        return known.partition("/")[2]
    configured = repository.setting("init.defaultBranch")
    return here if here in ("main", "master", configured) else configured or "main"


def _review_tags(
    review: _Review, repository: Repository, plan: Plan, *, elsewhere: bool, remote: Remote | None
) -> None:
    wanted = Version(plan.version)
    local = repository.tags(merged="HEAD" if elsewhere else "")
    theirs = remote.tags if remote is not None and not elsewhere else ()
    everywhere = {*repository.tags(), *(remote.tags if remote is not None else ())}
    for tag in sorted(tag for tag in everywhere if meant_by_tag(tag, plan.tag_prefix) == wanted):
        commit = repository.commit_of(f"refs/tags/{tag}")
        where = f"at {commit[:12]}" if commit else f"on {remote.name if remote is not None else 'the remote'}"
        review.refuse("tag-taken", tag, f"exists already, {where}", "a version is made once: take the next one")
    known = {tag: found for tag in {*local, *theirs} if (found := meant_by_tag(tag, plan.tag_prefix)) is not None}
    newest = max(known, key=lambda tag: known[tag], default="")
    if newest and known[newest] > wanted:
        message = f"is a newer version than {plan.version}"
        remedy = "take a newer version; on a branch of an older series say `--branch NAME`"
        review.refuse("older", newest, message, remedy)


def _places(review: _Review, project: Project, repository: Repository) -> list[Occurrence]:
    """Every place where the version is written now; places that say another one are refused."""
    package, files, tagged = project.file_name, project.config.version_files, project.version_source.tagged
    written = project.version_source.written
    origin = project.version_source.occurrences(project.root)
    found = occurrences(project.root, package=package, version_files=files, origin=origin, written=written)
    findings = version_findings(
        project.root, version=project.version, package=package, version_files=files, origin=project.version_place,
        written=written,
    )  # fmt: skip
    # Where the version comes from the tag, a tool may have left a file with it in the work tree, which is not in git.
    review.findings += [one for one in findings if not tagged or repository.present(one.subject.partition(":")[0])]
    return [
        place for place in found if place.version == project.version and (not tagged or repository.present(place.path))
    ]


def _review_tagged(review: _Review, project: Project, source: Source, edits: Sequence[Edit]) -> None:
    """Where the version comes from the tag: say so, and let no commit have two."""
    if not project.version_source.tagged:
        return
    review.remarks.append(
        f"the version comes from the tag ({project.version_source.setting}): "
        f"what is made is {'the commit of the changelog and ' if edits else ''}the tag"
    )
    prefix = project.config.tag_prefix
    here = [tag for tag in source.tags if version_of_tag(tag, prefix) is not None]
    if here and not edits and not review.findings:
        message = "is at this commit already, and nothing would be committed: it would be two versions"
        review.refuse("tag-second", ", ".join(sorted(here)), message, "commit what the new version brings first")


def _version_edits(review: _Review, project: Project, places: Sequence[Occurrence], version: str) -> list[Edit]:
    """Rewrite every place, each file whole, and read the result back: exactly those places have changed."""
    if version == project.version:
        return []
    edits = []
    for path in dict.fromkeys(place.path for place in places):
        before = (project.root / path).read_bytes()
        here = [place for place in places if place.path == path]
        # In a table of its own the version is one line of text like any other.
        static = path == "pyproject.toml" and project.version_source.file is None
        after = _in_toml(before, version) if static else _in_lines(before, here, version)
        edits.append(Edit(path=path, before=before, after=after))
    wanted = {(place.path, place.line) for place in places}
    held = {(place.path, place.line) for place in _read_back(project, edits) if place.version == version}
    for edit in edits:
        missing = [line for path, line in sorted(wanted - held) if path == edit.path]
        if missing or not _by_version_alone(edit, project.version, version):
            subject = f"{edit.path}:{missing[0]}" if missing else edit.path
            message = f"cannot be edited: {version} would not stand exactly where {project.version} stands now"
            review.refuse(
                "not-editable", subject, message, "write the version as one plain string on a line of its own"
            )
    return edits


def _lock_edits(project: Project, version: str) -> list[Edit]:
    """uv.lock names the project's own version, too; without it `uv lock --check` would fail after every bump."""
    path = project.root / "uv.lock"
    if not path.is_file() or version == project.version:
        return []
    before = path.read_bytes()
    after = with_own_version(before, name=project.normalized, former=project.version, version=version)
    return [Edit(path="uv.lock", before=before, after=after)] if after != before else []


def _read_back(project: Project, edits: Sequence[Edit]) -> list[Occurrence]:
    """The places where the edited files, and no others, say a version."""
    with tempfile.TemporaryDirectory() as folder:
        for edit in edits:
            copy = Path(folder, edit.path)
            copy.parent.mkdir(parents=True, exist_ok=True)
            (copy.parent / "__init__.py").touch()
            copy.write_bytes(edit.after)
        files, source = project.config.version_files, project.version_source
        try:
            written_there = source.file is not None and source.file.path in {edit.path for edit in edits}
            origin = source.occurrences(Path(folder)) if written_there else []
        except VersionFileError:
            origin = []  # which leaves a place that does not hold the new version, and that is refused
        return occurrences(Path(folder), package=project.file_name, version_files=files, origin=origin)


def _by_version_alone(edit: Edit, former: str, version: str) -> bool:
    old, new = (text.decode("utf-8").split("\n") for text in (edit.before, edit.after))
    same = all(a == b or a.replace(former, version, 1) == b for a, b in zip(old, new, strict=False))
    return len(old) == len(new) and same


def _in_toml(before: bytes, version: str) -> bytes:
    import tomlkit

    document = tomlkit.parse(before.decode("utf-8"))
    table = document["project"]
    literal = tomlkit.item(table["version"]).as_string().startswith("'")
    table["version"] = tomlkit.string(version, literal=literal)
    return tomlkit.dumps(document).encode("utf-8")


def _in_lines(before: bytes, found: Sequence[Occurrence], version: str) -> bytes:
    lines = re.split(r"(?<=\n)", before.decode("utf-8"))
    for place in found:
        lines[place.line - 1] = lines[place.line - 1].replace(place.version, version, 1)
    return "".join(lines).encode("utf-8")


def _changelog_edit(review: _Review, project: Project, repository: Repository, plan: Plan, date: str) -> list[Edit]:
    path = project.root / NAME
    if not path.is_file():
        review.remarks.append(f"there is no {NAME}: the release notes will be the commits' first lines")
        return []
    before = path.read_bytes()
    try:
        log = read_changelog(before.decode("utf-8"))
    except UnicodeDecodeError:
        review.refuse("changelog-unreadable", NAME, "is not UTF-8", "save it as UTF-8")
        return []
    findings = unreleased_findings(log, version=plan.version, present=project.version)
    review.findings += findings
    if findings:
        return []
    wanted = Version(plan.version)
    known = {tag: version_of_tag(tag, plan.tag_prefix) for tag in repository.tags(merged="HEAD")}
    before_it = {tag: found for tag, found in known.items() if found is not None and found < wanted}
    newest = max(before_it, key=lambda tag: before_it[tag], default="")
    since = newest if wanted.is_prerelease else last_stable(plan.version, before_it)
    base = "" if project.repository_assumed else f"https://github.com/{project.repository}/compare/"
    compare = Comparison(base=base, since=since, prefix=plan.tag_prefix)
    text = with_release(log, version=plan.version, date=date, compare=compare)
    after = text.encode("utf-8")
    return [Edit(path=NAME, before=before, after=after)] if after != before else []


def _review_files(review: _Review, repository: Repository, edits: Iterable[Edit]) -> None:
    for edit in edits:
        path = repository.root / edit.path
        if path.is_symlink():
            review.refuse("link", edit.path, "is a symbolic link", "write the version in a file of the project's own")
        elif not path.stat().st_mode & 0o200:
            review.refuse("read-only", edit.path, "is read-only", f"chmod u+w {edit.path}")
        elif not repository.present(edit.path):
            review.refuse("untracked", edit.path, "is not in git: the commit would lack it", f"git add {edit.path}")
