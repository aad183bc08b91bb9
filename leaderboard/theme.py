"""Which palette the reader's theme asks for."""

import streamlit as st

from leaderboard.charts import DARK, LIGHT, Palette

__all__ = ["palette_now"]


def palette_now() -> Palette:
    """Return the palette of the theme that the page is shown in."""
    return DARK if st.context.theme.type == "dark" else LIGHT
