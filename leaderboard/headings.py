"""Headings of a page, as HTML of their own: one h1, then h2, with what people wrote escaped."""

import streamlit as st

from leaderboard.markup import render

__all__ = ["section", "title"]


def title(text: str, caption: str = "") -> None:
    """Show the name of the page and a line about it."""
    st.html(render("title.html", text=text, caption=caption))


def section(text: str, caption: str = "") -> None:
    """Show the name of a part of the page and a line about it."""
    st.html(render("section.html", text=text, caption=caption))
