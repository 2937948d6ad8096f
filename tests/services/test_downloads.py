"""The client of the download counts against a counter on the loopback."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from hephaestus.services.downloads import DownloadsClient, NotCountedError
from hephaestus.services.errors import AnswerInvalid, RateLimited, ServiceDown, ServiceError
from hephaestus.services.http import HttpClient
from hephaestus.standins.http import Handler, Request, Response

DATA: dict[str, Any] = {
    "recent": {"last_day": 3, "last_week": 20, "last_month": 90},
    "overall": [
        {"category": "without_mirrors", "date": "2026-11-02", "downloads": 5},
        {"category": "with_mirrors", "date": "2026-11-02", "downloads": 500},
        {"category": "without_mirrors", "date": "2026-11-01", "downloads": 7},
    ],
    "python_major": [
        {"category": "3", "date": "2026-11-01", "downloads": 9},
        {"category": "null", "date": "2026-11-01", "downloads": 1},
        {"category": None, "date": "2026-11-02", "downloads": 1},
        {"category": "3", "date": "2026-11-02", "downloads": 2},
    ],
    "system": [{"category": "Linux", "date": "2026-11-01", "downloads": 12}],
}


def counter(**changes: Any) -> Handler:
    """A counter of tiny-thing; ``changes`` replaces the data of an endpoint, or a whole answer."""

    def handle(request: Request) -> Response:
        parts = request.path.strip("/").split("/")
        if parts[:3] != ["api", "packages", "tiny-thing"]:
            return Response(status=404, headers={"Content-Type": "text/html"}, body=b"<h1>404</h1>")
        value = (DATA | changes)[parts[3]]
        if isinstance(value, Response):
            return value
        body = json.dumps({"data": value, "package": "tiny-thing", "type": f"{parts[3]}_downloads"}).encode()
        return Response(headers={"Content-Type": "application/json"}, body=body)

    return handle


def test_counts_by_day_python_and_system(answering: Callable[[Handler], str], http: HttpClient) -> None:
    """Mirrors are left out, unnamed categories are unknown, days are in order, the name is normalised."""
    downloads = DownloadsClient(f"{answering(counter())}/api", http=http).downloads("Tiny_Thing")
    assert (downloads.name, downloads.last_day, downloads.last_week, downloads.last_month) == ("tiny-thing", 3, 20, 90)
    assert list(downloads.daily.items()) == [(date(2026, 11, 1), 7), (date(2026, 11, 2), 5)]
    assert downloads.total == 12
    assert list(downloads.by_python.items()) == [("3", 11), ("unknown", 2)]
    assert downloads.by_system == {"Linux": 12}


def test_a_project_nobody_counts(answering: Callable[[Handler], str], http: HttpClient) -> None:
    """404, whatever its page looks like, means that nothing of that name was counted."""
    with pytest.raises(NotCountedError, match="nobody-has-this is not counted"):
        DownloadsClient(f"{answering(counter())}/api", http=http).downloads("nobody.has.this")


_PAGE = Response(headers={"Content-Type": "text/html"}, body=b"<html>Are you human?</html>")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"recent": _PAGE}, AnswerInvalid),
        ({"system": Response(headers={"Content-Type": "application/json"}, body=b"{")}, AnswerInvalid),
        ({"system": Response(headers={"Content-Type": "application/json"}, body=b"[]")}, AnswerInvalid),
        ({"recent": []}, AnswerInvalid),
        ({"recent": {"last_day": 1}}, AnswerInvalid),
        ({"recent": {"last_day": -1, "last_week": 0, "last_month": 0}}, AnswerInvalid),
        ({"recent": {"last_day": True, "last_week": 0, "last_month": 0}}, AnswerInvalid),
        ({"overall": {"2026-11-01": 3}}, AnswerInvalid),
        ({"overall": [{"category": "without_mirrors", "date": "soon", "downloads": 1}]}, AnswerInvalid),
        ({"overall": [{"category": "without_mirrors", "downloads": 1}]}, AnswerInvalid),
        ({"overall": [{"category": "without_mirrors", "date": "2026-11-01", "downloads": "7"}]}, AnswerInvalid),
        ({"python_major": [7]}, AnswerInvalid),
        ({"recent": Response(status=429, headers={"Retry-After": "900"})}, RateLimited),
        ({"overall": Response(status=503, body=b"down")}, ServiceDown),
    ],
)
def test_an_answer_that_is_none_is_one_error(
    answering: Callable[[Handler], str], http: HttpClient, changes: dict[str, Any], error: type[ServiceError]
) -> None:
    """A page, broken JSON, other fields, a rate limit, an outage: each its own message, never a number made up."""
    with pytest.raises(error) as raised:
        DownloadsClient(f"{answering(counter(**changes))}/api", http=http).downloads("tiny-thing")
    assert raised.value.next_step
