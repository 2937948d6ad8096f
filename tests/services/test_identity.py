"""The identity client against the stand-in issuer and the stand-in index; and every bad answer either can give."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hephaestus.services import minting
from hephaestus.services.errors import CertificateRefused, RateLimited, ServiceDown, ServiceError, Unreachable
from hephaestus.services.http import HttpClient
from hephaestus.services.identity import (
    AmbientIdentity,
    IdentityToken,
    TokenExchange,
    UploadToken,
    claim_differences,
)
from hephaestus.standins.faults import Fault, Faults
from hephaestus.standins.http import Handler, Listener, Request, Response
from hephaestus.standins.identity import Issuer, WorkflowIdentity
from hephaestus.standins.index import Index, PublisherConfig
from hephaestus.standins.index.publishing import MINT_CODES, token_digest
from hephaestus.standins.tls import ServerCertificate

JOB = WorkflowIdentity(
    repository="Owner/project", workflow="publish-pypi.yml", ref="refs/tags/v1.0", sha="1" * 40, environment="pypi",
    event_name="push",
)  # fmt: skip
EXPECTED: dict[str, Any] = {
    "repository": "Owner/project", "workflow": "publish-pypi.yml", "ref": "refs/tags/v1.0", "environment": "pypi"
}  # fmt: skip


@dataclass
class Scene:
    """One listener that is the issuer below /oidc/ and the index everywhere else."""

    index: Index
    issuer: Issuer
    faults: Faults
    http: HttpClient
    url: str
    requests: list[Request]

    def job(self, identity: WorkflowIdentity = JOB) -> AmbientIdentity:
        return AmbientIdentity.of(self.issuer.environment(self.url, identity))

    @property
    def exchange(self) -> TokenExchange:
        return TokenExchange(self.url, name="pypi", http=self.http)

    def identity(self, audience: str = "pypi", job: WorkflowIdentity = JOB) -> IdentityToken:
        return self.job(job).token(audience, http=self.http)

    def fault(self, text: str) -> None:
        self.faults.arm([Fault.parse(text)])


@pytest.fixture
def scene(
    tmp_path: Path, http: HttpClient, request: pytest.FixtureRequest, answering: Callable[[Handler], str]
) -> Scene:
    faults, requests, clock = Faults(), [], request.getfixturevalue("time")
    issuer = Issuer(tmp_path / "oidc", clock=clock, faults=faults)
    index = Index(
        "pypi",
        tmp_path / "index",
        verify_token=issuer.verify,
        verify_attestation=lambda *_: None,
        publishers=[
            PublisherConfig(project="p", repository="owner/PROJECT", workflow="publish-pypi.yml", environment="pypi")
        ],
        clock=clock,
        faults=faults,
    )

    def handle(request: Request) -> Response:
        requests.append(request)
        return issuer.handle(request) if request.path.startswith("/oidc/") else index.handle(request)

    return Scene(index=index, issuer=issuer, faults=faults, http=http, url=answering(handle), requests=requests)


def told(error: ServiceError) -> str:
    """Everything an error shows anywhere."""
    return f"{error} {error!r} {error.__dict__}"


def test_the_whole_exchange(scene: Scene) -> None:
    """Audience, identity, mint, burn: the claims are the job's, the burned token is worthless."""
    audience = scene.exchange.audience()
    assert audience == "pypi"
    identity = scene.job().token(audience, http=scene.http)
    assert claim_differences(identity, **EXPECTED) == ()
    token = scene.exchange.mint(identity)
    assert token.text.startswith("pypi-")
    assert token.expires is not None
    assert token_digest(token.text) in scene.index._store.state.tokens
    assert scene.exchange.burn(token) is True
    assert token_digest(token.text) not in scene.index._store.state.tokens


def test_every_call_gets_a_new_identity(scene: Scene) -> None:
    """A job's token is fetched anew each time; the same one twice is refused as used."""
    first, second = scene.identity(), scene.identity()
    assert first.claims["jti"] != second.claims["jti"]
    scene.exchange.mint(first)
    with pytest.raises(minting.IdentityReused):
        scene.exchange.mint(first)
    scene.exchange.mint(second)


