"""The source of a release, read from real repositories made here."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from hephaestus.release.source import EARLIEST_EPOCH, SourceError, commit_export, export, read_source

DATE = "2026-01-02T03:04:05Z"
EPOCH = 1_767_323_045


def git(root: Path, *arguments: str, **environment: str) -> str:
    """Run git as a person with a name, and no configuration of this machine."""
    whole = {
        **os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull,
        "GIT_AUTHOR_DATE": DATE, "GIT_COMMITTER_DATE": DATE, **environment,
    }  # fmt: skip
    who = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main")
    done = subprocess.run(["git", *who, *arguments], cwd=root, env=whole, check=True, capture_output=True)
    return done.stdout.decode()


def write(root: Path, files: dict[str, str]) -> None:
    """Write files, with their folders."""
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content, encoding="utf-8")


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Make a repository with one commit of the given files."""
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)

    def make(files: dict[str, str], name: str = "project") -> Path:
        root = tmp_path / name
        root.mkdir()
        git(root, "init", "-q")
        write(root, files)
        git(root, "add", "--all")
        git(root, "commit", "-q", "-m", "first")
        return root

    return make


def state(root: Path) -> tuple[dict[str, bytes], int, str]:
    """What must not change: every file below .git, the index's time, and what git status says."""
    files = {str(path.relative_to(root)): path.read_bytes() for path in (root / ".git").rglob("*") if path.is_file()}
    index = (root / ".git" / "index").stat().st_mtime_ns
    return files, index, git(root, "--no-optional-locks", "status", "--porcelain")


