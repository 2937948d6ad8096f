"""A project's page in HTML (PEP 503), for indexes that have no JSON: devpi, pypiserver, GitLab and their like."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from packaging.utils import canonicalize_name

from hephaestus.services.errors import AnswerInvalid, excerpt
from hephaestus.services.project import IndexFile, IndexProject, plain_name

__all__ = ["HTML_MEDIA", "read_html"]

#: The content types of such a page (PEP 503, PEP 691).
HTML_MEDIA = ("text/html", "application/vnd.pypi.simple.v1+html")

_DISTRIBUTIONS = (".whl", ".tar.gz", ".zip")
_SHA256 = re.compile(r"sha256=([0-9a-f]{64})\Z")


def read_html(text: str, *, name: str, url: str) -> IndexProject:
    """Read the page of the project ``name`` at ``url``. Raises AnswerInvalid for a page that is none of an index.

    Links to anything but distributions are passed over. Sizes and times are not told by such pages.
    """
    page = _Page()
    page.feed(text)
    page.close()
    if page.login:
        raise AnswerInvalid(url=url, defect="a page that asks for a password")
    if page.interface.partition(".")[0] != "1":
        raise AnswerInvalid(url=url, defect=f"'pypi:repository-version' is {page.interface!r}, not 1.x")
    files: dict[str, IndexFile] = {}
    for href, yanked in page.links:
        try:
            place = urljoin(urljoin(url, page.base), href)
            filename = unquote(urlsplit(place).path).rpartition("/")[2]
        except ValueError as error:
            raise AnswerInvalid(url=url, defect=f"{href!r} is no address") from error
        if not filename.endswith(_DISTRIBUTIONS) or not plain_name(filename):
            continue
        address, fragment = urldefrag(place)
        sha256 = _SHA256.match(fragment)
        file = IndexFile(filename=filename, url=address, sha256=sha256[1] if sha256 else None, yanked=yanked)
        if files.setdefault(filename, file).sha256 != file.sha256:
            raise AnswerInvalid(url=url, defect=f"{filename} is listed twice, with two digests")
    if files and all(file.sha256 is None for file in files.values()):
        raise AnswerInvalid(url=url, defect="its links carry no sha256 (PEP 503), so nobody can tell what it holds")
    return IndexProject(
        name=canonicalize_name(name), files=tuple(files.values()), status=page.status, reason=excerpt(page.reason)
    )


class _Page(HTMLParser):
    """What a page says: its links with their yanks, and its meta elements (PEP 592, PEP 629, PEP 792)."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[tuple[str, bool | str]] = []
        self.base = ""
        self.login = False
        self._told: dict[str, str] = {}

    @property
    def interface(self) -> str:
        """The version of the interface; pages before PEP 629 do not tell it."""
        return self._told.get("pypi:repository-version", "1.0")

    @property
    def status(self) -> str:
        """The project's status."""
        return self._told.get("pypi:project-status", "") or "active"

    @property
    def reason(self) -> str:
        """Why it is so."""
        return self._told.get("pypi:project-status-reason", "")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take one element in."""
        given = {name: value or "" for name, value in attrs}
        if tag == "a" and given.get("href"):
            self.links.append((given["href"], given.get("data-yanked", False)))
        elif tag == "base" and not self.base:
            self.base = given.get("href", "")
        elif tag == "meta" and given.get("name", "").startswith("pypi:"):
            self._told[given["name"]] = given.get("content", "")
        elif tag == "input" and given.get("type", "").lower() == "password":
            self.login = True
