"""Manners on the network: the token goes to the API alone, patience is bounded, other terminals are left in peace."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest
from consumer.shop import ARCHIVE, TAG, TOKEN, Shop

from hephaestus.report.terminal import Terminal
from hephaestus.standins.http import Request, Response


def test_the_token_goes_to_the_api_and_nowhere_else(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A private repository: every request to the API bears it, none to the storage behind the redirects does."""
    shop.github._private = True
    shop.release(shop.assets())
    assert shop.install("--download-only").code == 1
    shop.requests.clear()
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    done = shop.install("--download-only")
    assert done.code == 0, done
    api = [request for request in shop.requests if request.path.startswith("/repos/")]
    storage = [request for request in shop.requests if not request.path.startswith("/repos/")]
    assert {request.headers.get("authorization") for request in api} == {f"Bearer {TOKEN}"}
    assert {request.headers.get("authorization") for request in storage} == {None}
    assert len(storage) == 3
    assert TOKEN not in done.out + done.err


@pytest.mark.parametrize(
    "elsewhere", ["http://127.0.0.1:1/repos/x", "http://example.org/", "ftp://x/", "https://u:p@h/"]
)
def test_the_api_is_not_followed_elsewhere(shop: Shop, elsewhere: str) -> None:
    """A redirect of the API to another origin ends the command: the token would go along."""
    shop.release(shop.assets())
    shop.before = lambda _request: Response(status=302, headers={"Location": elsewhere})
    done = shop.install("--download-only", "--token", TOKEN)
    assert (done.code, len(shop.requests)) == (1, 1), done
    assert "Traceback" not in done.err
    assert TOKEN not in done.err


def limited(answer: Response, times: int) -> Callable[[Request], Response | None]:
    """So many requests are answered so."""
    left = [answer] * times
    return lambda _request: left.pop() if left else None


@pytest.mark.parametrize(
    "answer",
    [
        Response(status=429, headers={"Retry-After": "2"}),
        Response(status=403, headers={"Retry-After": "2"}),
        Response(status=403, headers={"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "0"}),
        Response(status=403, body=b'{"message": "You have exceeded a secondary rate limit."}'),
        Response(status=500),
        Response(status=503, headers={"Retry-After": "1"}),
    ],
)
def test_a_passing_refusal_is_waited_for(shop: Shop, answer: Response) -> None:
    """Rate limits and 5xx: asked again after what they ask for."""
    shop.release(shop.assets())
    shop.before = limited(answer, 2)
    assert shop.install("--download-only").code == 0


def test_a_wait_beyond_all_patience_is_said(shop: Shop) -> None:
    """An hour of Retry-After: one sentence with the time, no waiting."""
    shop.release(shop.assets())
    shop.before = limited(Response(status=429, headers={"Retry-After": "3600"}), 9)
    done = shop.install("--download-only")
    assert (done.code, len(shop.requests)) == (1, 1), done
    assert "3600 s" in done.err


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Response(status=401, body=b'{"message": "Bad credentials"}'), "GITHUB_TOKEN"),
        (Response(status=403, body=b'{"message": "Resource not accessible"}'), "Resource not accessible"),
        (Response(body=b"<html>Please log in</html>", headers={"Content-Type": "text/html"}), "is not usable"),
        (Response(body=b"{}", headers={"Content-Type": "application/json"}), "'assets'"),
        (Response(body=b"[" * 9999, headers={"Content-Type": "application/json"}), "not JSON"),
        (Response(status=418), "answered 418"),
    ],
)
def test_a_lasting_refusal_is_one_sentence(shop: Shop, answer: Response, said: str) -> None:
    """A bad token, a missing right, a login page, another service: named, once, without a traceback."""
    shop.before = lambda _request: answer
    done = shop.install("--download-only", "--tag", TAG, "--token", TOKEN)
    assert (done.code, said in done.err, "Traceback" in done.err) == (1, True, False), done
    assert len(shop.requests) <= 2


def test_tag_and_repository_are_quoted(shop: Shop) -> None:
    """What a tag may hold never becomes a part of the path or a query."""
    done = shop.install("--download-only", "--tag", "v1?per_page=1#x/../y z")
    assert done.code == 1
    assert all("per_page" not in request.query for request in shop.requests[:1])
    assert shop.requests[0].path == "/repos/o/r/releases/tags/v1?per_page=1#x/../y z"


def test_what_is_no_terminal_gets_whole_lines_only(shop: Shop) -> None:
    """No carriage return, no escape sequence, in any stream, when nobody watches."""
    shop.release(shop.assets())
    done = shop.install("--download-only")
    assert done.code == 0
    assert not {"\r", "\x1b"} & set(done.out + done.err)
    assert f"downloading {ARCHIVE}" in done.err


def test_a_terminal_sees_bytes_move_without_colour() -> None:
    """Progress overwrites its own line; no sequence sets a colour, so NO_COLOR has nothing to switch off."""

    class Screen(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Screen()
    narrator = Terminal(stage="install", stream=screen)
    narrator.progress(1_000_000, 2_000_000, "bytes")
    narrator.progress(2_000_000, 2_000_000, "bytes")
    narrator.step("done")
    assert "1.0 MB of 2.0 MB" in screen.getvalue()
    assert "m" not in [sequence[-1:] for sequence in screen.getvalue().split("\x1b[")[1:] if sequence[:1].isdigit()]
    assert screen.getvalue().endswith("  done\n")
