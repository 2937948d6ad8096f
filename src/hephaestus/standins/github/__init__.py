"""A stand-in for GitHub Releases: the part of the REST API that a release touches, with its real refusals."""

from hephaestus.standins.github.policy import Environment, Policy, Ruleset
from hephaestus.standins.github.service import FAULT_KINDS, GitHub

__all__ = ["FAULT_KINDS", "Environment", "GitHub", "Policy", "Ruleset"]
