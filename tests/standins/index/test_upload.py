"""Uploads: the recorded answers of the real service, idempotency, tokens, the journal, what survives a restart."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from standins.index.bench import PUBLISHER, Bench, form_body, upload_fields
from standins.index.distributions import make_sdist, make_wheel

from hephaestus.release.rules import Limits
from hephaestus.standins.http import Response
from hephaestus.standins.index import Index, PublisherConfig

DAY = 24 * 3600


def said(response: Response) -> tuple[int, str]:
    """Status and the reason of the status line, where twine looks."""
    return response.status, response.reason or ""


def test_a_release_is_uploaded(bench: Bench, tmp_path: Path) -> None:
    """Wheel and sdist are stored under a minted token, with empty 200 answers."""
    token = bench.mint()
    for path in (make_wheel(tmp_path), make_sdist(tmp_path)):
        response = bench.upload(path, token)
        assert (response.status, response.body) == (200, b"")
    assert bench.shown() == ["tiny_thing-1.0-py3-none-any.whl", "tiny_thing-1.0.tar.gz"]


def _again_with_other_bytes(bench: Bench, folder: Path) -> Response:
    bench.upload(make_wheel(folder), bench.mint())
    return bench.upload(make_wheel(folder, files={"more.py": "1"}), bench.mint())


def _same_bytes_other_name(bench: Bench, folder: Path) -> Response:
    path = make_wheel(folder)
    bench.upload(path, bench.mint())
    return bench.upload(path, bench.mint(), filename="tiny_thing-1.0-py2.py3-none-any.whl")


def _burned(bench: Bench, folder: Path) -> Response:
    path = make_wheel(folder)
    bench.upload(path, bench.mint())
    bench.index.burn_filename(path.name)
    return bench.upload(path, bench.mint())


def _too_late(bench: Bench, folder: Path) -> Response:
    bench.upload(make_wheel(folder), bench.mint())
    bench.clock.now += 14 * DAY + 1
    return bench.upload(make_sdist(folder), bench.mint())


def _second_sdist(bench: Bench, folder: Path) -> Response:
    token = bench.mint()
    bench.upload(make_sdist(folder), token)
    other = make_sdist(folder, files={"more.py": "1"})
    return bench.upload(other, token, filename="tiny-thing-1.0.tar.gz")


def _changed(**change: str | None) -> Callable[[Bench, Path], Response]:
    return lambda bench, folder: bench.upload(make_wheel(folder), bench.mint(), change=change)


def _fields(**fields: str) -> Callable[[Bench, Path], Response]:
    spelled = {name.replace("_", "-"): value for name, value in fields.items()}
    return lambda bench, folder: bench.upload(make_wheel(folder, fields=spelled), bench.mint())


def _named(name: str) -> Callable[[Bench, Path], Response]:
    def act(bench: Bench, folder: Path) -> Response:
        return bench.upload(make_wheel(folder, name), bench.index.add_user_token("ann"))

    return act


def _not_a_zip(bench: Bench, folder: Path) -> Response:
    fields = upload_fields(make_wheel(folder))
    fields = [(n, v if n != "sha256_digest" else hashlib.sha256(b"x").hexdigest()) for n, v in fields]
    return bench.post_form(form_body(fields, ("tiny_thing-1.0-py3-none-any.whl", b"x")), bench.mint())


def _too_similar(bench: Bench, folder: Path) -> Response:
    bench.mint()
    return bench.upload(make_wheel(folder, "tiny-th1ng"), bench.index.add_user_token("ann"))


def _publisher_elsewhere(bench: Bench, folder: Path) -> Response:
    return bench.upload(make_wheel(folder, "else-where"), bench.mint())


def _attested_by_user(bench: Bench, folder: Path) -> Response:
    path = make_wheel(folder)
    return bench.upload(path, bench.index.add_user_token("ann"), attestations=bench.attested(path))


def _attestation_fails(error: Exception) -> Callable[[Bench, Path], Response]:
    def act(bench: Bench, folder: Path) -> Response:
        bench.verify_attestation_error = error
        path = make_wheel(folder)
        return bench.upload(path, bench.mint(), attestations=bench.attested(path))

    return act


def _without_auth(bench: Bench, folder: Path) -> Response:
    return bench.upload(make_wheel(folder), None)


def _as(user: str, password: str) -> Callable[[Bench, Path], Response]:
    return lambda bench, folder: bench.upload(make_wheel(folder), password, user=user)


def _expired(bench: Bench, folder: Path) -> Response:
    token = bench.mint()
    bench.clock.now += 15 * 60
    return bench.upload(make_wheel(folder), token)


def _project_of_another(bench: Bench, folder: Path) -> Response:
    bench.mint()
    token = bench.index.add_user_token("ann", projects=["other"])
    return bench.upload(make_wheel(folder), token)


def _status(status: str, *, user: bool) -> Callable[[Bench, Path], Response]:
    def act(bench: Bench, folder: Path) -> Response:
        minted = bench.mint()
        bench.index.set_status("tiny-thing", status)  # type: ignore[arg-type]
        return bench.upload(make_wheel(folder), bench.index.add_user_token("ann") if user else minted)

    return act


def _read_only(bench: Bench, folder: Path) -> Response:
    bench.index.set_read_only(read_only=True)
    return bench.upload(make_wheel(folder), bench.mint())


def _no_uploads(bench: Bench, folder: Path) -> Response:
    bench.index.set_uploads(allowed=False)
    return bench.upload(make_wheel(folder), bench.mint())


def _many_projects(bench: Bench, folder: Path) -> Response:
    token = bench.index.add_user_token("ann")
    for number in range(20):
        assert bench.upload(make_wheel(folder, f"project-{'abcdefghjkmnpqrstuvw'[number] * 3}"), token).status == 200
    return bench.upload(make_wheel(folder, "one-more"), token)


# The record of the real service (facts on PyPI, section 1), written down from there: status, beginning, and
# what a client does to get it.
RECORDED: list[tuple[int, str, Callable[[Bench, Path], Response]]] = [
    (400, "File already exists ('tiny_thing-1.0-py3-none-any.whl', with blake2_256 hash '", _again_with_other_bytes),
    (400, "File already exists ('tiny_thing-1.0-py2.py3-none-any.whl', with blake2_256 hash '", _same_bytes_other_name),
    (400, "This filename was previously used by a file that has since been deleted.", _burned),
    (400, "Uploading new files to releases older than 14 days is not allowed.", _too_late),
    (400, "Only one sdist may be uploaded per release.", _second_sdist),
    (
        400,
        "Filename 'tiny_thing-1.0-py3-none-any.whl' is invalid, should be 'tiny_thing-1.1-py3-none-any.whl'.",
        _changed(version="1.1"),
    ),
    (400, "Invalid distribution file.", _not_a_zip),
    (400, "The digest supplied does not match", _changed(sha256_digest="0" * 64)),
    (400, "The digest supplied does not match", _changed(md5_digest="0" * 32)),
    (400, "The digest supplied does not match", _changed(blake2_256_digest="0" * 64)),
    (
        400,
        "Binary wheel 'tiny_thing-1.0-py3-none-linux_x86_64.whl' has an unsupported platform tag",
        lambda b, f: b.upload(make_wheel(f, tags="py3-none-linux_x86_64"), b.mint()),
    ),
    (
        400,
        "The use of local versions in '1.0+here' is not allowed.",
        lambda b, f: b.upload(make_wheel(f, version="1.0+here"), b.mint()),
    ),
    (400, "Can't have direct dependency:", _fields(Requires_Dist="a @ https://example.com/a.whl")),
    (400, "'Private :: Do Not Upload' is not a valid classifier.", _fields(Classifier="Private :: Do Not Upload")),
    (400, "'2.6' is not a valid metadata version.", _fields(Metadata_Version="2.6")),
    (400, "'2.0' is not a valid metadata version.", _fields(Metadata_Version="2.0")),
    (400, "The name 'json' isn't allowed (conflict with Python Standard Library", _named("json")),
    (400, "The name 'os-path' isn't allowed (conflict with Python Standard Library", _named("os-path")),
    (400, "The name 'requirements.txt' isn't allowed.", _named("requirements.txt")),
    (400, "The name 'tiny-th1ng' is too similar to an existing project.", _too_similar),
    (400, "Non-user identities cannot create new projects", _publisher_elsewhere),
    (
        400,
        "Invalid attestations supplied during upload: Attestations are only supported when using Trusted Publishing",
        _attested_by_user,
    ),
    (400, "Invalid attestations supplied during upload: Could not verify", _attestation_fails(ValueError("bad"))),
    (
        400,
        "Invalid attestations supplied during upload: Unknown error while trying to verify",
        _attestation_fails(OSError("no root")),
    ),
    (403, "Invalid or non-existent authentication information.", _without_auth),
    (403, "Invalid or non-existent authentication information.", _as("__token__", "pypi-invented")),
    (403, "Username/Password authentication is no longer supported.", _as("ann", "secret")),
    (403, "Invalid API Token:", _expired),
    (403, "The user 'ann' isn't allowed to upload to project 'tiny-thing'.", _project_of_another),
    (403, "The user 'ann' isn't allowed to upload to project 'tiny-thing'.", _status("archived", user=True)),
    (403, "The user 'owner/repo' isn't allowed to upload to project 'tiny-thing'.", _status("archived", user=False)),
    (403, "The user 'owner/repo' isn't allowed to upload to project 'tiny-thing'.", _status("quarantined", user=False)),
    (403, "Read-only mode: Uploads are temporarily disabled.", _read_only),
    (403, "New uploads are temporarily disabled.", _no_uploads),
    (429, "Too many new projects created", _many_projects),
]


@pytest.mark.parametrize(("status", "beginning", "act"), RECORDED)
def test_the_recorded_answers(
    bench: Bench, tmp_path: Path, status: int, beginning: str, act: Callable[[Bench, Path], Response]
) -> None:
    """Status and beginning are the real service's, in the reason and in the body, and nothing is stored."""
    response = act(bench, tmp_path)
    got, reason = said(response)
    assert (got, reason[: len(beginning)]) == (status, beginning)
    assert beginning.encode() in response.body
    last = bench.index.journal()[-1]
    assert (last.status, last.stored) == (status, False)
    assert last.message.startswith(beginning)


