"""The ranking as a table with selectable rows, for wide screens."""

from collections.abc import Callable, Sequence

import streamlit as st

from harness.store.public import BoardRound, Entry
from leaderboard.columns import BY_RANK, columns_of
from leaderboard.ranking import board_frame, tint
from leaderboard.theme import palette_now

__all__ = ["show_entries"]

_ROW_HEIGHT = 32
_HEADER_HEIGHT = 37


def show_entries(
    board_round: BoardRound, entries: Sequence[Entry], view: str, order: str, on_order: Callable[[str], None]
) -> list[int]:
    """Show a table in which a solver links to its page; return the submissions of the selected rows.

    A click on a header calls `on_order`, which sorts the whole ranking: the table holds only one page of it.

    Args:
        board_round: gives the tasks.
        entries: one page of the ranking.
        view: one of `VIEWS`.
        order: of the rows.
        on_order: called with the requested order.
    """
    frame = board_frame(board_round, entries, view, order)
    palette = palette_now()
    styles = tint(entries, palette.tint, palette.muted)
    identifiers = [entry.submission_id for entry in entries]
    number = st.column_config.NumberColumn
    orders = {each.header: each.order for each in columns_of(board_round)}
    ordering = [header for header in frame.columns if orders[header] == order != BY_RANK][:1]
    # Streamlit keeps selected rows by position, so other rows need another table.
    key = f"entries-{view}-{order}-{hash(tuple(identifiers))}"

    def pass_on() -> None:
        headers = st.session_state[key]["selection"]["columns"]
        # A second click on the sorting column restores the board's order.
        asked = orders[headers[0]] if headers else BY_RANK
        if asked and asked != order:
            on_order(asked)

    event = st.dataframe(
        frame.style.apply(lambda column: [styles[row] for row in range(len(column))], axis=0),
        hide_index=True,
        placeholder="-",
        height=len(frame) * _ROW_HEIGHT + _HEADER_HEIGHT,
        row_height=_ROW_HEIGHT,
        on_select=pass_on,
        selection_mode=["multi-row", "single-column"],
        selection_default={"selection": {"rows": [], "columns": ordering, "cells": []}},
        key=key,
        column_config={
            "#": number(width=44, help="Rank among competitors; ties share a rank."),
            "Team": st.column_config.TextColumn(width=150),
            "Solver": st.column_config.ButtonColumn(
                type="tertiary", alignment="left", key="open-click", help="Open the submission.", width=150
            ),
            "Score ↑": st.column_config.ProgressColumn(
                min_value=0,
                max_value=100,
                format="%.2f",
                width=150,
                color=palette.series[0],
                help="Mean over tasks, 0-100. Entries are ranked by it.",
            ),
            "± 95 %": number(format="%.2f", width=76, help="Half the width of the score's 95 % interval."),
            "Tier ↓": number(
                width=66,
                help="No significant difference to the leader of the tier (bootstrap over test rows and seeds).",
            ),
            "7 days": st.column_config.TextColumn(
                width=66, alignment="right", help="Places gained or lost within 7 days."
            ),
            "Train loss ↓ by calls": st.column_config.LineChartColumn(
                width=140, color=palette.series[0], help="Best train loss so far, mean over runs, against log calls."
            ),
            **{f"{task.name} ↑": number(format="%.1f", width=76) for task in board_round.tasks},
            "Calls / run ↓": number(format="localized", width=104),
            "Calls ↓": number(format="localized", help="Charged calls of all runs; fewer calls break ties."),
            "Budget used ↓": number(format="%.1f %%"),
            "Tokens ↓": number(format="compact"),
            "Model s ↓": number(format="%.1f"),
            "Wall s ↓": number(format="%.1f"),
            "Efficiency ↑": number(
                format="%.3f",
                help="Area under the score against log calls: 0 is the manual prompt, 1 a perfect score at one call.",
            ),
            "Note": st.column_config.TextColumn(width=118),
            "Pareto": st.column_config.TextColumn(help="No entry scores higher with fewer calls.", width=70),
        },
        alt="Ranking",
    )
    clicked = st.session_state.get("open-click")
    if clicked is not None and clicked["row"] < len(identifiers):
        st.switch_page("pages/submission.py", query_params={"id": str(identifiers[clicked["row"]])})
    return [identifiers[row] for row in event["selection"]["rows"] if row < len(identifiers)]
