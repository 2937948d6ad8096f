"""What an administrator of the stand-in's repository has set; the defaults are those of a new repository."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["Environment", "Policy", "Ruleset"]


@dataclass(kw_only=True)
class Ruleset:
    """Rules for tags or branches. ``include`` and ``exclude`` are ref patterns, ``~ALL`` and ``~DEFAULT_BRANCH`` too.

    ``bypass`` names the kinds of actor that may do all the same (``RepositoryRole``, ``DeployKey`` ...);
    ``enforcement`` is active, evaluate or disabled.
    """

    id: int
    name: str
    target: str
    rules: list[str]
    include: list[str]
    exclude: list[str] = field(default_factory=list)
    bypass: list[str] = field(default_factory=list)
    enforcement: str = "active"


@dataclass(kw_only=True)
class Environment:
    """A deployment environment; made bare, as GitHub makes one that a workflow names first.

    ``policies`` None: any branch and tag may deploy; ``"protected"``: protected branches; else pairs of a kind
    (``branch`` or ``tag``) and a name pattern. ``secrets`` and ``variables`` are names.
    """

    reviewers: list[str] = field(default_factory=list)
    prevent_self_review: bool = False
    can_admins_bypass: bool = True
    policies: list[list[str]] | str | None = None
    secrets: list[str] = field(default_factory=list)
    variables: list[str] = field(default_factory=list)


@dataclass(kw_only=True)
class Policy:
    """The settings of one repository. ``workflows`` maps the file names that GitHub has found to their state.

    ``protected`` are branches with a classic protection rule; ``organization_secrets`` those shared with it.
    """

    rulesets: list[Ruleset] = field(default_factory=list)
    protected: list[str] = field(default_factory=list)
    environments: dict[str, Environment] = field(default_factory=dict)
    workflows: dict[str, str] = field(default_factory=dict)
    sha_pinning_required: bool = False
    default_workflow_permissions: str = "read"
    secrets: list[str] = field(default_factory=list)
    variables: list[str] = field(default_factory=list)
    organization_secrets: list[str] = field(default_factory=list)
    organization_variables: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, told: dict[str, Any]) -> Policy:
        """The policy that was kept as JSON."""
        return cls(
            **{
                **told,
                "rulesets": [Ruleset(**one) for one in told.get("rulesets", [])],
                "environments": {name: Environment(**one) for name, one in told.get("environments", {}).items()},
            }
        )
