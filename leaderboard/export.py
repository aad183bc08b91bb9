"""The board for programs: one JSON document, and the ranking as CSV. Both are stable: fields are only added.

The command line's `--json`, `/api/leaderboard.json` and the static board are this one document.
"""

import csv
import io
import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from harness.metrics.ranking import TOTAL_DECIMALS
from harness.store.public import UPLOAD_LABEL, Board, Entry

__all__ = ["FORMULA", "SCHEMA_VERSION", "board_csv", "board_document", "board_json"]

SCHEMA_VERSION = 1

FORMULA = (
    f"order: score rounded to {TOTAL_DECIMALS} decimals, higher first; then calls, fewer first; "
    "then submitted_at. rank: entries with is_ranked that are equal on score and calls share one"
)
"""How order and ranks follow from the columns of the export."""

_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
"""A spreadsheet would execute a cell that starts with one of these."""


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


_FIELDS: dict[str, Callable[[Entry], Any]] = {
    "submission": lambda entry: entry.submission_id,
    "rank": lambda entry: entry.rank,
    "team": lambda entry: entry.team,
    "solver": lambda entry: entry.solver,
    "score": lambda entry: entry.score,
    "standard_error": lambda entry: entry.standard_error,
    "margin_95": lambda entry: entry.margin,
    "tier": lambda entry: entry.tier,
    "is_pareto": lambda entry: entry.is_pareto,
    "change": lambda entry: entry.change,
    "efficiency": lambda entry: entry.efficiency,
    "calls": lambda entry: entry.calls,
    "budget_calls": lambda entry: entry.budget_calls,
    "n_runs": lambda entry: entry.n_runs,
    "n_runs_done": lambda entry: entry.n_runs_done,
    "tokens": lambda entry: entry.tokens,
    "engine_s": lambda entry: entry.engine_s,
    "wall_s": lambda entry: entry.wall_s,
    "status": lambda entry: entry.status.value,
    "verdict": lambda entry: None if entry.verdict is None else entry.verdict.value,
    "is_checkpoint": lambda entry: entry.is_checkpoint,
    "is_ranked": lambda entry: entry.rank is not None,
    "is_baseline": lambda entry: entry.is_baseline,
    "is_official": lambda entry: entry.is_official,
    "submitted_at": lambda entry: _iso(entry.submitted_at),
    "is_stale": lambda entry: entry.is_stale,
}
"""Columns of the export, in order."""


def board_document(board: Board) -> dict[str, Any]:
    """Return a board as plain values: entries in order, raw scores."""
    board_round = board.round
    return {
        "schema_version": SCHEMA_VERSION,
        "version": board.version,
        "round": {
            "name": board_round.name,
            "version": board_round.version,
            "title": board_round.title,
            "digest": board_round.digest,
            "phase": board_round.phase.value,
            "is_final": board_round.is_final,
            "opens": _iso(board_round.opens),
            "closes": _iso(board_round.closes),
            "tasks": [
                {
                    "name": task.name,
                    "metric": task.metric,
                    "budget_calls": task.budget_calls,
                    "kshot_seeds": list(task.kshot_seeds),
                }
                for task in board_round.tasks
            ],
        },
        "formula": FORMULA,
        "n_submissions": board.n_submissions,
        "entries": [
            {**{name: read(entry) for name, read in _FIELDS.items()}, "tasks": dict(entry.task_scores)}
            for entry in board.entries
        ],
        "uploads": [
            {
                "name": upload.name,
                "score": upload.score,
                "tasks": dict(upload.task_scores),
                "created_at": _iso(upload.created_at),
                "label": UPLOAD_LABEL,
            }
            for upload in board.uploads
        ],
    }


def board_json(board: Board) -> str:
    """Return the document as JSON text."""
    return json.dumps(board_document(board), ensure_ascii=False, separators=(",", ":")) + "\n"


def board_csv(board: Board) -> str:
    """Return the complete entries as CSV in UTF-8, in order, with raw scores.

    Names that a spreadsheet would take for a formula get an apostrophe in front; the JSON has them as
    they are.
    """
    entries = [entry for entry in board.entries if entry.is_complete]
    tasks = [task.name for task in board.round.tasks]
    output = io.StringIO()
    writer = csv.writer(output, lineterminator="\n")
    writer.writerow([*_FIELDS, *(f"task {task}" for task in tasks)])
    for entry in entries:
        values = [read(entry) for read in _FIELDS.values()]
        writer.writerow(_cell(value) for value in (*values, *(entry.task_scores[task] for task in tasks)))
    return output.getvalue()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    text = repr(value) if isinstance(value, float) else str(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(_FORMULA_STARTS) else text
