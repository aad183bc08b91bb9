"""Page: one submission."""

import streamlit as st

from harness.errors import UsageError
from harness.records import Status, Verdict
from harness.store.board import UNOFFICIAL, SubmissionPage
from leaderboard import charts, guard, source
from leaderboard.cards import Card, show_cards
from leaderboard.ranking import hash_frame, run_frame, score_frame
from leaderboard.theme import palette_now
from leaderboard.wording import entry_state, literal, moment, rank_of, seconds, verdict_text

_MAX_ROWS_SHOWN = 26
_CURVES_PER_ROW = 3


def asked_for() -> int:
    """Return the number in the address."""
    text = st.query_params.get("id", "")
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise UsageError(f"{text!r} is not the number of a submission; open one from the leaderboard")
    return int(text)


def show_state(page: SubmissionPage) -> None:
    """Say where the submission stands, and what went wrong if something did."""
    entry = page.entry
    if entry.n_runs_held:
        st.warning(
            f"{entry.n_runs_held} of {entry.n_runs} runs are held for the organizer after errors of ours."
        )
    if entry.status in {Status.QUEUED, Status.RUNNING}:
        st.progress(
            entry.n_runs_done / entry.n_runs, text=f"{entry.n_runs_done} of {entry.n_runs} runs have ended"
        )
    elif entry.status is Status.CANCELLED:
        st.info("This submission was cancelled. It is not ranked.")
    elif entry.status is Status.FAILED and entry.verdict is not None:
        st.error(f"Not ranked, since a run has no score. {verdict_text(entry.verdict)}.")
    elif entry.verdict is not None and entry.verdict is not Verdict.OK:
        st.warning(f"Scored on a checkpoint. {verdict_text(entry.verdict)}.")
    if not entry.is_official:
        st.warning(
            f"{UNOFFICIAL.capitalize()}. Without isolation nothing bound the solver; it is not ranked."
        )


def figures(page: SubmissionPage) -> list[Card]:
    """Return score, calls, verdict and time."""
    entry = page.entry
    used = 100 * entry.calls / entry.budget_calls
    return [
        Card("Score", "-" if entry.score is None else f"{entry.score:.2f}", rank_of(entry)),
        Card("Charged calls", f"{entry.calls:,}", f"{used:.1f} % of the budget"),
        Card("Verdict", entry_state(entry), f"{entry.n_runs_done} of {entry.n_runs} runs ended"),
        Card("Wall time", seconds(entry.wall_s), f"model {seconds(entry.engine_s)}"),
    ]


def show_curves(page: SubmissionPage) -> None:
    """Show the best train loss against calls, one small chart per task."""
    palette = palette_now()
    drawn = [(curve.task, charts.loss_curve(curve, palette)) for curve in page.curves]
    drawn = [(task, spec) for task, spec in drawn if spec]
    if not drawn:
        return
    st.markdown("##### Best train loss against calls")
    st.caption("Line: mean over few-shot seeds. Band: lowest to highest seed.")
    for start in range(0, len(drawn), _CURVES_PER_ROW):
        columns = st.columns(_CURVES_PER_ROW)
        for column, (task, spec) in zip(columns, drawn[start : start + _CURVES_PER_ROW], strict=False):
            with column:
                st.markdown(f"**{literal(task)}**")
                st.vega_lite_chart(spec, width="stretch", alt=f"Best train loss against calls on {task}")


def main() -> None:
    """Show the page."""
    page = source.submission(asked_for())
    entry = page.entry
    st.page_link("pages/board.py", label="← Leaderboard", query_params={"round": page.round.name})
    st.markdown(f"### {literal(entry.name)}")
    kind = "reference method" if entry.is_baseline else f"team {literal(entry.team)}"
    st.caption(
        f"{kind} · round {literal(page.round.name)} {literal(page.round.version)}"
        f" · submission {entry.submission_id} · submitted {literal(moment(entry.submitted_at))}"
    )
    if entry.description:
        st.text(entry.description)
    show_state(page)
    show_cards(figures(page))
    number = st.column_config.NumberColumn
    st.markdown("##### Scores per task and seed")
    scores = score_frame(page)
    st.dataframe(
        scores,
        hide_index=True,
        placeholder="-",
        height="content",
        row_height=32,
        column_config={
            name: number(format="%.2f") for name in scores.columns if name not in {"Task", "Metric"}
        },
        alt="Scores per task and few-shot seed",
    )
    show_curves(page)
    st.markdown("##### Runs")
    if entry.is_flagged:
        st.caption("* scored on a checkpoint, because a limit ended the run")
    runs = run_frame(page)
    st.dataframe(
        runs,
        hide_index=True,
        placeholder="-",
        height=min(len(runs), _MAX_ROWS_SHOWN) * 32 + 37,
        row_height=32,
        column_config={
            "Score ↑": number(format="%.2f"),
            "Calls ↓": number(format="localized"),
            "Budget": number(format="localized"),
            "Wall s ↓": number(format="%.1f"),
        },
        alt="Runs of the submission",
    )
    hashes = hash_frame(page)
    if len(hashes):
        with st.expander("Hashes: what a repetition must find again"):
            st.dataframe(hashes, hide_index=True, row_height=32, alt="Hashes of the runs")


guard.show(main)
