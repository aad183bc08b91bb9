"""Texts for visitors: verdicts, states and numbers; escaping of names for Markdown."""

import string
from collections.abc import Iterable
from datetime import UTC, datetime

from harness.records import Status, Verdict
from harness.store.public import STALE, UNOFFICIAL, BoardRound, Entry, RunLine

__all__ = [
    "CHECKPOINT_MARK",
    "CONFUSION_CAPTION",
    "button_text",
    "change_text",
    "counted",
    "entry_note",
    "entry_state",
    "entry_words",
    "literal",
    "metric_name",
    "moment",
    "note_meanings",
    "rank_of",
    "round_caption",
    "run_state",
    "seconds",
    "seen_from",
    "size",
    "time_limit",
    "verdict_text",
]

CHECKPOINT_MARK = "*"
"""Follows a verdict: a limit ended the run, and its last checkpoint was scored."""

CONFUSION_CAPTION = (
    "Rows: true classes. Columns, in the same order: predicted classes in % of the row, over all k-shot seeds. "
    "Outlined: correct."
)
"""Explains a confusion matrix."""

_VERDICTS = {
    Verdict.OK: "every run completed",
    Verdict.RUNTIME_ERROR: "the solver raised an error",
    Verdict.TIME_LIMIT: "a time limit was reached",
    Verdict.MEMORY_LIMIT: "the memory limit was reached",
    Verdict.OUTPUT_LIMIT: "the output limit was reached",
    Verdict.PROTOCOL_VIOLATION: "the solver broke the protocol",
    Verdict.SANDBOX_VIOLATION: "the solver tried to leave the sandbox",
    Verdict.INVALID_SUBMISSION: "the submission is not valid",
    Verdict.INTERNAL_ERROR: "internal error (platform side); not charged",
    Verdict.ABORTED: "cancelled",
}

_ESCAPES = {ord(mark): f"\\{mark}" for mark in string.punctuation} | {
    # A word joiner keeps shortcodes such as icons and emoji from being recognised.
    ord(":"): "\\:\u2060",
    ord("\n"): " ",
    ord("\r"): " ",
    ord("\t"): " ",
}


def literal(text: str) -> str:
    """Escape text so that Markdown shows it literally."""
    return text.translate(_ESCAPES)


def button_text(text: str) -> str:
    """Escape text for a button in a table; the word joiner breaks icon shortcodes."""
    return " ".join(text.replace(":", ":\u2060").split()) or "-"


def verdict_text(verdict: Verdict) -> str:
    """Return a verdict with its meaning."""
    return f"{verdict}: {_VERDICTS[verdict]}"


def entry_state(entry: Entry) -> str:
    """Return the state of a submission, for a table cell."""
    return _marked(_progress(entry), is_official=entry.is_official)


def entry_words(entry: Entry) -> str:
    """Return the state of a submission with the meaning of its verdict, for a table cell."""
    if entry.verdict is None or entry.verdict is Verdict.OK:
        return entry_state(entry)
    note = ", scored on a checkpoint" if entry.is_checkpoint and entry.is_complete else ""
    return _marked(verdict_text(entry.verdict) + note, is_official=entry.is_official)


def entry_note(entry: Entry) -> str:
    """Return the notes on a complete submission (unofficial, checkpoint, stale); empty without any."""
    notes = {
        "unofficial": not entry.is_official,
        f"{entry.verdict}, checkpoint": entry.is_official and entry.is_checkpoint and entry.is_complete,
        "stale": entry.is_stale,
    }
    return ", ".join(note for note, is_so in notes.items() if is_so)


def note_meanings(entries: Iterable[Entry]) -> str:
    """Return a sentence that explains the notes on some entries; empty without any."""
    listed = [entry for entry in entries if entry.is_complete]
    meanings = {
        f"{UNOFFICIAL}, unranked": any(not entry.is_official for entry in listed),
        "checkpoint: a limit ended a run, and its last checkpoint was scored": any(
            entry.is_checkpoint for entry in listed
        ),
        STALE: any(entry.is_stale for entry in listed),
    }
    told = "; ".join(meaning for meaning, is_so in meanings.items() if is_so)
    return f" Notes: {told}." if told else ""


