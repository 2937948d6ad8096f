"""What a command says on standard output: no secret, and nothing that moves the terminal, whoever wrote it."""

from __future__ import annotations

import typer

__all__ = ["say"]


def say(text: str) -> None:
    """Print ``text`` without any secret, by its shape and by this process's own variables, and printable."""
    from hephaestus.toolchain.redaction import shown

    typer.echo(shown(text))
