"""Download counts, as pypistats.org counts them from PyPI's public logs: the last 180 days, once a day.

An index itself tells none: the JSON API's fields for it are -1 (facts: pypi, section 1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from packaging.utils import canonicalize_name

from hephaestus.services.address import Address
from hephaestus.services.errors import AnswerInvalid, ServiceError
from hephaestus.services.http import HttpClient, Redirects

__all__ = ["PYPISTATS_URL", "Downloads", "DownloadsClient", "NotCountedError"]

PYPISTATS_URL = "https://pypistats.org/api"

_UNKNOWN = "unknown"


class NotCountedError(ServiceError):
    """Raised when the counters know no project of that name."""

    def __init__(self, *, url: str, name: str) -> None:
        super().__init__(
            url=url,
            what=f"{name} is not counted: nothing of that name has been downloaded from PyPI",
            why="counting begins the day after the first download; Test PyPI and private indexes are not counted",
            next_step="check the name, or ask again the day after the first release",
        )


@dataclass(frozen=True, kw_only=True)
class Downloads:
    """What was counted of one project, mirrors left out. ``daily`` and the shares cover at most 180 days."""

    name: str
    last_day: int
    last_week: int
    last_month: int
    daily: Mapping[date, int] = field(default_factory=dict)
    by_python: Mapping[str, int] = field(default_factory=dict)
    by_system: Mapping[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """All days together."""
        return sum(self.daily.values())


class DownloadsClient:
    """Reads the JSON API of pypistats.org, or one like it at ``url``. Raises the errors of ``services.errors`` only."""

    def __init__(self, url: str, *, http: HttpClient) -> None:
        self._url = Address.parse(url.rstrip("/")).url
        self._http = http

    def downloads(self, name: str) -> Downloads:
        """Everything that is shown of a project, in four requests. Raises NotCountedError."""
        project = canonicalize_name(name)
        recent = self._ask(project, "recent")
        if not isinstance(recent, dict):
            raise AnswerInvalid(url=self._url, defect="'data' of recent is no object")
        counts = {key: self._count(recent.get(f"last_{key}"), "recent") for key in ("day", "week", "month")}
        return Downloads(
            name=project,
            last_day=counts["day"],
            last_week=counts["week"],
            last_month=counts["month"],
            daily=self._daily(project),
            by_python=self._shares(project, "python_major"),
            by_system=self._shares(project, "system"),
        )

    def _daily(self, project: str) -> dict[date, int]:
        days: dict[date, int] = {}
        for row in self._rows(project, "overall", "?mirrors=false"):
            if row.get("category") != "without_mirrors":
                continue
            try:
                day = date.fromisoformat(row["date"])
            except (KeyError, TypeError, ValueError) as error:
                raise AnswerInvalid(url=self._url, defect=f"a row of overall has no date: {row!r}") from error
            days[day] = days.get(day, 0) + self._count(row.get("downloads"), "overall")
        return dict(sorted(days.items()))

    def _shares(self, project: str, kind: str) -> dict[str, int]:
        shares: dict[str, int] = {}
        for row in self._rows(project, kind):
            category = row.get("category")
            name = category if isinstance(category, str) and category not in ("", "null") else _UNKNOWN
            shares[name] = shares.get(name, 0) + self._count(row.get("downloads"), kind)
        return dict(sorted(shares.items(), key=lambda share: (-share[1], share[0])))

    def _rows(self, project: str, kind: str, query: str = "") -> list[dict[str, Any]]:
        rows = self._ask(project, kind, query)
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise AnswerInvalid(url=self._url, defect=f"'data' of {kind} is no list of objects")
        return rows

    def _ask(self, project: str, kind: str, query: str = "") -> Any:
        url = f"{self._url}/packages/{project}/{kind}"
        answer = self._http.request(
            "GET",
            url + query,
            headers={"Accept": "application/json"},
            expect=(200, 404),
            redirects=Redirects.SAME_ORIGIN,
        )
        if answer.status == 404:
            raise NotCountedError(url=url, name=project)
        told = answer.json()
        if not isinstance(told, dict) or "data" not in told:
            raise AnswerInvalid(url=url, defect="field 'data' is missing")
        return told["data"]

    def _count(self, value: Any, kind: str) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise AnswerInvalid(url=self._url, defect=f"a count of {kind} is {value!r}")
        return value