def test_identical_bytes_are_taken_again_whatever_else_holds(bench: Bench, tmp_path: Path) -> None:
    """A byte-identical re-upload is 200 and writes nothing: late, with bad attestations, all the same."""
    path = make_wheel(tmp_path)
    bench.upload(path, bench.mint())
    serial = bench.simple()["meta"]["_last-serial"]
    bench.clock.now += 20 * DAY
    response = bench.upload(path, bench.mint(), attestations="no JSON at all")
    assert (response.status, response.body) == (200, b"")
    assert bench.simple()["meta"]["_last-serial"] == serial
    assert [attempt.stored for attempt in bench.index.journal()] == [True, False]


def test_quarantine_takes_a_users_upload_and_shows_nothing(bench: Bench, tmp_path: Path) -> None:
    """As measured: a user's upload to a quarantined project is 200, and stays invisible."""
    assert _status("quarantined", user=True)(bench, tmp_path).status == 200
    page = bench.simple()
    assert page["project-status"] == {"status": "quarantined"}
    assert (page["files"], page["versions"]) == ([], [])
    assert bench.get("/pypi/tiny-thing/json").status == 404


@pytest.mark.parametrize(
    "change",
    [
        {":action": "submit"},
        {"protocol_version": "2"},
        {"name": None},
        {"name": "-bad"},
        {"version": "one"},
        {"version": None},
        {"metadata_version": None},
        {"filetype": "sdist"},
        {"sha256_digest": None},
        {"summary": "x" * 600},
        {"license": "MIT"},
        {"requires_python": "about 3"},
        {"attestations": "[]"},
        {"attestations": "{}"},
        {"attestations": "no JSON"},
        {"attestations": "[1]"},
        {"attestations": '[{"envelope": {"statement": "!"}}]'},
    ],
)
def test_bad_forms_are_refused(bench: Bench, tmp_path: Path, change: dict[str, str | None]) -> None:
    """Each bad field is a 400 with words in the reason, and nothing is stored."""
    response = bench.upload(make_wheel(tmp_path), bench.mint(), change=change)
    assert response.status == 400
    assert response.reason
    assert bench.index.files("tiny-thing") == []


