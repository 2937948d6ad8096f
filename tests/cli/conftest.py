"""The clinic of the diagnosis, for its command."""

from diagnosis.conftest import clinic, desks, template

__all__ = ["clinic", "desks", "template"]
