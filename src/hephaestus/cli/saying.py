"""What a command says on standard output: never a secret, whoever wrote it into a page that is quoted."""

from __future__ import annotations

import typer

__all__ = ["say"]


def say(text: str) -> None:
    """Print ``text`` without any secret, by its shape and by the values of this process's own variables."""
    from hephaestus.toolchain.redaction import redact

    typer.echo(redact(text))
