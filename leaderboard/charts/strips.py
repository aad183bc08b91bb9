"""Scores on one task: one mark per k-shot seed, and a bar at the mean."""

import json
from collections.abc import Sequence
from typing import Any

import altair as alt
import pandas as pd

from harness.store.public import Entry
from leaderboard.charts.kinds import color_and_shape, kind_of
from leaderboard.charts.style import series_name, specification
from leaderboard.palette import Palette

__all__ = ["seed_strips"]

_ROW_HEIGHT = 24


def seed_strips(entries: Sequence[Entry], task: str, palette: Palette) -> dict[str, Any]:
    """Return the chart: one row per entry, in the order given; empty if no run has a score."""
    rows = [
        {"row": f"{position:04d}", "label": series_name(entry), "kind": kind_of(entry), "seed": seed, "score": score}
        for position, entry in enumerate(entries)
        for seed, score in entry.seed_scores[task].items()
        if score is not None
    ]
    if not rows:
        return {}
    names = {str(row["row"]): row["label"] for row in rows}
    pairs = ", ".join(f"{json.dumps(key)}: {json.dumps(name)}" for key, name in names.items())
    y = alt.Y(
        "row:N",
        sort=list(names),
        title=None,
        axis=alt.Axis(labelExpr=f"({{{pairs}}})[datum.value]", labelLimit=200, ticks=False, grid=True),
    )
    color, shape = color_and_shape({str(row["kind"]) for row in rows}, palette)
    scale = alt.Scale(zero=False, padding=12)
    base = alt.Chart(pd.DataFrame(rows))
    points = base.mark_point(filled=True, size=55, opacity=0.9).encode(
        x=alt.X(
            "score:Q",
            title="Score ↑",
            scale=scale,
            axis=alt.Axis(tickCount=8, labelOverlap="greedy", labelSeparation=6),
        ),
        y=y,
        color=color,
        shape=shape,
        tooltip=[
            alt.Tooltip("label:N", title="Submission"),
            alt.Tooltip("seed:N", title="Seed"),
            alt.Tooltip("score:Q", title="Score", format=".2f"),
        ],
    )
    means = base.mark_tick(thickness=3, size=_ROW_HEIGHT - 8, color=palette.text).encode(
        x=alt.X("mean(score):Q", scale=scale), y=y
    )
    return specification(alt.layer(points, means).properties(height=len(names) * _ROW_HEIGHT), palette)
