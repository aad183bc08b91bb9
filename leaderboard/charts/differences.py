"""Paired differences to one submission, with 95 % intervals."""

from collections.abc import Sequence
from typing import Any

import altair as alt
import pandas as pd

from leaderboard.charts.style import SHAPES, specification
from leaderboard.comparison import Difference
from leaderboard.palette import Palette

__all__ = ["difference_chart"]

_ROW_HEIGHT = 22


def difference_chart(differences: Sequence[Difference], names: Sequence[str], palette: Palette) -> dict[str, Any]:
    """Return a row per task: mean difference and its 95 % interval, one mark per submission.

    Args:
        differences: of any submissions and tasks; one without a mean is left out.
        names: every series of the page; the others are compared with the first.
        palette: colours.
    """
    rows = [
        {"task": each.task, "series": each.series, "mean": each.mean, "low": each.low, "high": each.high}
        for each in differences
        if each.mean is not None
    ]
    if not rows:
        return {}
    tasks = list(dict.fromkeys(each.task for each in differences))
    domain = list(names)
    # The first series is the zero line; the others keep their colours of the curves.
    color = alt.Color(
        "series:N", scale=alt.Scale(domain=domain, range=list(palette.series[: len(domain)])), legend=None
    )
    y = alt.Y("task:N", sort=tasks, title=None, axis=alt.Axis(ticks=False, labelLimit=120))
    offset = alt.YOffset("series:N", sort=domain[1:])
    x_title = f"Points ahead of {names[0]} →"
    base = alt.Chart(pd.DataFrame(rows))
    zero = (
        alt.Chart(pd.DataFrame({"zero": [0.0]}))
        .mark_rule(color=palette.muted, strokeWidth=1.5)
        .encode(x=alt.X("zero:Q", title=x_title, axis=alt.Axis(tickCount=6)))
    )
    bars = base.mark_rule(strokeWidth=2).encode(
        x=alt.X("low:Q", title=x_title), x2="high:Q", y=y, yOffset=offset, color=color
    )
    marks = base.mark_point(filled=True, size=80, opacity=1).encode(
        x=alt.X("mean:Q", title=x_title),
        y=y,
        yOffset=offset,
        color=color,
        shape=alt.Shape("series:N", scale=alt.Scale(domain=domain, range=list(SHAPES[: len(domain)])), legend=None),
        tooltip=[
            alt.Tooltip("series:N", title="Submission"),
            alt.Tooltip("task:N", title="Task"),
            alt.Tooltip("mean:Q", title="Difference", format="+.2f"),
            alt.Tooltip("low:Q", title="Low", format="+.2f"),
            alt.Tooltip("high:Q", title="High", format="+.2f"),
        ],
    )
    height = max(len(tasks) * max(len(names) - 1, 1) * _ROW_HEIGHT, 120)
    return specification(alt.layer(zero, bars, marks).properties(height=height), palette)
