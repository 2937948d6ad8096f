"""The whole diagnosis: a sound project, each thing spoiled in turn, and what nobody may see."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from diagnosis.clinic import ADMIN, READ, WORKFLOW, Clinic

from hephaestus.diagnosis.line import Verdict
from hephaestus.diagnosis.publishers import MintElsewhereError
from hephaestus.standins.github import Environment, Policy, Ruleset
from hephaestus.standins.http import Listener, Request, Response
from hephaestus.standins.tls import ServerCertificate

#: What no service shows without --mint.
HIDDEN = {"publisher-testpypi", "publisher-pypi"}

Spoil = Callable[[Clinic], object]


def settings(change: Callable[[Policy], object]) -> Spoil:
    return lambda clinic: clinic.policy(change)


def environment(name: str, **change: object) -> Spoil:
    def spoil(policy: Policy) -> None:
        policy.environments[name] = replace(policy.environments[name], **change)  # type: ignore[arg-type]

    return settings(spoil)


def ruleset(number: int, **change: object) -> Spoil:
    def spoil(policy: Policy) -> None:
        policy.rulesets = [
            replace(one, **change) if one.id == number else one  # type: ignore[arg-type]
            for one in policy.rulesets
        ]

    return settings(spoil)


def written(name: str, text: str) -> Spoil:
    def spoil(clinic: Clinic) -> None:
        path = clinic.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")

    return spoil


def configured(text: str) -> Spoil:
    def spoil(clinic: Clinic) -> None:
        path = clinic.root / "pyproject.toml"
        path.write_text(path.read_text("utf-8") + text, "utf-8")

    return spoil


def another_commit(clinic: Clinic) -> None:
    clinic.git("tag", "v1.2.3")
    clinic.git("commit", "-q", "--allow-empty", "-m", "two")


def made_up(clinic: Clinic) -> None:
    (clinic.root / "pyproject.toml").write_text('[project]\nname = "tiny"\nversion = "1.2.3"\n', "utf-8")


def renamed(clinic: Clinic) -> None:
    path = clinic.root / "pyproject.toml"
    path.write_text(path.read_text("utf-8").replace("Owner/Tiny-Thing", "Owner/other"), "utf-8")


def hidden_from_path(clinic: Clinic) -> None:
    clinic.git("config", "tag.gpgSign", "true")
    clinic.git("config", "gpg.program", "no-such-gpg")


def locked_workflow(clinic: Clinic) -> None:
    step = "run: |\n  python -m pip install --require-hashes -r .github/release.txt\n  # pip install -r no.txt\n"
    (clinic.root / ".github" / "workflows" / WORKFLOW).write_text(step, "utf-8")
    clinic.git("commit", "-q", "-a", "-m", "the workflow that `hephaestus init` writes, without its lock")


#: Code of the line that must FAIL, what is spoiled, and a word of what is seen.
SPOILED: list[tuple[str, Spoil, str]] = [
    ("repository-named", made_up, "made up"),
    ("remote", lambda clinic: clinic.git("remote", "remove", "origin"), "no remote"),
    ("remote", lambda clinic: clinic.git("remote", "set-url", "origin", "https://github.com/else/where"), "else/where"),
    ("tag", another_commit, "HEAD is"),
    ("workflow-file", configured('workflow = "other.yml"\n'), "other.yml is not in HEAD"),
    ("workflow-lock", locked_workflow, ".github/release.txt is not in HEAD"),
    ("tag-signing", hidden_from_path, "no-such-gpg"),
    ("credentials", written(".pypirc", "[pypi]\nusername = __token__\npassword = pypi-x\n"), ".pypirc"),
    ("credentials", written(".netrc", "machine upload.pypi.org login x password y\n"), ".netrc"),
    ("credentials", written(".config/pypoetry/auth.toml", "[pypi-token]\npypi = 'x'\n"), "auth.toml"),
    ("credentials", written(".local/share/uv/credentials/credentials.toml", "service = 'https://pypi.org'\n"), "uv"),
    ("credentials", written("AppData/Roaming/uv/data/credentials/credentials.toml", "x = 'pypi.org'\n"), "Roaming"),
    ("credentials", written("_netrc", "machine pypi.org\nlogin x\npassword y\n"), "_netrc"),
    ("credentials", lambda clinic: clinic.environ.update(TWINE_PASSWORD="x"), "TWINE_PASSWORD"),
    ("credentials", lambda clinic: clinic.environ.update(UV_PUBLISH_TOKEN="x"), "UV_PUBLISH_TOKEN"),
    ("credentials", lambda clinic: clinic.environ.update(MY_PYPI_API_TOKEN="x"), "MY_PYPI_API_TOKEN"),
    ("folder", configured('directory = "pyproject.toml/x"\n'), "not writable"),
    ("folder", configured('directory = ".github"\n'), "not made by this suite"),
    ("clock", lambda clinic: slow(clinic, 7), "7 s off"),
    ("clock", lambda clinic: slow(clinic, -7), "7 s off"),
    ("repository", renamed, "knows nothing"),
    ("tag-rules", settings(lambda policy: policy.rulesets.clear()), "none of 0"),
    ("tag-rules", ruleset(1, enforcement="evaluate"), "not restricted: creation"),
    ("tag-rules", ruleset(2, rules=["update"]), "not restricted: deletion"),
    ("tag-rules", ruleset(2, rules=["deletion"]), "not restricted: update"),
    ("tag-rules", ruleset(2, include=["refs/tags/v1*"]), "not restricted: update, deletion"),
    ("tag-rules", ruleset(1, exclude=["refs/tags/*rc*"]), "not restricted: creation"),
    ("tag-rules", ruleset(1, target="branch", include=["~ALL"]), "not restricted: creation"),
    ("tag-bypass", ruleset(2, bypass=["DeployKey"]), "moved or deleted by the bypass list of final (DeployKey)"),
    ("tag-bypass", ruleset(1, bypass=[]), "nobody may create"),
    ("tag-bypass", settings(lambda policy: policy.rulesets.clear()), "no ruleset"),
    ("branch-protected", ruleset(3, enforcement="disabled"), "rules in force: none"),
    ("branch-protected", ruleset(3, rules=["required_linear_history"]), "required_linear_history"),
    ("branch-protected", ruleset(3, include=["refs/heads/other"]), "none"),
    ("environment-tags-testpypi", settings(lambda policy: policy.environments.clear()), "does not exist"),
    ("environment-tags-testpypi", environment("testpypi", policies=None), "any branch and any tag"),
    ("environment-tags-pypi", environment("pypi", policies="protected"), "protected branches"),
    ("environment-tags-pypi", environment("pypi", policies=[["tag", "v*"], ["branch", "main"]]), "branch main"),
    ("environment-tags-pypi", environment("pypi", policies=[["tag", "v*"], ["branch", "v1"]]), "branch v1"),
    ("environment-tags-pypi", environment("pypi", policies=[["tag", "*"]]), "tag *"),
    ("environment-tags-pypi", environment("pypi", policies=[["tag", "v0*"]]), "tag v0*"),
    ("environment-tags-pypi", environment("pypi", policies=[]), "nothing"),
    ("environment-admins-testpypi", environment("testpypi", can_admins_bypass=True), "may bypass"),
    ("environment-admins-pypi", environment("pypi", can_admins_bypass=True), "may bypass"),
    ("environment-reviewers-pypi", environment("pypi", reviewers=[]), "0 required"),
    ("environment-self-review-pypi", environment("pypi", prevent_self_review=False), "whoever tags"),
    ("workflow", settings(lambda policy: policy.workflows.clear()), "knows no workflow"),
    ("workflow", settings(lambda policy: policy.workflows.update({WORKFLOW: "disabled_manually"})), "disabled"),
    ("tag-on-github", lambda clinic: clinic.github.push_tag("v1.2.3", "f" * 40), "at ffffffffffff there"),
    ("sha-pinning", settings(lambda policy: setattr(policy, "sha_pinning_required", False)), "off"),
    ("workflow-token", settings(lambda policy: setattr(policy, "default_workflow_permissions", "write")), "write"),
    ("immutable-releases", lambda clinic: clinic.github.set_immutable_releases(False), "off"),
    ("stored-secrets", settings(lambda policy: policy.secrets.append("PYPI_API_TOKEN")), "PYPI_API_TOKEN"),
    ("stored-secrets", settings(lambda policy: policy.organization_secrets.append("TWINE_PASS")), "TWINE_PASS"),
    ("stored-secrets", settings(lambda policy: policy.secrets.extend(["X"] * 130 + ["pypi_late"])), "pypi_late"),
    ("stored-variables", settings(lambda policy: policy.variables.append("TestPyPI_User")), "TestPyPI_User"),
    ("stored-variables", settings(lambda policy: policy.variables.append("X_HEPHAESTUS_PYPI")), "X_HEPHAESTUS_PYPI"),
    ("stored-variables", settings(lambda policy: policy.organization_variables.append("TWINE_USERNAME")), "TWINE"),
    ("stored-secrets-testpypi", environment("testpypi", secrets=["TEST_PYPI"]), "TEST_PYPI"),
    ("stored-variables-testpypi", environment("testpypi", variables=["TEST_PYPI"]), "TEST_PYPI"),
    ("stored-secrets-pypi", environment("pypi", secrets=["UV_PUBLISH_TOKEN"]), "UV_PUBLISH_TOKEN"),
    ("stored-variables-pypi", environment("pypi", variables=["A", "PYPI_USER"]), "PYPI_USER"),
    ("project-testpypi", lambda clinic: clinic.indexes["testpypi"].set_status("tiny-thing", "archived"), "archived"),
    ("project-pypi", lambda clinic: clinic.indexes["pypi"].set_status("tiny-thing", "quarantined"), "quarantined"),
    ("project-pypi", lambda clinic: (clinic.forget("pypi"), clinic.publish("pypi", "tinything")), "too similar"),
]  # fmt: skip


def slow(clinic: Clinic, seconds: float) -> None:
    """Let this machine's clock differ from GitHub's by so much: only the latter is read from ``now`` afterwards."""
    here = clinic.now[0]
    clinic.github._clock = lambda: here + seconds


def test_a_sound_project(clinic: Clinic) -> None:
    """Everything PASSes but the publishers, which nobody shows; nothing was changed anywhere."""
    found = clinic.diagnose()
    assert {line.code for line in found.lines if line.verdict is not Verdict.PASS} == HIDDEN
    assert {line.verdict for line in found.lines if line.code in HIDDEN} == {Verdict.UNKNOWN}
    assert found.healthy
    assert list(clinic.asked(changing=True)) == []


def test_every_check_has_a_code_of_its_own_and_advice(clinic: Clinic) -> None:
    """No code twice; each line says why it matters and what to do; what GitHub sets has a page."""
    lines = clinic.diagnose().lines
    assert len({line.code for line in lines}) == len(lines)
    for line in lines:
        assert line.seen, line
        assert line.why, line
        assert line.remedy, line
        assert line.page or line.group == "this machine", line


@pytest.mark.parametrize(("code", "spoil", "word"), SPOILED, ids=lambda value: value if isinstance(value, str) else "")
def test_what_is_spoiled_fails(clinic: Clinic, code: str, spoil: Spoil, word: str) -> None:
    """Each thing spoiled makes its own line FAIL, and says what was seen."""
    spoil(clinic)
    line = clinic.line(code)
    assert line.verdict is Verdict.FAIL, line
    assert word in line.seen


def test_every_check_was_seen_failing(clinic: Clinic) -> None:
    """The table above spoils every check there is; publishers and tools have tests of their own."""
    codes = {line.code for line in clinic.diagnose().lines}
    assert {code for code, _, _ in SPOILED} == codes - HIDDEN - {"tools"}


@pytest.mark.parametrize("token", [None, READ])
def test_what_a_token_may_not_see_is_unknown(clinic: Clinic, token: str | None) -> None:
    """Without an administrator's token the settings for administrators are UNKNOWN, never PASS, and fail nothing."""
    clinic.environ.pop("GH_TOKEN")
    if token:
        clinic.environ["GITHUB_TOKEN"] = token
    found = clinic.diagnose()
    unknown = {line.code for line in found.lines if line.verdict is Verdict.UNKNOWN} - HIDDEN
    stored = {f"stored-{kind}{place}" for kind in ("secrets", "variables") for place in ("", "-pypi", "-testpypi")}
    assert unknown == stored | {"tag-bypass", "sha-pinning", "workflow-token", "immutable-releases"}
    assert found.healthy
    assert all("administrator" in line.seen + line.remedy for line in found.lines if line.code in unknown)