@pytest.mark.parametrize("code", sorted(MINT_CODES))
def test_every_code_has_a_class_and_a_meaning_of_its_own(scene: Scene, code: str) -> None:
    """Each code of the mint answer: its class, what happened, why, what to do; sent once, never again."""
    identity = scene.identity()
    scene.fault(f"pypi:mint-{code}")
    with pytest.raises(minting.MintRefused) as caught:
        scene.exchange.mint(identity)
    error, answer = caught.value, minting.explain_mint(code)
    assert type(error) is not minting.MintRefused
    assert type(error) is not minting.MintCodeUnknown
    assert (error.answer, error.index) == (answer, "pypi")
    assert code in error.what
    assert answer.meaning in error.what
    assert (error.why, error.next_step) == (answer.why, answer.remedy)
    assert "environment: pypi" in error.details
    assert [request.path for request in scene.requests].count("/_/oidc/mint-token") == 1
    assert identity.text not in told(error)


def test_the_table_of_codes_is_the_index_s(scene: Scene) -> None:
    """The codes explained are exactly those the stand-in (and PyPI) answers with, each said differently."""
    assert set(minting.MINT_ANSWERS) == set(MINT_CODES)
    assert len({answer.meaning for answer in minting.MINT_ANSWERS.values()}) == len(MINT_CODES)
    assert [answer.code for answer in minting.MINT_ANSWERS.values() if answer.transient] == ["not-enabled"]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"workflow": "other.yml"}, minting.PublisherUnknown),
        ({"environment": "testpypi"}, minting.PublisherUnknown),
        ({"environment": None}, minting.PublisherUnknown),
        ({"repository": "fork/project"}, minting.PublisherUnknown),
        ({"event_name": "pull_request_target"}, minting.PublisherUnknown),
    ],
)
def test_the_index_judges_real_claims(scene: Scene, change: dict[str, Any], error: type[Exception]) -> None:
    """A job with other claims is refused by the index, and our own comparison had said so before."""
    identity = scene.identity(job=replace(JOB, **change))
    assert claim_differences(identity, **EXPECTED) != ()
    with pytest.raises(error):
        scene.exchange.mint(identity)


def test_a_token_for_another_index_is_refused(scene: Scene) -> None:
    """The audience is part of the identity: a token for Test PyPI mints nothing on PyPI."""
    with pytest.raises(minting.IdentityRefused):
        scene.exchange.mint(scene.identity("testpypi"))


@pytest.mark.parametrize("fault", ["expired-token", "wrong-audience", "wrong-key"])
def test_a_spoiled_identity_is_refused(scene: Scene, fault: str) -> None:
    """Expired, for somebody else, signed by a stranger: read without complaint here, refused by the index."""
    scene.fault(f"oidc:{fault}")
    with pytest.raises(minting.IdentityRefused):
        scene.exchange.mint(scene.identity())


def test_no_audience_means_switched_off(scene: Scene) -> None:
    """403 at the audience is the same as not-enabled."""
    scene.fault("pypi:oidc-off")
    with pytest.raises(minting.PublishingDisabled) as caught:
        scene.exchange.audience()
    assert caught.value.answer.transient


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("pypi:mint-html-500", minting.ExchangeUnusable),
        ("pypi:mint-reset", Unreachable),
        ("pypi:mint-hang", Unreachable),
        ("pypi:down", minting.ExchangeUnusable),
    ],
)
def test_a_mint_without_an_answer_is_never_repeated(
    scene: Scene, fault: str, expected: type[Exception], request: pytest.FixtureRequest
) -> None:
    """A page for JSON, a cut, silence, 503: one request, one clear error."""
    if fault == "pypi:mint-hang":
        request.getfixturevalue("impatient")
    identity = scene.identity()
    scene.fault(fault)
    with pytest.raises(expected) as caught:
        scene.exchange.mint(identity)
    assert [request.path for request in scene.requests].count("/_/oidc/mint-token") == 1
    assert identity.text not in told(caught.value)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("oidc:no-permission", minting.IdentityPermissionMissing),
        ("oidc:500x9", ServiceDown),
        ("oidc:html", ServiceError),
        ("oidc:resetx9", Unreachable),
    ],
)
def test_the_issuer_s_bad_answers(scene: Scene, fault: str, expected: type[ServiceError]) -> None:
    """403, 500, a page, a cut at GitHub's endpoint: one clear error each, the bearer in none of them."""
    job = scene.job()
    scene.fault(fault)
    with pytest.raises(expected) as caught:
        job.token("pypi", http=scene.http)
    assert job.bearer not in told(caught.value)


def test_a_wrong_bearer_is_a_missing_permission(scene: Scene) -> None:
    """401 at GitHub's endpoint says that the job may not ask."""
    job = replace(scene.job(), bearer="not-the-one")
    with pytest.raises(minting.IdentityPermissionMissing):
        job.token("pypi", http=scene.http)


