"""Error pages: visitors never see a traceback."""

from collections.abc import Callable

import streamlit as st

from harness.store.public import GradfreeError, UsageError
from leaderboard.parts import title
from leaderboard.texts import literal

__all__ = ["show"]


def show(page: Callable[[], None]) -> None:
    """Show a page; on an error, show its message instead."""
    try:
        page()
    except UsageError as error:
        title("Nothing to show here")
        st.info(literal(str(error)))
        st.page_link("pages/board.py", label="To the leaderboard")
    except GradfreeError as error:
        title("The board cannot be read at the moment")
        st.error(literal(str(error)))
