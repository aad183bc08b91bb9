"""Score against charged calls, a mark per entry."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import pandas as pd

from harness.store.board import Entry
from leaderboard.charts.style import calls_axis, calls_per_run, specification
from leaderboard.palette import Palette

__all__ = ["pareto_front", "score_against_calls"]

_LABEL_HEIGHT, _LABEL_WIDTH = 0.07, 0.2
"""Share of the plot that a label takes."""

_TEAM, _BASELINE, _UNOFFICIAL = "Competitor", "Baseline", "Unofficial"


def pareto_front(entries: Sequence[Entry]) -> list[Entry]:
    """Return the complete official entries that none beats on score without more calls, by rising calls."""
    complete = [entry for entry in entries if entry.score is not None and entry.is_official]
    front: list[Entry] = []
    for entry in sorted(complete, key=lambda entry: (entry.calls, -(entry.score or 0.0))):
        if not front or (entry.score or 0.0) > (front[-1].score or 0.0):
            front.append(entry)
    return front


def score_against_calls(entries: Sequence[Entry], palette: Palette, height: int = 320) -> dict[str, Any]:
    """Return the scatter of score against calls per run; empty if no entry is complete.

    Circles are competitors, diamonds baselines, crosses unofficial results; a dashed step joins the
    Pareto front. Only the front and the baselines carry a label.
    """
    front = pareto_front(entries)
    on_front = {entry.submission_id for entry in front}
    spots = [_Spot(entry, calls_per_run(entry), entry.score) for entry in entries if entry.score is not None]
    if not spots:
        return {}
    labelled = _uncrowded(
        [spot for spot in spots if spot.entry.is_baseline or spot.entry.submission_id in on_front]
    )
    middle = math.sqrt(min(spot.calls for spot in spots) * max(spot.calls for spot in spots))
    rows = [
        {
            "solver": spot.entry.name,
            "team": spot.entry.team,
            "kind": _kind(spot.entry),
            "score": round(spot.score, 4),
            "calls": spot.calls,
            "label": spot.entry.name if spot.entry.submission_id in labelled else "",
            "is_right": spot.calls > middle,
        }
        for spot in spots
    ]
    points = pd.DataFrame(rows)
    # A kind that does not occur must not stand in the legend.
    n_kinds = 2 if all(spot.entry.is_official for spot in spots) else 3
    domain = [_TEAM, _BASELINE, _UNOFFICIAL][:n_kinds]
    kinds = alt.Scale(domain=domain, range=[palette.series[0], palette.series[1], palette.muted][:n_kinds])
    shapes = alt.Scale(domain=domain, range=["circle", "diamond", "cross"][:n_kinds])
    x = calls_axis("Charged calls per run (log) ← cheaper", padding=28)
    y = alt.Y("score:Q", title="Score ↑", scale=alt.Scale(zero=False, padding=18))
    base = alt.Chart(points)
    marks = base.mark_point(filled=True, size=90, opacity=0.95).encode(
        x=x,
        y=y,
        color=alt.Color("kind:N", scale=kinds, legend=alt.Legend(title=None, orient="top")),
        shape=alt.Shape("kind:N", scale=shapes),
        tooltip=[
            alt.Tooltip("solver:N", title="Solver"),
            alt.Tooltip("team:N", title="Team"),
            alt.Tooltip("score:Q", title="Score", format=".2f"),
            alt.Tooltip("calls:Q", title="Calls per run", format=",.0f"),
        ],
    )
    # A label stands on the side that has room, so that none is cut by the edge.
    labels = [
        base.mark_text(align="left", dx=8, dy=-7, fontSize=11, color=palette.text)
        .encode(x=x, y=y, text="label:N")
        .transform_filter("!datum.is_right"),
        base.mark_text(align="right", dx=-8, dy=-7, fontSize=11, color=palette.text)
        .encode(x=x, y=y, text="label:N")
        .transform_filter("datum.is_right"),
    ]
    steps = pd.DataFrame(
        [{"calls": calls_per_run(entry), "score": entry.score} for entry in front],
        columns=["calls", "score"],
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


def _kind(entry: Entry) -> str:
    if not entry.is_official:
        return _UNOFFICIAL
    return _BASELINE if entry.is_baseline else _TEAM


def _uncrowded(spots: list[_Spot]) -> set[int]:
    """Return the entries that may carry a label: of those that would overlap, the best one."""
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