def test_no_repr_holds_a_token(scene: Scene) -> None:
    """Neither bearer, identity nor upload token is in a repr or str; nor is a ready token of GitLab's."""
    job, identity = scene.job(), scene.identity()
    token = scene.exchange.mint(identity)
    ready = AmbientIdentity.of({"GITLAB_CI": "true", "PYPI_ID_TOKEN": identity.text})
    shown = " ".join(f"{thing!r} {thing}" for thing in (job, identity, token, ready))
    assert not [secret for secret in (job.bearer, identity.text, token.text) if secret in shown]


@pytest.mark.parametrize(
    ("environ", "error"),
    [
        ({}, minting.IdentityMissing),
        ({"GITHUB_ACTIONS": "false"}, minting.IdentityMissing),
        ({"GITHUB_ACTIONS": "true"}, minting.IdentityPermissionMissing),
        ({"GITHUB_ACTIONS": "true", "ACTIONS_ID_TOKEN_REQUEST_URL": "https://x/"}, minting.IdentityPermissionMissing),
        (
            {"ACTIONS_ID_TOKEN_REQUEST_URL": "https://x/", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "t"},
            minting.IdentityMissing,
        ),
    ],
)
def test_no_identity_is_told_from_no_permission(environ: dict[str, str], error: type[Exception]) -> None:
    """Outside CI, and in a job without `id-token: write`: two different errors."""
    with pytest.raises(error):
        AmbientIdentity.of(environ)


def test_the_ready_tokens_of_gitlab(scene: Scene) -> None:
    """GitLab's token waits in a variable named after the audience; another audience has none."""
    text = scene.identity().text
    job = AmbientIdentity.of({"GITLAB_CI": "true", "PYPI_ID_TOKEN": text, "OTHER": "x"})
    assert job.token("pypi", http=scene.http).text == text
    with pytest.raises(minting.IdentityPermissionMissing) as caught:
        job.token("testpypi", http=scene.http)
    assert "TESTPYPI_ID_TOKEN" in caught.value.what


@pytest.mark.parametrize(
    ("change", "claims"),
    [
        ({}, []),
        ({"repository": "OWNER/Project"}, []),
        ({"environment": "PyPI"}, []),
        ({"ref": None}, []),
        ({"repository": "Owner/other"}, ["repository", "job_workflow_ref (repository)"]),
        (
            {"repository": "Else/project"},
            ["repository", "repository_owner", "job_workflow_ref (repository)"],
        ),
        ({"workflow": "Publish-PyPI.yml"}, ["job_workflow_ref (file)"]),
        ({"environment": "testpypi"}, ["environment"]),
        ({"ref": "refs/tags/v1.1"}, ["ref", "job_workflow_ref (ref)"]),
        ({"ref": "refs/heads/v1.0"}, ["ref", "job_workflow_ref (ref)"]),
    ],
)
def test_claims_are_compared_as_the_index_does(scene: Scene, change: dict[str, Any], claims: list[str]) -> None:
    """Without case for repository and environment, with it for the file; the ref, which no index looks at, too."""
    found = claim_differences(scene.identity(), **{**EXPECTED, **change})
    assert [difference.claim for difference in found] == claims


@pytest.mark.parametrize("claims", [{}, {"repository": 1, "environment": None, "job_workflow_ref": ["x"]}])
def test_missing_and_mistyped_claims_are_differences(claims: dict[str, Any]) -> None:
    """A token that lacks every claim differs in every one, and says so."""
    found = claim_differences(IdentityToken(text="x", claims=claims), **EXPECTED)
    assert {difference.actual for difference in found} == {"(missing)"}
    assert len(found) == 8


def packed(content: bytes) -> str:
    return f"e30.{base64.urlsafe_b64encode(content).rstrip(b'=').decode()}.c2ln"


@pytest.mark.parametrize(
    "text",
    [None, 7, "", "a.b", "a.b.c.d", "..", "a..c", "e30.!!.x", packed(b"\xff\xfe"), packed(b"[]"), packed(b"{"),
     packed(b"[" * 100_000), "ä.e30.x", f"e30.{'A' * 5}.x"],
)  # fmt: skip
def test_what_is_no_identity_token(text: object) -> None:
    """Anything but three parts with a JSON object in the middle is refused, and never quoted."""
    with pytest.raises(minting.IdentityInvalid) as caught:
        IdentityToken.read(text)
    assert not (isinstance(text, str) and len(text) > 4 and text in told(caught.value))


