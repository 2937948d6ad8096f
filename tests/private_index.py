"""An index as companies run them, over the stand-in's rules: a password for everything, HTML, redirects elsewhere."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from hephaestus.standins.faults import Faults
from hephaestus.standins.http import Request, Response
from hephaestus.standins.index import Attempt, Index

__all__ = ["PrivateIndex"]


def _none(*_: object) -> None:
    raise AssertionError("nobody exchanges identities or attestations with a private index")


class PrivateIndex:
    """Pages are HTML below ``/simple/``, uploads go to ``/upload/``; what it lacks, somebody else may have.

    ``asked`` collects the Authorization header of every request. ``denied`` answers every upload with that status,
    in place of the stand-in's rules; with ``json`` its pages are JSON, as the stand-in's are. ``open``: whoever stands
    inside the firewall reads its pages. ``hashes`` False leaves the SHA-256 out of them. ``instead`` answers first, and
    None from it lets the index answer.
    """

    def __init__(self, state: Path, *, user: str, password: str) -> None:
        self.faults = Faults()
        self.index = Index("internal", state, verify_token=_none, verify_attestation=_none, faults=self.faults)
        self.asked: list[str] = []
        self.denied = 0
        self.json = False
        self.open = False
        self.hashes = True
        self.instead: Callable[[Request], Response | None] = lambda _request: None
        self._login = _basic(user, password)
        self._inside = _basic("__token__", self.index.add_user_token(user))

    def handle(self, request: Request) -> Response:
        """Answer one request."""
        given = request.headers.get("authorization", "")
        self.asked.append(given)
        if (other := self.instead(request)) is not None:
            return other
        if given != self._login and not (self.open and request.method == "GET" and not given):
            return Response(status=401, body=b"who are you?", headers={"WWW-Authenticate": "Basic"})
        if request.path == "/upload/" and request.method == "POST":
            if self.denied:
                return Response(status=self.denied, body=b"<html>no</html>", headers={"Content-Type": "text/html"})
            inside = {**request.headers, "authorization": self._inside}
            return self.index.handle(replace(request, path="/legacy/", headers=inside))
        if request.path == "/simple/":
            return Response(body=b"<!DOCTYPE html>\n", headers={"Content-Type": "text/html"})
        if request.path.startswith("/simple/") and not self.json:
            return self._page(request)
        return self.index.handle(request)

    def served(self, project: str) -> dict[str, str]:
        """File name to sha256 of what it holds."""
        return {file.filename: file.sha256 for file in self.index.files(project)}

    def sent(self) -> list[Attempt]:
        """Every upload that got past the door, oldest first."""
        return self.index.journal()

    def _page(self, request: Request) -> Response:
        accept = {**request.headers, "accept": "application/vnd.pypi.simple.v1+json"}
        answer = self.index.handle(replace(request, headers=accept))
        name = canonicalize_name(request.path.split("/")[2])
        if answer.status == 404:
            return Response(status=303, headers={"Location": f"https://packages.example.org/simple/{name}/"})
        links = "".join(
            f'<a href="{html.escape(self._address(file))}"{_yank(file["yanked"])}>{file["filename"]}</a><br>\n'
            for file in json.loads(answer.body)["files"]
        )
        page = f"<!DOCTYPE html>\n<html><head><title>{name}</title></head><body>\n{links}</body></html>\n"
        return Response(body=page.encode(), headers={"Content-Type": "text/html; charset=utf-8"})

    def _address(self, file: Mapping[str, Any]) -> str:
        return f"{file['url']}#sha256={file['hashes']['sha256']}" if self.hashes else str(file["url"])


def _yank(yanked: bool | str) -> str:
    reason = yanked if isinstance(yanked, str) else ""
    return f' data-yanked="{html.escape(reason)}"' if yanked is not False else ""


def _basic(user: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"
