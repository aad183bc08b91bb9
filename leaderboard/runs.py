"""Tables of a submission and of a round's tasks: pure functions that return cells."""

import statistics

from harness.records import Verdict
from harness.store.public import BoardRound, SubmissionPage
from leaderboard.markup import Cell, Column
from leaderboard.texts import metric_name, run_state, seconds

__all__ = ["Table", "hash_table", "run_table", "score_table", "task_table"]

Table = tuple[list[Column], list[list[str | Cell]]]
"""Columns, and one list of cells per row."""


def score_table(page: SubmissionPage) -> Table:
    """Return scores per task and k-shot seed, with their mean and standard deviation."""
    seeds = list(dict.fromkeys(seed for task in page.round.tasks for seed in task.kshot_seeds))
    score_of = {(run.task, run.kshot_seed): run.score for run in page.runs}
    columns = [
        Column("Task", is_heading=True),
        Column("Metric", is_wide_only=True),
        Column("Mean ↑", is_number=True),
        Column("SD", is_number=True, is_wide_only=True),
        *(Column(f"seed {seed} ↑", is_number=True) for seed in seeds),
    ]
    rows: list[list[str | Cell]] = []
    for task in page.round.tasks:
        scores = [score for seed in task.kshot_seeds if (score := score_of.get((task.name, seed))) is not None]
        rows.append(
            [
                Cell(task.name, href=f"task?task={task.name}&round={page.round.full_name}"),
                metric_name(task.metric),
                _number(page.entry.task_scores[task.name]),
                _number(statistics.stdev(scores) if len(scores) > 1 else None),
                *(_number(score_of.get((task.name, seed))) for seed in seeds),
            ]
        )
    return columns, rows


def run_table(page: SubmissionPage) -> tuple[list[Column], list[list[str | Cell]], list[str]]:
    """Return one row per run, in the order of the round, and each run's message."""
    columns = [
        Column("Task", is_heading=True),
        Column("Seed", is_number=True),
        Column("Verdict"),
        Column("Score ↑", is_number=True),
        Column("Calls ↓", is_number=True),
        Column("Budget used ↓", is_number=True, is_wide_only=True),
        Column("Wall time ↓", is_number=True, is_wide_only=True),
        Column("Attempts", is_number=True, is_wide_only=True),
    ]
    rows: list[list[str | Cell]] = [
        [
            run.task,
            str(run.kshot_seed),
            Cell(run_state(run), tone=_tone(run.verdict)),
            _number(run.score),
            f"{run.calls:,}",
            f"{100 * run.calls / run.budget_calls:.1f} %",
            "-" if run.wall_s is None else seconds(run.wall_s),
            str(run.n_attempts),
        ]
        for run in page.runs
    ]
    return columns, rows, [run.message for run in page.runs]


def hash_table(page: SubmissionPage) -> Table:
    """Return the distinct hashes of the runs; a repetition gives the same ones."""
    found: dict[tuple[str, str], list[str]] = {}
    for run in page.runs:
        named = dict(run.hashes) | ({"artifact": run.artifact_sha256} if run.artifact_sha256 else {})
        for of, digest in named.items():
            found.setdefault((of, digest), []).append(f"{run.task}/{run.kshot_seed}")
    return [Column("Of", is_heading=True), Column("SHA-256"), Column("Runs")], [
        [of, digest, "all" if len(runs) == len(page.runs) else ", ".join(runs)]
        for (of, digest), runs in sorted(found.items())
    ]


def task_table(board_round: BoardRound) -> Table:
    """Return one row per task of a round."""
    facts = board_round.rules.get("task", {})
    columns = [
        Column("Task", is_heading=True),
        Column("Metric"),
        Column("Calls per run", is_number=True),
        Column("Examples per class", is_number=True, is_wide_only=True),
        Column("Classes", is_number=True, is_wide_only=True),
        Column("k-shot seeds", is_wide_only=True),
        Column("Data", is_wide_only=True),
    ]
    rows: list[list[str | Cell]] = [
        [
            Cell(task.name, href=f"task?task={task.name}&round={board_round.full_name}"),
            metric_name(task.metric),
            f"{task.budget_calls:,}",
            str(facts.get(task.name, {}).get("k_shot", "-")),
            str(len(facts.get(task.name, {}).get("label_names", ())) or "-"),
            ", ".join(map(str, task.kshot_seeds)),
            str(facts.get(task.name, {}).get("data", "-")),
        ]
        for task in board_round.tasks
    ]
    return columns, rows


def _tone(verdict: Verdict | None) -> str:
    if verdict is None:
        return "muted"
    return "good" if verdict is Verdict.OK else "bad"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
