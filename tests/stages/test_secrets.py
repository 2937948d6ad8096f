"""Secrets of an upload: whatever goes wrong, none is in a message, a log, a receipt, a summary or a file."""

from __future__ import annotations

import io
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from plants import PLANTED, URL_PASSWORD, found, found_below, minted
from stages.releases import WHEEL
from stages.standins import Scene, Standins, forget, make_scene
from stages.uploads import believe, stage_of

from hephaestus.release.directory import ReleaseDirectory
from hephaestus.release.errors import ReleaseError
from hephaestus.report import summary
from hephaestus.report.annotations import annotate
from hephaestus.report.terminal import Terminal
from hephaestus.stages.github_release import GitHubReleaseStage
from hephaestus.stages.stage import Stage
from hephaestus.standins.http import Request, Response
from hephaestus.standins.identity import Issuer
from hephaestus.standins.index.answers import plain
from hephaestus.standins.index.service import Index
from hephaestus.toolchain.process import Completed
from hephaestus.worlds.world import ChildKind

INDEX_URL = f"https://planted-user:{URL_PASSWORD.replace('+', '%2B').replace('/', '%2F')}@planted.invalid/simple/"


class Telling:
    """Everything that would be said or kept of a run: terminal, annotations, step summary, errors, tracebacks."""

    def __init__(self, scene: Scene, folder: Path) -> None:
        self.scene = scene
        self.page = folder / "step-summary.md"
        self.screen = io.StringIO()
        self.more: list[str] = []

    def run(self, stage: Stage) -> ReleaseError | None:
        """Run a stage as a session in GitHub Actions does, and tell of it in every way there is."""
        terminal = Terminal(stage=stage.name, stream=self.screen)
        self.scene.narrator.lines.clear()
        error: ReleaseError | None = None
        try:
            terminal.ended(self.scene.run(stage))
        except ReleaseError as raised:
            error = raised
            self.more += [str(error), repr(error), *error.details, *traceback.format_exception(error)]
            environ = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(self.page)}
            annotate(stage.name, error, environ=environ, stream=self.screen)
        for line in self.scene.narrator.lines:
            terminal.step(line)
        failed = (stage.name, error) if error is not None else None
        context = self.scene.context(stage.lock)
        told = summary.summarize(context.project, self.scene.directory, world="rehearsal", failed=failed)
        summary.write(told, self.scene.directory)
        self.more += [summary.render(told), summary.brief(told), repr(self.scene.world)]
        return error

    def everything(self) -> bytes:
        """All that was said."""
        page = self.page.read_text(encoding="utf-8") if self.page.exists() else ""
        return "\n".join([self.screen.getvalue(), page, *self.more]).encode()