def test_a_private_repository_without_a_token(clinic: Clinic) -> None:
    """What cannot be seen at all is UNKNOWN, with the way to see it; with a token it is a wrong name."""
    clinic.github._private = True
    clinic.environ.pop("GH_TOKEN")
    lines = clinic.lines()
    assert lines["repository"].verdict is Verdict.UNKNOWN
    assert "GH_TOKEN" in lines["repository"].remedy
    assert {line.seen for line in lines.values() if line.group == "GitHub"} - {lines["repository"].seen} == {
        "not asked: see `repository`"
    }


@pytest.mark.parametrize("fault", ["github:503x99", "github:resetx99", "github:htmlx99", "github:429=9999x99"])
def test_a_github_that_is_down_fails_nothing(clinic: Clinic, fault: str) -> None:
    """No answer, a page, a rate limit: UNKNOWN throughout, and the other services are looked at all the same."""
    clinic.fault(fault)
    found = clinic.diagnose()
    assert {line.verdict for line in found.lines if line.group == "GitHub"} == {Verdict.UNKNOWN}
    assert {line.verdict for line in found.lines if line.code.startswith("project-")} == {Verdict.PASS}
    assert found.healthy


def test_a_wrong_token_is_said_to_be_wrong(clinic: Clinic) -> None:
    """401 is neither a missing repository nor a missing right, and the token is shown nowhere."""
    clinic.environ["GH_TOKEN"] = "ghp_" + "z" * 36
    line = clinic.lines()["repository"]
    assert line.verdict is Verdict.UNKNOWN
    assert "token is not accepted" in line.seen
    assert "z" * 8 not in repr(line)


