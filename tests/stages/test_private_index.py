"""The stages in the world of a private index: the same bytes, the same plan, a token in place of an identity."""

from __future__ import annotations

import base64
import os
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import certifi
import pytest
from private_index import PrivateIndex
from stages.conftest import RecordingNarrator, commit_files, make_context
from stages.releases import NAME, PROJECT, SDIST, WHEEL, Spoilt, build, put, sdist, wheel
from stages.standins import edit_receipt, sha256

from hephaestus.release.errors import GateRefused, ReleaseError
from hephaestus.release.project import read_project
from hephaestus.services.errors import CertificateRefused
from hephaestus.services.private import IndexTokenRefused
from hephaestus.stages.proofs import outputs_of, unproven
from hephaestus.stages.publication import index_states, required_indexes
from hephaestus.stages.rules import all_findings
from hephaestus.stages.runner import Outcome, run_stage
from hephaestus.stages.sealing import inquire
from hephaestus.stages.sign import SignDistributions
from hephaestus.stages.stage import Context, Stage
from hephaestus.stages.upload import UploadPyPI
from hephaestus.stages.upload_answers import UploadIncompleteError
from hephaestus.stages.verify import NotVerifiedError, VerifyStage
from hephaestus.standins.faults import Fault
from hephaestus.standins.http import Listener, Request, Response
from hephaestus.standins.tls import ServerCertificate
from hephaestus.worlds.private import private_target, private_world
from hephaestus.worlds.publish import Consent

TOKEN = "correct-horse-battery-9"
HEADER = base64.b64encode(f"releaser:{TOKEN}".encode()).decode()


@dataclass(kw_only=True)
class Desk:
    """A release that has been built and checked for the index ``server``."""

    context: Context
    server: PrivateIndex

    @property
    def narrator(self) -> RecordingNarrator:
        assert isinstance(self.context.narrator, RecordingNarrator)
        return self.context.narrator

    @property
    def digests(self) -> dict[str, str]:
        return {name: sha256(self.context.directory.dist / name) for name in (SDIST, WHEEL)}

    def upload(self) -> Outcome:
        return self.run(UploadPyPI(sleep=lambda _: None))

    def run(self, stage: Stage) -> Outcome:
        return run_stage(stage, self.context, recorder=self.context.environment)  # type: ignore[arg-type]

    def sent(self) -> list[str]:
        return [attempt.filename for attempt in self.server.sent()]

    def everything(self) -> str:
        """All that was said and all that was kept."""
        files = [path for path in self.context.directory.path.rglob("*.json") if path.is_file()]
        return "\n".join([*self.narrator.lines, *(path.read_text(encoding="utf-8") for path in files)])


@contextmanager
def desk_of(tmp_path: Path, tls: ssl.SSLContext | None = None) -> Iterator[Desk]:
    """Everything is ready for the upload to an index on this machine."""
    server = PrivateIndex(tmp_path / "index", user="releaser", password=TOKEN)
    with Listener(server.handle, tls=tls) as listener:
        settings = (
            f'\n[tool.hephaestus.release.indexes.internal]\nupload-url = "{listener.url}/upload/"\n'
            f'simple-url = "{listener.url}/simple/"\nusername = "releaser"\n'
        )
        files = {**PROJECT, "pyproject.toml": PROJECT["pyproject.toml"] + settings}
        root = commit_files(tmp_path / "project", files)
        project = read_project(root)
        world = private_world(
            project,
            private_target(project, "internal"),
            consent=Consent(given_by="--publish"),
            state=tmp_path / "state",
            environ=os.environ,
        )
        world = replace(world, policy=replace(world.policy, propagation_seconds=0.0))
        context = make_context(tmp_path, root, lock="upload", world=world)
        (tmp_path / "scratch").mkdir()
        build(context, dict([wheel(Spoilt(), tmp_path / "scratch"), sdist(Spoilt(), PROJECT)]))
        put(context.directory, "check", {})
        for stage in ("build", "check"):
            edit_receipt(context.directory, stage, world=world.label)
        yield Desk(context=context, server=server)


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    """The token is in the environment, as on a person's machine."""
    monkeypatch.setenv("HEPHAESTUS_INDEX_TOKEN", TOKEN)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with desk_of(tmp_path) as made:
        yield made


def test_all_arrives_without_attestations_and_a_second_run_sends_nothing(desk: Desk) -> None:
    """Both files, our digests, the index named; again: confirmed by the index and skipped. The token is nowhere."""
    outcome = desk.upload()
    assert outcome.state == "done"
    assert desk.server.served(NAME) == desk.digests
    assert outcome.receipt is not None
    assert outcome.receipt.world == "publish:internal"
    evidence = outcome.receipt.evidence
    assert (evidence["state"], evidence["index"], evidence["provenance"]) == ("complete", "internal", {})
    assert evidence["deadline"] is None
    (command,) = outcome.receipt.commands
    assert "--attestations" not in command
    assert command[command.index("--repository-url") + 1] == evidence["target"]
    assert not [word for word in command if "attestation" in word]
    assert desk.upload().state == "skipped"
    assert len(desk.sent()) == 2
    for secret in (TOKEN, HEADER):
        assert secret not in desk.everything()


