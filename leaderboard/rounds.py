"""Which round a page shows: the one in the address, else the one looked at before, else the newest."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from harness.errors import UsageError
from leaderboard import source

__all__ = ["choose_round", "head_with_round"]

_REMEMBERED = "round-seen"


def head_with_round() -> tuple[DeltaGenerator, str]:
    """Return the place of the title, beside the choice of a round, and the round chosen.

    Raises:
        UsageError: there is no round, or none of the name in the address.
    """
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        place = st.container(gap=None, width="stretch")
        return place, choose_round()


def choose_round() -> str:
    """Return the name of the round to show; offer the others if there are any.

    Raises:
        UsageError: there is no round, or none of the name in the address.
    """
    names = list(dict.fromkeys(each.name for each in source.rounds()))
    if not names:
        raise UsageError("no round has been published yet; the organizer creates one first")
    wanted = st.query_params.get("round")
    if wanted is not None and wanted not in names:
        raise UsageError(f"no round {wanted} on this board; rounds: {', '.join(names)}")
    seen = st.session_state.get(_REMEMBERED)
    chosen = wanted or (seen if seen in names else names[0])
    st.session_state[_REMEMBERED] = chosen
    if len(names) == 1:
        return chosen

    def remember() -> None:
        st.query_params["round"] = st.session_state["round-choice"]

    return str(
        st.selectbox(
            "Round",
            names,
            index=names.index(chosen),
            key="round-choice",
            on_change=remember,
            width=180,
            label_visibility="collapsed",
        )
    )