def test_an_index_that_is_down_is_unknown(clinic: Clinic) -> None:
    """503 from PyPI is no verdict about the project there; Test PyPI is judged."""
    clinic.fault("pypi:downx99")
    lines = clinic.lines()
    assert lines["project-pypi"].verdict is Verdict.UNKNOWN
    assert lines["project-testpypi"].verdict is Verdict.PASS


def test_offline_asks_nobody(clinic: Clinic) -> None:
    """--offline judges this machine and says what was not asked."""
    found = clinic.diagnose(offline=True)
    assert clinic.requests == []
    assert {line.verdict for line in found.lines if line.group == "this machine" and line.code != "clock"} == {
        Verdict.PASS
    }
    assert [line.group for line in found.lines if line.subject == "everything"] == ["GitHub", "Test PyPI", "PyPI"]


def test_classic_protection_counts(clinic: Clinic) -> None:
    """A branch protection rule of the older kind protects the branch as well."""

    def change(policy: Policy) -> None:
        policy.rulesets = [one for one in policy.rulesets if one.target == "tag"]
        policy.protected.append("main")

    clinic.policy(change)
    assert clinic.line("branch-protected").verdict is Verdict.PASS


def test_classic_protection_beside_a_weak_ruleset(clinic: Clinic) -> None:
    """Where both are there, the older rule counts for an administrator; to others it cannot be told apart: UNKNOWN."""

    def change(policy: Policy) -> None:
        policy.rulesets[2] = replace(policy.rulesets[2], rules=["required_linear_history"])
        policy.protected.append("main")

    clinic.policy(change)
    assert clinic.line("branch-protected").verdict is Verdict.PASS
    clinic.environ["GH_TOKEN"] = READ
    assert clinic.line("branch-protected").verdict is Verdict.UNKNOWN