def change_text(entry: Entry) -> str:
    """Return the places gained or lost within 7 days."""
    if entry.rank is None:
        return ""
    if entry.change is None:
        return "new"
    if entry.change == 0:
        return "="
    return f"▲ {entry.change}" if entry.change > 0 else f"▼ {-entry.change}"


def metric_name(metric: str) -> str:
    """Return the display name of a metric."""
    return {"f1_macro": "macro F1"}.get(metric, metric)


def _progress(entry: Entry) -> str:
    if entry.verdict is not None:
        is_on_checkpoint = entry.is_checkpoint and entry.is_complete
        return f"{entry.verdict} {CHECKPOINT_MARK}" if is_on_checkpoint else str(entry.verdict)
    if entry.n_runs_held:
        return f"held {entry.n_runs_done}/{entry.n_runs}"
    if entry.status is Status.RUNNING:
        return f"running {entry.n_runs_done}/{entry.n_runs}"
    return str(entry.status)


def run_state(run: RunLine) -> str:
    """Return the state of a run, for a table cell."""
    if run.verdict is not None:
        state = f"{run.verdict} {CHECKPOINT_MARK}" if run.is_checkpoint else str(run.verdict)
        return _marked(state, is_official=run.is_official)
    return "held" if run.is_held else str(run.status)


def _marked(state: str, *, is_official: bool) -> str:
    return state if is_official else f"{state}, {UNOFFICIAL}"


def rank_of(entry: Entry) -> str:
    """Return the rank of an entry, or why it has none."""
    if entry.is_baseline:
        return "baseline, not ranked"
    if not entry.is_official:
        return f"not ranked, {UNOFFICIAL}"
    if entry.rank is not None:
        return f"rank {entry.rank}"
    if entry.is_complete:
        return "not ranked: another submission of the team counts"
    return "not ranked" if entry.status in {Status.FAILED, Status.CANCELLED} else "not ranked yet"


def round_caption(board_round: BoardRound) -> str:
    """Return tasks, seeds, budgets and scored rows of a round, in one line."""
    n_tasks = len(board_round.tasks)
    seeds = sorted({len(task.kshot_seeds) for task in board_round.tasks})
    budgets = sorted({task.budget_calls for task in board_round.tasks})
    rows = "private test rows" if board_round.is_final else "public test rows"
    return (
        f"{counted(n_tasks, 'task')} x {_span(seeds)} {'seed' if seeds == [1] else 'seeds'}"
        f" · budget {_span(budgets)} calls per run · scores on {rows}"
    )


def seconds(value: float) -> str:
    """Return a duration with its unit."""
    if value < 120:
        return f"{value:.1f} s"
    return f"{value / 60:.0f} min" if value < 7200 else f"{value / 3600:.1f} h"


def seen_from(phase: str) -> str:
    """Return when something becomes visible, given the phase from which a round shows it."""
    return {"open": "at once", "closed": "once the round has closed"}.get(phase, "with publication")


def time_limit(value: float) -> str:
    """Return a time limit with its unit."""
    return f"{value / 60:g} min" if value >= 120 else f"{value:g} s"


def size(value: int) -> str:
    """Return a number of bytes in the largest unit of which it has at least one."""
    for unit, name in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if value >= unit:
            return f"{value / unit:g} {name}"
    return f"{value} bytes"


def counted(count: int, noun: str) -> str:
    """Return a number with its noun, in the plural unless the number is 1."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def moment(value: datetime | None) -> str:
    """Return a time in UTC to the minute, or a dash."""
    return "-" if value is None else f"{value.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _span(values: list[int]) -> str:
    return f"{values[0]:,}" if len(values) == 1 else f"{values[0]:,}-{values[-1]:,}"