def test_a_body_that_is_no_form_is_refused_and_journalled(bench: Bench) -> None:
    """Noise is a 400, no form at all too, and both are in the journal."""
    token = bench.mint()
    assert bench.post_form(b"{}", token, kind="application/json").status == 400
    assert bench.post_form(b"noise", token).status == 400
    assert bench.post_form(form_body([(":action", "file_upload")], None), token).status == 400
    assert [attempt.status for attempt in bench.index.journal()] == [400, 400, 400]


def test_a_form_that_differs_from_the_file_is_refused(bench: Bench, tmp_path: Path) -> None:
    """What the form says must be what METADATA inside says."""
    path = make_wheel(tmp_path, fields={"Version": "1.1"}, filename="tiny_thing-1.0-py3-none-any.whl")
    response = bench.upload(path, bench.mint(), change={"version": "1.0"})
    assert said(response)[0] == 400
    assert "Its metadata says tiny-thing 1.1" in said(response)[1]


def test_attestations_are_verified_kept_and_served(bench: Bench, tmp_path: Path) -> None:
    """The verifier gets file name, digest and publisher; the Integrity API then serves what was sent."""
    path = make_wheel(tmp_path)
    field = bench.attested(path)
    assert bench.upload(path, bench.mint(), attestations=field).status == 200
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert bench.verified == [(path.name, digest, "owner/repo")]
    (entry,) = bench.simple()["files"]
    response = bench.get(entry["provenance"].removeprefix("http://127.0.0.1:1234"))
    assert response.headers["Content-Type"] == "application/vnd.pypi.integrity.v1+json"
    (bundle,) = json.loads(response.body)["attestation_bundles"]
    assert bundle["attestations"] == json.loads(field)
    assert bundle["publisher"]["workflow"] == "publish-pypi.yml"


