"""The server: the app, the plain board and the exports."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager

from harness.store.public import GradfreeError, PublicStore
from leaderboard import charts
from leaderboard.api import routes
from leaderboard.palette import LIGHT
from leaderboard.source import public_db

# Until `st.navigation` has run once, Streamlit would serve the folder `pages` by itself: the first visitor by a
# deep link would get a page without the app's frame.
PagesManager.uses_pages_directory = False


@asynccontextmanager
async def warm_up(_: Any) -> AsyncIterator[None]:
    """Load the database driver and the chart library before the first request."""
    with suppress(GradfreeError), PublicStore.open(public_db()) as store:
        for each in store.rounds()[:1]:
            charts.score_against_calls(store.board(each.name).entries, LIGHT)
    yield


app = st.App(Path(__file__).with_name("app.py"), routes=routes(public_db), lifespan=warm_up)
