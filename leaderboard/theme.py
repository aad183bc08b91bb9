"""The visitor's theme and the style sheet of every page."""

import streamlit as st

from leaderboard.markup import style_sheet
from leaderboard.palette import DARK, LIGHT, Palette

__all__ = ["palette_now", "show_style"]


def palette_now() -> Palette:
    """Return the palette of the visitor's theme."""
    return DARK if st.context.theme.type == "dark" else LIGHT


def show_style() -> None:
    """Add the style sheet to the page."""
    st.html(style_sheet(palette_now()))
