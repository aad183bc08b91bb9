"""The ranking as a table whose rows are ticked and opened, for screens that are wide enough."""

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
    board_round: BoardRound,
    entries: Sequence[Entry],
    view: str,
    order: str,
    on_order: Callable[[str], None],
) -> list[int]:
    """Show entries as a table whose solvers open their pages; return the submissions whose rows are ticked.

    A click on a header asks for the order by its column: the table holds a part of the ranking, and must not
    sort that part alone.

    Args:
        board_round: gives the tasks.
        entries: one page of them: each row is styled.
        view: which columns.
        order: of the rows.
        on_order: called with the order asked for.
    """
    frame = board_frame(board_round, entries, view, order)
    palette = palette_now()
    styles = tint(entries, palette.tint, palette.muted)
    identifiers = [entry.submission_id for entry in entries]
    number = st.column_config.NumberColumn
    orders = {each.header: each.order for each in columns_of(board_round)}
    ordering = [header for header in frame.columns if orders[header] == order != BY_RANK][:1]
    # Ticks are kept by place, so other rows make another table.
    key = f"entries-{view}-{order}-{hash(tuple(identifiers))}"

    def pass_on() -> None:
        headers = st.session_state[key]["selection"]["columns"]
        # A second click on the column that orders gives the board's own order back.
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
            "#": number(width=44, help="Place among competitors; ties share it."),
            "Team": st.column_config.TextColumn(width=150),
            "Solver": st.column_config.ButtonColumn(
                type="tertiary", alignment="left", key="open-click", help="Opens the submission.", width=150
            ),
            "Score ↑": st.column_config.ProgressColumn(
                min_value=0,
                max_value=100,
                format="%.2f",
                width=150,
                color=palette.series[0],
                help="Mean over tasks, 0-100. This is what ranks.",
            ),
            "± 95 %": number(format="%.2f", width=76, help="Half the width of the score's 95 % interval."),
            "Tier ↓": number(
                width=66,
                help="Entries of one tier cannot be told from its leader: bootstrap over test rows and seeds.",
            ),
            "7 days": st.column_config.TextColumn(width=66, alignment="right", help="Places won or lost."),
            "Train loss ↓ by calls": st.column_config.LineChartColumn(
                width=140,
                color=palette.series[0],
                help="Best train loss so far, mean over runs, over the logarithm of the calls.",
            ),
            **{f"{task.name} ↑": number(format="%.1f", width=76) for task in board_round.tasks},
            "Calls / run ↓": number(format="localized", width=104),
            "Calls ↓": number(format="localized", help="Charged calls over all runs; breaks ties."),
            "Budget used ↓": number(format="%.1f %%"),
            "Tokens ↓": number(format="compact"),
            "Model s ↓": number(format="%.1f"),
            "Wall s ↓": number(format="%.1f"),
            "Efficiency ↑": number(
                format="%.3f",
                help="Area under the score over log calls; 0 is the manual prompt, 1 perfect at one call.",
            ),
            "Note": st.column_config.TextColumn(width=118),
            "Pareto": st.column_config.TextColumn(help="Nobody scores higher with fewer calls.", width=70),
        },
        alt="Entries in order",
    )
    clicked = st.session_state.get("open-click")
    if clicked is not None and clicked["row"] < len(identifiers):
        st.switch_page("pages/submission.py", query_params={"id": str(identifiers[clicked["row"]])})
    return [identifiers[row] for row in event["selection"]["rows"] if row < len(identifiers)]
