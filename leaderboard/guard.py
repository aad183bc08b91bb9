"""Every error of a page becomes a page for people: never a traceback."""

from collections.abc import Callable

import streamlit as st

from harness.store.public import GradfreeError, UsageError
from leaderboard.headings import title
from leaderboard.texts import literal

__all__ = ["show"]


def show(page: Callable[[], None]) -> None:
    """Show a page, or say in plain words why there is nothing to show."""
    try:
        page()
    except UsageError as error:
        title("Nothing to show here")
        st.info(literal(str(error)))
        st.page_link("pages/board.py", label="To the leaderboard")
    except GradfreeError as error:
        title("The board cannot be read at the moment")
        st.error(literal(str(error)))
