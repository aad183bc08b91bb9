"""Page: all submissions of a round, newest first."""

import streamlit as st

from harness.records import Status, Verdict
from harness.store.public import Entry
from leaderboard import guard, source
from leaderboard.columns import BASELINE_MARK
from leaderboard.live import offer_refresh
from leaderboard.markup import Cell, Column, render, text_table
from leaderboard.parts import title
from leaderboard.ranking import phone_rows
from leaderboard.rounds import head_with_round
from leaderboard.texts import entry_words, moment

_PER_PAGE = 50
_ALL = "all"
_CHOICES = (
    _ALL,
    *(status.value for status in (Status.QUEUED, Status.RUNNING, Status.FINISHED, Status.FAILED, Status.CANCELLED)),
)


def row(entry: Entry) -> list[str | Cell]:
    """Return the cells of a submission."""
    tone = "good" if entry.verdict is Verdict.OK else "bad" if entry.status is Status.FAILED else "muted"
    return [
        Cell(str(entry.submission_id), href=f"submission?id={entry.submission_id}"),
        f"{BASELINE_MARK} baseline" if entry.is_baseline else entry.team,
        entry.solver,
        Cell(entry_words(entry), tone=tone),
        "-" if entry.score is None else f"{entry.score:.2f}",
        "counts" if entry.counts else "",
        f"{entry.calls:,}",
        moment(entry.submitted_at),
    ]


def first_page() -> None:
    """Go to the first page, since the rows have changed."""
    st.session_state["page"] = 1


def main() -> None:
    """Show the page."""
    place, name = head_with_round()
    with st.container(horizontal=True, vertical_alignment="center", gap="medium"):
        status = st.pills(
            "Status",
            _CHOICES,
            default=_ALL,
            required=True,
            key="status",
            bind="query-params",
            on_change=first_page,
            label_visibility="collapsed",
        )
        text = st.text_input(
            "Search team or solver",
            placeholder="Search team or solver",
            key="find",
            bind="query-params",
            on_change=first_page,
            width=230,
            label_visibility="collapsed",
        )
    wanted = None if status in {None, _ALL} else Status(status)
    head, table = st.container(gap=None), st.container(gap=None)
    # The first page gives the number of pages.
    found = source.submissions(name, wanted, (text or "").strip(), 1, _PER_PAGE)
    n_pages = max(-(-found.n_found // _PER_PAGE), 1)
    at = st.pagination(n_pages, key="page", bind="query-params") if n_pages > 1 else 1
    if at > 1:
        found = source.submissions(name, wanted, (text or "").strip(), at, _PER_PAGE)
    with place:
        title("Submissions", f"Round {found.round.name} {found.round.version} · {found.n_found:,} found, newest first")
    with head:
        offer_refresh(source.version())
    if not found.entries:
        st.info("No submission matches; change the status or the search.")
        return
    columns = [
        Column("No.", is_number=True),
        Column("Team", is_heading=True),
        Column("Solver"),
        Column("State"),
        Column("Score ↑", is_number=True),
        Column("On the board"),
        Column("Calls ↓", is_number=True),
        Column("Submitted"),
    ]
    caption = "Submissions, newest first"
    with table.container(key="wide"):
        st.html(
            text_table(
                caption,
                columns,
                [row(entry) for entry in found.entries],
                tinted=[entry.is_baseline for entry in found.entries],
            )
        )
    with table.container(key="narrow"):
        rows = phone_rows(found.entries, with_state=True)
        st.html(render("phone_rows.html", caption=caption, rows=rows))


guard.show(main)
