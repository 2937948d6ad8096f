"""Real clients against real listeners on the loopback; time is told and spent by the test."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from hephaestus.services.github import GitHubClient
from hephaestus.services.http import HttpClient
from hephaestus.services.patience import Patience
from hephaestus.standins.faults import Fault, Faults
from hephaestus.standins.github import GitHub
from hephaestus.standins.http import Handler, Listener, Request, Response

TOKEN = "ghs_" + "a" * 36
ADMIN_TOKEN = "ghp_" + "b" * 36
REPOSITORY = "Owner/project"


@dataclass
class Time:
    """A clock that moves only when somebody sleeps."""

    now: float = 1_800_000_000.0
    slept: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def http(time: Time) -> Iterator[HttpClient]:
    """A client that waits in no time, and for an answer as long as a busy machine needs for one."""
    patience = Patience(attempts=3)
    with HttpClient(
        user_agent="hephaestus-tests", patience=patience, sleep=time.sleep, clock=time, jitter=lambda: 0.0
    ) as client:
        yield client


@pytest.fixture
def impatient(http: HttpClient) -> None:
    """For who is never answered: real seconds are short."""
    http._patience = dataclasses.replace(http._patience, connect_seconds=2.0, silence_seconds=1.0)


@pytest.fixture
def serve() -> Iterator[Callable[[Handler], Listener]]:
    listeners: list[Listener] = []

    def start(handler: Handler) -> Listener:
        listeners.append(Listener(handler))
        return listeners[-1]

    yield start
    for listener in listeners:
        listener.close()


@dataclass
class Site:
    """The GitHub stand-in behind a listener, what it was asked, and clients for it."""

    github: GitHub
    faults: Faults
    http: HttpClient
    listener: Listener | None = None
    requests: list[Request] = field(default_factory=list)
    before: Callable[[Request], Response | None] | None = None

    def handle(self, request: Request) -> Response:
        self.requests.append(request)
        answer = self.before(request) if self.before else None
        return answer or self.github.handle(request)

    def client(self, *, token: str | None = TOKEN, repository: str = REPOSITORY) -> GitHubClient:
        assert self.listener is not None
        url = self.listener.url
        return GitHubClient(url, f"{url}/uploads", repository, token, http=self.http)

    def administrator(self) -> GitHubClient:
        return self.client(token=ADMIN_TOKEN)

    def fault(self, *texts: str) -> None:
        self.faults.arm([Fault.parse(text) for text in texts])

    def asked(self, method: str) -> list[str]:
        return [request.path for request in self.requests if request.method == method]


@dataclass
class Switchboard:
    """One listener for all tests of a process (closing one costs 50 ms), answering as the running test says."""

    handler: Handler = field(default=lambda _: Response(status=503))

    def __call__(self, request: Request) -> Response:
        return self.handler(request)


@pytest.fixture(scope="session")
def switchboard() -> Iterator[tuple[Switchboard, Listener]]:
    board = Switchboard()
    with Listener(board) as listener:
        yield board, listener


@pytest.fixture
def site(tmp_path: Path, http: HttpClient, time: Time, switchboard: tuple[Switchboard, Listener]) -> Site:
    faults = Faults()
    github = GitHub(
        tmp_path / "github",
        repository=REPOSITORY,
        token=TOKEN,
        read_token="ghs_" + "r" * 36,
        admin_token=ADMIN_TOKEN,
        clock=time,
        faults=faults,
    )
    github.push(["1" * 40, "2" * 40])
    github.push_tag("v1.0", "2" * 40)
    made = Site(github=github, faults=faults, http=http)
    switchboard[0].handler, made.listener = made.handle, switchboard[1]
    return made


@pytest.fixture
def answering(switchboard: tuple[Switchboard, Listener]) -> Callable[[Handler], str]:
    """Let the shared listener answer by a handler; gives its address."""

    def start(handler: Handler) -> str:
        switchboard[0].handler = handler
        return switchboard[1].url

    return start


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    folder = tmp_path / "files"
    folder.mkdir()
    made = []
    for name, content in (("a-1.0.tar.gz", b"sdist" * 1000), ("a-1.0-py3-none-any.whl", b"wheel" * 70_000)):
        made.append(folder / name)
        made[-1].write_bytes(content)
    return made
