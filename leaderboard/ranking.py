"""Rows of the tables: pure functions from store values to data frames."""

import math
from collections.abc import Sequence

import pandas as pd

from harness.store.board import UNOFFICIAL, Board, BoardRound, Entry, SubmissionPage, Upload
from leaderboard.cards import Card
from leaderboard.wording import button_text, entry_state, moment, run_state

__all__ = [
    "BASELINE_MARK",
    "board_cards",
    "board_frame",
    "filter_entries",
    "hash_frame",
    "run_frame",
    "score_frame",
    "task_column",
    "task_frame",
    "tint",
    "upload_frame",
]

BASELINE_MARK = "◆"

_BASELINE_TINT = "background-color: rgba(230, 159, 0, 0.16)"


def task_column(name: str) -> str:
    """Return the header of a task's score: higher is better."""
    return f"{name} ↑"


def filter_entries(entries: Sequence[Entry], text: str, *, with_baselines: bool) -> list[Entry]:
    """Return the entries whose team or solver contains `text`, whatever its case, in the same order."""
    wanted = text.strip().casefold()
    return [
        entry
        for entry in entries
        if (with_baselines or not entry.is_baseline)
        and (wanted in entry.team.casefold() or wanted in entry.name.casefold())
    ]


def board_frame(board_round: BoardRound, entries: Sequence[Entry], view: str) -> pd.DataFrame:
    """Return the table of a board, one row per entry, in the order given.

    Args:
        board_round: gives the tasks and their order.
        entries: what to show.
        view: "scores" or "cost".
    """
    columns: dict[str, object] = {
        "#": pd.array([entry.rank for entry in entries], dtype="Int64"),
        "Solver": [_solver_label(entry) for entry in entries],
        "Score ↑": _floats([entry.score for entry in entries]),
        "Team": [entry.team for entry in entries],
    }
    if view == "cost":
        columns |= {
            "Calls ↓": [entry.calls for entry in entries],
            "Budget used ↓": _floats([100 * entry.calls / entry.budget_calls for entry in entries]),
            "Tokens ↓": [entry.tokens for entry in entries],
            "Model s ↓": [entry.engine_s for entry in entries],
            "Wall s ↓": [entry.wall_s for entry in entries],
            "Submitted": [moment(entry.submitted_at) for entry in entries],
        }
    else:
        for task in board_round.tasks:
            columns[task_column(task.name)] = _floats([entry.task_scores[task.name] for entry in entries])
        columns["Calls ↓"] = [entry.calls for entry in entries]
    columns["Verdict"] = [entry_state(entry) for entry in entries]
    return pd.DataFrame(columns)


def tint(entries: Sequence[Entry], muted: str) -> list[str]:
    """Return a style per row: reference methods are tinted; incomplete and unofficial ones are muted."""
    return [
        _BASELINE_TINT
        if entry.is_baseline
        else ""
        if entry.is_complete and entry.is_official
        else f"color: {muted}"
        for entry in entries
    ]


def board_cards(board: Board) -> list[Card]:
    """Return the leader, the number of entries and the phase of a round."""
    competitors = [entry for entry in board.entries if not entry.is_baseline]
    ranked = [entry for entry in competitors if entry.rank is not None]
    leaders = [entry for entry in ranked if entry.rank == 1]
    baselines = [entry for entry in board.entries if entry.is_baseline and entry.score is not None]
    waiting = sum(not entry.is_complete for entry in board.entries)
    phase = board.round.phase
    closes = f"closes {moment(board.round.closes)}" if board.round.closes else "no closing time"
    return [
        _leader_card(leaders, baselines),
        Card(
            "Ranked",
            f"{len(ranked)} {'entry' if len(ranked) == 1 else 'entries'}",
            f"{board.n_submissions} submissions, {waiting} not complete",
        ),
        Card(
            "Best baseline",
            "-" if not baselines else baselines[0].name,
            "none yet" if not baselines else _baseline_remark(baselines[0]),
        ),
        Card("Phase", str(phase).capitalize(), closes),
    ]