def test_one_ruleset_for_all_tags_will_do(clinic: Clinic) -> None:
    """The rules may stand in one ruleset for all tags; then its bypass list is the trouble, and that is said."""
    rules = ["creation", "update", "deletion"]
    clinic.policy(lambda policy: policy.rulesets.__setitem__(
        slice(0, 2), [Ruleset(id=9, name="all", target="tag", rules=rules, include=["~ALL"], bypass=["Team"])]
    ))  # fmt: skip
    lines = clinic.lines()
    assert lines["tag-rules"].verdict is Verdict.PASS
    assert lines["tag-bypass"].verdict is Verdict.FAIL


def test_a_package_of_several_is_held_to_its_own_tags(clinic: Clinic) -> None:
    """Rules and environments for `v*` do not cover core-v1.2.3; those for `core-v*` do, the other's beside them."""
    text = (clinic.root / "pyproject.toml").read_text("utf-8")
    (clinic.root / "pyproject.toml").write_text(f'{text}tag-prefix = "core-"\n', "utf-8")
    codes = ("tag-rules", "tag-bypass", "environment-tags-testpypi", "environment-tags-pypi")
    lines = clinic.lines()
    assert {lines[code].verdict for code in codes} == {Verdict.FAIL}
    assert all("`core-v*`" in lines[code].remedy for code in codes)

    def both(policy: Policy) -> None:
        for rules in policy.rulesets[:2]:
            rules.include.append("refs/tags/core-v*")
        for name in ("testpypi", "pypi"):
            policy.environments[name].policies.append(["tag", "core-v*"])

    clinic.policy(both)
    lines = clinic.lines()
    assert {lines[code].verdict for code in codes} == {Verdict.PASS}


