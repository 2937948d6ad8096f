"""What an index keeps: projects, releases, files, tokens, and a journal of every upload attempt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

__all__ = ["Attempt", "Project", "PublisherConfig", "Release", "State", "Status", "StoredFile", "Token"]

Status = Literal["active", "archived", "quarantined"]


@dataclass(frozen=True, kw_only=True)
class PublisherConfig:
    """A Trusted Publisher as configured on an index: this workflow of this repository may upload this project.

    While the project does not exist it is a *pending* publisher, whose first mint creates the project.
    ``environment`` None accepts any; ``owner_id`` None leaves the owner's numeric id unchecked.
    """

    project: str
    repository: str
    workflow: str
    environment: str | None = None
    owner_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Token:
    """Who may upload what: kept under the SHA-256 of its text, never the text itself.

    ``projects`` None means all of the owner's; ``expires`` is seconds since the epoch or None.
    """

    kind: Literal["publisher", "user"]
    owner: str
    projects: tuple[str, ...] | None = None
    expires: float | None = None
    publisher: PublisherConfig | None = None


@dataclass(frozen=True, kw_only=True)
class StoredFile:
    """One distribution on the index. ``hidden`` counts the simple pages that still must not show it."""

    filename: str
    project: str
    version: str
    kind: Literal["wheel", "sdist"]
    size: int
    sha256: str
    md5: str
    blake2: str
    uploaded: float
    metadata_sha256: str | None = None
    requires_python: str = ""
    attestations: tuple[Mapping[str, Any], ...] = ()
    publisher: PublisherConfig | None = None
    hidden: int = 0


@dataclass(frozen=True, kw_only=True)
class Release:
    """One version. ``yanked`` is the reason (perhaps empty) or None; ``fields`` is the core metadata."""

    version: str
    created: float
    yanked: str | None = None
    fields: Mapping[str, Sequence[str]] = field(default_factory=dict)
    description: str = ""


@dataclass(frozen=True, kw_only=True)
class Project:
    """One project under its normalised name; ``name`` is the spelling it was created with."""

    name: str
    created: float
    owner: str
    status: Status = "active"
    reason: str = ""
    serial: int = 0
    releases: Mapping[str, Release] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One upload as it reached the index. ``status`` 0 means it was cut off or never answered."""

    time: float
    filename: str
    sha256: str
    size: int
    status: int = 0
    message: str = ""
    stored: bool = False


@dataclass(kw_only=True)
class State:
    """Everything an index knows, apart from the bytes of its files."""

    serial: int = 1
    projects: dict[str, Project] = field(default_factory=dict)
    files: dict[str, StoredFile] = field(default_factory=dict)
    burned: set[str] = field(default_factory=set)
    tokens: dict[str, Token] = field(default_factory=dict)
    used_jtis: dict[str, float] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The state as plain JSON values."""
        return {
            "schema": 1,
            "serial": self.serial,
            "projects": {key: asdict(project) for key, project in self.projects.items()},
            "files": {key: asdict(file) for key, file in self.files.items()},
            "burned": sorted(self.burned),
            "tokens": {key: asdict(token) for key, token in self.tokens.items()},
            "used_jtis": self.used_jtis,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> State:
        """Read what :meth:`to_json` wrote; raises KeyError or TypeError on anything else."""
        return cls(
            serial=data["serial"],
            projects={
                key: Project(
                    **{
                        **value,
                        "releases": {version: Release(**release) for version, release in value["releases"].items()},
                    }
                )
                for key, value in data["projects"].items()
            },
            files={
                key: StoredFile(
                    **{
                        **value,
                        "attestations": tuple(value["attestations"]),
                        "publisher": _publisher(value["publisher"]),
                    }
                )
                for key, value in data["files"].items()
            },
            burned=set(data["burned"]),
            tokens={
                key: Token(
                    **{
                        **value,
                        "projects": None if value["projects"] is None else tuple(value["projects"]),
                        "publisher": _publisher(value["publisher"]),
                    }
                )
                for key, value in data["tokens"].items()
            },
            used_jtis=dict(data["used_jtis"]),
        )


def _publisher(value: Mapping[str, Any] | None) -> PublisherConfig | None:
    return None if value is None else PublisherConfig(**value)
