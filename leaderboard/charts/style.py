"""Style common to all charts: colours, the axis of calls, and shapes and dashes per series."""

from typing import Any

import altair as alt

from harness.store.public import Entry
from leaderboard.palette import Palette

__all__ = ["DASHES", "SHAPES", "calls_axis", "calls_per_run", "series_name", "specification"]

DASHES: tuple[list[int], ...] = ([1, 0], [6, 3], [2, 2], [8, 3, 2, 3], [10, 4], [4, 2, 1, 2], [1, 3])
"""One per series, so that lines differ without colour."""

SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "stroke")
"""One per series, so that points differ without colour."""

_FONT = '"Source Sans", "Source Sans Pro", system-ui, sans-serif'


def calls_axis(title: str = "Charged calls (log)", **scale: Any) -> alt.X:
    """Return a logarithmic axis of the column `calls`."""
    return alt.X(
        "calls:Q",
        title=title,
        scale=alt.Scale(type="log", nice=False, **scale),
        axis=alt.Axis(format="~s", tickCount=5, grid=False, ticks=False),
    )


def calls_per_run(entry: Entry) -> float:
    """Return calls per run, at least 1, since the axis is logarithmic."""
    return max(entry.calls / entry.n_runs, 1.0)


def series_name(entry: Entry) -> str:
    """Return the name of an entry in charts."""
    return f"◆ {entry.solver}" if entry.is_baseline else f"{entry.team} · {entry.solver}"


def specification(chart: Any, palette: Palette) -> dict[str, Any]:
    """Return the chart as a dictionary in the palette's colours."""
    axis: dict[str, Any] = {
        "labelColor": palette.muted,
        "titleColor": palette.muted,
        "gridColor": palette.grid,
        "domain": False,
        "ticks": False,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": 400,
        "titlePadding": 8,
    }
    styled = (
        chart.configure(background="transparent", font=_FONT)
        .configure_view(stroke=None)
        .configure_axis(**axis)
        .configure_legend(
            labelColor=palette.text,
            titleColor=palette.muted,
            labelFontSize=12,
            titleFontSize=12,
            labelLimit=320,
            symbolStrokeWidth=2,
        )
        .configure_header(labelColor=palette.text, labelFontSize=13, title=None)
    )
    document: dict[str, Any] = styled.to_dict()
    # Streamlit's default leaves more room below.
    return document | {"padding": {"left": 0, "top": 5, "right": 5, "bottom": 5}}