def test_the_tag_that_was_pushed(clinic: Clinic) -> None:
    """An annotated tag at HEAD, here and on GitHub: both lines PASS; a clone without it compares its HEAD."""
    head = clinic.git("rev-parse", "HEAD")
    clinic.github.push_tag("v1.2.3", head)
    assert clinic.lines()["tag-on-github"].seen.startswith(f"at {head[:12]} there")
    clinic.git("tag", "-a", "-m", "x", "v1.2.3")
    lines = clinic.lines()
    assert {lines["tag"].verdict, lines["tag-on-github"].verdict, lines["workflow-file"].verdict} == {Verdict.PASS}


def test_a_workflow_that_the_tag_lacks(clinic: Clinic) -> None:
    """A workflow committed after the tag does not run for the tag: both commits are looked at."""
    clinic.git("mv", f".github/workflows/{WORKFLOW}", ".github/workflows/later.yml")
    clinic.git("commit", "-q", "-m", "moved")
    clinic.git("tag", "v1.2.3")
    clinic.git("mv", ".github/workflows/later.yml", f".github/workflows/{WORKFLOW}")
    clinic.git("commit", "-q", "-m", "back")
    line = clinic.line("workflow-file")
    assert line.verdict is Verdict.FAIL
    assert "refs/tags/v1.2.3" in line.seen


def test_the_lock_of_the_jobs(clinic: Clinic) -> None:
    """The lock that the workflow installs from FAILs while it is only in the work tree, and PASSes once committed."""
    locked_workflow(clinic)
    (clinic.root / ".github" / "release.txt").write_text("tiny==1\n", "utf-8")
    assert clinic.line("workflow-lock").verdict is Verdict.FAIL
    clinic.git("add", ".")
    clinic.git("commit", "-q", "-m", "lock")
    line = clinic.line("workflow-lock")
    assert (line.verdict, line.seen) == (Verdict.PASS, ".github/release.txt is committed")


def test_the_lock_of_a_package_in_a_folder(clinic: Clinic) -> None:
    """A workflow that runs in the package's folder names the lock from there: the one at the top counts."""
    folder = clinic.root / "packages" / "tiny"
    folder.mkdir(parents=True)
    clinic.git("mv", "pyproject.toml", "packages/tiny/pyproject.toml")
    text = (
        "defaults:\n  run:\n    working-directory: packages/tiny\nrun: |\n  pip install -r ../../.github/release.txt\n"
    )
    (clinic.root / ".github" / "workflows" / WORKFLOW).write_text(text, "utf-8")
    clinic.git("commit", "-q", "-a", "-m", "a package in a folder")
    top, clinic.root = clinic.root, folder
    assert clinic.line("workflow-lock").verdict is Verdict.FAIL
    (top / ".github" / "release.txt").write_text("tiny==1\n", "utf-8")
    clinic.git("add", ":/")
    clinic.git("commit", "-q", "-m", "lock")
    assert clinic.line("workflow-lock").verdict is Verdict.PASS
    assert clinic.line("workflow-file").verdict is Verdict.PASS


