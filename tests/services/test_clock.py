"""The time a service says it is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from hephaestus.services.clock import server_time
from hephaestus.services.errors import AnswerInvalid, ServiceDown
from hephaestus.services.http import HttpClient
from hephaestus.standins.http import Handler, Response

DATE = "Sun, 22 Nov 2026 12:00:00 GMT"


@pytest.mark.parametrize("status", [200, 401, 403, 404, 405])
def test_any_answer_tells_the_time(http: HttpClient, answering: Callable[[Handler], str], status: int) -> None:
    """The Date header of whatever is answered, without a credential and without a body."""
    url = answering(lambda _: Response(status=status, headers={"Date": DATE}))
    assert server_time(url, http=http) == datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize("said", ["yesterday", "", "Sun, 99 Nov 2026 12:00:00 GMT"])
def test_an_answer_without_a_time(http: HttpClient, answering: Callable[[Handler], str], said: str) -> None:
    """A Date header that is none is an unusable answer, not a time."""
    with pytest.raises(AnswerInvalid, match="Date header"):
        server_time(answering(lambda _: Response(headers={"Date": said})), http=http)


def test_a_service_that_is_down(http: HttpClient, answering: Callable[[Handler], str]) -> None:
    """5xx is an outage: what it says of the time is not asked."""
    with pytest.raises(ServiceDown):
        server_time(answering(lambda _: Response(status=503, headers={"Date": DATE})), http=http)
