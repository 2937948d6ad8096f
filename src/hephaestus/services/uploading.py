"""What an index answers to an upload, translated: what it means, whether waiting helps, what to do.

The beginnings of the messages are those of PyPI's own server (facts: pypi, section 1, measured and read on
2026-11-22). They are looked for anywhere in what twine prints, in order: an answer that says more stands before one
that says less. The codes of the token exchange are ``services.minting``'s.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from hephaestus.release.versions import bump_command
from hephaestus.services.errors import excerpt
from hephaestus.services.minting import explain_mint

__all__ = ["UPLOAD_ANSWERS", "UploadAnswer", "explain_upload", "file_refused"]


@dataclass(frozen=True, kw_only=True)
class UploadAnswer:
    """One kind of answer: a regular expression for its words, their meaning, and what to do.

    ``why`` is the usual cause where the meaning does not tell; ``transient``: the same upload may succeed later,
    unchanged. ``burned``: the name of the file that was refused is used up for ever.
    """

    pattern: str
    meaning: str
    remedy: str
    why: str = ""
    transient: bool = False
    burned: bool = False

    def way_on(self, version: str) -> str:
        """The remedy for ``version``: where it says to raise that, with the command that does."""
        return self.remedy.replace(_RAISE, f"{_RAISE} (`{bump_command(version)}`)")


_RAISE = "raise the version"
_NEW_VERSION = f"{_RAISE} and release that; this one can never be completed"
_AGAIN = "run the same command again in a few minutes"
_REPORT = "`nox -s check` should have said so: report it"
_MEND = f"{_RAISE} and run `nox -s release` again; {_REPORT}"
_SETTINGS = "look at the project's settings on the index: collaborators, publishers, archived or not"
_ATTESTATIONS = "Invalid attestations supplied during upload: "

#: In the order of the facts' table; what follows them says less.
UPLOAD_ANSWERS: Sequence[UploadAnswer] = (
    UploadAnswer(
        pattern="File already exists",
        meaning="the index has other bytes under this name, or these bytes under another one",
        remedy=_NEW_VERSION,
    ),
    UploadAnswer(
        pattern="previously used by a file that has since been deleted|filename has already been used",
        meaning="this file name was used and deleted; a name is used once for ever",
        remedy=_NEW_VERSION,
        burned=True,
    ),
    UploadAnswer(
        pattern=r"Uploading new files to releases older than",
        meaning="the release is older than 14 days and takes no more files",
        remedy=_NEW_VERSION,
    ),
    UploadAnswer(
        pattern="Only one sdist may be uploaded",
        meaning="the release has an sdist already, another one than ours",
        remedy=_NEW_VERSION,
    ),
    UploadAnswer(
        pattern=r"Filename '[^\n]*' is invalid, should be",
        meaning="the file's name is not the normalised one of its project and version (PEP 625, PEP 427)",
        remedy=f"build with a current backend, {_MEND}",
    ),
    UploadAnswer(
        pattern=r"Invalid distribution file",
        meaning="the index cannot read the file as the distribution its name says",
        remedy=f"build it anew, {_MEND}",
    ),
    UploadAnswer(
        pattern="The digest supplied does not match",
        meaning="the bytes that arrived are not those that were read: the file or the transfer changed meanwhile",
        remedy="`nox -s check` compares the files with the manifest; then run the same command again",
    ),
    UploadAnswer(
        pattern=r"Binary wheel '[^\n]*' has an unsupported platform tag",
        meaning="the wheel's platform tag is one that no index takes, such as linux_x86_64",
        remedy=f"repair the wheel (auditwheel, delocate) or build it for manylinux, {_MEND}",
    ),
    UploadAnswer(
        pattern="The use of local versions in",
        meaning="the version has a local part (`+...`), which no public index takes",
        remedy="release a version without it",
    ),
    UploadAnswer(
        pattern="Can't have direct dependency",
        meaning="a dependency is an address (`name @ https://...`); an index takes names and versions only",
        remedy=f"depend on a published version, {_MEND}",
    ),
    UploadAnswer(
        pattern=r"is not a valid classifier",
        meaning="a classifier is unknown to the index, or `Private ::`, which exists to keep a project off it",
        remedy=f"correct `classifiers` in pyproject.toml, {_MEND}",
    ),
    UploadAnswer(
        pattern=r"is not a valid metadata version",
        meaning="the metadata is of a version that the index does not take",
        remedy=f"build with a backend whose metadata version the index knows, {_MEND}",
    ),
    UploadAnswer(
        pattern=r"isn't allowed \(conflict with Python Standard Library",
        meaning="the project has the name of a module of Python's own library",
        remedy="choose another project name: nobody can have this one",
    ),
    UploadAnswer(
        pattern=r"The name '[^']*' isn't allowed\.",
        meaning="the index gives a project of this name to nobody",
        remedy="choose another project name, or ask the index's administrators",
    ),
    UploadAnswer(
        pattern="is too similar to an existing project",
        meaning="the project's name is too similar to another one's there",
        remedy="choose another project name",
    ),
    UploadAnswer(
        pattern="File too large",
        meaning="the file is larger than the index takes",
        remedy="ask the index for a higher limit, or make the distribution smaller and raise the version",
    ),
    UploadAnswer(
        pattern="Project size too large",
        meaning="all files of the project together are more than the index takes; yanking frees nothing",
        remedy="ask the index for a higher limit; deleting old files frees room and breaks whoever pins them",
    ),
    UploadAnswer(
        pattern=f"{_ATTESTATIONS}Attestations are only supported when using Trusted Publishing",
        meaning="attestations came with a token that was not minted by Trusted Publishing",
        remedy="remove every API token from this environment and publish from the workflow",
    ),
    UploadAnswer(
        pattern=f"{_ATTESTATIONS}Unknown error while trying to verify",
        meaning="the index could not verify the attestations at the moment; Sigstore may be in trouble",
        remedy=_AGAIN,
        transient=True,
    ),
    UploadAnswer(
        pattern=f"{_ATTESTATIONS}Could not verify",
        meaning="the index refuses the attestations: they are not of its publisher's repository and workflow",
        remedy="compare the publisher's repository and workflow with those that signed: `nox -s check` names them",
    ),
    UploadAnswer(
        pattern=_ATTESTATIONS.rstrip(),
        meaning="the index refuses the attestations for their form",
        remedy=f"update the suite; {_REPORT}",
    ),
    UploadAnswer(
        pattern="Non-user identities cannot create new projects",
        meaning="the project does not exist there and the publisher is not pending for this name",
        remedy="add a pending Trusted Publisher for this project on the index, then run the same command again",
    ),
    UploadAnswer(
        pattern="Organization account owning this project is inactive",
        meaning="the owning organisation is inactive",
        remedy="an owner of the organisation must set it right on the index, then run the same command again",
    ),
    UploadAnswer(
        pattern=r"Invalid API Token: [^\n]*[Ee]xpired",
        meaning="the upload token expired midway; the next attempt mints a new one",
        remedy=_AGAIN,
        transient=True,
    ),
    UploadAnswer(
        pattern=r"Invalid API Token: [^\n]*not valid for project",
        meaning="the token is for another project: the publisher of these claims belongs to that one",
        remedy="add the Trusted Publisher in the settings of this very project, then re-run the job",
    ),
    UploadAnswer(
        pattern="Invalid or non-existent authentication|Invalid API Token",
        meaning="the index does not accept the credential",
        remedy="re-run the job: Trusted Publishing mints a new one",
    ),
    UploadAnswer(
        pattern="Username/Password authentication is no longer supported",
        meaning="a user name and password were given, which the index does not accept any more",
        remedy="remove them from this environment and publish from the workflow: it needs none",
    ),
    UploadAnswer(
        pattern="does not have a verified primary email|does not have two-factor authentication",
        meaning="the account that uploads lacks a verified e-mail address or two-factor authentication",
        remedy="its owner sets that right on the index; better, publish from the workflow, which needs no account",
    ),
    UploadAnswer(
        pattern="isn't allowed to upload to project",
        meaning="this identity may not upload to the project, or the project is archived",
        remedy=f"{_SETTINGS}; then run the same command again",
    ),
    UploadAnswer(
        pattern="Read-only mode|uploads are temporarily disabled",
        meaning="the index takes no uploads at the moment",
        remedy=_AGAIN,
        transient=True,
    ),
    UploadAnswer(
        pattern="Too many new projects created",
        meaning="too many new projects were made from here; this counts first releases only",
        remedy="wait an hour, then run the same command again",
    ),
)

#: What is no answer of an index, or fits many. Statuses count only where twine names one: file names and versions
#: hold numbers too.
_GENERAL = (
    UploadAnswer(
        pattern="not supported for trusted publishing|Credential not found|OIDC token request failed \\(code=40[13]",
        meaning="there is no OIDC identity here: this is no CI job, or it lacks `id-token: write`",
        remedy="publish from the workflow; a job needs `permissions: id-token: write`",
    ),
    UploadAnswer(
        pattern="403 [^\n]*/_/oidc/audience",
        meaning="the index has Trusted Publishing switched off at the moment",
        remedy=_AGAIN,
        transient=True,
    ),
    UploadAnswer(
        pattern="token-minting request returned invalid JSON|5\\d\\d [^\n]*/_/oidc/",
        meaning="the Trusted Publishing exchange failed: the index has trouble, or cannot reach the identities' issuer",
        remedy=_AGAIN,
        transient=True,
    ),
    UploadAnswer(
        pattern="audience claim mismatch",
        meaning="the Trusted Publishing exchange failed: the identity token is for another audience",
        remedy="re-run the job; if it stays, look at what sets the variables of the identity endpoint",
    ),
    UploadAnswer(
        pattern="Unable to retrieve an OIDC token",
        meaning="the Trusted Publishing exchange failed: the CI service gave no identity token",
        remedy=_AGAIN,
        transient=True,
    ),
    UploadAnswer(
        pattern="RedirectDetected|[Aa]ttempted to redirect",
        meaning="the index answered with a redirect, which an upload must not follow",
        remedy="correct the index's address in the configuration",
    ),
    UploadAnswer(
        pattern="CERTIFICATE_VERIFY_FAILED|certificate verify failed",
        meaning="the index's certificate is not trusted here",
        remedy="look at the proxy and certificate settings of this machine",
    ),
    UploadAnswer(
        pattern=r"(?:HTTPError: |Received \")429\b",
        meaning="the index asks to slow down (429)",
        remedy=_AGAIN,
        transient=True,
    ),
    UploadAnswer(
        pattern=r"(?:HTTPError: |Received \")(?:408|5\d\d)\b",
        meaning="the index failed to take it (408 or 5xx)",
        remedy=_AGAIN,
        transient=True,
    ),
    UploadAnswer(
        pattern="TrustedPublishingFailure",
        meaning="the Trusted Publishing exchange failed",
        remedy="re-run the job; if it stays, compare the publisher in the project's settings",
    ),
    UploadAnswer(
        pattern="ConnectionError|Connection aborted|RemoteDisconnected|Connection reset|[Tt]imed? ?out|ProtocolError|"
        "Max retries|SSLError|SSLEOFError|did not end within|said nothing for",
        meaning="the connection to the index broke or went silent",
        remedy=_AGAIN,
        transient=True,
    ),
)

#: How twine tells the codes of a refused mint, one a line.
_MINT_CODE = re.compile(r"^\s*\* `([^`\n]+)`: ", re.MULTILINE)
#: How twine tells a status, and under it the index's own words.
_STATUS = re.compile(r"HTTPError: (\d{3} [^\n]*?) from \S+\s*\n\s*([^\n]*)")
#: What twine says of an exchange that went well; it would be taken for one that did not.
_PROGRESS = re.compile(r"Got OIDC token for audience|Minted upload token|Uploading (?:distributions to )?\S+\s*$")


def file_refused(output: str) -> str:
    """The name of the file that twine was sending when it ended, which is the one that was refused; or empty."""
    names = re.findall(r"^Uploading (\S+\.(?:whl|tar\.gz))\s*$", output, re.MULTILINE)
    return str(names[-1]) if names else ""


def explain_upload(output: str) -> UploadAnswer:
    """What twine's ``output`` means; an answer that nobody knows is passed on in the index's own words."""
    said = "\n".join(line for line in output.splitlines() if not _PROGRESS.search(line))
    if found := next((answer for answer in UPLOAD_ANSWERS if re.search(answer.pattern, said)), None):
        return found
    if code := _MINT_CODE.search(said):
        mint = explain_mint(code[1])
        return UploadAnswer(
            pattern=_MINT_CODE.pattern,
            meaning=f"no upload token, the index says: {mint.meaning}",
            remedy=mint.remedy,
            why=mint.why,
            transient=mint.transient,
        )
    if found := next((answer for answer in _GENERAL if re.search(answer.pattern, said)), None):
        return found
    unknown = UploadAnswer(
        pattern="",
        meaning="twine ended without an answer of the index that is known to this suite",
        remedy="read what it says above; the same command again sends only what is missing",
    )
    if status := _STATUS.search(said):
        words = excerpt(f"{status[1]}: {status[2]}" if status[2].strip() else status[1])
        return replace(unknown, meaning=f"the index's answer is not known to this suite, word for word: {words}")
    return unknown