def test_one_attestation_a_predicate_type(bench: Bench, tmp_path: Path) -> None:
    """Two of one type and an unknown type are refused, publish/v1 beside SLSA is taken."""
    path = make_wheel(tmp_path)
    (publish,) = json.loads(bench.attested(path))
    twice = bench.upload(path, bench.mint(), attestations=json.dumps([publish, publish]))
    assert "Multiple attestations" in said(twice)[1]
    slsa, unknown = (_predicate(publish, kind) for kind in ("https://slsa.dev/provenance/v1", "https://x.y/z"))
    assert "Invalid predicate type" in said(bench.upload(path, bench.mint(), attestations=json.dumps([unknown])))[1]
    assert bench.upload(path, bench.mint(), attestations=json.dumps([publish, slsa])).status == 200


def _predicate(attestation: dict[str, object], kind: str) -> dict[str, object]:
    envelope = attestation["envelope"]
    assert isinstance(envelope, dict)
    statement = json.loads(base64.b64decode(envelope["statement"]))
    statement["predicateType"] = kind
    return {
        **attestation,
        "envelope": {**envelope, "statement": base64.b64encode(json.dumps(statement).encode()).decode()},
    }


def test_the_fourteenth_day_is_not_too_late(bench: Bench, tmp_path: Path) -> None:
    """A release is completed up to 14 days after its creation, counted from the first file."""
    bench.upload(make_wheel(tmp_path), bench.mint())
    bench.clock.now += 14 * DAY
    assert bench.upload(make_sdist(tmp_path), bench.mint()).status == 200


