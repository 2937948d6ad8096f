"""``hephaestus release``: how a release of the project in this folder stands, and what can be done about it."""

from __future__ import annotations

import typer

from hephaestus.cli.audit import audit
from hephaestus.cli.install import install
from hephaestus.cli.metrics import metrics
from hephaestus.cli.notes import notes
from hephaestus.cli.plan import plan
from hephaestus.cli.rollback import rollback
from hephaestus.cli.status import status
from hephaestus.cli.verify import verify

__all__ = ["release"]

release = typer.Typer(
    name="release",
    help="A release: how it stands, what a run would do; verified, installed, taken back.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
)


@release.callback()
def about() -> None:
    """A release: how it stands, what a run would do; verified, installed, taken back."""


release.command()(status)
release.command()(plan)
release.command()(notes)
release.command()(verify)
release.command()(install)
release.command()(audit)
release.command()(rollback)
release.command()(metrics)
