"""``python -m hephaestus``: the same program as the ``hephaestus`` script."""

from __future__ import annotations

from hephaestus.cli import app

if __name__ == "__main__":
    app(prog_name="hephaestus")