@given(st.one_of(st.text(max_size=60), st.binary(max_size=60).map(packed)))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Whatever is given as a token ends in claims or in IdentityInvalid."""
    with suppress(minting.IdentityInvalid):
        assert isinstance(IdentityToken.read(text).claims, dict)


@given(st.dictionaries(st.text(max_size=8), st.one_of(st.text(max_size=8), st.integers(), st.none()), max_size=5))
def test_claims_survive_the_packing(claims: dict[str, Any]) -> None:
    """Every JSON object packed as a token's middle is read back as it was."""
    assert IdentityToken.read(packed(json.dumps(claims).encode())).claims == claims


def json_answer(content: object, *, status: int = 200) -> Response:
    return Response(status=status, headers={"Content-Type": "application/json"}, body=json.dumps(content).encode())


HTML = Response(headers={"Content-Type": "text/html"}, body=b"<h1>Sign in</h1>")


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (HTML, minting.ExchangeUnusable),
        (json_answer([]), minting.ExchangeUnusable),
        (json_answer({}), minting.ExchangeUnusable),
        (json_answer({"token": 7}), minting.ExchangeUnusable),
        (json_answer({"token": ""}), minting.ExchangeUnusable),
        (json_answer({"message": "no"}, status=400), minting.ExchangeUnusable),
        (json_answer({"message": "no"}, status=404), minting.ExchangeUnusable),
        (json_answer({}, status=422), minting.MintCodeUnknown),
        (json_answer({"errors": [{"code": "invalid-weather"}]}, status=422), minting.MintCodeUnknown),
        (json_answer({"errors": ["x"]}, status=422), minting.MintCodeUnknown),
        (Response(status=422, body=b"no", headers={"Content-Type": "text/plain"}), minting.ExchangeUnusable),
        (Response(status=429, headers={"Retry-After": "86400"}), RateLimited),
    ],
)
def test_strange_answers_to_a_mint(
    http: HttpClient, answering: Callable[[Handler], str], response: Response, expected: type[ServiceError]
) -> None:
    """Whatever an index or a proxy in its place answers is one clear error of the family."""
    exchange = TokenExchange(answering(lambda _: response), name="pypi", http=http)
    identity = IdentityToken.read(packed(b"{}"))
    with pytest.raises(expected) as caught:
        exchange.mint(identity)
    assert caught.value.next_step
    assert identity.text not in told(caught.value)


@pytest.mark.parametrize(
    "response", [HTML, json_answer({}), json_answer({"audience": ""}), json_answer([]), Response(status=404)]
)
def test_strange_answers_for_an_audience(
    http: HttpClient, answering: Callable[[Handler], str], response: Response
) -> None:
    """An index without the interface, or a page in its place, is no audience."""
    with pytest.raises(minting.ExchangeUnusable):
        TokenExchange(answering(lambda _: response), name="pypi", http=http).audience()


@pytest.mark.parametrize(("status", "burned"), [(202, True), (200, True), (404, False)])
def test_an_index_that_cannot_burn(
    http: HttpClient, answering: Callable[[Handler], str], status: int, burned: bool
) -> None:
    """404 at burn-token is no failure: the token lives until it expires, and that is said."""
    exchange = TokenExchange(answering(lambda _: json_answer({}, status=status)), name="pypi", http=http)
    assert exchange.burn(UploadToken(text="pypi-" + "x" * 40)) is burned


def test_a_burn_that_fails_shows_no_token(http: HttpClient, answering: Callable[[Handler], str]) -> None:
    """A 400 that quotes the token back is an error without it."""
    token = UploadToken(text="pypi-" + "x" * 40)
    exchange = TokenExchange(answering(lambda request: Response(status=400, body=request.body)), name="x", http=http)
    with pytest.raises(minting.ExchangeUnusable) as caught:
        exchange.burn(token)
    assert token.text not in told(caught.value)


@pytest.mark.parametrize("named", ["ca_file", "SSL_CERT_FILE"])
def test_the_exchange_over_tls_with_an_authority_of_one_s_own(
    tmp_path: Path, scene: Scene, monkeypatch: pytest.MonkeyPatch, named: str
) -> None:
    """https with the stand-ins' authority works, told by option or environment; without it nothing is sent."""
    certificate = ServerCertificate.open(tmp_path / "tls", names=["localhost"], clock=time.time)
    with Listener(scene.index.handle, tls=certificate.context()) as listener:
        with HttpClient(user_agent="t") as doubting, pytest.raises(CertificateRefused):
            TokenExchange(listener.url, name="pypi", http=doubting).audience()
        if named == "SSL_CERT_FILE":
            monkeypatch.setenv(named, str(certificate.authority))
        trusted = certificate.authority if named == "ca_file" else None
        with HttpClient(user_agent="t", ca_file=trusted) as trusting:
            assert TokenExchange(listener.url, name="pypi", http=trusting).audience() == "pypi"
