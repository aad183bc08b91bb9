"""Page: two to four submissions side by side."""

import streamlit as st

from harness.store.public import SubmissionPage, UsageError
from leaderboard import charts, guard, source
from leaderboard.address import numbers_in
from leaderboard.charts.style import series_name
from leaderboard.comparison import Difference, SeedScores, paired_differences
from leaderboard.markup import Cell, Column, text_table
from leaderboard.parts import section, show_key, title
from leaderboard.rounds import short_address
from leaderboard.texts import counted, literal
from leaderboard.theme import palette_now

_MIN, _MAX = 2, 4
_CURVES_PER_ROW = 3


def chosen() -> list[SubmissionPage]:
    """Return the submissions named in the address.

    Raises:
        UsageError: too few or too many, of different rounds, or one is unknown.
    """
    numbers = numbers_in("ids", "a submission; select rows of the leaderboard to compare them")
    if not _MIN <= len(numbers) <= _MAX:
        raise UsageError(
            f"cannot compare {counted(len(numbers), 'submission')}; select {_MIN} to {_MAX} rows of the leaderboard"
        )
    pages = [source.submission(number) for number in numbers]
    # Scores are comparable only within one version of a round: another may have other tasks.
    rounds = {f"{page.round.name} {page.round.version}" for page in pages}
    if len(rounds) > 1:
        raise UsageError(f"submissions of different rounds ({', '.join(sorted(rounds))}) cannot be compared")
    return pages


def names_of(pages: list[SubmissionPage]) -> list[str]:
    """Return the name of each submission, with its number where names are equal."""
    names = [series_name(page.entry) for page in pages]
    return [
        f"{name} (#{page.entry.submission_id})" if names.count(name) > 1 else name
        for name, page in zip(names, pages, strict=True)
    ]


def seed_scores(page: SubmissionPage) -> SeedScores:
    """Return task -> k-shot seed -> score."""
    scores: dict[str, dict[int, float | None]] = {}
    for run in page.runs:
        scores.setdefault(run.task, {})[run.kshot_seed] = run.score
    return scores


def show_differences(pages: list[SubmissionPage], names: list[str]) -> None:
    """Show paired differences to the first submission, as a chart and as a table."""
    tasks = [task.name for task in pages[0].round.tasks]
    found = [
        difference
        for name, page in zip(names[1:], pages[1:], strict=True)
        for difference in paired_differences(name, seed_scores(page), seed_scores(pages[0]), tasks)
    ]
    section(
        f"Points ahead of {names[0]}",
        "Paired by k-shot seed, with 95 % intervals (Student's t over seeds). An interval that contains 0 shows no "
        "clear difference. The intervals do not cover the sampling of test rows.",
    )
    spec = charts.difference_chart(found, names, palette_now())
    if not spec:
        st.info("No k-shot seed has a score in both submissions, so nothing can be paired.")
        return
    st.vega_lite_chart(spec, width="stretch", theme=None, alt=f"Paired differences to {names[0]}")
    columns = [
        Column("Task", is_heading=True),
        Column("Submission"),
        Column("Ahead by ↑", is_number=True),
        Column("95 % interval", is_number=True),
        Column("Pairs", is_number=True, is_wide_only=True),
    ]
    st.html(text_table("Paired differences", columns, [_row(each) for each in found]))


def _row(each: Difference) -> list[str | Cell]:
    interval = "-" if each.low is None or each.high is None else f"{each.low:+.2f} to {each.high:+.2f}"
    tone = "" if not each.is_clear else "good" if each.mean is not None and each.mean > 0 else "bad"
    return [
        each.task,
        each.series,
        "-" if each.mean is None else Cell(f"{each.mean:+.2f}", tone=tone),
        interval,
        str(each.n_pairs),
    ]


def show_curves(pages: list[SubmissionPage], names: list[str]) -> None:
    """Show the mean best train loss of all submissions, one chart per task."""
    palette = palette_now()
    per_task = {
        task.name: {
            name: curve
            for name, page in zip(names, pages, strict=True)
            for curve in page.curves
            if curve.task == task.name
        }
        for task in pages[0].round.tasks
    }
    drawn = [(task, charts.loss_curves(curves, names, palette)) for task, curves in per_task.items()]
    drawn = [(task, spec) for task, spec in drawn if spec]
    if not drawn:
        return
    section(
        "Best train loss against calls",
        "Means over k-shot seeds. Curves are comparable up to the smaller number of calls.",
    )
    for start in range(0, len(drawn), _CURVES_PER_ROW):
        columns = st.columns(_CURVES_PER_ROW)
        for column, (task, spec) in zip(columns, drawn[start : start + _CURVES_PER_ROW], strict=False):
            with column:
                st.markdown(f"**{literal(task)}**")
                st.vega_lite_chart(
                    spec, width="stretch", theme=None, alt=f"Best train loss of all against calls on {task}"
                )


def show_scores(pages: list[SubmissionPage], names: list[str]) -> None:
    """Show the scores side by side."""
    tasks = [task.name for task in pages[0].round.tasks]
    columns = [
        Column("Submission", is_heading=True),
        Column("Score ↑", is_number=True),
        *(Column(f"{task} ↑", is_number=True, is_wide_only=True) for task in tasks),
        Column("Calls ↓", is_number=True),
    ]
    rows: list[list[str | Cell]] = [
        [
            Cell(name, href=f"submission?id={page.entry.submission_id}"),
            _score(page.entry.score),
            *(_score(page.entry.task_scores[task]) for task in tasks),
            f"{page.entry.calls:,}",
        ]
        for name, page in zip(names, pages, strict=True)
    ]
    st.html(text_table("Scores side by side", columns, rows, tinted=[page.entry.is_baseline for page in pages]))


def _score(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def main() -> None:
    """Show the page."""
    pages = chosen()
    names = names_of(pages)
    palette = palette_now()
    board_round = pages[0].round
    st.page_link("pages/board.py", label="← Leaderboard", query_params={"round": short_address(board_round)})
    title("Compare", f"Round {board_round.name} {board_round.version}")
    show_key([(name, page.entry.submission_id) for name, page in zip(names, pages, strict=True)], palette)
    show_scores(pages, names)
    show_differences(pages, names)
    show_curves(pages, names)


guard.show(main)
