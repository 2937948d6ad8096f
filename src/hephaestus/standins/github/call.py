"""One API call as the GitHub stand-in's routes see it: who asks, what for, with which body."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hephaestus.standins.github.answers import Refusal, Shapes, answer
from hephaestus.standins.github.store import Repository, Store, StoredRelease
from hephaestus.standins.http import Request, Response

__all__ = ["Call", "Route", "paged"]


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call. ``fields`` are the parts of the path a route names; ``writer`` holds contents: write,
    ``administrator`` administration: read as well.

    ``fault`` is the kind of a fault that strikes what the route stores, else empty.
    """

    request: Request
    fields: Mapping[str, str]
    writer: bool
    administrator: bool
    store: Store
    shapes: Shapes
    now: float
    fault: str = ""

    @property
    def repository(self) -> Repository:
        """The state the call acts on."""
        return self.store.repository

    def release(self) -> StoredRelease:
        """The release the path names; a draft is not there for those who may not write."""
        release = self.repository.release(int(self.fields["release"]))
        if release is None or (release.draft and not self.writer):
            raise Refusal(404, "Not Found")
        return release

    def json(self) -> dict[str, Any]:
        """The body as a JSON object."""
        try:
            body = json.loads(self.request.body or b"{}")
        except ValueError as error:
            raise Refusal(400, "Problems parsing JSON") from error
        if not isinstance(body, dict):
            raise Refusal(400, "Body should be a JSON object")
        return body

    def parameter(self, name: str, default: str = "") -> str:
        """One value of the query."""
        return self.request.query.get(name, [default])[0]


@dataclass(frozen=True, kw_only=True)
class Route:
    """One method and path pattern, who may use it, and what answers.

    ``write`` needs contents: write; ``administration`` needs administration: read, which no workflow's token has.
    """

    method: str
    path: str
    serve: Callable[[Call], Response]
    write: bool = False
    administration: bool = False


def paged(call: Call, rows: list[dict[str, Any]]) -> Response:
    """One page of ``rows`` with the Link header of the real API (30 a page unless asked, 100 at most)."""
    size = min(_number(call.parameter("per_page"), 30), 100)
    page = _number(call.parameter("page"), 1)
    last = max(1, -(-len(rows) // size))
    address = f"{call.request.base}{call.request.path}?per_page={size}&page="
    links = []
    if page < last:
        links += [f'<{address}{page + 1}>; rel="next"', f'<{address}{last}>; rel="last"']
    if page > 1:
        links += [f'<{address}1>; rel="first"', f'<{address}{page - 1}>; rel="prev"']
    headers = {"Link": ", ".join(links)} if links else {}
    return answer(rows[(page - 1) * size : page * size], headers=headers)


def _number(text: str, default: int) -> int:
    return int(text) if text.isdecimal() and int(text) > 0 else default
