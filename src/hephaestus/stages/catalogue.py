"""The stages by their sessions' names: which class does each of them, imported when it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from hephaestus.stages.stage import Stage

__all__ = ["stage_of"]

_CLASSES: Mapping[str, tuple[str, str]] = {
    "build": ("build", "BuildStage"),
    "sign": ("sign", "SignDistributions"),
    "check": ("check", "CheckStage"),
    "upload-testpypi": ("upload", "UploadTestPyPI"),
    "smoke": ("smoke", "SmokeStage"),
    "upload-pypi": ("upload", "UploadPyPI"),
    "wheelhouse": ("wheelhouse", "WheelhouseStage"),
    "sign-wheelhouse": ("sign", "SignWheelhouse"),
    "github-release": ("github_release", "GitHubReleaseStage"),
    "verify": ("verify", "VerifyStage"),
}


def stage_of(name: str) -> Stage:
    """The stage of the session ``name``; raises KeyError."""
    module, kind = _CLASSES[name]
    stage: Stage = getattr(import_module(f"hephaestus.stages.{module}"), kind)()
    return stage
