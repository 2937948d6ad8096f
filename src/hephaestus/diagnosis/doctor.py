"""The whole diagnosis: every line about this machine, GitHub and the indexes, in that order."""

from __future__ import annotations

from pathlib import Path

from hephaestus.diagnosis.case import Case
from hephaestus.diagnosis.line import Check, Diagnosis, Line
from hephaestus.diagnosis.machine import clock_question, machine_lines
from hephaestus.diagnosis.private import private_lines
from hephaestus.diagnosis.publishers import index_lines, job_identity
from hephaestus.diagnosis.repository import GROUP, repository_lines
from hephaestus.release.indexes import PUBLIC_INDEXES
from hephaestus.services import USER_AGENT
from hephaestus.services.http import HttpClient
from hephaestus.services.patience import Patience
from hephaestus.worlds.private import PrivateTarget, private_target

__all__ = ["diagnose", "diagnose_private"]

#: A person waits for the answer, so a service that stumbles is not asked for minutes.
_PATIENCE = Patience(connect_seconds=10.0, silence_seconds=20.0, attempts=3, longest_wait=4.0, budget_seconds=20.0)


#: What is for the workflow alone: a release to a private index needs neither it nor GitHub.
_OF_THE_WORKFLOW = ("repository-named", "remote", "workflow-file", "workflow-lock")


def diagnose_private(
    case: Case, target: PrivateTarget, *, offline: bool = False, patience: Patience = _PATIENCE
) -> Diagnosis:
    """Look at this machine and that index alone: no public service hears of the project."""
    here = [line for line in machine_lines(case) if line.code not in _OF_THE_WORKFLOW]
    with HttpClient(user_agent=USER_AGENT, patience=patience, ca_file=_authority(case)) as http:
        return Diagnosis.of(here, private_lines(case, target, None if offline else http))


def diagnose(case: Case, *, offline: bool = False, mint: bool = False, patience: Patience = _PATIENCE) -> Diagnosis:
    """Look at everything; ``offline`` asks neither GitHub nor, unless ``mint``, the public indexes.

    ``mint`` exchanges this job's identity for an upload token and burns it, wherever that makes no project.
    Raises MintElsewhereError, before anything is asked, where there is no identity; errors of a service become lines.
    """
    identity = job_identity(case) if mint else None
    with HttpClient(user_agent=USER_AGENT, patience=patience, ca_file=_authority(case)) as http:
        asked = clock_question(case, http)
        here = [*machine_lines(case), asked.check.unknown(_OFFLINE) if offline else asked.line()]
        private = [
            line
            for name in case.project.config.indexes
            for line in private_lines(case, private_target(case.project, name), None if offline else http, named=False)
        ]
        there = [_unasked(GROUP)] if offline else repository_lines(case, http)
        if offline and identity is None:
            return Diagnosis.of(here, there, map(_unasked, PUBLIC_INDEXES.values()), private)
        return Diagnosis.of(here, there, index_lines(case, http, identity=identity), private)


def _authority(case: Case) -> Path | None:
    """The certificates that twine would trust: it reads this variable, and OpenSSL by itself only SSL_CERT_FILE."""
    named = case.environ.get("REQUESTS_CA_BUNDLE", "")
    return Path(named) if named and Path(named).is_file() else None


_OFFLINE = "not asked (--offline)"


def _unasked(group: str) -> Line:
    check = Check(
        code=f"not-asked-{group.lower().replace(' ', '-')}",
        group=group,
        subject="everything",
        why="settings of the services are half of what keeps a release safe",
        remedy="run it again without --offline",
    )
    return check.unknown(_OFFLINE)
