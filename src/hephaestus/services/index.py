"""The client of a package index: what it shows, what its JSON API knows, and waiting for one to follow the other."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from packaging.utils import canonicalize_name
from packaging.version import Version

from hephaestus.services.address import Address
from hephaestus.services.errors import (
    AnswerInvalid,
    AnswerTooLarge,
    RateLimited,
    RedirectRefused,
    ServiceDown,
    ServiceError,
    UnexpectedStatus,
    Unreachable,
)
from hephaestus.services.http import Answer, HttpClient, Redirects
from hephaestus.services.plan import FileState, PlannedFile, UploadPlan, plan_upload
from hephaestus.services.private import IndexTokenRefused
from hephaestus.services.project import IndexFile, IndexProject, version_of
from hephaestus.services.simple_html import HTML_MEDIA, read_html
from hephaestus.services.transfer import Downloaded, Progress

__all__ = [
    "FileState",
    "IndexClient",
    "IndexFile",
    "IndexProject",
    "PlannedFile",
    "Propagation",
    "PropagationState",
    "UploadPlan",
    "plan_upload",
]

_SIMPLE = "application/vnd.pypi.simple.v1+json"
_SIMPLE_OR_HTML = f"{_SIMPLE}, {HTML_MEDIA[1]};q=0.2, {HTML_MEDIA[0]};q=0.1"
_INTEGRITY = "application/vnd.pypi.integrity.v1+json"
# A cache between us and the index may hold a page for 10 minutes (facts: pypi, section 5).
_FRESH = {"Cache-Control": "no-cache", "Pragma": "no-cache"}

_INVALID = 3
"""Unusable answers in a row after which the address, not a passing fault, is to blame."""


class PropagationState(Enum):
    """What waiting for files has come to."""

    VISIBLE = "visible"
    LAGGING = "published, not yet propagated"
    ABSENT = "absent"
    WRONG = "wrong digest"
    QUARANTINED = "quarantined"
    ARCHIVED = "archived"
    UNANSWERED = "no answer"


@dataclass(frozen=True, kw_only=True)
class Propagation:
    """The end of a wait. ``visible`` and ``waiting`` are file names; ``wrong`` maps one to (expected, found).

    ``published``: the JSON API has every file that the simple page lacks. ``trouble`` is the last failure to get
    an answer, empty when there was none; ``seconds`` were waited.
    """

    state: PropagationState
    visible: tuple[str, ...] = ()
    waiting: tuple[str, ...] = ()
    wrong: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    reason: str = ""
    trouble: str = ""
    polls: int = 0
    seconds: float = 0.0


class IndexClient:
    """Reads one index. ``simple_url`` is its root of project pages (``https://pypi.org/simple/``).

    ``json_url`` is the root of its legacy JSON API; when not given, it is derived where ``simple_url`` ends in
    ``/simple``, and otherwise (or when it is empty) lag cannot be told from absence. ``authorization`` is a header's
    whole value for private indexes, sent to the index's own origin only. ``html``: its pages may be HTML (PEP 503),
    and it may send us on to another index for what it does not have. Raises the errors of ``services.errors`` and
    IndexTokenRefused.
    """

    def __init__(
        self,
        simple_url: str,
        *,
        http: HttpClient,
        json_url: str | None = None,
        authorization: str | None = None,
        html: bool = False,
    ) -> None:
        self._address = Address.parse(simple_url.rstrip("/"))
        self._simple = self._address.url
        derived = f"{self._simple.removesuffix('/simple')}/pypi" if self._simple.endswith("/simple") else None
        self._json = derived if json_url is None else json_url.rstrip("/") or None
        self._authorization = authorization
        self._html = html
        self._http = http

    def project(self, name: str) -> IndexProject | None:
        """The project's page, past every cache; None when the index has no such project."""
        url = f"{self._simple}/{canonicalize_name(name)}/"
        answer = self._page(url, name)
        if answer is None or answer.status == 404:
            return None
        if self._html and answer.headers.get("content-type", "").partition(";")[0].strip().lower() in HTML_MEDIA:
            return read_html(answer.text, name=name, url=answer.url)
        project = IndexProject.read(answer.json(media=(_SIMPLE,)), url=answer.url)
        if project.name != canonicalize_name(name):
            raise AnswerInvalid(url=answer.url, defect=f"it is about {project.name!r}, not {name!r}")
        return project

    def listing(self) -> bool:
        """Whether there is a list of projects at the root of the pages, as PEP 503 asks for; it is not read."""
        url = f"{self._simple}/"
        accept = _SIMPLE_OR_HTML if self._html else _SIMPLE
        try:
            answer = self._http.request(
                "GET",
                url,
                headers=self._headers(url, accept=accept),
                expect=(200, 404),
                redirects=Redirects.SAME_ORIGIN,
                limit=1 << 20,
            )
        except AnswerTooLarge:
            return True
        return answer.status == 200

    def _page(self, url: str, name: str) -> Answer | None:
        """The answer for a project's page; None where the index sends us to another one's page of the project."""
        accept = _SIMPLE_OR_HTML if self._html else _SIMPLE
        try:
            return self._http.request(
                "GET",
                url,
                headers=self._headers(url, accept=accept),
                expect=(200, 404),
                redirects=Redirects.SAME_ORIGIN,
            )
        except RedirectRefused as error:
            there = urlsplit(error.location)
            elsewhere = there.hostname != self._address.host and there.path.rstrip("/").rpartition("/")[2]
            if self._html and elsewhere and canonicalize_name(elsewhere) == canonicalize_name(name):
                return None
            raise
        except UnexpectedStatus as error:
            given = self._authorization is not None
            if (given or self._html) and error.status in (401, 403):
                raise IndexTokenRefused(url=url, status=error.status, body=error.body, given=given) from error
            raise

    def release_files(self, name: str, version: Version | str) -> tuple[IndexFile, ...]:
        """The files of one version; none when there is no such project or version."""
        project = self.project(name)
        return () if project is None else project.release_files(version)

    def json_api(self, name: str, version: Version | str) -> Mapping[str, str] | None:
        """What the JSON API has of one version: file name to sha256. None when it has nothing, or there is none."""
        if self._json is None:
            return None
        url = f"{self._json}/{canonicalize_name(name)}/{quote(str(version), safe='!+')}/json"
        answer = self._http.request(
            "GET",
            url,
            headers=self._headers(url, accept="application/json"),
            expect=(200, 404),
            redirects=Redirects.SAME_ORIGIN,
        )
        if answer.status == 404:
            return None
        data = answer.json()
        try:
            return {str(file["filename"]): str(file["digests"]["sha256"]) for file in data["urls"]}
        except (KeyError, TypeError) as error:
            raise AnswerInvalid(url=url, defect="'urls' is no list of files with digests") from error

    def provenance(self, file: IndexFile) -> Mapping[str, Any] | None:
        """The file's provenance object (PEP 740) as JSON, unverified; None when the index has none."""
        if file.provenance is None:
            return None
        answer = self._http.request(
            "GET",
            file.provenance,
            headers=self._headers(file.provenance, accept=_INTEGRITY),
            expect=(200, 404),
            redirects=Redirects.SAME_ORIGIN,
        )
        if answer.status == 404:
            return None
        data = answer.json(media=(_INTEGRITY, "application/json"))
        if not isinstance(data, dict):
            raise AnswerInvalid(url=answer.url, defect="a provenance object was expected")
        return data

    def download(self, file: IndexFile, target: Path, *, progress: Progress | None = None) -> Downloaded:
        """Download a file; size and sha256 are checked against the index's own page."""
        return self._http.download(
            file.url,
            target,
            headers=self._headers(file.url, accept="*/*"),
            sha256=file.sha256,
            size=file.size,
            progress=progress,
        )

    def wait_for(
        self,
        name: str,
        expected: Mapping[str, str],
        *,
        budget_seconds: float = 1800.0,
        poll: float = 5.0,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        progress: Callable[[Propagation], None] | None = None,
    ) -> Propagation:
        """Ask until every file of ``expected`` (name to sha256) shows with its digest, or the budget ends.

        The budget's default is 30 minutes (facts: pypi, section 5). A wrong digest or a quarantined project ends the
        wait at once, an archived one when files lack. An index that does not answer is asked again; one that gives
        three unusable answers in a row raises AnswerInvalid. ``progress`` is called after every poll that did not
        end the wait.
        """
        start, polls, invalid = clock(), 0, 0
        while True:
            polls += 1
            try:
                seen, invalid = self._look(name, expected, polls=polls, seconds=clock() - start), 0
            except (Unreachable, ServiceDown, RateLimited, AnswerInvalid) as error:
                invalid = invalid + 1 if isinstance(error, AnswerInvalid) else 0
                if invalid == _INVALID:
                    raise
                seen = Propagation(
                    state=PropagationState.UNANSWERED,
                    waiting=tuple(sorted(expected)),
                    trouble=error.what,
                    polls=polls,
                    seconds=clock() - start,
                )
            left = budget_seconds - (clock() - start)
            if seen.state not in (PropagationState.ABSENT, PropagationState.UNANSWERED) or left <= 0:
                break
            if progress is not None:
                progress(seen)
            sleep(min(poll, left))
        if seen.state is not PropagationState.ABSENT:
            return seen
        try:
            published = self._published(name, expected, seen.waiting)
        except ServiceError as error:
            return replace(seen, trouble=error.what)
        return replace(seen, state=PropagationState.LAGGING) if published else seen

    def _look(self, name: str, expected: Mapping[str, str], *, polls: int, seconds: float) -> Propagation:
        """One poll: everything but lagging, which only the JSON API can tell."""
        waiting = tuple(sorted(expected))
        project = self.project(name)
        files = {} if project is None else {file.filename: file for file in project.files}
        there = [filename for filename in waiting if filename in files]
        wrong = {
            filename: (expected[filename], files[filename].sha256 or "no sha256")
            for filename in there
            if files[filename].sha256 != expected[filename]
        }
        absent = tuple(filename for filename in waiting if filename not in files)
        status = "active" if project is None else project.status
        if wrong:
            state = PropagationState.WRONG
        elif status == "quarantined":
            state = PropagationState.QUARANTINED
        elif not absent:
            state = PropagationState.VISIBLE
        else:
            state = PropagationState.ARCHIVED if status == "archived" else PropagationState.ABSENT
        return Propagation(
            state=state,
            visible=tuple(filename for filename in there if filename not in wrong),
            waiting=absent,
            wrong=wrong,
            reason="" if project is None else project.reason,
            polls=polls,
            seconds=seconds,
        )

    def _published(self, name: str, expected: Mapping[str, str], waiting: tuple[str, ...]) -> bool:
        """Whether the JSON API has every file still waited for, with our digest."""
        versions = {filename: version_of(filename) for filename in waiting}
        known: dict[str, str] = {}
        for version in {version for version in versions.values() if version is not None}:
            known |= self.json_api(name, version) or {}
        return all(known.get(filename) == expected[filename] for filename in waiting)

    def _headers(self, url: str, *, accept: str) -> dict[str, str]:
        headers = {"Accept": accept, **_FRESH}
        if self._authorization is not None and Address.parse(url).origin == self._address.origin:
            headers["Authorization"] = self._authorization
        return headers
