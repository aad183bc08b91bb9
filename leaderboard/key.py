"""The key of a chart: a line per series in its colour and dash, and the way to its submission."""

from collections.abc import Sequence

import streamlit as st

from leaderboard.charts.style import DASHES
from leaderboard.markup import render
from leaderboard.palette import Palette

__all__ = ["dashed_line", "show_key"]


def show_key(series: Sequence[tuple[str, int]], palette: Palette) -> None:
    """Show the key of series in the order in which charts colour them.

    Args:
        series: (name, number of its submission).
        palette: colours.
    """
    rows = [
        {
            "name": name,
            "href": f"submission?id={submission_id}",
            "line": dashed_line(palette.series[number], DASHES[number]),
        }
        for number, (name, submission_id) in enumerate(series)
    ]
    st.html(render("key.html", caption="Colours and dashes", rows=rows))


def dashed_line(color: str, dash: Sequence[int]) -> str:
    """Return the background that repeats a dash pattern: pixels drawn and left out, in turn."""
    stops, at = [], 0
    for number, length in enumerate(dash):
        stops.append(f"{'transparent' if number % 2 else color} {at}px {at + length}px")
        at += length
    return f"repeating-linear-gradient(90deg, {', '.join(stops)})"