def names(folder: Path) -> list[str]:
    """Every file below a folder."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


class TestReading:
    """Facts about the source."""

    def test_clean_commit(self, repository: Callable[..., Path]) -> None:
        """Commit, tree, tags, branch and time are git's own."""
        root = repository({"a.txt": "a"})
        git(root, "tag", "v1")
        source = read_source(root)
        assert source.commit == git(root, "rev-parse", "HEAD").strip()
        assert source.tree == git(root, "rev-parse", "HEAD^{tree}").strip()
        assert (source.dirty, source.tags, source.branch, source.epoch) == ((), ("v1",), "main", EPOCH)
        assert (source.prefix, source.shallow, source.submodules) == ("", False, ())

    def test_every_kind_of_dirt_is_named(self, repository: Callable[..., Path]) -> None:
        """Changed, staged, deleted, renamed and untracked files, with spaces, unicode and a newline in the name."""
        root = repository({"changed.txt": "1", "staged.txt": "1", "gone.txt": "1", "old name.txt": "long enough " * 9})
        write(root, {"changed.txt": "2", "staged.txt": "2", "neu ü.txt": "n", "line\nbreak.txt": "n"})
        git(root, "add", "staged.txt")
        (root / "gone.txt").unlink()
        git(root, "mv", "old name.txt", "new name.txt")
        assert sorted(read_source(root).dirty) == [
            "?? line\nbreak.txt", "?? neu ü.txt", "D gone.txt", "M changed.txt", "M staged.txt", "R new name.txt",
        ]  # fmt: skip

    def test_name_that_is_no_utf8_can_be_printed(self, repository: Callable[..., Path]) -> None:
        """A file name of stray bytes is shown escaped, and can be stored."""
        root = repository({"a.txt": "a"})
        (root / os.fsdecode(b"stray\xff.txt")).write_text("s")
        (entry,) = read_source(root).dirty
        assert entry.encode() == b"?? stray\\xff.txt"

    def test_digest_follows_every_change(self, repository: Callable[..., Path]) -> None:
        """An edit, another edit, a commit: each is another source; going back is the former one."""
        root = repository({"a.txt": "a"})
        digests = [read_source(root).digest]
        for content in ("b", "c"):
            write(root, {"a.txt": content})
            digests.append(read_source(root).digest)
        git(root, "commit", "-q", "-a", "-m", "second")
        digests.append(read_source(root).digest)
        assert len(set(digests)) == 4
        git(root, "checkout", "-q", "--detach", "HEAD~1")
        assert read_source(root).digest == digests[0]

    def test_ignored_file_is_no_dirt(self, repository: Callable[..., Path]) -> None:
        """What .gitignore names does not count."""
        root = repository({".gitignore": "*.log\n"})
        write(root, {"a.log": "noise"})
        assert read_source(root).dirty == ()

    def test_annotated_tags_are_told_from_lightweight_ones(self, repository: Callable[..., Path]) -> None:
        """Both point at the commit; only those with an object of their own are annotated."""
        root = repository({"a.txt": "a\n"})
        git(root, "tag", "light")
        git(root, "tag", "-a", "-m", "why", "v2")
        git(root, "tag", "-a", "-m", "why", "core/v2")
        source = read_source(root)
        assert source.tags == ("core/v2", "light", "v2")
        assert source.annotated == ("core/v2", "v2")

    def test_tags_are_told_apart_where_git_prints_columns(
        self, repository: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A user's `column.ui = always` puts several tags on a line; each is still read as one."""
        root = repository({"a.txt": "a"})
        for tag in ("v1.0", "v1.1", "v1.2"):
            git(root, "tag", tag)
        git(root, "config", "column.ui", "always")
        assert read_source(root).tags == ("v1.0", "v1.1", "v1.2")

    def test_detached_head_and_worktree(self, repository: Callable[..., Path], tmp_path: Path) -> None:
        """Neither a branch nor an own .git folder is needed; a dirty worktree is snapshot and exported as well."""
        root = repository({"a.txt": "a"})
        git(root, "worktree", "add", "-q", "--detach", str(tmp_path / "tree"))
        write(tmp_path / "tree", {"new.txt": "n"})
        source = read_source(tmp_path / "tree")
        assert source.branch == ""
        export(source, tmp_path / "out")
        assert names(tmp_path / "out") == ["a.txt", "new.txt"]

    def test_project_in_a_folder_of_the_repository(self, repository: Callable[..., Path], tmp_path: Path) -> None:
        """Only the project's own folder counts and is exported; a change beside it is named and changes nothing."""
        root = repository({"pkg/a.txt": "a", "pkg/b.txt": "b", "other/c.txt": "c", "pkg-2/d.txt": "d"})
        before = read_source(root / "pkg")
        assert before.elsewhere == ()
        write(root, {"other/c.txt": "changed", "pkg-2/new.txt": "n"})
        git(root, "mv", "pkg-2/d.txt", "pkg-2/e.txt")
        beside = read_source(root / "pkg")
        assert set(beside.elsewhere) == {"M other/c.txt", "?? pkg-2/new.txt", "R pkg-2/e.txt"}
        assert replace(beside, elsewhere=()) == before
        assert beside.digest == before.digest
        assert read_source(root).elsewhere == (), "at the top there is nothing else"
        assert before.prefix == "pkg/"
        export(before, tmp_path / "clean")
        assert names(tmp_path / "clean") == ["a.txt", "b.txt"]
        write(root, {"pkg/new.txt": "n"})
        dirty = read_source(root / "pkg")
        assert dirty.dirty == ("?? pkg/new.txt",)
        export(dirty, tmp_path / "dirty")
        assert names(tmp_path / "dirty") == ["a.txt", "b.txt", "new.txt"]

    def test_variables_of_a_git_hook_do_not_lead_elsewhere(
        self, repository: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """GIT_DIR and its kin, set inside hooks, are not followed."""
        root, other = repository({"a.txt": "a"}), repository({"b.txt": "b"}, "other")
        expected = read_source(root)
        monkeypatch.setenv("GIT_DIR", str(other / ".git"))
        monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git" / "index"))
        assert read_source(root) == expected

    @pytest.mark.parametrize("given", ["-1", "now", "1.5", "", str(EARLIEST_EPOCH - 1)])
    def test_unusable_source_date_epoch_is_refused(
        self, repository: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, given: str
    ) -> None:
        """Negative, not a whole number, empty, before 1980: refused with the value."""
        root = repository({"a.txt": "a"})
        monkeypatch.setenv("SOURCE_DATE_EPOCH", given)
        with pytest.raises(SourceError, match="SOURCE_DATE_EPOCH is"):
            read_source(root)

    def test_usable_source_date_epoch_is_taken(
        self, repository: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The environment's word goes before the commit's time."""
        root = repository({"a.txt": "a"})
        monkeypatch.setenv("SOURCE_DATE_EPOCH", str(EARLIEST_EPOCH))
        assert read_source(root).epoch == EARLIEST_EPOCH

    def test_commit_before_1980_is_moved_to_1980(self, tmp_path: Path, repository: Callable[..., Path]) -> None:
        """Zip files hold no earlier time."""
        root = repository({"a.txt": "a"})
        git(root, "commit", "-q", "--allow-empty", "-m", "old", GIT_COMMITTER_DATE="1970-01-02T00:00:00Z")
        assert read_source(root).epoch == EARLIEST_EPOCH

    def test_shallow_clone_is_known_as_one(self, repository: Callable[..., Path], tmp_path: Path) -> None:
        """A clone with depth 1 says so."""
        root = repository({"a.txt": "a"})
        git(root, "commit", "-q", "--allow-empty", "-m", "second")
        git(tmp_path, "clone", "-q", "--depth=1", f"file://{root}", str(tmp_path / "shallow"))
        assert read_source(tmp_path / "shallow").shallow is True

    def test_submodule_with_own_changes_is_named(self, repository: Callable[..., Path]) -> None:
        """Dirt inside a submodule is told from a submodule at another commit."""
        other = repository({"f.txt": "1"}, "other")
        root = repository({"a.txt": "a"})
        git(root, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(other), "sub module")
        git(root, "commit", "-q", "-m", "submodule")
        assert read_source(root).submodules == ()
        write(root, {"sub module/f.txt": "2"})
        source = read_source(root)
        assert (source.submodules, source.dirty) == (("sub module",), ("M sub module",))


class TestRefusing:
    """Where there is no source."""

    def test_no_repository(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A plain folder is named, with the way to a repository."""
        monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
        folder = tmp_path / "plain"
        folder.mkdir()
        with pytest.raises(SourceError, match="plain is in no git repository"):
            read_source(folder)

    def test_no_commit(self, tmp_path: Path) -> None:
        """A repository without a commit has no source."""
        git(tmp_path, "init", "-q")
        with pytest.raises(SourceError, match="no commit yet"):
            read_source(tmp_path)

    def test_no_git(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without git on PATH the message says so."""
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(SourceError, match="git is not installed"):
            read_source(tmp_path)

    def test_broken_repository(self, repository: Callable[..., Path]) -> None:
        """A repository git cannot read is refused in git's words."""
        root = repository({"a.txt": "a"})
        (root / ".git" / "index").write_bytes(b"junk")
        with pytest.raises(SourceError, match=r"`git status .*` failed"):
            read_source(root)


class TestExporting:
    """The clean copy that is built."""

    def test_leaves_the_repository_untouched(self, repository: Callable[..., Path], tmp_path: Path) -> None:
        """Reading and exporting a dirty tree adds no object, changes no byte below .git, and no status."""
        root = repository({"a.txt": "a", ".gitignore": "*.log\n"})
        write(root, {"a.txt": "b", "new.txt": "n", "x.log": "l"})
        (root / "a.txt").touch()
        before = state(root)
        export(read_source(root), tmp_path / "out")
        assert state(root) == before

    def test_dirty_tree_is_exported_as_it_stands(self, repository: Callable[..., Path], tmp_path: Path) -> None:
        """Untracked files are in, ignored ones are not, deleted ones are not, edits are; staged or not is the same."""
        root = repository({"a.txt": "a", "gone.txt": "g", ".gitignore": "*.log\n"})
        write(root, {"a.txt": "edited", "dir ü/new file.txt": "n", "x.log": "l"})
        (root / "gone.txt").unlink()
        export(read_source(root), tmp_path / "out")
        assert names(tmp_path / "out") == [".gitignore", "a.txt", "dir ü/new file.txt"]
        assert (tmp_path / "out" / "a.txt").read_text() == "edited"

    def test_clean_commit_ignores_the_work_tree(self, repository: Callable[..., Path], tmp_path: Path) -> None:
        """What is exported for a clean source is the commit, whatever comes later."""
        root = repository({"a.txt": "a"})
        source = read_source(root)
        write(root, {"a.txt": "later", "b.txt": "later"})
        export(source, tmp_path / "out")
        assert names(tmp_path / "out") == ["a.txt"]
        assert (tmp_path / "out" / "a.txt").read_text() == "a"

    def test_edit_between_reading_and_exporting_is_refused(
        self, repository: Callable[..., Path], tmp_path: Path
    ) -> None:
        """A dirty tree that changes under us is not what was recorded."""
        root = repository({"a.txt": "a"})
        write(root, {"a.txt": "b"})
        source = read_source(root)
        write(root, {"a.txt": "c"})
        with pytest.raises(SourceError, match="the work tree changed"):
            export(source, tmp_path / "out")

    @pytest.mark.parametrize("umask", [0o022, 0o002, 0o077])
    def test_times_and_modes_do_not_depend_on_us(
        self, repository: Callable[..., Path], tmp_path: Path, umask: int
    ) -> None:
        """Every file has the commit's time and 0644 or 0755, every folder 0755, under any umask."""
        root = repository({"dir/a.txt": "a", "run.sh": "#!/bin/sh\n"})
        (root / "run.sh").chmod(0o775)
        git(root, "add", "run.sh")
        git(root, "commit", "-q", "-m", "mode")
        former = os.umask(umask)
        try:
            export(read_source(root), tmp_path / "out")
        finally:
            os.umask(former)
        modes = {path.name: oct(path.stat().st_mode & 0o777) for path in (tmp_path / "out").rglob("*")}
        assert modes == {"dir": "0o755", "a.txt": "0o644", "run.sh": "0o755"}
        assert {path.stat().st_mtime for path in (tmp_path / "out").rglob("*") if path.is_file()} == {float(EPOCH)}

    def test_line_ends_do_not_depend_on_configuration(self, repository: Callable[..., Path], tmp_path: Path) -> None:
        """With core.autocrlf on, as on many a Windows machine, the committed bytes are exported."""
        root = repository({"a.txt": "one\ntwo\n"})
        git(root, "config", "core.autocrlf", "true")
        export(read_source(root), tmp_path / "out")
        assert (tmp_path / "out" / "a.txt").read_bytes() == b"one\ntwo\n"

    def test_export_ignore_and_export_subst_are_honoured(self, repository: Callable[..., Path], tmp_path: Path) -> None:
        """Git's own attributes for archives count, as they do for everybody who downloads one."""
        root = repository(
            {
                ".gitattributes": "secret.txt export-ignore\nv.txt export-subst\n",
                "secret.txt": "s",
                "v.txt": "$Format:%H$",
            }
        )
        source = read_source(root)
        export(source, tmp_path / "out")
        assert names(tmp_path / "out") == [".gitattributes", "v.txt"]
        assert (tmp_path / "out" / "v.txt").read_text() == source.commit

    def test_repository_made_of_an_export_is_always_the_same(
        self, repository: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Same files, same commit, whoever's configuration is around; files that are ignored are in it too."""
        root = repository({".gitignore": "*.log\n", "a.txt": "a"})
        write(root, {"kept.log": "l"})
        git(root, "add", "--force", "kept.log")
        git(root, "commit", "-q", "-m", "kept")
        commits = []
        for number in range(2):
            folder = tmp_path / f"out{number}"
            export(read_source(root), folder)
            monkeypatch.setenv("GIT_AUTHOR_NAME", f"somebody {number}")
            commit_export(folder, epoch=EPOCH + 5)
            commits.append(git(folder, "rev-parse", "HEAD"))
            assert git(folder, "ls-files").split() == [".gitignore", "a.txt", "kept.log"]
        assert commits[0] == commits[1]

    def test_nothing_of_this_machine_takes_part_in_that_repository(
        self, repository: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Settings handed on by `git -c` or by variables run no hook, sign nothing and change no commit."""
        root, hooks = repository({"a.txt": "a"}), tmp_path / "hooks"
        hooks.mkdir()
        for name in ("pre-commit", "post-commit", "reference-transaction"):
            (hooks / name).write_text(f"#!/bin/sh\ntouch '{tmp_path}/ran'\n")
            (hooks / name).chmod(0o755)
        export(read_source(root), tmp_path / "out0")
        commit_export(tmp_path / "out0", epoch=EPOCH, tag="v1")
        export(read_source(root), tmp_path / "out1")
        monkeypatch.setenv("GIT_CONFIG_PARAMETERS", f"'core.hooksPath={hooks}' 'tag.gpgSign=true'")
        monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
        monkeypatch.setenv("GIT_CONFIG_KEY_0", "i18n.commitEncoding")
        monkeypatch.setenv("GIT_CONFIG_VALUE_0", "latin1")
        monkeypatch.setenv("GIT_DEFAULT_HASH", "sha256")
        commit_export(tmp_path / "out1", epoch=EPOCH, tag="v1")
        monkeypatch.undo()
        assert not (tmp_path / "ran").exists()
        made = [git(tmp_path / out, "rev-parse", "v1") for out in ("out0", "out1")]
        assert made[0] == made[1]

    def test_attributes_of_this_machine_change_no_file(
        self, repository: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What a user's own gitattributes leave out or convert is exported as the commit has it all the same."""
        root = repository({"a.txt": "a\n", "b.txt": "$Format:%H$\n"})
        (tmp_path / "xdg" / "git").mkdir(parents=True)
        (tmp_path / "xdg" / "git" / "attributes").write_text("a.txt export-ignore\nb.txt export-subst eol=crlf\n")
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "xdg"))
        export(read_source(root), tmp_path / "out")
        assert names(tmp_path / "out") == ["a.txt", "b.txt"]
        assert (tmp_path / "out" / "b.txt").read_bytes() == b"$Format:%H$\n"

    def test_replaced_objects_are_not_what_the_commit_is(self, repository: Callable[..., Path], tmp_path: Path) -> None:
        """`git replace` shows other files under the name of a commit; what is built is what everybody else has."""
        root = repository({"a.txt": "a"})
        first = git(root, "rev-parse", "HEAD").strip()
        write(root, {"a.txt": "other"})
        git(root, "commit", "-q", "-a", "-m", "other")
        other = git(root, "rev-parse", "HEAD").strip()
        git(root, "reset", "-q", "--hard", first)
        git(root, "replace", first, other)
        source = read_source(root)
        export(source, tmp_path / "out")
        assert source.commit == first
        assert (tmp_path / "out" / "a.txt").read_text() == "a"

    def test_link_out_of_the_project_is_refused(self, repository: Callable[..., Path], tmp_path: Path) -> None:
        """A link to somewhere on this machine is an error, not a traceback."""
        root = repository({"a.txt": "a"})
        (root / "leak").symlink_to("/etc/hostname")
        git(root, "add", "leak")
        git(root, "commit", "-q", "-m", "link")
        with pytest.raises(SourceError, match="cannot be exported"):
            export(read_source(root), tmp_path / "out")

    def test_repository_whose_path_git_would_take_apart(self, repository: Callable[..., Path], tmp_path: Path) -> None:
        """A colon, a quote, a space and an umlaut in the path: a snapshot still finds the objects."""
        root = repository({"a.txt": "a"}, 'odd: "ü" project')
        write(root, {"b.txt": "b"})
        export(read_source(root), tmp_path / "out")
        assert names(tmp_path / "out") == ["a.txt", "b.txt"]