def test_a_minted_token_covers_the_publishers_projects_only(tmp_path: Path) -> None:
    """The token of one publisher is refused by the project of another, with PyPI's beginning."""
    other = PublisherConfig(project="other-thing", repository="owner/other", workflow="publish-pypi.yml")
    bench = Bench(tmp_path / "index", publishers=(PUBLISHER, other))
    bench.mint()
    foreign = bench.mint(
        repository="owner/other",
        repository_owner="owner",
        job_workflow_ref="owner/other/.github/workflows/publish-pypi.yml@refs/tags/v1.0",
    )
    response = bench.upload(make_wheel(tmp_path), foreign)
    assert response.status == 403
    assert (response.reason or "").startswith("Invalid API Token:")


def test_everything_survives_a_restart(bench: Bench, tmp_path: Path) -> None:
    """Files, release age, tokens, used identity tokens, burned names, yanks and the journal are kept on disk."""
    path, jwt = make_wheel(tmp_path), bench.jwt()
    token = bench.post("/_/oidc/mint-token", {"token": jwt})[1]["token"]
    bench.upload(path, token, attestations=bench.attested(path))
    bench.index.yank("tiny-thing", "1.0", "broken")
    bench.index.burn_filename("tiny_thing-1.0.tar.gz")
    page, journal = bench.simple(), bench.index.journal()
    bench.open()
    assert bench.simple() == page
    assert bench.index.journal() == journal
    assert page["files"][0]["yanked"] == "broken"
    assert bench.upload(path, token).status == 200
    assert (bench.upload(make_sdist(tmp_path), token).reason or "").startswith("This filename was previously used")
    assert bench.post("/_/oidc/mint-token", {"token": jwt})[1]["errors"][0]["code"] == "invalid-reuse-token"
    bench.clock.now += 14 * DAY + 1
    late = bench.upload(
        make_wheel(tmp_path, tags="py2.py3-none-any", wheel_tags=["py2-none-any", "py3-none-any"]), bench.mint()
    )
    assert "older than 14 days" in (late.reason or "")


def test_nothing_kept_names_an_address_or_a_token(bench: Bench, tmp_path: Path) -> None:
    """State can move to another port: no URL of ours and no token's text is on disk."""
    token = bench.mint()
    bench.upload(make_wheel(tmp_path), token)
    kept = b"".join(path.read_bytes() for path in bench.folder.rglob("*") if path.is_file())
    assert b"127.0.0.1" not in kept
    assert token.encode() not in kept


def test_a_torn_journal_line_is_dropped(bench: Bench, tmp_path: Path) -> None:
    """A kill in the middle of a journal line loses that line only."""
    bench.upload(make_wheel(tmp_path), bench.mint())
    journal = bench.index.journal()
    with (bench.folder / "journal.jsonl").open("ab") as stream:
        stream.write(b'{"number": 1, "ti')
    bench.open()
    assert bench.index.journal() == journal
    bench.upload(make_sdist(tmp_path), bench.mint())
    assert [a.filename for a in bench.open().journal()] == ["tiny_thing-1.0-py3-none-any.whl", "tiny_thing-1.0.tar.gz"]


