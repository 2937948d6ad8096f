"""World and Policy: everything a stage may know about where it acts, as frozen data.

No stage may ask which world it is in; what differs between the two is written here as values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

__all__ = [
    "GITHUB_ISSUER",
    "ChildKind",
    "DirtyPolicy",
    "GitHub",
    "Index",
    "Policy",
    "Publisher",
    "Reproducibility",
    "Sigstore",
    "TagPolicy",
    "TestPyPIPolicy",
    "World",
]

#: The OIDC issuer of GitHub Actions, as it stands in certificates (facts: sigstore, section 1).
GITHUB_ISSUER = "https://token.actions.githubusercontent.com"


class ChildKind(StrEnum):
    """The kinds of child process; each gets exactly the environment it needs and nothing else."""

    BUILDER = "builder"  #: build frontends and backends: the user's index settings, no credential
    INSTALLER = "installer"  #: pip and uv: the user's index and proxy settings, no credential
    SIGNER = "signer"  #: sigstore and attestations: an identity, an empty HOME, no proxy, no configuration file
    UPLOADER = "uploader"  #: twine: an identity, an empty HOME, null keyring, no configuration file
    PROBE = "probe"  #: everything else (checks, verification, the released code itself): no credential at all


class DirtyPolicy(StrEnum):
    """What build does with a work tree that differs from the commit."""

    REFUSE = "refuse"
    LABEL = "label"


class TagPolicy(StrEnum):
    """Whether the commit must carry the release's tag, or the tag is assumed to be ``v<version>``."""

    REQUIRED = "required"
    ASSUMED = "assumed"


class TestPyPIPolicy(StrEnum):
    """Whether an unreachable Test PyPI stops the release, or is recorded and passed over."""

    __test__ = False  # the name begins with Test; pytest must not collect it

    REQUIRED = "required"
    OPTIONAL = "optional"


class Reproducibility(StrEnum):
    """What a difference between the two builds means; AUTO decides by the build backend."""

    AUTO = "auto"
    REQUIRE = "require"
    REPORT = "report"
    OFF = "off"


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What is allowed in this world, and how patient it is.

    ``propagation_seconds``: how long an index may take to show a file (facts: pypi, section 5: 30 minutes);
    ``poll_seconds``: how often it is asked meanwhile. ``left_out``: the stages that have no part in a release here,
    each with the reason; what they would have made is asked of nobody. ``waived``: codes of index rules that do not
    hold for the indexes of this world. ``annotated_tag``: build refuses a lightweight tag of the release.
    """

    dirty: DirtyPolicy
    tag: TagPolicy
    testpypi: TestPyPIPolicy = TestPyPIPolicy.REQUIRED
    prerelease_to_pypi: bool = False
    reproducible: Reproducibility = Reproducibility.AUTO
    propagation_seconds: float = 1800.0
    poll_seconds: float = 5.0
    left_out: Mapping[str, str] = field(default_factory=dict)
    waived: frozenset[str] = frozenset()
    annotated_tag: bool = False

    @property
    def signed(self) -> bool:
        """Whether distributions carry signatures and attestations in this world."""
        return "sign" not in self.left_out


@dataclass(frozen=True, kw_only=True)
class Index:
    """A package index: where it is written to and where it is read from.

    ``name`` is ours (``testpypi``, ``pypi``, or a configured one); ``repository`` is what twine is told
    (``--repository``); ``simple_url`` is the root of the simple pages and ends with a slash; ``json_url`` is the base
    of the JSON API (``<json_url>/NAME/json``), empty where there is none; ``environment`` is the GitHub environment of
    the Trusted Publisher.

    An index that is entered with a token: ``upload_url`` is told to twine in place of ``repository``,
    ``authorization`` is the header that reads its pages (in no repr), ``token_variable`` says where the token came
    from; its pages may be HTML (``html``), and a release may be completed at any time (``completion_days`` None).
    """

    name: str
    repository: str
    simple_url: str
    json_url: str
    upload_url: str = ""
    authorization: str = field(default="", repr=False)
    token_variable: str = ""
    html: bool = False
    completion_days: int | None = 14

    @property
    def target(self) -> tuple[str, ...]:
        """How twine is told where to upload to."""
        return ("--repository-url", self.upload_url) if self.upload_url else ("--repository", self.repository)

    @classmethod
    def at(cls, base: str, *, name: str) -> Index:
        """An index laid out like PyPI below ``base`` (no trailing slash); twine knows it by its own name."""
        return cls(
            name=name,
            repository=name,
            simple_url=f"{base}/simple/",
            json_url=f"{base}/pypi",
        )


@dataclass(frozen=True, kw_only=True)
class GitHub:
    """The GitHub REST API as this run reaches it. ``token`` never appears in a repr."""

    api_url: str
    uploads_url: str
    repository: str
    token: str = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Publisher:
    """The identity the project's publish workflow has: what certificates must say, what indexes expect."""

    repository: str
    workflow: str
    ref: str
    issuer: str = GITHUB_ISSUER
    assumed: bool = False

    @property
    def subject(self) -> str:
        """The certificate's subject alternative name (facts: sigstore, section 5)."""
        return f"https://github.com/{self.repository}/.github/workflows/{self.workflow}@{self.ref}"


@dataclass(frozen=True, kw_only=True)
class Sigstore:
    """How Sigstore is reached and trusted. ``trust_config`` None means the production instance through TUF."""

    trust_config: Path | None = None

    @property
    def options(self) -> tuple[str, ...]:
        """Global options of the ``sigstore`` command line; they stand before the subcommand."""
        return () if self.trust_config is None else ("--trust-config", str(self.trust_config))


@dataclass(frozen=True, kw_only=True)
class World:
    """One place to act in.

    ``label`` is recorded and shown, never branched upon. ``children`` holds one complete environment per kind
    of child. ``uploaders`` overrides it per index (each index has its own identity environment).
    ``addresses`` maps every volatile address (URLs with ports, paths of this machine) to a stable name that is
    kept in its place: nothing that is stored holds a port. ``state`` is where the stand-ins keep theirs.
    ``withheld`` names the credentials of the caller that no child gets to see: names only, never values.
    """

    label: str
    indexes: Mapping[str, Index]
    github: GitHub
    sigstore: Sigstore
    publisher: Publisher
    policy: Policy
    children: Mapping[ChildKind, Mapping[str, str]] = field(repr=False)
    uploaders: Mapping[str, Mapping[str, str]] = field(repr=False)
    addresses: Mapping[str, str] = field(default_factory=dict)
    state: Path | None = None
    withheld: tuple[str, ...] = ()

    def stable(self, text: str) -> str:
        """``text`` with every volatile address replaced by its stable name, longest address first."""
        for address in sorted(self.addresses, key=len, reverse=True):
            text = text.replace(address, self.addresses[address])
        return text
