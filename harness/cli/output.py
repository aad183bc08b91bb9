"""Output: text for people, JSON for programs."""

import json
import logging
import os
import sys
from datetime import UTC, datetime
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from harness.records import Phase
from harness.store.public import STALE, UNOFFICIAL, UPLOAD_LABEL, Board, BoardRound, Entry

__all__ = ["console", "counted", "errors", "log_json", "moment", "picked", "print_board", "print_json", "why_no_scores"]

_WIDE_COLUMNS = 100

_OFF_TERMINAL_COLUMNS = 400


def _console(*, stderr: bool = False) -> Console:
    """Return a console that wraps lines on a terminal only: files and pipes get whole lines unless COLUMNS is set."""
    stream = sys.stderr if stderr else sys.stdout
    is_seen = stream.isatty() or "COLUMNS" in os.environ
    return Console(stderr=stderr, highlight=False, width=None if is_seen else _OFF_TERMINAL_COLUMNS)


console = _console()
errors = _console(stderr=True)


class _JsonLines(logging.Formatter):
    """Format a record as one JSON object per line: time, level, event, and the fields logged with it."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        known = vars(logging.makeLogRecord({}))
        fields = {name: value for name, value in vars(record).items() if name not in known}
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line = {"at": at, "level": record.levelname.lower(), "event": record.getMessage(), **fields}
        return json.dumps({name: value for name, value in line.items() if name != "message"}, default=str)


def log_json() -> None:
    """Write the log of this process to standard error, as JSON lines."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonLines())
    logger = logging.getLogger("gradfree")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False


def print_json(content: Any) -> None:
    """Print one JSON document to standard output; times are in ISO format."""
    print(json.dumps(content, indent=2, default=datetime.isoformat))


def picked(value: object, *names: str) -> dict[str, Any]:
    """Return the named attributes of a value as a JSON object."""
    return {name: getattr(value, name) for name in names}


def moment(value: datetime) -> str:
    """Return a time in UTC and in the local time zone."""
    here = value.astimezone()
    return f"{value.astimezone(UTC):%Y-%m-%d %H:%M} UTC ({here:%Y-%m-%d %H:%M} here, {here:%z})"


def counted(count: int, noun: str) -> str:
    """Return a number with its noun, in the plural unless the number is one."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def print_board(board: Board) -> None:
    """Print the ranking as a table. Names are untrusted text and never parsed as markup."""
    tasks = [task.name for task in board.round.tasks]
    # A narrow window leaves the teams out, so that scores are never cut.
    has_teams = console.width >= _WIDE_COLUMNS
    table = Table(
        title=Text(f"{board.round.title or board.round.name} ({board.round.name} {board.round.version})"),
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
    )
    table.add_column("#", justify="right")
    table.add_column("solver", overflow="fold")
    if has_teams:
        table.add_column("team", overflow="fold")
    for name in ("score ↑", *tasks, "calls ↓"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("verdict", overflow="fold")
    for entry in board.entries:
        mark = "◆ " if entry.is_baseline else ""
        table.add_row(
            "" if entry.rank is None else str(entry.rank),
            Text(f"{mark}{entry.solver}"),
            *([Text(entry.team)] if has_teams else []),
            _number(entry.score),
            *(_number(entry.task_scores.get(name)) for name in tasks),
            str(entry.calls),
            _verdict(entry),
        )
    console.print(table)
    console.print(
        "score = mean over tasks of the mean over k-shot seeds of the task's metric, 0-100, on the "
        f"{'private' if board.round.is_final else 'public'} test rows; ◆ = baseline, not ranked; "
        "calls over all runs"
    )
    if hidden := why_no_scores(board.round):
        console.print(hidden)
    if board.round.is_practice:
        console.print("the test labels are public: these scores are practice")
    for upload in board.uploads:
        tasks_text = ", ".join(f"{task} {score:.1f}" for task, score in upload.task_scores.items())
        console.print(
            Text(f"{upload.name}: {upload.score:.1f} ({UPLOAD_LABEL}; not ranked): {tasks_text}"), soft_wrap=True
        )


def why_no_scores(board_round: BoardRound, number: int | None = None) -> str:
    """Return when the round shows hidden scores and how a team reads its own; empty if nothing is hidden.

    Args:
        board_round: the round.
        number: the submission's number; None means any.
    """
    hidden = board_round.score_notice
    visibility = board_round.rules["visibility"]
    own_from = Phase(visibility.get("own_scores") or visibility["scores"])
    if not hidden or not board_round.phase.has_reached(own_from):
        return hidden
    return f"{hidden} Your own now: gradfree status {'N' if number is None else number} --own"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def _verdict(entry: Entry) -> str:
    mark = ("" if entry.is_official else f", {UNOFFICIAL}") + (f", {STALE}" if entry.is_stale else "")
    if entry.verdict is None:
        state = "held" if entry.n_runs_held else entry.status.value
        return f"{state} {entry.n_runs_done}/{entry.n_runs}{mark}"
    return f"{entry.verdict.value}{' (checkpoint)' if entry.is_checkpoint else ''}{mark}"