def test_no_git_repository(clinic: Clinic) -> None:
    """A folder without a repository: the lines about git FAIL, the rest is judged."""
    (clinic.root / ".git").rename(clinic.root / "elsewhere")
    lines = clinic.lines(offline=True)
    assert {code for code, line in lines.items() if line.verdict is Verdict.FAIL} == {"remote", "tag", "workflow-file"}


@pytest.mark.parametrize(("versions", "verdict"), [({}, Verdict.FAIL), ({"nox": "2024.4.15"}, Verdict.FAIL),
                                                   ({"nox": "2026.8.10"}, Verdict.PASS)])  # fmt: skip
def test_nox_is_there_and_new_enough(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch, versions: dict[str, str], verdict: Verdict
) -> None:
    """A missing or old nox FAILs; uv is mentioned and never required."""
    from importlib import metadata

    def version(name: str) -> str:
        if name not in versions:
            raise metadata.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr("hephaestus.diagnosis.machine.installed_version", version)
    clinic.environ["PATH"] = ""
    line = clinic.lines(offline=True)["tools"]
    assert line.verdict is verdict
    assert "no uv" in line.seen


def test_credentials_are_named_and_never_shown(clinic: Clinic) -> None:
    """Places and names only; what a CI service says of a job is no credential; an unreadable file is UNKNOWN."""
    secret = "pypi-" + "S" * 40
    clinic.environ |= {"PYPI_TOKEN": secret, "PYPI_ID_TOKEN": "eyJ.x.y", "TWINE_REPOSITORY": "pypi", "PYPI_SECRET": ""}
    (clinic.home / ".pypirc").write_text(f"[pypi]\npassword: {secret}\n", "utf-8")
    line = clinic.lines(offline=True)["credentials"]
    assert line.seen == f"variable PYPI_TOKEN, {clinic.home / '.pypirc'}"
    assert secret not in repr(line)
    (clinic.home / ".pypirc").unlink()
    (clinic.home / ".pypirc").mkdir()
    assert clinic.lines(offline=True)["credentials"].verdict is Verdict.UNKNOWN


def test_a_remote_s_credentials_are_not_shown(clinic: Clinic) -> None:
    """A token in the remote's address appears nowhere."""
    clinic.git("remote", "set-url", "origin", "https://x:ghp_secret@github.com/Owner/Tiny-Thing.git")
    line = clinic.lines(offline=True)["remote"]
    assert (line.verdict, line.seen) == (Verdict.PASS, "origin is Owner/Tiny-Thing")


def test_signed_tags_with_their_program(clinic: Clinic) -> None:
    """A clone that signs tags is fine where the program is there."""
    clinic.git("config", "tag.gpgSign", "true")
    clinic.git("config", "gpg.format", "ssh")
    clinic.git("config", "gpg.ssh.program", "git")
    assert clinic.lines(offline=True)["tag-signing"].seen == "tags are signed with git"


def test_a_name_that_is_not_there_yet(clinic: Clinic) -> None:
    """Free: PASS, the form is that of a pending publisher, and names the project."""
    clinic.forget("pypi")
    lines = clinic.lines()
    assert lines["project-pypi"].verdict is Verdict.PASS
    publisher = lines["publisher-pypi"]
    assert publisher.page.endswith("/manage/account/publishing/")
    assert dict(publisher.values) == {
        "PyPI Project Name": "tiny-thing",
        "Owner": "Owner",
        "Repository name": "Tiny-Thing",
        "Workflow name": WORKFLOW,
        "Environment name": "pypi",
    }
    there = lines["publisher-testpypi"]
    assert there.page.endswith("/manage/project/tiny-thing/settings/publishing/")
    assert dict(there.values)["Environment name"] == "testpypi"
    assert "PyPI Project Name" not in dict(there.values)


def test_a_name_no_index_takes(clinic: Clinic) -> None:
    """The name of a module of the standard library is refused before anybody tries."""
    path = clinic.root / "pyproject.toml"
    path.write_text(path.read_text("utf-8").replace("Tiny.Thing", "asyncio"), "utf-8")
    line = clinic.line("project-pypi")
    assert line.verdict is Verdict.FAIL
    assert "Standard Library" in line.seen