@pytest.fixture
def issued(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every token that the stand-ins mint and sign while the test runs."""
    from hephaestus.standins.index import publishing

    tokens: list[str] = []

    def noting(make: Callable[..., str]) -> Callable[..., str]:
        def made(*given: Any, **named: Any) -> str:
            tokens.append(make(*given, **named))
            return tokens[-1]

        return made

    monkeypatch.setattr(publishing, "new_token", noting(publishing.new_token))
    monkeypatch.setattr(Issuer, "_signed", noting(Issuer._signed))
    return tokens


@pytest.fixture
def telling(
    standins: Standins, signed_release: ReleaseDirectory, issued: list[str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Telling:  # fmt: skip
    """A release in an environment full of secrets."""
    del issued
    monkeypatch.setattr("hephaestus.stages.upload_gates.verify", believe)
    for name, value in {**PLANTED, "PIP_INDEX_URL": INDEX_URL}.items():
        monkeypatch.setenv(name, value)
    return Telling(make_scene(standins, signed_release, tmp_path), tmp_path)


@pytest.fixture
def curt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand-ins that soon give up who repeats a request that was cut, and has no body left for it."""
    monkeypatch.setattr("hephaestus.standins.http.SILENCE_SECONDS", 0.3)


def secrets(scene: Scene, issued: list[str]) -> list[str]:
    """All that must be nowhere: the plants, what was issued, the job's own bearer, GitHub's token."""
    bearers = [scene.world.uploaders["pypi"]["ACTIONS_ID_TOKEN_REQUEST_TOKEN"], scene.world.github.token]
    planted = [value for name, value in PLANTED.items() if name != "TWINE_USERNAME"]
    return [*planted, URL_PASSWORD, *issued, *bearers]


def echoing(monkeypatch: pytest.MonkeyPatch, issued: list[str]) -> None:
    """An index that answers with the very credential it was sent, as header, token and address."""

    def upload(_index: Index, request: Request) -> Response:
        header = request.headers["authorization"]
        return plain(400, f"Bad: {header}; {issued[-1]}; https://__token__:{issued[-1]}@upload.pypi.org/")

    monkeypatch.setattr(Index, "_upload", upload)


FAULTS: Mapping[str, tuple[str, str]] = {
    "mint refused": ("pypi:mint-invalid-publisherx99", "no upload token"),
    "no identity": ("oidc:htmlx99", "no identity token"),
    "forbidden": ("pypi:403x99", "takes no uploads"),
    "a traceback": ("pypi:mint-resetx99", "broke or went silent"),
}


class TestUpload:
    """An upload among planted secrets."""

    def held_nowhere(self, telling: Telling, issued: list[str]) -> None:
        wanted = secrets(telling.scene, issued)
        assert found(telling.everything(), wanted) == []
        assert minted(telling.everything()) == []
        assert found_below(telling.scene.root, wanted) == {}

    @pytest.mark.parametrize("name", FAULTS)
    def test_no_secret_is_told_when_it_fails(
        self, telling: Telling, issued: list[str], name: str, request: pytest.FixtureRequest
    ) -> None:
        """A refused mint, a missing identity, a 403, a traceback of the tool: all is told but the secrets."""
        fault, words = FAULTS[name]
        if "reset" in fault:
            request.getfixturevalue("curt")
        telling.scene.standins.arm(fault)
        error = telling.run(stage_of(telling.scene))
        assert error is not None
        assert words in error.what
        assert words.encode() in telling.everything()
        self.held_nowhere(telling, issued)

    def test_no_secret_is_told_by_an_index_that_echoes_it(
        self, telling: Telling, issued: list[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What the index says is passed on word for word, but for the credential it was sent."""
        echoing(monkeypatch, issued)
        error = telling.run(stage_of(telling.scene))
        assert error is not None
        assert "400 Bad Request: Bad: Basic ***; ***; https://***@upload.pypi.org/" in error.what
        assert sum(token.startswith("pypi-") for token in issued) == 1
        self.held_nowhere(telling, issued)

    def test_no_secret_is_kept_when_it_goes_well(self, telling: Telling, issued: list[str]) -> None:
        """Both indexes and GitHub, done: receipts, summary and everything said hold no token."""
        forget(telling.scene.directory, "upload-testpypi", "smoke")
        assert telling.run(stage_of(telling.scene, "testpypi")) is None
        telling.scene.standins.arm("github:500x999")
        assert telling.run(GitHubReleaseStage()) is not None
        assert {token[:5] for token in issued} >= {"pypi-"}
        assert len(issued) >= 2
        self.held_nowhere(telling, issued)

    @pytest.mark.usefixtures("curt")
    def test_no_secret_is_told_by_a_tool_that_tells_everything(self, telling: Telling, issued: list[str]) -> None:
        """twine --verbose with its traceback, uv's masks, a tool that dumps its environment: redacted all the same."""
        scene = telling.scene
        scene.standins.arm("pypi:resetx99")
        environment = scene.context("upload").environment
        env = {**scene.world.uploaders["pypi"], "COLUMNS": "1000"}
        words = ["--attestations", "--repository", "pypi", str(scene.directory.dist / WHEEL)]
        words.append(str(scene.directory.path / "attestations" / f"{WHEEL}.publish.attestation"))
        twine: Completed = environment.run(
            ["python", "-m", "twine", "upload", "--verbose", "--disable-progress-bar", *words], env=env
        )
        assert not twine.ok
        assert "password: <hidden>" in twine.output
        token = next(token for token in issued if token.startswith("pypi-"))
        dump = f"import os; print('::add-mask::{token}'); print(dict(os.environ)); raise ValueError('{token}')"
        told = environment.run(["python", "-c", dump], env={**PLANTED, **env, "PATH": env["PATH"]})
        assert "::add-mask::***" in told.output
        assert "Traceback" in told.output
        telling.more += [twine.output, told.output]
        self.held_nowhere(telling, issued)


def test_no_child_of_an_upload_is_given_what_is_not_its_own(telling: Telling) -> None:
    """Signers, uploaders, installers and probes get no planted variable; the job's identity is the stand-ins'."""
    world = telling.scene.world
    wanted = [value for name, value in PLANTED.items() if name != "TWINE_USERNAME"]
    children = [*world.children.values(), *world.uploaders.values()]
    assert len(children) == len(ChildKind) + 2
    assert [found(repr(dict(environ)).encode(), wanted) for environ in children] == [[]] * len(children)
