"""The identity a release must have been signed under: one repository, one workflow file, one ref, one issuer."""

from __future__ import annotations

import re
from dataclasses import dataclass

from hephaestus.release.errors import ReleaseError
from hephaestus.worlds.world import GITHUB_ISSUER

__all__ = ["GITHUB_ISSUER", "PUBLISH_WORKFLOW", "Identity", "IdentityRefused"]

#: The workflow file that publishes, unless a project says otherwise.
PUBLISH_WORKFLOW = "publish-pypi.yml"

_REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}/(?!\.{1,2}\Z)[A-Za-z0-9._-]{1,100}\Z")
_WORKFLOW = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*\.ya?ml\Z")
# What git allows in a ref's name (git check-ref-format), less what could be read as a pattern.
_REF = re.compile(r"refs/(?:tags|heads)/(?!.*(?:\.\.|//|/\.|\.lock\Z))[A-Za-z0-9_][A-Za-z0-9._/+!-]*(?<![./])\Z")
_ISSUER = re.compile(r"https://[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?(?:/[A-Za-z0-9._~/-]*)?\Z")


class IdentityRefused(ReleaseError):
    """Raised when an identity is no exact one: a pattern, an empty part, no ref."""

    def __init__(self, *, field: str, value: str, form: str) -> None:
        self.field = field
        super().__init__(
            what=f"the expected {field} {value!r} names no single one: {form}",
            why="whoever can get a certificate for anything that a pattern admits could have signed the release",
            next_step=f"give the exact {field}",
        )


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Who must have signed. ``ref`` is the whole ref (``refs/tags/v1.2.3``); raises IdentityRefused for a pattern.

    Fulcio writes repository, workflow file and ref of the job into the certificate (facts: sigstore, section 5).
    """

    repository: str
    ref: str
    workflow: str = PUBLISH_WORKFLOW
    issuer: str = GITHUB_ISSUER

    def __post_init__(self) -> None:
        for field, pattern, form in (
            ("repository", _REPOSITORY, "OWNER/NAME"),
            ("workflow", _WORKFLOW, "the file's name, like publish-pypi.yml"),
            ("ref", _REF, "refs/tags/TAG or refs/heads/BRANCH"),
            ("issuer", _ISSUER, "an https address"),
        ):
            value = getattr(self, field)
            if not pattern.match(value):
                raise IdentityRefused(field=field, value=value, form=form)

    @classmethod
    def of_tag(
        cls, repository: str, tag: str, *, workflow: str = PUBLISH_WORKFLOW, issuer: str = GITHUB_ISSUER
    ) -> Identity:
        """The publish workflow of ``repository`` at ``tag``; raises IdentityRefused."""
        return cls(repository=repository, ref=f"refs/tags/{tag}", workflow=workflow, issuer=issuer)

    @property
    def subject(self) -> str:
        """The certificate's subject alternative name."""
        return f"https://github.com/{self.repository}/.github/workflows/{self.workflow}@{self.ref}"
