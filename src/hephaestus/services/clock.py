"""What time a service says it is: the Date header of any of its answers (RFC 9110, section 6.6.1)."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from hephaestus.services.errors import AnswerInvalid
from hephaestus.services.http import HttpClient

__all__ = ["server_time"]


def server_time(url: str, *, http: HttpClient) -> datetime:
    """The Date header of ``url``'s answer, whatever its status is below 500; to the second, in UTC.

    Raises AnswerInvalid when there is none, and what ``HttpClient`` raises.
    """
    answer = http.request("HEAD", url, headers={"Cache-Control": "no-cache"}, expect=range(200, 500))
    said = answer.headers.get("date", "")
    try:
        moment = parsedate_to_datetime(said)
    except (TypeError, ValueError) as error:
        raise AnswerInvalid(url=answer.url, defect=f"its Date header is {said!r}") from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
