"""Which round a page shows: the one in the address, else the newest."""

import streamlit as st

from harness.errors import UsageError
from leaderboard import source

__all__ = ["choose_round"]


def choose_round() -> str:
    """Return the name of the round to show; offer the others if there are any.

    Raises:
        UsageError: there is no round, or none of the name in the address.
    """
    names = list(dict.fromkeys(each.name for each in source.rounds()))
    wanted = st.query_params.get("round")
    if not names:
        raise UsageError("no round has been published yet; the organizer creates one first")
    if wanted is not None and wanted not in names:
        raise UsageError(f"no round {wanted} on this board; rounds: {', '.join(names)}")
    if len(names) == 1:
        return names[0]

    def remember() -> None:
        st.query_params["round"] = st.session_state["round-choice"]

    at = names.index(wanted) if wanted else 0
    return str(st.selectbox("Round", names, index=at, key="round-choice", on_change=remember, width=220))
