"""How every command for people ends when something foreseeable is wrong: one message, exit code 1."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from hephaestus.release.errors import ReleaseError

__all__ = ["refusing"]


@contextmanager
def refusing() -> Iterator[None]:
    """Turn a ReleaseError into its message on stderr and exit code 1; anything else is a defect and passes."""
    try:
        yield
    except ReleaseError as error:
        from hephaestus.toolchain.redaction import shown

        typer.echo(shown(str(error)), err=True)
        raise typer.Exit(1) from error
