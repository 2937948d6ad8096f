"""What a host needs to know: the project it stands in for, and the stand-ins as their listeners see them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    # Every session of a chain reads Configuration; only the host needs what serves.
    from hephaestus.standins.http import Handler

__all__ = ["INDEX_NAMES", "Configuration", "Services"]

#: The host names that unmodified clients use, by the index that answers for them (facts: pypi, sections 8 and 12).
INDEX_NAMES: Mapping[str, tuple[str, ...]] = {
    "pypi": ("pypi.org", "upload.pypi.org", "pypi.python.org"),
    "testpypi": ("test.pypi.org", "upload.test.pypi.org", "testpypi.python.org"),
}


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """What the stand-ins must know of the project: whose uploads the indexes accept.

    ``repository`` is ``OWNER/NAME``; ``workflow`` the publishing workflow's file name; ``environments`` the
    deployment environment of each index's trusted publisher.
    """

    project: str
    repository: str
    workflow: str
    environments: Mapping[str, str]

    @classmethod
    def read(cls, content: bytes) -> Configuration:
        """Read the JSON that ``write`` makes; raises ValueError for anything else."""
        table = json.loads(content)
        if not isinstance(table, dict) or set(table) != {field.name for field in fields(cls)}:
            raise ValueError("exactly project, repository, workflow and environments are needed")
        environments = table["environments"]
        if not isinstance(environments, dict) or set(environments) != set(INDEX_NAMES):
            raise ValueError("environments must name one environment per index")
        texts = [table["project"], table["repository"], table["workflow"], *environments.values()]
        if not all(isinstance(text, str) for text in texts):
            raise ValueError("project, repository, workflow and environments must be text")
        return cls(**table)

    def write(self) -> bytes:
        """Canonical JSON: equal configurations have equal bytes."""
        return json.dumps({**asdict(self), "environments": dict(self.environments)}, sort_keys=True).encode()

    @property
    def digest(self) -> str:
        """SHA-256 of ``write``, in hex."""
        return hashlib.sha256(self.write()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Services:
    """The opened stand-ins. ``handlers`` holds one handler per listener; ``trust_config`` takes their URLs by the
    same names; ``job`` takes the issuer's URL, identity claims and an environment, and returns a job's variables;
    ``push`` puts commits (oldest first) and a tag on the last of them where GitHub has them;
    ``faults`` names the kinds of fault each service knows.
    """

    handlers: Mapping[str, Handler]
    trust_config: Callable[[Mapping[str, str]], Mapping[str, Any]]
    job: Callable[[str, Mapping[str, Any], str], Mapping[str, str]]
    push: Callable[[Sequence[str], str], None]
    faults: Mapping[str, Collection[str]]
