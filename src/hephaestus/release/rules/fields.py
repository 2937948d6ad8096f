"""The core metadata fields, as PyPI judges them at upload (core metadata specification; PEP 639, 508, 753)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from urllib.parse import urlsplit

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from hephaestus.release.metadata import CoreMetadata
from hephaestus.release.rules.judgement import Judgement

__all__ = ["METADATA_VERSIONS", "field_judgements"]

METADATA_VERSIONS = ("1.0", "1.1", "1.2", "2.1", "2.2", "2.3", "2.4", "2.5")
"""What PyPI takes: 2.0 was never final, 2.6 is not known to it [facts: pypi 1, 8]."""

_SUMMARY_LENGTH = 512
_LABEL_LENGTH = 32
_URL_LENGTH = 2083
_CONTENT_TYPES = ("text/plain", "text/x-rst", "text/markdown")
_MARKDOWN_VARIANTS = ("GFM", "CommonMark")
_SINGLE = (
    "metadata-version", "name", "version", "summary", "license", "license-expression", "keywords",
    "requires-python", "description-content-type", "home-page", "download-url", "author", "author-email",
    "maintainer", "maintainer-email",
)  # fmt: skip
_PYPROJECT = "correct it in pyproject.toml and build again"


def field_judgements(
    metadata: CoreMetadata, *, subject: str, classifiers: Collection[str] | None
) -> Iterable[Judgement]:
    """Judge every field. ``classifiers`` are the known ones; None: only ``Private ::`` can be told, and is."""
    yield from _required(metadata, subject)
    yield from _license(metadata, subject)
    yield from _classifiers(metadata, subject, classifiers)
    yield from _dependencies(metadata, subject)
    yield from _urls(metadata, subject)
    yield from _texts(metadata, subject)


def _invalid(field: str, value: str) -> str:
    return f"{value!r} is an invalid value for {field}."


def _required(metadata: CoreMetadata, subject: str) -> Iterable[Judgement]:
    declared = metadata.first("metadata-version")
    if declared not in METADATA_VERSIONS:
        yield Judgement.refused(
            "metadata-version",
            subject,
            f"Metadata-Version {declared!r} is not one the index knows ({', '.join(METADATA_VERSIONS)})",
            remedy="use a build backend that writes 2.4 (or one of those listed)",
            answer=f"{declared!r} is not a valid metadata version.",
        )
    for field in ("Name", "Version"):
        if not metadata.first(field):
            yield Judgement.refused(
                "field-missing",
                subject,
                f"the required field {field} is missing or empty",
                remedy=f"set `{field.lower()}` in pyproject.toml",
                answer=_invalid(field, ""),
            )
    for field in _SINGLE:
        if len(metadata.all(field)) > 1:
            yield Judgement.refused(
                "field-repeated",
                subject,
                f"the field {field} may stand once and stands {len(metadata.all(field))} times",
                remedy=_PYPROJECT,
                answer=f"Multiple values for {field}.",
            )
    for field, values in metadata.fields.items():
        if any("\udc80" <= character <= "\udcff" for value in values for character in value):
            yield Judgement.refused(
                "metadata-encoding",
                subject,
                f"the field {field} is not UTF-8",
                remedy=_PYPROJECT,
                answer=_invalid(field, "?"),
            )


def _license(metadata: CoreMetadata, subject: str) -> Iterable[Judgement]:
    expression = metadata.first("license-expression")
    if expression and metadata.first("license"):
        yield Judgement.refused(
            "license-twice",
            subject,
            "License and License-Expression are both given; PEP 639 allows one",
            remedy='keep `license = "<SPDX expression>"` and drop the license text or table',
            answer="License is deprecated when License-Expression is present.",
        )
    old = [value for value in metadata.all("classifier") if value.startswith("License ::")]
    if expression and old:
        yield Judgement.ours(
            "license-classifier",
            subject,
            f"the classifier {old[0]!r} stands beside the SPDX expression {expression!r} (PEP 639 forbids both)",
            remedy="remove every `License ::` classifier from pyproject.toml",
        )
    if expression:
        try:
            canonical = canonicalize_license_expression(expression)
        except InvalidLicenseExpression as error:
            yield Judgement.refused(
                "license-expression",
                subject,
                f"{expression!r} is not an SPDX license expression: {error}",
                remedy='write an SPDX expression, as in `license = "MIT"` or "Apache-2.0 OR MIT"',
                answer=_invalid("License-Expression", expression),
            )
        else:
            if canonical != expression:
                yield Judgement.warned(
                    "license-spelling",
                    subject,
                    f"the license expression is written {expression!r}; its normal form is {canonical!r}",
                    remedy=f'write `license = "{canonical}"`',
                )
    elif metadata.first("license") or old:
        yield Judgement.warned(
            "license-old-style",
            subject,
            "the license is given as text or classifier, not as an SPDX expression (PEP 639)",
            remedy='write `license = "<SPDX expression>"` and `license-files` in pyproject.toml',
        )
    else:
        yield Judgement.warned(
            "license-missing",
            subject,
            "no license is declared: nobody may legally use the distribution",
            remedy='set `license = "<SPDX expression>"` in pyproject.toml',
        )
    for path in metadata.all("license-file"):
        if path.startswith("/") or "\\" in path or ".." in path.split("/"):
            yield Judgement.refused(
                "license-file-path",
                subject,
                f"License-File {path!r} is no plain relative path (PEP 639)",
                remedy="correct `license-files` in pyproject.toml",
                answer=_invalid("License-File", path),
            )


def _classifiers(metadata: CoreMetadata, subject: str, known: Collection[str] | None) -> Iterable[Judgement]:
    for value in metadata.all("classifier"):
        private = value.startswith("Private ::")
        if private or (known is not None and value not in known):
            yield Judgement.refused(
                "classifier-private" if private else "classifier-unknown",
                subject,
                f"the classifier {value!r} keeps the distribution off every public index"
                if private
                else f"the classifier {value!r} is not in the official list",
                remedy="remove it from pyproject.toml (list: `trove-classifiers`)",
                answer=f"{value!r} is not a valid classifier.",
            )
    if known is None and metadata.all("classifier"):
        yield Judgement.warned(
            "classifiers-unchecked",
            subject,
            "the classifiers were not compared with the official list: trove-classifiers is not installed here",
            remedy="run the check stage, whose environment has it",
        )


def _dependencies(metadata: CoreMetadata, subject: str) -> Iterable[Judgement]:
    for text in metadata.all("requires-dist"):
        try:
            requirement = Requirement(text)
        except InvalidRequirement as error:
            yield Judgement.refused(
                "dependency-invalid",
                subject,
                f"Requires-Dist {text!r} cannot be read: {str(error).splitlines()[0]}",
                remedy=_PYPROJECT,
                answer=_invalid("Requires-Dist", text),
            )
            continue
        if requirement.url:
            yield Judgement.refused(
                "dependency-direct-url",
                subject,
                f"the dependency {text!r} is a direct URL, which no public index takes",
                remedy=f"depend on a released version: {requirement.name}>=...",
                answer=f"Can't have direct dependency: {text!r}.",
            )
    python = metadata.first("requires-python")
    if not python:
        yield Judgement.warned(
            "requires-python-missing",
            subject,
            "Requires-Python is missing: installers on old Pythons will pick this release and fail",
            remedy="set `requires-python` in pyproject.toml",
        )
        return
    try:
        SpecifierSet(python)
    except InvalidSpecifier:
        yield Judgement.refused(
            "requires-python",
            subject,
            f"Requires-Python {python!r} is not a version specifier (PEP 440)",
            remedy='write it as in `requires-python = ">=3.11"`',
            answer=_invalid("Requires-Python", python),
        )


def _urls(metadata: CoreMetadata, subject: str) -> Iterable[Judgement]:
    for entry in metadata.all("project-url"):
        label, comma, url = (part.strip() for part in entry.partition(","))
        trouble = ""
        if not comma or not label or not url:
            trouble = "it must be a label, a comma and a URL"
        elif len(label) > _LABEL_LENGTH:
            trouble = f"the label has {len(label)} characters, {_LABEL_LENGTH} are allowed"
        elif not _is_web_address(url):
            trouble = f"{url!r} is no http or https URL"
        if trouble:
            yield Judgement.refused(
                "project-url",
                subject,
                f"Project-URL {entry!r}: {trouble}",
                remedy="correct `[project.urls]` in pyproject.toml",
                answer=_invalid("Project-URL", entry),
            )
    for field in ("Home-Page", "Download-URL"):
        if (url := metadata.first(field)) and not _is_web_address(url):
            yield Judgement.refused(
                "home-page",
                subject,
                f"{field} {url!r} is no http or https URL",
                remedy=_PYPROJECT,
                answer=_invalid(field, url),
            )


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and len(url) <= _URL_LENGTH


def _texts(metadata: CoreMetadata, subject: str) -> Iterable[Judgement]:
    summary = metadata.first("summary")
    if "\n" in summary or "\r" in summary or len(summary) > _SUMMARY_LENGTH:
        yield Judgement.refused(
            "summary",
            subject,
            f"the summary must be one line of at most {_SUMMARY_LENGTH} characters, it has {len(summary)}",
            remedy="shorten `description` in pyproject.toml",
            answer=_invalid("Summary", summary[:40]),
        )
    elif not summary:
        yield Judgement.warned(
            "summary-missing", subject, "there is no summary", remedy="set `description` in pyproject.toml"
        )
    if " " in (keywords := metadata.first("keywords")) and "," not in keywords:
        yield Judgement.warned(
            "keywords-separator",
            subject,
            "the keywords are separated by spaces; indexes split them at commas",
            remedy="give `keywords` as a list in pyproject.toml",
        )
    if not metadata.description.strip():
        yield Judgement.warned(
            "description-missing",
            subject,
            "there is no long description: the project page will be empty",
            remedy='set `readme = "README.md"` in pyproject.toml',
        )
    declared = metadata.first("description-content-type")
    if declared:
        yield from _content_type(declared, subject)
    elif metadata.description.strip():
        yield Judgement.warned(
            "description-content-type-missing",
            subject,
            "the description's content type is missing: the index reads it as reStructuredText",
            remedy='set `readme = "README.md"` (the backend adds the type)',
        )


def _content_type(declared: str, subject: str) -> Iterable[Judgement]:
    kind, *parameters = (part.strip() for part in declared.split(";"))
    given = {
        name.strip().lower(): value.strip().strip('"')
        for name, _, value in (parameter.partition("=") for parameter in parameters if parameter)
    }
    charset = given.get("charset", "UTF-8")
    variant = given.get("variant", "GFM")
    if (
        kind.lower() not in _CONTENT_TYPES
        or charset.upper() != "UTF-8"
        or (kind.lower() == "text/markdown" and variant not in _MARKDOWN_VARIANTS)
        or not re.fullmatch(r"[\x20-\x7e]+", declared)
    ):
        yield Judgement.refused(
            "description-content-type",
            subject,
            f"Description-Content-Type {declared!r} is not one of {', '.join(_CONTENT_TYPES)} in UTF-8",
            remedy="name the readme file with .md or .rst, or correct its content-type in pyproject.toml",
            answer=_invalid("Description-Content-Type", declared),
        )
