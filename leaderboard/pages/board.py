"""Page: the board of a round."""

import streamlit as st

from harness.store.public import UPLOAD_LABEL, Board, Entry
from leaderboard import charts, guard, source
from leaderboard.charts.kinds import KINDS_CAPTION
from leaderboard.charts.style import series_name
from leaderboard.columns import BASELINE_MARK, BY_RANK, VIEWS, columns_of, order_entries, orders_of
from leaderboard.entry_table import show_entries
from leaderboard.live import offer_refresh
from leaderboard.markup import Cell, Column, render, text_table
from leaderboard.parts import section, show_cards, show_key, title
from leaderboard.ranking import board_cards, filter_entries, phone_rows, upload_rows
from leaderboard.rounds import head_with_round
from leaderboard.texts import entry_words, moment, note_meanings, round_caption
from leaderboard.theme import palette_now

_ROWS_PER_PAGE = 50
_PAGES_WIDTH = 380
_MAX_COMPARED = 4
_PLOTS = ("frontier", "intervals", "targets")
_ECDF_COMPETITORS, _ECDF_BASELINES = 3, 2


def show_head() -> Board:
    """Show title and caption; return the board of the selected round."""
    place, name = head_with_round()
    board = source.board(name)
    with place:
        title(
            board.round.title or board.round.name,
            f"Round {board.round.name} {board.round.version} · {round_caption(board.round)}",
        )
    return board


def first_page() -> None:
    """Go to the first page, since the rows have changed."""
    st.session_state["page"] = 1


def order_by(order: str) -> None:
    """Sort the whole ranking."""
    st.session_state["order"] = order
    first_page()


def show_ranking(board: Board) -> None:
    """Show filters and the ranking; a button in each row opens the submission."""
    complete = [entry for entry in board.entries if entry.is_complete]
    columns = columns_of(board.round)
    with st.container(horizontal=True, vertical_alignment="center", gap="medium", key="controls"):
        view = st.segmented_control(
            "Columns",
            VIEWS,
            default=VIEWS[0],
            required=True,
            key="view",
            bind="query-params",
            label_visibility="collapsed",
        )
        text = st.text_input(
            "Search team or solver",
            placeholder="Search team or solver",
            key="q",
            bind="query-params",
            on_change=first_page,
            width=190,
            label_visibility="collapsed",
        )
        order = st.selectbox(
            "Order",
            orders_of(columns, complete) or [BY_RANK],
            key="order",
            bind="query-params",
            on_change=first_page,
            width=155,
            label_visibility="collapsed",
        )
        with_baselines = st.toggle("Baselines", value=True, key="baselines", on_change=first_page)
    entries = filter_entries(complete, text or "", with_baselines=with_baselines)
    if not complete:
        st.info(board.round.score_notice or "No submission is complete yet. The first complete one leads.")
    elif not entries:
        st.info("No entry matches; change the search or show the baselines.")
    else:
        show_table(board, order_entries(entries, columns, order), view or VIEWS[0], order)


