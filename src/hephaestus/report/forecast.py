"""What a run would do, for people and as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from hephaestus.inspection.forecast import Forecast
from hephaestus.inspection.run import Run
from hephaestus.release.project import Project

__all__ = ["forecast_data", "render_forecast"]


def render_forecast(project: Project, forecast: Forecast, *, run: Run) -> str:
    """A line a stage with its verdict and why; below it every effect outside, labelled by whether it can be undone."""
    lines = ["", f"{project.normalized} {project.version}   what `{run.command}` would do now; nothing was sent", ""]
    if not run.publish:
        lines += ["  (on the stand-ins; the labels say what a publish could not take back)", ""]
    lines += [f"  REFUSED  {hindrance}" for hindrance in forecast.hindrances]
    lines += [f"  note: {note}" for note in forecast.notes]
    lines += [""] if forecast.hindrances or forecast.notes else []
    for one in forecast.stages:
        first, *more = one.why or ("",)
        lines.append(f"  {one.stage:16} {one.verdict:8}  {first}".rstrip())
        lines += [f"  {'':25}  {why}" for why in more]
        lines += [f"      [{effect.label}] {effect.what}" for effect in one.effects]
    return "\n".join([*lines, ""])


def forecast_data(project: Project, forecast: Forecast, *, run: Run) -> dict[str, Any]:
    """The same as JSON data."""
    return {
        "schema": 1,
        "project": project.normalized,
        "version": project.version,
        "world": run.label,
        "command": run.command,
        "refused": forecast.refused,
        "hindrances": list(forecast.hindrances),
        "notes": list(forecast.notes),
        "stages": [asdict(one) for one in forecast.stages],
    }