def score_frame(page: SubmissionPage) -> pd.DataFrame:
    """Return scores per task and few-shot seed, with their mean and standard deviation."""
    seeds = list(dict.fromkeys(seed for task in page.round.tasks for seed in task.kshot_seeds))
    score_of = {(run.task, run.kshot_seed): run.score for run in page.runs}
    rows = []
    for task in page.round.tasks:
        scores = pd.Series([score_of.get((task.name, seed)) for seed in task.kshot_seeds], dtype="float64")
        rows.append(
            {
                "Task": task.name,
                "Metric": task.metric,
                "Mean ↑": page.entry.task_scores[task.name],
                "SD": scores.std() if scores.notna().sum() > 1 else None,
                **{f"seed {seed}": score_of.get((task.name, seed)) for seed in seeds},
            }
        )
    frame = pd.DataFrame(rows)
    numbers = [name for name in frame.columns if name not in {"Task", "Metric"}]
    return frame.astype(dict.fromkeys(numbers, "float64"))


def run_frame(page: SubmissionPage) -> pd.DataFrame:
    """Return one row per run, in the order of the round."""
    return pd.DataFrame(
        {
            "Task": [run.task for run in page.runs],
            "Seed": [run.kshot_seed for run in page.runs],
            "Verdict": [run_state(run) for run in page.runs],
            "Score ↑": _floats([run.score for run in page.runs]),
            "Calls ↓": [run.calls for run in page.runs],
            "Budget": [run.budget_calls for run in page.runs],
            "Wall s ↓": _floats([run.wall_s for run in page.runs]),
            "Attempts": [run.n_attempts for run in page.runs],
            "Message": [run.message for run in page.runs],
        }
    )


def upload_frame(board_round: BoardRound, uploads: Sequence[Upload]) -> pd.DataFrame:
    """Return one row per upload of predictions, in the order given: neither a rank nor calls."""
    return pd.DataFrame(
        {
            "Name": [upload.name for upload in uploads],
            "Score ↑": _floats([upload.score for upload in uploads]),
            **{
                task_column(task.name): _floats([upload.task_scores[task.name] for upload in uploads])
                for task in board_round.tasks
            },
            "Uploaded": [moment(upload.created_at) for upload in uploads],
        }
    )


def task_frame(board_round: BoardRound) -> pd.DataFrame:
    """Return one row per task of a round."""
    return pd.DataFrame(
        {
            "Task": [task.name for task in board_round.tasks],
            "Metric": [task.metric for task in board_round.tasks],
            "Budget": [task.budget_calls for task in board_round.tasks],
            "Few-shot seeds": [", ".join(map(str, task.kshot_seeds)) for task in board_round.tasks],
        }
    )


def hash_frame(page: SubmissionPage) -> pd.DataFrame:
    """Return every distinct hash of the runs and what it is of: what a repetition must find again."""
    rows: dict[tuple[str, str], list[str]] = {}
    for run in page.runs:
        named = dict(run.hashes) | ({"artifact": run.artifact_sha256} if run.artifact_sha256 else {})
        for of, digest in named.items():
            rows.setdefault((of, digest), []).append(f"{run.task}/{run.kshot_seed}")
    return pd.DataFrame(
        [
            {"Of": of, "SHA-256": digest, "Runs": "all" if len(runs) == len(page.runs) else ", ".join(runs)}
            for (of, digest), runs in sorted(rows.items())
        ],
        columns=["Of", "SHA-256", "Runs"],
    )


def _solver_label(entry: Entry) -> str:
    """Return the text of the button that opens a submission: buttons read shortcodes, names are not."""
    name = button_text(entry.name)
    return f"{BASELINE_MARK} {name}" if entry.is_baseline else name


def _baseline_remark(entry: Entry) -> str:
    remark = f"score {entry.score:.2f}, not ranked"
    return remark if entry.is_official else f"{remark}, {UNOFFICIAL}"


def _leader_card(leaders: list[Entry], baselines: list[Entry]) -> Card:
    if not leaders:
        return Card("Leader", "-", "nobody is ranked yet")
    if len(leaders) > 1:
        return Card("Leader", f"{len(leaders)} tied", ", ".join(entry.team for entry in leaders))
    leader = leaders[0]
    remark = f"score {leader.score:.2f}"
    if leader.score is not None and baselines and baselines[0].score is not None:
        remark += f", {leader.score - baselines[0].score:+.2f} to the best baseline"
    return Card("Leader", leader.team, remark)


def _floats(values: Sequence[float | None]) -> "pd.Series[float]":
    return pd.Series([math.nan if value is None else value for value in values], dtype="float64")