def show_table(board: Board, entries: list[Entry], view: str, order: str) -> None:
    """Show one page of the ranking, with pagination, comparison and exports."""
    table = st.container()
    n_pages = -(-len(entries) // _ROWS_PER_PAGE)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        # Beside buttons, Streamlit measures the pagination without room for its numbers.
        at = st.pagination(n_pages, key="page", bind="query-params", width=_PAGES_WIDTH) if n_pages > 1 else 1
        compare = st.container(width="content", key="compare")
        query = f"?round={board.round.full_name}"
        st.link_button("CSV", f"api/leaderboard.csv{query}")
        st.link_button("JSON", f"api/leaderboard.json{query}")
        st.link_button("Plain page", f"board.html{query}")
    shown = entries[(at - 1) * _ROWS_PER_PAGE : at * _ROWS_PER_PAGE]
    with table:
        with st.container(key="wide"):
            ticked = show_entries(board.round, shown, view, order, order_by)
            st.caption(f"Click a header to sort. Select 2-{_MAX_COMPARED} rows to compare.")
        with st.container(key="narrow"):
            st.html(render("phone_rows.html", caption="Ranking of the round", rows=phone_rows(shown)))
    with compare:
        can_compare = 2 <= len(ticked) <= _MAX_COMPARED
        if st.button("Compare", disabled=not can_compare):
            st.switch_page("pages/compare.py", query_params={"ids": ",".join(map(str, ticked))})
    rows = "private" if board.round.is_final else "public"
    st.caption(
        f"Score: mean over tasks of the mean over k-shot seeds, on {rows} test rows. Ties are broken by fewer "
        "calls; entries still equal share a rank. ◆ Baselines: shown by score, not ranked. "
        f"7 days: places gained or lost.{note_meanings(entries)}"
    )


def show_unfinished(board: Board) -> None:
    """Show incomplete submissions in a table of their own."""
    unfinished = [entry for entry in board.entries if not entry.is_complete]
    if unfinished:
        is_hidden = bool(board.round.score_notice)
        section("Submissions" if is_hidden else "In progress or not complete")
        columns = [
            Column("Team", is_heading=True),
            Column("Solver"),
            Column("State"),
            Column("Runs ended", is_number=True, is_wide_only=True),
            Column("Calls ↓", is_number=True, is_wide_only=True),
            Column("Submitted", is_wide_only=True),
        ]
        rows: list[list[str | Cell]] = [
            [
                f"{BASELINE_MARK} baseline" if entry.is_baseline else entry.team,
                Cell(entry.solver, href=f"submission?id={entry.submission_id}"),
                entry_words(entry),
                f"{entry.n_runs_done} of {entry.n_runs}",
                f"{entry.calls:,}",
                moment(entry.submitted_at),
            ]
            for entry in unfinished
        ]
        caption = "Submissions" if is_hidden else "Submissions that are not complete"
        st.html(text_table(caption, columns, rows))


def show_uploads(board: Board) -> None:
    """Show prediction uploads in a table of their own."""
    if not board.uploads:
        return
    section(UPLOAD_LABEL.capitalize(), "Not ranked. Scores on public test rows, rounded to 0.1.")
    columns = [
        Column("Name", is_heading=True),
        Column("Score ↑", is_number=True),
        *(Column(f"{task.name} ↑", is_number=True, is_wide_only=True) for task in board.round.tasks),
        Column("Uploaded"),
    ]
    st.html(text_table("Scores of uploaded predictions, not ranked", columns, upload_rows(board.round, board.uploads)))


def show_plots(board: Board) -> None:
    """Show the selected plot; the others are not computed."""
    plots = [plot for plot in _PLOTS if plot != "intervals" or any(entry.margin for entry in board.entries)]
    names = {"frontier": "Score and calls", "intervals": "Intervals", "targets": "Targets reached"}
    section("Plots")
    plot = st.segmented_control(
        "Plot", plots, default=plots[0], required=True, key="plot", bind="query-params", label_visibility="collapsed"
    )
    palette = palette_now()
    key: list[tuple[str, int]] = []
    if plot == "intervals":
        spec = charts.score_intervals(board.entries[:_ROWS_PER_PAGE], palette)
        caption = (
            "Bars: 95 % intervals over k-shot seeds and test rows. They do not cover the choice of tasks. "
            f"{KINDS_CAPTION}"
        )
    elif plot == "targets":
        best = [entry for entry in board.entries if entry.rank is not None][:_ECDF_COMPETITORS]
        baselines = [entry for entry in board.entries if entry.is_baseline and entry.is_complete]
        shown = best + baselines[:_ECDF_BASELINES]
        spec = source.targets_chart(shown, is_dark=palette.is_dark)
        key = [(series_name(entry), entry.submission_id) for entry in shown]
        caption = (
            f"Share of (task, seed, target) triples reached, with {charts.N_TARGETS} train-loss targets per task, "
            "evenly spaced from the worst first to the best last loss of these entries."
        )
    else:
        spec = source.cost_chart(board.round.full_name, is_dark=palette.is_dark)
        caption = "Dashed: Pareto frontier; no entry scores higher with fewer calls. Labels: frontier and baselines."
    if not spec:
        st.info("No data for this plot yet.")
        return
    st.caption(caption)
    if key:
        show_key(key, palette)
    st.vega_lite_chart(spec, width="stretch", theme=None, alt=f"{names[plot or 'frontier']}: {caption}")


def main() -> None:
    """Show the page."""
    board = show_head()
    offer_refresh(board.version)
    show_cards(board_cards(board))
    if board.round.frozen_at is not None:
        st.info(
            f"Board frozen since {moment(board.round.frozen_at)}. Results that end later are shown after the freeze."
        )
    if not board.entries:
        st.info("No submission yet. The first complete one leads.")
    else:
        show_ranking(board)
        show_unfinished(board)
    show_uploads(board)
    if any(entry.is_complete for entry in board.entries):
        show_plots(board)


guard.show(main)
