"""Scores with their 95 % intervals, in the order of the board."""

import json
from collections.abc import Sequence
from typing import Any

import altair as alt
import pandas as pd

from harness.store.public import Entry
from leaderboard.charts.kinds import color_and_shape, kind_of
from leaderboard.charts.style import series_name, specification
from leaderboard.palette import Palette

__all__ = ["score_intervals"]

_ROW_HEIGHT = 20


def score_intervals(entries: Sequence[Entry], palette: Palette) -> dict[str, Any]:
    """Return the chart: one row per complete entry, in the order given; empty without one."""
    rows = [
        {
            "label": series_name(entry),
            "score": entry.score,
            "low": entry.score - entry.margin,
            "high": entry.score + entry.margin,
            "kind": kind_of(entry),
            # Names are not unique, so a row is identified by its position.
            "row": f"{position:04d}",
        }
        for position, entry in enumerate(entries)
        if entry.score is not None and entry.margin is not None
    ]
    if not rows:
        return {}
    frame = pd.DataFrame(rows)
    names = {str(row["row"]): str(row["label"]) for row in rows}
    color, shape = color_and_shape(set(frame["kind"]), palette)
    pairs = ", ".join(f"{key!r}: {_quoted(name)}" for key, name in names.items())
    y = alt.Y(
        "row:N",
        sort=list(names),
        title=None,
        axis=alt.Axis(labelExpr=f"({{{pairs}}})[datum.value]", labelLimit=200, ticks=False),
    )
    scale = alt.Scale(zero=False, padding=10)
    base = alt.Chart(frame)
    bars = base.mark_rule(strokeWidth=2).encode(
        x=alt.X(
            "low:Q",
            title="Score ↑, 95 % interval",
            scale=scale,
            axis=alt.Axis(tickCount=8, labelOverlap="greedy", labelSeparation=6),
        ),
        x2="high:Q",
        y=y,
        color=color,
    )
    marks = base.mark_point(filled=True, size=70, opacity=1).encode(
        x=alt.X("score:Q", scale=scale),
        y=y,
        color=color,
        shape=shape,
        tooltip=[
            alt.Tooltip("label:N", title="Submission"),
            alt.Tooltip("score:Q", title="Score", format=".2f"),
            alt.Tooltip("low:Q", title="Low", format=".2f"),
            alt.Tooltip("high:Q", title="High", format=".2f"),
        ],
    )
    return specification(alt.layer(bars, marks).properties(height=len(rows) * _ROW_HEIGHT), palette)


def _quoted(text: str) -> str:
    """Return a string literal of Vega's expression language, so that a name is never evaluated."""
    return json.dumps(text)
