"""Score against charged calls, one mark per entry."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import pandas as pd

from harness.store.public import Entry
from leaderboard.charts.kinds import color_and_shape, kind_of
from leaderboard.charts.style import calls_axis, calls_per_run, specification
from leaderboard.palette import Palette

__all__ = ["score_against_calls"]

_LABEL_HEIGHT, _LABEL_WIDTH = 0.07, 0.2
"""Share of the plot that a label covers."""


def score_against_calls(entries: Sequence[Entry], palette: Palette, height: int = 320) -> dict[str, Any]:
    """Return the scatter of score against calls per run; empty if no entry is complete.

    A dashed step line joins the Pareto front. Only the front and the baselines have labels.
    """
    front = sorted((entry for entry in entries if entry.is_pareto), key=lambda entry: entry.calls)
    spots = [_Spot(entry, calls_per_run(entry), entry.score) for entry in entries if entry.score is not None]
    if not spots:
        return {}
    labelled = _uncrowded([spot for spot in spots if spot.entry.is_baseline or spot.entry.is_pareto])
    middle = math.sqrt(min(spot.calls for spot in spots) * max(spot.calls for spot in spots))
    rows = [
        {
            "solver": spot.entry.solver,
            "team": spot.entry.team,
            "kind": kind_of(spot.entry),
            "score": round(spot.score, 4),
            "calls": spot.calls,
            "label": _label(spot.entry) if spot.entry.submission_id in labelled else "",
            "is_right": spot.calls > middle,
        }
        for spot in spots
    ]
    points = pd.DataFrame(rows)
    color, shape = color_and_shape({str(row["kind"]) for row in rows}, palette, has_legend=True)
    x = calls_axis("Charged calls per run (log) ← cheaper", padding=28)
    y = alt.Y("score:Q", title="Score ↑", scale=alt.Scale(zero=False, padding=18))
    base = alt.Chart(points)
    marks = base.mark_point(filled=True, size=90, opacity=0.95).encode(
        x=x,
        y=y,
        color=color,
        shape=shape,
        tooltip=[
            alt.Tooltip("solver:N", title="Solver"),
            alt.Tooltip("team:N", title="Team"),
            alt.Tooltip("score:Q", title="Score", format=".2f"),
            alt.Tooltip("calls:Q", title="Calls per run", format=",.0f"),
        ],
    )
    # Labels point to the middle, so that the edge cuts none.
    labels = [
        base.mark_text(align="left", dx=8, dy=-7, fontSize=11, color=palette.text)
        .encode(x=x, y=y, text="label:N")
        .transform_filter("!datum.is_right"),
        base.mark_text(align="right", dx=-8, dy=-7, fontSize=11, color=palette.text)
        .encode(x=x, y=y, text="label:N")
        .transform_filter("datum.is_right"),
    ]
    steps = pd.DataFrame(
        [{"calls": calls_per_run(entry), "score": entry.score} for entry in front], columns=["calls", "score"]
    )
    frontier = (
        alt.Chart(steps)
        .mark_line(interpolate="step-after", strokeDash=[5, 4], color=palette.series[2], strokeWidth=1.5)
        .encode(x=x, y=y)
    )
    return specification(alt.layer(frontier, marks, *labels).properties(height=height), palette)


@dataclass(frozen=True, slots=True)
class _Spot:
    entry: Entry
    calls: float
    score: float


def _label(entry: Entry) -> str:
    """Return the team, since solver names are often the same; of a baseline, the solver."""
    return entry.solver if entry.is_baseline else entry.team


def _uncrowded(spots: list[_Spot]) -> set[int]:
    """Return the entries that may have a label: of overlapping ones, the best."""
    if not spots:
        return set()
    scores = [spot.score for spot in spots]
    height = (max(scores) - min(scores)) or 1.0
    width = math.log(max(spot.calls for spot in spots) / min(spot.calls for spot in spots)) or 1.0
    kept: list[_Spot] = []
    for spot in sorted(spots, key=lambda spot: -spot.score):
        is_free = all(
            abs(spot.score - other.score) / height > _LABEL_HEIGHT
            or abs(math.log(spot.calls / other.calls)) / width > _LABEL_WIDTH
            for other in kept
        )
        if is_free:
            kept.append(spot)
    return {spot.entry.submission_id for spot in kept}