def test_mint_outside_of_a_job(clinic: Clinic) -> None:
    """Refused at once, before anybody is asked, with the way to run it."""
    with pytest.raises(MintElsewhereError) as caught:
        clinic.diagnose(mint=True)
    assert f"gh workflow run {WORKFLOW} --ref v1.2.3" in caught.value.next_step
    assert clinic.requests == []


def test_mint_in_a_job_without_the_permission(clinic: Clinic) -> None:
    """A job without `id-token: write` is refused as well."""
    clinic.environ["GITHUB_ACTIONS"] = "true"
    with pytest.raises(MintElsewhereError, match="may not ask for an identity token"):
        clinic.diagnose(mint=True)


def test_mint_in_the_job_of_an_environment(clinic: Clinic) -> None:
    """Its own index: minted, compared, burned, nothing left; the other index waits for its own job."""
    clinic.job()
    lines = clinic.lines(mint=True, offline=True)
    assert lines["publisher-pypi"].verdict is Verdict.PASS
    assert "burned" in lines["publisher-pypi"].seen
    assert lines["publisher-testpypi"].verdict is Verdict.UNKNOWN
    assert "environment testpypi" in lines["publisher-testpypi"].remedy
    assert list(clinic.asked(changing=True)) == ["POST /_/oidc/mint-token", "POST /_/oidc/burn-token"]
    assert clinic.indexes["pypi"]._store.state.tokens == {}
    assert clinic.indexes["pypi"].journal() == []


def test_mint_for_test_pypi(clinic: Clinic) -> None:
    """The job of the other environment tries the other index."""
    clinic.job(environment="testpypi")
    lines = clinic.lines(mint=True, offline=True)
    verdicts = [lines[f"publisher-{index}"].verdict for index in ("testpypi", "pypi")]
    assert verdicts == [Verdict.PASS, Verdict.UNKNOWN]


def test_a_pending_publisher_is_not_used_up(clinic: Clinic) -> None:
    """The first exchange of a pending publisher makes the project: claims are compared, nothing is exchanged."""
    clinic.forget("pypi")
    clinic.job()
    line = clinic.lines(mint=True, offline=True)["publisher-pypi"]
    assert line.verdict is Verdict.UNKNOWN
    assert "claims are as the form must have them" in line.seen
    assert list(clinic.asked(changing=True)) == []
    assert clinic.indexes["pypi"].project("tiny-thing") is None


@pytest.mark.parametrize(
    ("claims", "word"),
    [
        ({"environment": None}, "environment is (missing), not"),
        ({"environment": "release"}, "environment is release"),
        ({"workflow": "other.yml"}, "job_workflow_ref (file) is other.yml"),
        ({"repository": "Fork/Tiny-Thing"}, "repository is Fork/Tiny-Thing"),
        ({"ref": "refs/heads/main"}, "ref is refs/heads/main, not refs/tags/v1.2.3"),
        ({"ref": "refs/tags/v9"}, "ref is refs/tags/v9"),
        ({"event_name": "pull_request_target"}, "event_name is pull_request_target"),
    ],
)
def test_claims_that_differ_fail_before_anything_is_exchanged(
    clinic: Clinic, claims: dict[str, object], word: str
) -> None:
    """Each wrong claim is named with what it should be, and no token is asked for with it."""
    clinic.job(**claims)
    line = clinic.lines(mint=True, offline=True)["publisher-pypi"]
    assert line.verdict is Verdict.FAIL
    assert word in line.seen
    assert list(clinic.asked(changing=True)) == []


@pytest.mark.parametrize(
    ("fault", "word"),
    [
        ("pypi:mint-invalid-publisher", "no Trusted Publisher"),
        ("pypi:mint-not-enabled", "switched off"),
        ("pypi:mint-invalid-token", "does not accept"),
        ("pypi:mint-invalid-reuse-token", "exchanged before"),
        ("pypi:mint-invalid-pending-publisher", "not to be had"),
        ("pypi:mint-invalid-payload", "does not understand"),
        ("pypi:mint-html-500", "did not mint"),
        ("pypi:oidc-off", "switched off"),
        ("oidc:no-permission", "may not ask"),
        ("oidc:expired-token", "does not accept"),
    ],
)
def test_a_mint_that_fails(clinic: Clinic, fault: str, word: str) -> None:
    """Every refusal of the exchange is a FAIL that says what it means and what to do; no token is shown."""
    clinic.job()
    clinic.fault(f"{fault}x9")
    found = clinic.diagnose(mint=True, offline=True)
    (line,) = [line for line in found.lines if line.code == "publisher-pypi"]
    assert line.verdict is Verdict.FAIL
    assert word in line.seen
    assert "eyJ" not in repr(found)


