"""The private indexes a project configures: addresses, the token's variable, and what their pages say."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from packaging.utils import canonicalize_name

from hephaestus.diagnosis.case import Case
from hephaestus.diagnosis.line import Check, Line
from hephaestus.services.errors import AnswerInvalid, CertificateRefused, RedirectRefused, ServiceError
from hephaestus.services.http import HttpClient
from hephaestus.services.index import IndexClient, IndexProject
from hephaestus.services.private import IndexTokenRefused
from hephaestus.worlds.private import PrivateTarget, private_index, token_problem

__all__ = ["index_group", "private_lines"]

#: What says that the index, or our account of it, is wrong; every other failure may be over in a minute.
_LASTING = (AnswerInvalid, CertificateRefused, RedirectRefused)


def index_group(target: PrivateTarget) -> str:
    """The heading of one private index."""
    return f"private index {target.name}"


def private_lines(case: Case, target: PrivateTarget, http: HttpClient | None, *, named: bool = True) -> Iterator[Line]:
    """Three lines: addresses, token, pages. ``http`` None asks nobody. The index sees its own token and no other.

    Not ``named`` by anybody but pyproject.toml, it sees none: a clone would choose the variable and the address.
    """
    yield _addresses(case, target)
    yield _token(case, target)
    yield _pages(case, target, http, named=named)


def _check(target: PrivateTarget, code: str, subject: str, why: str, remedy: str) -> Check:
    return Check(code=f"{code}-{target.name}", group=index_group(target), subject=subject, why=why, remedy=remedy)


def _addresses(case: Case, target: PrivateTarget) -> Line:
    """What can be told of them without asking; that they are https, or on this machine, the configuration has said."""
    table = f"[tool.hephaestus.release.indexes.{target.name}]"
    check = _check(
        target, "index-addresses", "addresses",
        "twine posts files and the token to the one; installers, and we, read the pages below the other",
        f"correct `upload-url` and `simple-url` in {table}",
    )  # fmt: skip
    simple, upload = target.config.simple_url, target.config.upload_url
    last = urlsplit(simple).path.rstrip("/").rpartition("/")[2]
    if canonicalize_name(last) == case.project.normalized:
        return check.failed(f"simple-url {simple} is the page of the project, not the root of all pages")
    apart = "" if urlsplit(simple).hostname == urlsplit(upload).hostname else "; they are on two hosts"
    return check.passed(f"read from {simple}, written to {upload} (only an upload tries that one){apart}")


def _token(case: Case, target: PrivateTarget) -> Line:
    variable = target.config.token_variable
    check = _check(
        target, "index-token", "token",
        "it is all the index knows us by; it is read from the environment and kept in no file",
        f"set {variable} where the release is to run; give it the right to read and to upload",
    )  # fmt: skip
    problem = token_problem(target, case.environ)
    if not case.environ.get(variable, "").strip():
        return check.unknown(f"{variable} is not set here")
    return check.failed(f"{variable} {problem}") if problem else check.passed(f"{variable} is set")


def _pages(case: Case, target: PrivateTarget, http: HttpClient | None, *, named: bool) -> Line:
    check = _check(
        target, "index-pages", f"project {case.project.normalized}",
        "what the index has is told by SHA-256 from its simple pages (PEP 691 or PEP 503), before and after an upload",
        "correct `simple-url`: the address that installers are given as --index-url",
    )  # fmt: skip
    if http is None:
        return check.unknown("not asked (--offline)", remedy="run it again without --offline")
    if case.environ.get(target.config.token_variable, "").strip() and token_problem(target, case.environ):
        return check.unknown("not asked: the token can be none", remedy="correct the token first")
    if not named and case.environ.get(target.config.token_variable, "").strip():
        return check.unknown(
            "not asked: the token is sent where somebody names the index, not because pyproject.toml does",
            remedy=f"hephaestus doctor --index {target.name}",
        )
    index = private_index(target, environ=case.environ)
    client = IndexClient(
        index.simple_url, http=http, json_url="", authorization=index.authorization or None, html=index.html
    )
    try:
        page = client.project(case.project.name)
        if page is None and not client.listing():
            return check.unknown("nothing of that name, and no list of projects either: new, or another address")
        return _told(check, case, page)
    except IndexTokenRefused as error:
        return check.line_of(error, failed=bool(index.authorization))
    except ServiceError as error:
        return check.line_of(error, failed=isinstance(error, _LASTING))


def _told(check: Check, case: Case, page: IndexProject | None) -> Line:
    if page is None:
        return check.passed("the index answers, and does not have it yet: the first upload makes it")
    bare = [file.filename for file in page.files if file.version is not None and file.sha256 is None]
    if bare:
        return check.failed(
            f"{len(bare)} of {len(page.files)} files have no SHA-256: {', '.join(bare[:3])}",
            remedy="let the index name a SHA-256 for each file; what has none cannot be told from any other file",
        )
    if page.status not in ("active", "deprecated"):
        return check.failed(f"it is {page.status}: it takes no upload", remedy="ask those who run the index")
    versions = len({file.version for file in page.files} - {None})
    ours = page.release_files(case.project.version)
    there = f"; {len(ours)} files of {case.project.version} are there already" if ours else ""
    return check.passed(f"{versions} version{'' if versions == 1 else 's'}, every file with its SHA-256{there}")
