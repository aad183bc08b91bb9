"""Page: the board of a round."""

import pandas as pd
import streamlit as st
from pandas.io.formats.style import Styler

from harness.store.board import UPLOAD_LABEL, Board
from leaderboard import charts, guard, source
from leaderboard.cards import show_cards
from leaderboard.ranking import board_cards, board_frame, filter_entries, task_column, tint, upload_frame
from leaderboard.rounds import choose_round
from leaderboard.theme import palette_now
from leaderboard.wording import literal, round_caption

_VIEWS = ("scores", "cost")
_MAX_STYLED_ROWS = 100
_MAX_ROWS_SHOWN = 22
_POLL_S = 15


def show_table(board: Board, text: str, view: str, *, with_baselines: bool) -> None:
    """Show the ranked table; a button in each row opens the submission."""
    entries = filter_entries(board.entries, text, with_baselines=with_baselines)
    if not entries:
        st.info("No entry matches; change the search or show the baselines.")
        return
    frame = board_frame(board.round, entries, view)
    data: pd.DataFrame | Styler = frame
    if len(frame) <= _MAX_STYLED_ROWS:
        styles = tint(entries, palette_now().muted)
        data = frame.style.apply(lambda column: [styles[row] for row in range(len(column))], axis=0)
    identifiers = [entry.submission_id for entry in entries]

    def remember() -> None:
        st.session_state["opened"] = identifiers[st.session_state["open-click"]["row"]]

    number = st.column_config.NumberColumn
    st.dataframe(
        data,
        hide_index=True,
        placeholder="-",
        height=min(len(frame), _MAX_ROWS_SHOWN) * 32 + 37,
        row_height=32,
        column_config={
            "#": number(width=44, pinned=True, help="Place among competitors; ties share it."),
            "Solver": st.column_config.ButtonColumn(
                type="tertiary",
                alignment="left",
                key="open-click",
                on_click=remember,
                help="Opens the submission.",
            ),
            "Score ↑": st.column_config.ProgressColumn(
                min_value=0, max_value=100, format="%.2f", width=140, help="Mean over tasks, 0-100."
            ),
            **{task_column(task.name): number(format="%.1f", width=78) for task in board.round.tasks},
            "Calls ↓": number(format="localized", help="Charged calls over all runs; breaks ties."),
            "Budget used ↓": number(format="%.1f %%"),
            "Tokens ↓": number(format="compact"),
            "Model s ↓": number(format="%.1f"),
            "Wall s ↓": number(format="%.1f"),
        },
        alt="Ranking of the round",
    )


def show_uploads(board: Board) -> None:
    """Show scores of predictions that came without a solver, apart from the ranking."""
    if not board.uploads:
        return
    frame = upload_frame(board.round, board.uploads)
    number = st.column_config.NumberColumn
    st.markdown(f"##### {UPLOAD_LABEL.capitalize()}")
    st.caption("Not ranked. Scores on public test rows, rounded to 0.1.")
    st.dataframe(
        frame,
        hide_index=True,
        height=min(len(frame), _MAX_ROWS_SHOWN) * 32 + 37,
        row_height=32,
        column_config={
            name: number(format="%.1f", width=78)
            for name in frame.columns
            if name not in {"Name", "Uploaded"}
        },
        alt="Scores of uploaded predictions, not ranked",
    )


def show_chart(board: Board) -> None:
    """Show score against calls."""
    spec = charts.score_against_calls(board.entries, palette_now())
    if spec:
        st.markdown("##### Score against calls")
        st.vega_lite_chart(spec, width="stretch", alt="Score against charged calls per run, a mark per entry")


@st.fragment(run_every=_POLL_S)
def offer_refresh(shown_version: int) -> None:
    """Say that there are newer results; never reorder the table under a reader."""
    if source.version() != shown_version and st.button("New results: refresh", type="primary"):
        st.rerun()


def main() -> None:
    """Show the page."""
    opened = st.session_state.pop("opened", None)
    if opened is not None:
        st.switch_page("pages/submission.py", query_params={"id": str(opened)})
    head = st.container()
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        board = source.board(choose_round())
        view = st.segmented_control(
            "Columns", _VIEWS, default="scores", required=True, key="view", bind="query-params"
        )
        text = st.text_input("Search team or solver", key="q", bind="query-params", width=240)
        with_baselines = st.toggle("Baselines", value=True, key="baselines")
    with head:
        st.markdown(f"### {literal(board.round.title or board.round.name)}")
        st.caption(literal(f"Round {board.round.name} {board.round.version} · {round_caption(board.round)}"))
    offer_refresh(board.version)
    show_cards(board_cards(board))
    if not board.entries:
        st.info("No submission yet. The first complete one leads.")
        show_uploads(board)
        return
    show_table(board, text or "", view or "scores", with_baselines=with_baselines)
    st.caption(
        "Rank: mean score over tasks (each the mean over its few-shot seeds), then fewer charged calls; "
        "equal on both share a rank. ◆ reference methods stand in order and are not ranked. "
        "What is not complete has no score and no rank. * scored on a checkpoint. What ran without a "
        "sandbox is unofficial and not ranked. Select a solver to open it."
    )
    show_uploads(board)
    show_chart(board)


guard.show(main)
