"""The round that a page shows: the one in the address, else the last one viewed, else the newest."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from harness.store.public import BoardRound, UsageError
from leaderboard import source

__all__ = ["choose_round", "head_with_round", "short_address"]

_REMEMBERED = "round-seen"


def head_with_round() -> tuple[DeltaGenerator, str]:
    """Return the container for the title and the selected round; show the selection beside the title.

    Raises:
        UsageError: there is no round, or none of the name in the address.
    """
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
        place = st.container(gap=None, width="stretch")
        return place, choose_round()


def choose_round() -> str:
    """Return the short address of the selected round; show a selection if there are several.

    The selection lists the newest version of each round; an older one is listed if the address names it.

    Raises:
        UsageError: there is no round, or none of the name in the address.
    """
    short = _short_addresses()
    if not short:
        raise UsageError("no round yet; the organizer creates one first")
    known = list(dict.fromkeys(short.values()))
    wanted = st.query_params.get("round")
    if wanted is not None and wanted not in short:
        raise UsageError(f"no round {wanted} on this board; rounds: {', '.join(known)}")
    seen = st.session_state.get(_REMEMBERED, known[0])
    chosen = short[wanted] if wanted else short.get(seen, known[0])
    st.session_state[_REMEMBERED] = chosen
    names = [name for name in known if "@" not in name or name == chosen]
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


def short_address(board_round: BoardRound) -> str:
    """Return the name of a round, with its version unless it is the newest."""
    return _short_addresses()[board_round.full_name]


def _short_addresses() -> dict[str, str]:
    """Return each address of a round -> its short form; a name alone means the newest version."""
    short: dict[str, str] = {}
    for each in source.rounds():
        full = each.full_name
        name = full if each.name in short else each.name
        short |= {full: name, name: name}
    return short
