"""Page: one task of a round."""

from collections.abc import Sequence

import streamlit as st

from harness.store.public import BoardRound, BoardTask, Entry, UsageError
from leaderboard import charts, guard, source
from leaderboard.charts.kinds import KINDS_CAPTION
from leaderboard.charts.style import series_name
from leaderboard.columns import BASELINE_MARK
from leaderboard.confusion import confusion_table
from leaderboard.live import offer_refresh
from leaderboard.markup import Cell, Column, text_table
from leaderboard.parts import Card, section, show_cards, title
from leaderboard.rounds import head_with_round
from leaderboard.texts import CONFUSION_CAPTION, entry_note, metric_name
from leaderboard.theme import palette_now

_MAX_SHOWN = 20


def choose_task(board_round: BoardRound) -> BoardTask:
    """Return the selected task: the one in the address, else the first.

    Raises:
        UsageError: the round has no such task.
    """
    tasks = {task.name: task for task in board_round.tasks}
    wanted = st.query_params.get("task")
    if wanted is not None and wanted not in tasks:
        raise UsageError(f"round {board_round.name} has no task {wanted}; tasks: {', '.join(tasks)}")

    def remember() -> None:
        st.query_params["task"] = st.session_state["task-choice"]

    name = st.segmented_control(
        "Task",
        list(tasks),
        default=wanted or next(iter(tasks)),
        required=True,
        key="task-choice",
        on_change=remember,
        label_visibility="collapsed",
    )
    return tasks[str(name)]


def figures(board_round: BoardRound, task: BoardTask) -> list[Card]:
    """Return cards with metric, budget, classes and test rows of a task."""
    facts = board_round.rules.get("task", {}).get(task.name, {})
    labels = facts.get("label_names", ())
    k_shot = facts.get("k_shot")
    share = facts.get("public_fraction")
    return [
        Card("Metric", metric_name(task.metric), "0-100, higher is better"),
        Card("Budget", f"{task.budget_calls:,} calls", f"per run, {len(task.kshot_seeds)} k-shot seeds"),
        Card(
            "Classes",
            str(len(labels) or "-"),
            "" if k_shot is None else f"{k_shot} train and {k_shot} dev examples per class",
        ),
        Card(
            "Test rows",
            "-" if share is None else f"{100 * share:.0f} % public",
            "the others rank after publication" if share is not None and share < 1 else "",
        ),
    ]


def show_facts(board_round: BoardRound, task: BoardTask) -> None:
    """Show data, template and label words of a task."""
    facts = board_round.rules.get("task", {}).get(task.name, {})
    if not facts:
        return
    with st.expander("Data, template and label words"):
        rows: list[list[str | Cell]] = [
            ["Data", str(facts.get("data", "-"))],
            ["Template", str(facts.get("template", "-"))],
            *(
                [f"Label word of {label}", word]
                for label, word in zip(facts.get("label_names", ()), facts.get("words", ()), strict=False)
            ),
        ]
        st.html(text_table("Facts of the task", [Column("Fact", is_heading=True), Column("Value")], rows))


def ranked_on(entries: tuple[Entry, ...], task: str) -> list[Entry]:
    """Return the complete entries by their score on a task, best first; ties keep the board's order."""
    complete = [entry for entry in entries if entry.is_complete]
    return sorted(complete, key=lambda entry: -(entry.task_scores[task] or 0.0))


def show_confusion(board_round: BoardRound, task: BoardTask, entries: Sequence[Entry]) -> None:
    """Show the confusion matrix of the selected entry, once it is visible."""
    if not source.submission(entries[0].submission_id).confusions:
        return
    section("Confusion matrix", CONFUSION_CAPTION)
    names = {entry.submission_id: series_name(entry) for entry in entries}
    chosen = st.selectbox("Entry", list(names), format_func=lambda number: names[number], key="confusion-of", width=320)
    counts = source.submission(chosen).confusions.get(task.name)
    if counts is None:
        st.info("This entry has no predictions on this task.")
        return
    facts = board_round.rules.get("task", {}).get(task.name, {})
    caption = f"Confusion matrix on {task.name}, in % of the true class"
    st.html(confusion_table(caption, facts.get("label_names", ()), counts, palette_now()))


def main() -> None:
    """Show the page."""
    place, name = head_with_round()
    board = source.board(name)
    task = choose_task(board.round)
    with place:
        title(task.name, f"Task of round {board.round.name} {board.round.version}")
    offer_refresh(board.version)
    show_cards(figures(board.round, task))
    show_facts(board.round, task)
    order = ranked_on(board.entries, task.name)
    if not order:
        st.info(
            board.round.score_notice or "No submission is complete yet, so there are no scores to compare on this task."
        )
        return
    shown = order[:_MAX_SHOWN]
    palette = palette_now()
    section("Scores by k-shot seed", f"One mark per k-shot seed; bar: mean. {KINDS_CAPTION}")
    st.vega_lite_chart(
        charts.seed_strips(shown, task.name, palette),
        width="stretch",
        theme=None,
        alt=f"Scores on {task.name}, one mark per k-shot seed",
    )
    is_cut = len(order) > len(shown)
    section("Ranking on this task", f"The best {len(shown)} of {len(order)} complete entries." if is_cut else "")
    columns = [
        Column("#", is_number=True),
        Column("Team", is_heading=True),
        Column("Solver"),
        Column(f"{task.name} ↑", is_number=True),
        Column("Lowest seed ↑", is_number=True, is_wide_only=True),
        Column("Highest seed ↑", is_number=True, is_wide_only=True),
        Column("Overall", is_number=True),
    ]
    rows: list[list[str | Cell]] = []
    n_ranked = 0
    for entry in shown:
        n_ranked += not entry.is_baseline and entry.is_official
        seeds = [score for score in entry.seed_scores[task.name].values() if score is not None]
        rows.append(
            [
                str(n_ranked) if not entry.is_baseline and entry.is_official else "-",
                f"{BASELINE_MARK} baseline" if entry.is_baseline else entry.team,
                Cell(entry.solver, href=f"submission?id={entry.submission_id}", remark=entry_note(entry)),
                f"{entry.task_scores[task.name]:.2f}",
                f"{min(seeds):.2f}",
                f"{max(seeds):.2f}",
                "-" if entry.rank is None else str(entry.rank),
            ]
        )
    st.html(text_table(f"Ranking on {task.name}", columns, rows, tinted=[entry.is_baseline for entry in shown]))
    show_confusion(board.round, task, shown)


guard.show(main)