def test_a_kill_before_the_state_is_written_leaves_it_as_it_was(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dying between the bytes and the state keeps the old state; the same upload then goes through."""
    token, path = bench.mint(), make_wheel(tmp_path)
    real = Path.replace

    def dies(self: Path, target: Path) -> Path:
        if Path(target).name == "state.json":
            raise KeyboardInterrupt
        return real(self, target)

    monkeypatch.setattr(Path, "replace", dies)
    with pytest.raises(KeyboardInterrupt):
        bench.upload(path, token)
    monkeypatch.undo()
    bench.open()
    assert bench.shown() == []
    assert bench.index.journal()[-1].status == 0
    assert not list(bench.folder.rglob("*.part"))
    assert bench.upload(path, token).status == 200


def test_a_state_that_cannot_be_saved_is_not_believed(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the disk full the upload fails and the index, without a restart, still does not claim the file."""
    token, path = bench.mint(), make_wheel(tmp_path)

    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        bench.upload(path, token)
    monkeypatch.undo()
    assert bench.shown() == []
    assert bench.upload(path, token).status == 200


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"schema": 1, "serial": 1}', b"\xff"])
@pytest.mark.parametrize("name", ["state.json", "journal.jsonl"])
def test_a_broken_state_is_one_kind_of_error(bench: Bench, name: str, content: bytes) -> None:
    """What is not ours is named with its folder; an empty journal is a journal."""
    bench.mint()
    (bench.folder / name).write_bytes(content + b"\n" if content else content)
    if name == "journal.jsonl" and not content:
        assert bench.open().journal() == []
        return
    with pytest.raises(ValueError, match=r"the index's state in .* cannot be read"):
        bench.open()


_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["1.0", "1.1"]),
        st.integers(0, 2),
        st.sampled_from(["", "500", "stored-500", "reset", "stored-reset", "lag=1", "restart", "token-expired"]),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=25, deadline=None)
@given(steps=_STEPS)
def test_a_name_never_gets_other_bytes(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int, str]]
) -> None:
    """Whatever is uploaded in whatever order under whatever faults: one name, one content, and the journal knows."""
    folder = tmp_path_factory.mktemp("any")
    bench = Bench(folder / "index")
    for version, variant, trouble in steps:
        token = bench.mint()
        path = make_wheel(folder / str(variant), version=version, files={"variant.py": str(variant)})
        bench.fault(*([trouble] if trouble and trouble != "restart" else []))
        if trouble == "restart":
            bench.open()
        bench.upload(path, token)
        bench.fault()
    kept = {file.filename: file.sha256 for file in bench.index.files("tiny-thing")}
    stored = [(attempt.filename, attempt.sha256) for attempt in bench.index.journal() if attempt.stored]
    assert dict(stored) == kept
    assert len(stored) == len(kept)
    assert len(bench.index.journal()) == len(steps)
    for attempt in bench.index.journal():
        if attempt.status == 200:
            assert kept[attempt.filename] == attempt.sha256


def test_parallel_uploads_of_one_name_store_one(bench: Bench, tmp_path: Path) -> None:
    """Of many uploads at once under one name, each with other bytes, one wins and the rest are told."""
    token = bench.mint()
    paths = [make_wheel(tmp_path / str(n), files={"n.py": str(n)}) for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(lambda path: bench.upload(path, token).status, paths))
    assert statuses == [200] + [400] * 7
    stored = [attempt.sha256 for attempt in bench.index.journal() if attempt.stored]
    assert stored == [file.sha256 for file in bench.index.files("tiny-thing")]


def test_sizes_are_limited(tmp_path: Path) -> None:
    """File and project limits are answered with the recorded beginnings."""

    def refuse(*_: object) -> None:
        raise AssertionError

    bench = Bench(tmp_path / "index")
    for limits, beginning in (
        (Limits(file=100), "File too large. Limit for project 'tiny-thing' is 0 MB."),
        (Limits(project=100), "Project size too large."),
    ):
        bench.index = Index(
            "pypi",
            tmp_path / "x",
            verify_token=lambda *_: {},
            verify_attestation=refuse,
            clock=bench.clock,
            limits=limits,
        )
        response = bench.upload(make_wheel(tmp_path), bench.index.add_user_token("ann"))
        assert said(response)[1].startswith(beginning)


def test_wrong_methods_and_paths(bench: Bench) -> None:
    """The endpoint takes POST only; unknown paths are 404."""
    assert bench.get("/legacy/").status == 405
    assert bench.get("/nowhere").status == 404
    assert bench.get("/").status == 404
