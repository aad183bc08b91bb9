"""Updates while a page is open: an offer to refresh, and progress of running submissions."""

import streamlit as st

from leaderboard import source
from leaderboard.markup import Column, text_table

__all__ = ["offer_refresh", "show_progress"]

_POLL_S = 15
_PROGRESS_S = 3


@st.fragment(run_every=_POLL_S)
def offer_refresh(shown_version: int) -> None:
    """Offer to refresh when there are newer results; the table does not change by itself."""
    if source.version() != shown_version and st.button("New results: refresh", type="primary"):
        st.rerun()


@st.fragment(run_every=_PROGRESS_S)
def show_progress(submission_id: int) -> None:
    """Show the progress of each running run."""
    running = source.progress(submission_id)
    if not running:
        st.caption("No run is in progress.")
        return
    columns = [
        Column("Running", is_heading=True),
        Column("Seed", is_number=True),
        Column("Calls used", is_number=True),
        Column("Best train loss so far ↓", is_number=True),
    ]
    rows = [
        [
            each.task,
            str(each.kshot_seed),
            f"{each.calls:,} of {each.budget_calls:,}",
            "-" if each.best_train_loss is None else f"{each.best_train_loss:.4f}",
        ]
        for each in running
    ]
    st.html(text_table("Runs in progress", columns, rows))
