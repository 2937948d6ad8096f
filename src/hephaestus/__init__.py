"""Hephaestus: the release of a Python package as named, rehearsable nox sessions."""

from __future__ import annotations

__all__ = ["DISTRIBUTION_NAME", "__version__"]

#: The distribution's name on every index; bare ``hephaestus`` belongs to someone else.
DISTRIBUTION_NAME = "hephaestus-toolkit"

__version__ = "0.2.5"
