"""Curves against calls: best train loss of one or several submissions, and test score."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd

from harness.store.public import Curve
from leaderboard.charts.style import DASHES, calls_axis, specification
from leaderboard.palette import Palette

__all__ = ["loss_curve", "loss_curves", "score_curve"]

_TITLE = "Best train loss ↓"
_ROOM = 6
"""Pixels above and below the lines, so that axis labels do not overlap."""


def loss_curve(curve: Curve, palette: Palette, height: int = 190) -> dict[str, Any]:
    """Return the best train loss so far against calls: mean over seeds, band from lowest to highest.

    Empty if no point has a loss for every seed.
    """
    rows = list(_points(curve))
    if not rows:
        return {}
    x = calls_axis()
    base = alt.Chart(pd.DataFrame(rows))
    scale = alt.Scale(zero=False, padding=_ROOM)
    band = base.mark_area(interpolate="step-after", opacity=0.25, color=palette.series[0]).encode(
        x=x, y=alt.Y("lowest:Q", title=_TITLE, scale=scale), y2="highest:Q"
    )
    line = base.mark_line(interpolate="step-after", color=palette.series[0], strokeWidth=2).encode(
        x=x,
        y=alt.Y("mean:Q", scale=scale),
        tooltip=[
            alt.Tooltip("calls:Q", title="Calls", format=","),
            alt.Tooltip("mean:Q", title="Mean loss", format=".4f"),
            alt.Tooltip("lowest:Q", title="Lowest", format=".4f"),
            alt.Tooltip("highest:Q", title="Highest", format=".4f"),
        ],
    )
    return specification(alt.layer(band, line).properties(height=height), palette)


def loss_curves(
    curves: Mapping[str, Curve], names: Sequence[str], palette: Palette, height: int = 220
) -> dict[str, Any]:
    """Return the mean best train loss of several submissions on one axis; empty if none has a point.

    Args:
        curves: series -> its curve on one task.
        names: every series of the page; each keeps its colour and dash in all charts.
        palette: colours.
        height: pixels.
    """
    rows = [
        {"series": name, "calls": point["calls"], "mean": point["mean"]}
        for name, curve in curves.items()
        for point in _points(curve)
    ]
    if not rows:
        return {}
    domain = list(names)
    chart = (
        alt.Chart(pd.DataFrame(rows))
        .mark_line(interpolate="step-after", strokeWidth=2)
        .encode(
            x=calls_axis(),
            y=alt.Y("mean:Q", title=_TITLE, scale=alt.Scale(zero=False, padding=_ROOM)),
            color=alt.Color(
                "series:N", scale=alt.Scale(domain=domain, range=list(palette.series[: len(domain)])), legend=None
            ),
            strokeDash=alt.StrokeDash(
                "series:N", scale=alt.Scale(domain=domain, range=list(DASHES[: len(domain)])), legend=None
            ),
            tooltip=[
                alt.Tooltip("series:N", title="Submission"),
                alt.Tooltip("calls:Q", title="Calls", format=","),
                alt.Tooltip("mean:Q", title="Mean loss", format=".4f"),
            ],
        )
    )
    return specification(chart.properties(height=height), palette)


def score_curve(curve: Curve, palette: Palette, height: int = 190) -> dict[str, Any]:
    """Return the test score of every incumbent against calls, a line per seed; empty while they are hidden."""
    rows = [
        {"seed": str(seed), "calls": max(calls, 1), "score": score}
        for seed, points in curve.scores.items()
        for calls, score in points
    ]
    if not rows:
        return {}
    chart = (
        alt.Chart(pd.DataFrame(rows))
        .mark_line(interpolate="step-after", strokeWidth=1.5, color=palette.series[0], opacity=0.8, point=True)
        .encode(
            x=calls_axis(),
            y=alt.Y("score:Q", title="Test score ↑", scale=alt.Scale(zero=False, padding=_ROOM)),
            detail="seed:N",
            tooltip=[
                alt.Tooltip("seed:N", title="Seed"),
                alt.Tooltip("calls:Q", title="Calls", format=","),
                alt.Tooltip("score:Q", title="Test score", format=".2f"),
            ],
        )
    )
    return specification(chart.properties(height=height), palette)


def _points(curve: Curve) -> Iterable[dict[str, float]]:
    for position, calls in enumerate(curve.calls):
        losses = [values[position] for values in curve.losses.values()]
        present = [loss for loss in losses if loss is not None]
        # A mean over only the seeds that have begun would jump when another one begins.
        if present and len(present) == len(losses):
            yield {"calls": calls, "mean": sum(present) / len(present), "lowest": min(present), "highest": max(present)}
