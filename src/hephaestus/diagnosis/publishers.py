"""The Trusted Publishers: what an index's form must hold, whether the name is free, and a trial of the exchange."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hephaestus.diagnosis.case import Case
from hephaestus.diagnosis.line import Check, Line, Question
from hephaestus.release.errors import ReleaseError
from hephaestus.release.indexes import PUBLIC_INDEXES
from hephaestus.release.rules import project_refusals
from hephaestus.services.errors import ServiceError
from hephaestus.services.http import HttpClient
from hephaestus.services.identity import AmbientIdentity, IdentityToken, TokenExchange, claim_differences
from hephaestus.services.index import IndexClient, IndexProject
from hephaestus.services.minting import IdentityError, IdentityMissing, IdentityPermissionMissing

__all__ = ["MintElsewhereError", "index_lines", "job_identity", "publisher_form"]


class MintElsewhereError(ReleaseError):
    """Raised when --mint is asked for where no CI service vouches for the process, or the job may not ask it to."""

    def __init__(self, *, workflow: str, tag: str, missing: ReleaseError) -> None:
        super().__init__(
            what=f"--mint: {missing.what}",
            why="only a job of the publishing workflow has the identity that the index would be shown",
            details=[
                f"in {workflow}, in the job that uploads: `permissions: id-token: write` and its `environment:`",
                "there, before the upload: `hephaestus doctor --mint --offline`",
            ],
            next_step=f"run that workflow on the tag: `gh workflow run {workflow} --ref {tag}`; without --mint the "
            "rest is looked at from anywhere",
        )


def publisher_form(case: Case, index: str, *, pending: bool) -> dict[str, str]:
    """What the index's form is to be filled in with, by the labels of its fields; a pending one names the project."""
    owner, _, name = case.repository.partition("/")
    form = {
        "Owner": owner,
        "Repository name": name,
        "Workflow name": case.workflow,
        "Environment name": case.environment(index),
    }
    return {"PyPI Project Name": case.project.normalized, **form} if pending else form


def job_identity(case: Case) -> AmbientIdentity:
    """The identity of the job we are in; raises MintElsewhereError where there is none."""
    try:
        return AmbientIdentity.of(case.environ)
    except (IdentityMissing, IdentityPermissionMissing) as error:
        raise MintElsewhereError(workflow=case.workflow, tag=case.project.tag, missing=error) from error


def index_lines(case: Case, http: HttpClient, *, identity: AmbientIdentity | None) -> Iterator[Line]:
    """Two lines per index: the project, and its publisher. With ``identity`` the exchange is tried."""
    for index in PUBLIC_INDEXES:
        base = case.addresses.indexes[index]
        client = IndexClient(f"{base}/simple/", http=http)
        found: IndexProject | None = None
        known = False
        check = _project_check(case, index)
        try:
            found, known = client.project(case.project.name), True
            yield _project(check, case, client, found)
        except ServiceError as error:
            yield check.unknown(error.what, remedy=error.next_step)
        publisher = _publisher_check(case, index, pending=known and found is None)
        if identity is None:
            yield publisher.unknown(
                "the index shows its publishers to the project's owners only",
                remedy="compare the form with these values; in a job of the workflow, --mint tries it",
            )
        else:
            trial = _Trial(case=case, index=index, identity=identity, http=http, exists=found is not None)
            yield Question(check=publisher, answer=trial.line).line()


def _project_check(case: Case, index: str) -> Check:
    return Check(
        code=f"project-{index}",
        group=PUBLIC_INDEXES[index],
        subject=f"project {case.project.normalized}",
        why="a pending publisher reserves no name: until the first upload anybody may take it",
        remedy="choose another `name` in [project], or be added to the project by its owners",
        page=f"{case.addresses.indexes[index]}/project/{case.project.normalized}/",
    )


def _publisher_check(case: Case, index: str, *, pending: bool) -> Check:
    base = case.addresses.indexes[index]
    page = (
        "/manage/account/publishing/" if pending else f"/manage/project/{case.project.normalized}/settings/publishing/"
    )
    return Check(
        code=f"publisher-{index}",
        group=PUBLIC_INDEXES[index],
        subject="trusted publisher" + (" (pending)" if pending else ""),
        why="one letter of difference, and the upload ends with invalid-publisher",
        remedy="Publishing, GitHub: fill in exactly these values",
        page=f"{base}{page}",
        values=tuple(publisher_form(case, index, pending=pending).items()),
    )


def _project(check: Check, case: Case, client: IndexClient, found: IndexProject | None) -> Line:
    if found is not None:
        shown = f"{len(found.versions)} versions, {found.status}"
        if found.status not in ("active", "deprecated"):
            return check.failed(
                f"{shown}: it takes no upload", remedy="unarchive it in its settings, or write to the index"
            )
        files = found.release_files(case.project.version)
        return check.passed(
            shown + (f"; {len(files)} files of {case.project.version} are there already" if files else "")
        )
    refused = project_refusals(case.project.name, exists=False)
    if refused:
        return check.failed("; ".join(one.message for one in refused))
    # What else is too similar only the index can tell; the name without its separators can be asked for.
    joined = case.project.normalized.replace("-", "")
    if joined != case.project.normalized and client.project(joined) is not None:
        return check.failed(f"{joined} exists there, and the index calls that too similar")
    return check.passed("not there yet: the first upload makes it (the index decides then whether it is too similar)")


class _Trial:
    """One exchange, tried as far as it changes nothing: the claims compared, a token minted and burned."""

    def __init__(self, *, case: Case, index: str, identity: AmbientIdentity, http: HttpClient, exists: bool) -> None:
        self._case = case
        self._index = index
        self._identity = identity
        self._http = http
        self._exists = exists

    def line(self, check: Check) -> Line:
        """The verdict; raises the errors of services for UNKNOWN."""
        case, index = self._case, self._index
        exchange = TokenExchange(case.addresses.indexes[index], name=PUBLIC_INDEXES[index], http=self._http)
        try:
            audience = exchange.audience()
            token = self._identity.token(audience, http=self._http)
            others = [case.environment(other) for other in PUBLIC_INDEXES if other != index]
            if token.claim("environment").casefold() in [name.casefold() for name in others]:
                return check.unknown(
                    f"this job is of environment {token.claim('environment')}",
                    remedy=f"run the same in the job of environment {case.environment(index)}",
                )
            if wrong := self._differences(token):
                return check.failed(f"this job's claims differ: {'; '.join(wrong)}", remedy=_CLAIMS)
            if not self._exists:
                return check.unknown(
                    "the claims are as the form must have them; nothing was exchanged, since the first exchange of a "
                    "pending publisher makes the project",
                    remedy="compare the form with these values; the first upload makes the exchange",
                )
            burned = exchange.burn(exchange.mint(token))
        except IdentityError as error:
            return check.failed(error.what, remedy=f"{error.next_step}{_shown(error.details)}")
        left = "burned" if burned else "left to expire within 15 minutes (this index cannot burn)"
        return check.passed(f"a token was minted for {case.repository}, {case.workflow}, and {left}")

    def _differences(self, token: IdentityToken) -> Sequence[str]:
        case = self._case
        found = claim_differences(
            token,
            repository=case.repository,
            workflow=case.workflow,
            ref=f"refs/tags/{case.project.tag}",
            environment=case.environment(self._index),
        )
        return [f"{one.claim} is {one.actual}, not {one.expected}" for one in found]


_CLAIMS = "run it on the tag, in the workflow file and the environment that pyproject.toml and the publisher name"


def _shown(details: Sequence[str]) -> str:
    return f" ({'; '.join(details)})" if details else ""