def test_only_what_is_missing_is_sent(desk: Desk) -> None:
    """A file that is there with our bytes stays; the other one follows."""
    desk.server.index.seed(desk.context.directory.dist / SDIST, owner="releaser")
    assert desk.upload().state == "done"
    assert desk.sent() == [WHEEL]
    assert "1 of 2 files are not on internal yet" in desk.narrator.lines


def test_a_release_may_be_completed_at_any_time(desk: Desk) -> None:
    """The 14 days are PyPI's: pages in JSON tell times, and however old the first file is, no gate is shut."""
    desk.server.json = True
    desk.server.index.seed(desk.context.directory.dist / SDIST, uploaded=1_500_000_000.0)
    assert UploadPyPI().gates(desk.context) == []
    (state,) = index_states(desk.context, required_indexes(desk.context)).values()
    assert state.plan is not None
    assert (len(state.plan.missing), state.plan.deadline) == (1, None)


def test_what_is_there_seals_the_version_under_the_name_of_that_index(desk: Desk) -> None:
    """A later build must reproduce it; the message names the index as it is called."""
    assert inquire(desk.context).where == ()
    desk.server.index.seed(desk.context.directory.dist / SDIST)
    assert inquire(desk.context).where == ("internal",)


def test_other_bytes_under_our_name_stop_everything(desk: Desk, tmp_path: Path) -> None:
    """The gate refuses with both digests; nothing was sent."""
    name, content = wheel(Spoilt(description="Other bytes.\n"), tmp_path)
    (tmp_path / name).write_bytes(content)
    desk.server.index.seed(tmp_path / name)
    with pytest.raises(GateRefused) as caught:
        desk.upload()
    assert [finding.code for finding in caught.value.findings] == ["conflict"]
    assert desk.sent() == []


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "does not accept the token"),
        (403, "does not let it upload"),
        (409, "has a file of this name"),
        (404, "nothing takes uploads"),
    ],
)
def test_a_refused_upload_says_why(desk: Desk, status: int, words: str) -> None:
    """By its status alone: what it means, how far it came, what to do; no file is there, and no token is shown."""
    desk.server.denied = status
    with pytest.raises(UploadIncompleteError, match=words) as caught:
        desk.upload()
    assert "0 of 2 files are on internal" in caught.value.what
    assert desk.server.served(NAME) == {}
    for secret in (TOKEN, HEADER):
        assert secret not in f"{caught.value}{desk.everything()}"


def test_an_index_that_echoes_the_credential(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the index answers, the token and its header are struck from what is shown and kept."""

    def echo(_index: object, request: Request) -> Response:
        said = f"you are {request.headers['authorization']}, {TOKEN}, https://releaser:{TOKEN}@x.example.org/"
        return Response(status=400, reason=said, body=said.encode())

    monkeypatch.setattr("hephaestus.standins.index.service.Index._upload", echo)
    monkeypatch.setattr(desk.server, "_inside", f"Basic {HEADER}")
    with pytest.raises(UploadIncompleteError, match=r"you are Basic \*+\S{0,2}, \*\*\*, https") as caught:
        desk.upload()
    for secret in (TOKEN, HEADER):
        assert secret not in f"{caught.value}{desk.everything()}"


def test_passing_trouble_is_tried_again(desk: Desk) -> None:
    """A 503 on the second file: the first stays, the second follows in the same run."""
    desk.server.faults.arm([Fault.parse("internal:503@2x6")])
    assert desk.upload().state == "done"
    assert desk.server.served(NAME) == desk.digests


def test_a_token_that_may_not_read_stops_before_the_upload(desk: Desk) -> None:
    """What the index has cannot be asked: nothing is sent."""
    index = replace(desk.context.world.indexes["pypi"], authorization="Basic bm90OnRoaXMtb25l")
    desk.context = replace(desk.context, world=replace(desk.context.world, indexes={"pypi": index}))
    with pytest.raises(IndexTokenRefused):
        desk.upload()
    assert desk.sent() == []


def test_an_authority_of_ones_own_is_named_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SSL_CERT_FILE serves our own questions and twine's upload; without it nothing is sent, and the error says so."""
    certificate = ServerCertificate.open(tmp_path / "tls", names=(), clock=time.time)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.authority))
    with desk_of(tmp_path, certificate.context()) as desk:
        assert desk.upload().state == "done"
        assert desk.server.served(NAME) == desk.digests
        monkeypatch.delenv("SSL_CERT_FILE")
        with pytest.raises(CertificateRefused) as caught:
            desk.upload()
        assert "SSL_CERT_FILE" in caught.value.next_step


