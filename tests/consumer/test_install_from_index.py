"""``hephaestus release install`` from an index: ours by address, hash and attestation, the rest from the user's own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from consumer.shop import NEED, TINY, Done, Shop, installed
from stages.releases import IDENTITY
from stages.served import ServedIndex, Thing

from hephaestus.standins.http import Listener, Request, Response
from hephaestus.standins.identity import WorkflowIdentity
from hephaestus.standins.sigstore import CarelessSigner

BOTH = {"need": "1.0", "tiny-project": "1.2.3"}


class AttestedIndex(ServedIndex):
    """An index that serves attestations too, as PyPI does."""

    def __init__(self) -> None:
        super().__init__()
        self.attestations: dict[str, list[Any]] = {}
        self.status: dict[str, str] = {}
        self.since = "2026-01-02T03:04:05Z"

    def __call__(self, request: Request) -> Response:
        answer = super().__call__(request)
        parts = request.path.strip("/").split("/")
        if parts[0] == "integrity":
            bundle = {"publisher": {"kind": "GitHub"}, "attestations": self.attestations[parts[1]]}
            body = {"version": 1, "attestation_bundles": [bundle] if self.attestations[parts[1]] else []}
            kind = {"Content-Type": "application/vnd.pypi.integrity.v1+json"}
            return Response(body=json.dumps(body).encode(), headers=kind)
        if parts[0] == "simple" and answer.status == 200:
            page = json.loads(answer.body)
            for file in page["files"]:
                file["upload-time"] = self.since
                if file["filename"] in self.attestations:
                    file["provenance"] = f"/integrity/{file['filename']}"
            return replace(answer, body=json.dumps({**page, "project-status": self.status}).encode())
        return answer


@dataclass
class Market:
    """An index that the release is on, the user's own index, and the command between them."""

    index: AttestedIndex
    user: AttestedIndex
    url: str
    user_url: str
    shop: Shop
    signed: list[str] = field(default_factory=list)

    def publish(self, thing: Thing = TINY, *, identity: WorkflowIdentity = IDENTITY, about: str = "") -> None:
        """Put a wheel there with its attestation, which is ``about`` a file of that name."""
        content = thing.wheel()
        token = self.shop.serving.issuer.token(identity, "sigstore")
        signer = CarelessSigner(self.shop.serving.sigstore, token, version=1)
        statement = signer.publish_attestation(about or thing.wheel_name, hashlib.sha256(content).hexdigest())
        self.index.put(thing.wheel_name, content)
        self.index.attestations[thing.wheel_name] = [statement]

    def install(self, *words: object, source: str = "test-pypi") -> Done:
        """Run the command."""
        given = ["--source", source, "--project", "tiny-project", "--index-url", f"{self.url}/simple/"]
        return self.shop.install(*given, *words)


@pytest.fixture
def market(shop: Shop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Market]:
    """Two indexes that answer; the user's own has what the project needs."""
    index, user = AttestedIndex(), AttestedIndex()
    user.put(NEED.wheel_name, NEED.wheel())
    with Listener(index) as first, Listener(user) as second:
        for name in ("PIP_INDEX_URL", "UV_INDEX_URL"):
            monkeypatch.setenv(name, f"{second.url}/simple/")
        for name in ("PIP_EXTRA_INDEX_URL", "UV_DEFAULT_INDEX", "UV_EXTRA_INDEX_URL", "UV_INDEX"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
        monkeypatch.setenv("UV_NO_CONFIG", "1")
        monkeypatch.setenv("PIP_CACHE_DIR", str(tmp_path / "pip-cache"))
        monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
        yield Market(index=index, user=user, url=first.url, user_url=second.url, shop=shop)


@pytest.mark.parametrize("kind", ["pip", "uv"])
def test_ours_comes_from_there_and_the_rest_from_the_users_own_index(
    market: Market, kind: str, request: pytest.FixtureRequest
) -> None:
    """A squatted newer dependency on the release's index is never seen; the outcome names every origin."""
    python = request.getfixturevalue("pip_venv" if kind == "pip" else "venv")
    market.publish()
    squatted = Thing(name="need", version="99.0", code="raise SystemExit('squatted')")
    market.index.put(squatted.wheel_name, squatted.wheel())
    done = market.install("--tag", "v1.2.3", "--python", python, "--json")
    assert (done.code, installed(python)) == (0, BOTH), done
    assert "/simple/need/" not in market.index.seen
    origins = {one["name"]: one["url"] for one in done.data["installed"]}
    assert origins["tiny-project"].startswith(f"{market.url}/files/")
    assert origins["need"].startswith(f"{market.user_url}/files/")
    assert [check["state"] for check in done.data["checks"]] == ["PASS", "PASS"]
