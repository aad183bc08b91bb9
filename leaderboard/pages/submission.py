"""Page: one submission."""

from typing import Any

import streamlit as st

from harness.records import Status, Verdict
from harness.store.public import STALE, UNOFFICIAL, SubmissionPage
from leaderboard import charts, guard, source
from leaderboard.address import number_in
from leaderboard.confusion import confusion_table
from leaderboard.live import offer_refresh, show_progress
from leaderboard.markup import text_table
from leaderboard.parts import Card, section, show_cards, title
from leaderboard.rounds import short_address
from leaderboard.runs import hash_table, run_table, score_table
from leaderboard.texts import CONFUSION_CAPTION, entry_state, literal, moment, rank_of, seconds, seen_from, verdict_text
from leaderboard.theme import palette_now

_CURVES_PER_ROW = 3


def show_state(page: SubmissionPage) -> None:
    """Show the state of the submission, and its error if there is one."""
    entry = page.entry
    if entry.n_runs_held:
        st.warning(
            f"{entry.n_runs_held} of {entry.n_runs} runs: on hold after repeated platform errors; quota unaffected."
        )
    if entry.status in {Status.QUEUED, Status.RUNNING}:
        st.progress(entry.n_runs_done / entry.n_runs, text=f"{entry.n_runs_done} of {entry.n_runs} runs have ended")
        show_progress(entry.submission_id)
    elif entry.status is Status.CANCELLED:
        st.info("This submission was cancelled. It is not ranked.")
    elif entry.status is Status.FAILED and entry.verdict is not None:
        st.error(f"Not ranked: a run has no score. {verdict_text(entry.verdict)}.")
    elif entry.verdict is not None and entry.verdict is not Verdict.OK:
        st.warning(f"Scored on a checkpoint. {verdict_text(entry.verdict)}.")
    hidden = page.round.score_notice
    if hidden and entry.status not in {Status.CANCELLED, Status.FAILED}:
        st.info(hidden)
    if not entry.is_official:
        st.warning(f"{UNOFFICIAL.capitalize()}. The solver was not isolated, so the submission is not ranked.")
    if entry.is_stale:
        st.warning(f"{STALE.capitalize()}. It remains until the organizer rejudges it.")


def figures(page: SubmissionPage) -> list[Card]:
    """Return score, calls, verdict and time."""
    entry = page.entry
    used = 100 * entry.calls / entry.budget_calls
    score = "-" if entry.score is None else f"{entry.score:.2f}"
    return [
        Card("Score", score if entry.margin is None else f"{score} ± {entry.margin:.2f}", rank_of(entry)),
        Card("Charged calls", f"{entry.calls:,}", f"{used:.1f} % of the budget"),
        Card("Verdict", entry_state(entry), f"{entry.n_runs_done} of {entry.n_runs} runs ended"),
        Card("Wall time", seconds(entry.wall_s), f"model {seconds(entry.engine_s)}"),
    ]


def show_curves(page: SubmissionPage) -> None:
    """Show best train loss and, once visible, test score against calls: one chart per task."""
    palette = palette_now()
    show_charts(
        "Best train loss against calls",
        "Line: mean over k-shot seeds. Band: lowest to highest seed.",
        [(curve.task, charts.loss_curve(curve, palette)) for curve in page.curves],
    )
    show_charts(
        "Test score against calls",
        "Incumbents of the solver, scored after the run; one line per k-shot seed.",
        [(curve.task, charts.score_curve(curve, palette)) for curve in page.curves],
    )


def show_charts(name: str, caption: str, drawn: list[tuple[str, dict[str, Any]]]) -> None:
    """Show one small chart per task that has data."""
    drawn = [(task, spec) for task, spec in drawn if spec]
    if drawn:
        section(name, caption)
    for start in range(0, len(drawn), _CURVES_PER_ROW):
        columns = st.columns(_CURVES_PER_ROW)
        for column, (task, spec) in zip(columns, drawn[start : start + _CURVES_PER_ROW], strict=False):
            with column:
                st.markdown(f"**{literal(task)}**")
                st.vega_lite_chart(spec, width="stretch", theme=None, alt=f"{name} on {task}")


def show_confusion(page: SubmissionPage) -> None:
    """Show the confusion matrix of the selected task, once it is visible."""
    tasks = [task.name for task in page.round.tasks if task.name in page.confusions]
    if not tasks:
        return
    section("Confusion matrix", CONFUSION_CAPTION)
    task = st.segmented_control(
        "Task", tasks, default=tasks[0], required=True, key="confusion", label_visibility="collapsed"
    )
    facts = page.round.rules.get("task", {}).get(str(task), {})
    st.html(
        confusion_table(
            f"Confusion matrix on {task}, in % of the true class",
            facts.get("label_names", ()),
            page.confusions[str(task)],
            palette_now(),
        )
    )


def show_log(page: SubmissionPage) -> None:
    """Show how the team can read the solver's output, which the public store does not contain."""
    visible = page.round.rules.get("visibility", {}).get("logs", "open")
    st.caption(
        f"The solver's output is not public. Its team can read it {seen_from(visible)} with "
        f"`gradfree logs {page.entry.submission_id}`."
    )


def show_reproduction(page: SubmissionPage) -> None:
    """Show how to reproduce the result, and the expected hashes."""
    columns, rows = hash_table(page)
    if not rows:
        return
    with st.expander("Reproduction: command and expected hashes"):
        st.markdown(
            "The organizer can replay a run from its artifact. With the submission's files, anyone can repeat a run; "
            "with the same numeric profile, results are identical bit for bit."
        )
        name, task = page.round.name, page.round.tasks[0].name
        of = name if page.round.is_packaged else "<file of the round>"
        st.code(f"gradfree try <folder of the submission> --round {of} --task {task}", language="shell")
        st.html(text_table("Hashes of the runs", columns, rows))


def main() -> None:
    """Show the page."""
    page = source.submission(number_in("id", "a submission; open one from the leaderboard"))
    entry = page.entry
    st.page_link("pages/board.py", label="← Leaderboard", query_params={"round": short_address(page.round)})
    kind = "baseline" if entry.is_baseline else f"team {entry.team}"
    title(
        entry.solver,
        f"{kind} · round {page.round.name} {page.round.version} · submission {entry.submission_id}"
        f" · submitted {moment(entry.submitted_at)}",
    )
    if entry.description:
        st.text(entry.description)
    offer_refresh(source.version())
    show_state(page)
    show_cards(figures(page))
    section("Scores per task and seed")
    columns, rows = score_table(page)
    st.html(text_table("Scores per task and k-shot seed", columns, rows))
    show_curves(page)
    show_confusion(page)
    section("Runs", "* A limit ended the run; its last checkpoint was scored." if entry.is_checkpoint else "")
    columns, rows, notes = run_table(page)
    st.html(text_table("Runs of the submission", columns, rows, notes=notes))
    if not entry.is_baseline:
        show_log(page)
    show_reproduction(page)


guard.show(main)