def test_a_mint_without_an_answer_is_unknown(clinic: Clinic) -> None:
    """A cut connection says nothing about the publisher."""
    clinic.job()
    clinic.fault("pypi:mint-reset")
    assert clinic.lines(mint=True, offline=True)["publisher-pypi"].verdict is Verdict.UNKNOWN


def test_an_environment_that_says_nothing_of_administrators(clinic: Clinic) -> None:
    """An answer without `can_admins_bypass` is UNKNOWN, not a PASS."""
    answer = clinic.desks["github"].handler

    def without(request: Request) -> Response:
        found = answer(request)
        return replace(found, body=found.body.replace(b'"can_admins_bypass"', b'"other"'))

    clinic.desks["github"].handler = without
    assert clinic.line("environment-admins-pypi").verdict is Verdict.UNKNOWN


def test_environments_are_asked_once(clinic: Clinic) -> None:
    """Four questions about one environment are one request: anonymous callers have sixty an hour."""
    clinic.diagnose()
    paths = [request.path for request in clinic.requests]
    assert paths.count("/repos/Owner/Tiny-Thing/environments/pypi/deployment-branch-policies") == 1
    assert len([request for request in clinic.requests if request.path.startswith("/repos/")]) <= 40


def test_an_environment_that_is_missing_is_to_be_made(clinic: Clinic) -> None:
    """The advice begins with making it; nothing is stored in what does not exist."""
    clinic.policy(lambda policy: policy.environments.clear())
    line = clinic.line("environment-tags-pypi")
    assert line.remedy.startswith("make environment pypi: Deployment branches and tags")
    assert clinic.line("stored-secrets-pypi").seen == "there is no environment pypi"


def test_a_bare_environment_fails_in_every_way(clinic: Clinic) -> None:
    """What GitHub makes by itself for an unknown environment protects nothing."""
    clinic.policy(lambda policy: policy.environments.update(pypi=Environment()))
    lines = clinic.lines()
    failed = {code for code, line in lines.items() if line.verdict is Verdict.FAIL}
    assert failed == {f"environment-{what}-pypi" for what in ("tags", "admins", "reviewers", "self-review")}


def test_the_token_goes_to_github_alone(clinic: Clinic) -> None:
    """Requests to GitHub's API carry it; no index and no issuer ever sees it."""
    clinic.job()
    clinic.diagnose(mint=True)
    github = clinic.listeners["github"].url
    seen = {request.base == github for request in clinic.requests if ADMIN in str(request.headers)}
    assert seen == {True}
    assert {request.base for request in clinic.requests} == {listener.url for listener in clinic.listeners.values()}


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"])
def test_mint_over_tls(clinic: Clinic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    """Both indexes over TLS under an authority of one's own, told as twine and OpenSSL are told; else UNKNOWN."""
    certificate = ServerCertificate.open(tmp_path / "tls", names=["localhost"], clock=time.time)
    with (
        Listener(clinic.indexes["testpypi"].handle, tls=certificate.context()) as testpypi,
        Listener(clinic.indexes["pypi"].handle, tls=certificate.context()) as pypi,
    ):
        monkeypatch.setitem(clinic.listeners, "testpypi", testpypi)
        monkeypatch.setitem(clinic.listeners, "pypi", pypi)
        clinic.job()
        doubtful = clinic.lines(mint=True, offline=True)["publisher-pypi"]
        assert doubtful.verdict is Verdict.UNKNOWN
        assert "not trusted" in doubtful.seen
        if variable == "REQUESTS_CA_BUNDLE":
            monkeypatch.setenv("SSL_CERT_FILE", os.devnull)
        monkeypatch.setenv(variable, str(certificate.authority))
        clinic.environ[variable] = str(certificate.authority)
        lines = clinic.lines(mint=True, offline=True)
    assert lines["publisher-pypi"].verdict is Verdict.PASS
    assert lines["project-testpypi"].verdict is Verdict.PASS
