"""The reader's theme, and what every page shows in it."""

import streamlit as st

from leaderboard.markup import style_sheet
from leaderboard.palette import DARK, LIGHT, Palette

__all__ = ["palette_now", "show_style"]


def palette_now() -> Palette:
    """Return the palette of the theme that the page is shown in."""
    return DARK if st.context.theme.type == "dark" else LIGHT


def show_style() -> None:
    """Give the page its style sheet."""
    st.html(style_sheet(palette_now()))
