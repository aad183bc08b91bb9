"""Parts of a page as escaped HTML: headings (one h1, then h2), cards with key figures, legends of charts."""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from leaderboard.charts.style import DASHES
from leaderboard.markup import render
from leaderboard.palette import Palette

__all__ = ["Card", "dashed_line", "section", "show_cards", "show_key", "title"]


def title(text: str, caption: str = "") -> None:
    """Show the page title and a caption."""
    st.html(render("title.html", text=text, caption=caption))


def section(text: str, caption: str = "") -> None:
    """Show a section heading and a caption."""
    st.html(render("section.html", text=text, caption=caption))


@dataclass(frozen=True, slots=True)
class Card:
    """A key figure with its label and a remark; the value may be text written by people."""

    label: str
    value: str
    remark: str


def show_cards(cards: Sequence[Card]) -> None:
    """Show cards side by side, as many per row as fit."""
    st.html(render("cards.html", cards=cards))


def show_key(series: Sequence[tuple[str, int]], palette: Palette) -> None:
    """Show the legend of series, in the order in which charts colour them.

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
    """Return a CSS background that repeats a dash pattern of alternating drawn and blank pixels."""
    stops, at = [], 0
    for number, length in enumerate(dash):
        stops.append(f"{'transparent' if number % 2 else color} {at}px {at + length}px")
        at += length
    return f"repeating-linear-gradient(90deg, {', '.join(stops)})"