def test_a_certificate_that_twine_does_not_trust(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trusted by us and not by twine: the upload fails as what it is, with the variable that mends it."""
    certificate = ServerCertificate.open(tmp_path / "tls", names=(), clock=time.time)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.authority))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", certifi.where())
    with desk_of(tmp_path, certificate.context()) as desk:
        with pytest.raises(UploadIncompleteError, match="certificate is not trusted") as caught:
            desk.upload()
        assert "SSL_CERT_FILE" in caught.value.next_step
        assert desk.server.served(NAME) == {}


def test_what_is_left_out_is_skipped_with_its_reason(desk: Desk) -> None:
    """sign does nothing, says why, and leaves no receipt; nothing asks for what it would have made."""
    outcome = desk.run(SignDistributions())
    assert (outcome.state, outcome.receipt) == ("exempt", None)
    assert outcome.reason.startswith("internal takes no attestations")
    assert unproven(desk.context, ("build", "sign", "check", "upload-testpypi", "smoke")) == []
    assert required_indexes(desk.context) == ("pypi",)


def test_a_release_of_another_world_does_not_count(desk: Desk) -> None:
    """Receipts of a publish to PyPI in the same directory: refused by name; its signatures are no part of this one."""
    put(desk.context.directory, "sign", {"bundles/x.sigstore.json": b"{}"})
    edit_receipt(desk.context.directory, "sign", world="publish")
    assert outputs_of(desk.context, "sign") == {}
    edit_receipt(desk.context.directory, "check", world="publish")
    with pytest.raises(GateRefused) as caught:
        desk.upload()
    assert [(finding.code, finding.subject) for finding in caught.value.findings] == [("other-release", "check")]
    assert desk.sent() == []


def spoil(desk: Desk) -> None:
    """Let the index serve other bytes than its page promises."""
    desk.server.faults.arm([Fault.parse("internal:wrong-bytesx9")])


@pytest.mark.parametrize(
    ("change", "line", "way_on"),
    [
        (lambda _: None, "", ""),
        (lambda desk: desk.server.index.burn_filename(WHEEL), f"ABSENT internal  {WHEEL}", "`nox -s upload-pypi`"),
        (spoil, "FAIL   internal", "promote nothing"),
    ],
)
def test_verify_holds_that_index_alone(desk: Desk, change: Callable[[Desk], None], line: str, way_on: str) -> None:
    """Every file by name, digest and the bytes served; no GitHub, no bundle, no attestation is asked for."""
    for name in desk.digests:
        desk.server.index.seed(desk.context.directory.dist / name)
    change(desk)
    if not line:
        outcome = desk.run(VerifyStage())
        assert outcome.receipt is not None
        lines = outcome.receipt.evidence["lines"]
        assert [(one["place"], one["subject"], one["state"]) for one in lines] == [
            ("internal", WHEEL, "PASS"),
            ("internal", SDIST, "PASS"),
        ]
        return
    with pytest.raises(NotVerifiedError) as caught:
        desk.run(VerifyStage())
    assert [told for told in caught.value.details if told.startswith(line)], caught.value.details
    assert way_on in caught.value.next_step


class _Worker:
    """An environment whose worker knows one classifier and finds every description sound."""

    def work(self, *_: object, **__: object) -> dict[str, object]:
        return {"classifiers": ["Private :: Do Not Upload"], "unrendered": []}


def test_what_keeps_a_project_off_public_indexes_is_no_fault_here(desk: Desk, tmp_path: Path) -> None:
    """``Private ::`` and direct URLs are taken; what any installer needs is asked for as ever."""
    fields = {"Classifier": "Private :: Do Not Upload", "Requires-Dist": "x @ https://packages.example.org/x.whl"}
    name, content = wheel(Spoilt(fields=fields), tmp_path / "scratch")
    build(desk.context, {name: content})
    context = replace(desk.context, environment=_Worker())  # type: ignore[arg-type]
    edit_receipt(context.directory, "build", world=context.world.label)
    waived = {"classifier-private", "dependency-direct-url"}
    assert not waived & {finding.code for finding in all_findings(context, descriptions=False)}
    strict = replace(context, world=replace(context.world, policy=replace(context.world.policy, waived=frozenset())))
    assert waived <= {finding.code for finding in all_findings(strict, descriptions=False)}


def test_an_upload_that_is_refused_tells_what_stays(desk: Desk) -> None:
    """The error is one of the suite's own: no traceback, a next step, the variable named."""
    desk.server.denied = 401
    with pytest.raises(ReleaseError) as caught:
        desk.upload()
    assert "correct HEPHAESTUS_INDEX_TOKEN" in caught.value.next_step
