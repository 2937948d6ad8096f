"""The chain: what each stage truly needs. Independent stages go on when one fails."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["REQUIRES", "closure"]

#: Stage to the stages whose outputs it takes in; the sessions' ``requires`` and the workflow's ``needs`` follow it.
REQUIRES: Mapping[str, tuple[str, ...]] = {
    "build": (),
    "sign": ("build",),
    "check": ("sign",),
    "upload-testpypi": ("check",),
    "smoke": ("upload-testpypi",),
    "upload-pypi": ("smoke",),
    "wheelhouse": ("build",),
    "sign-wheelhouse": ("wheelhouse",),
    "github-release": ("check", "sign-wheelhouse"),
    "verify": ("build",),
}


def closure(stage: str) -> tuple[str, ...]:
    """``stage`` and everything it rests on, in the order of the chain; raises KeyError for no stage."""
    found = {stage}
    waiting = [stage]
    while waiting:
        for other in REQUIRES[waiting.pop()]:
            if other not in found:
                found.add(other)
                waiting.append(other)
    return tuple(name for name in REQUIRES if name in found)
