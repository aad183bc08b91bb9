"""Columns of the ranking and the sort orders that they offer."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Literal

import pandas as pd

from harness.store.public import BoardRound, Entry
from leaderboard.texts import button_text, change_text, entry_note

__all__ = [
    "BASELINE_MARK",
    "BY_RANK",
    "VIEWS",
    "EntryColumn",
    "columns_of",
    "columns_shown",
    "order_entries",
    "orders_of",
]

BASELINE_MARK = "◆"

VIEWS = ("summary", "tasks", "cost")
"""Choices of columns."""

BY_RANK = "by rank"
"""The order of the board."""

_Kind = Literal["number", "count", "text", "series"]


@dataclass(frozen=True, slots=True)
class EntryColumn:
    """A column of the ranking.

    Attributes:
        header: with an arrow up or down if higher or lower is better.
        value: of an entry; None if unknown, an empty text if there is nothing to show.
        kind: "number" has decimals, "count" none, "series" is a list of numbers.
        views: choices of columns that include it; empty means all.
        order: name of the sort order by this column; empty if there is none.
        key: sort key; None means `value`.
        is_high_first: sort the highest first.
        is_optional: left out if no entry has a value.
    """

    header: str
    value: Callable[[Entry], Any]
    kind: _Kind = "text"
    views: tuple[str, ...] = ()
    order: str = ""
    key: Callable[[Entry], Any] | None = None
    is_high_first: bool = False
    is_optional: bool = False

    def is_shown(self, entries: Sequence[Entry]) -> bool:
        """Return whether the column is shown for these rows."""
        return not self.is_optional or any(self.value(entry) not in (None, "") for entry in entries)

    def cells(self, entries: Sequence[Entry]) -> Any:
        """Return the values of entries, in the type that the table expects."""
        values = [self.value(entry) for entry in entries]
        if self.kind == "number":
            return pd.Series([math.nan if each is None else each for each in values], dtype="float64")
        return pd.array(values, dtype="Int64") if self.kind == "count" else values


def columns_of(board_round: BoardRound) -> list[EntryColumn]:
    """Return all columns of a round's ranking, from left to right."""

    def task_column(name: str) -> EntryColumn:
        return EntryColumn(
            f"{name} ↑",
            lambda entry: entry.task_scores[name],
            "number",
            ("tasks",),
            order=f"by {name}",
            is_high_first=True,
        )

    return [*_ALWAYS, *_SUMMARY, *(task_column(task.name) for task in board_round.tasks), *_COST, *_LAST]


_ALWAYS = (
    EntryColumn("#", attrgetter("rank"), "count", order=BY_RANK),
    EntryColumn(
        "Team",
        lambda entry: f"{BASELINE_MARK} baseline" if entry.is_baseline else entry.team,
        order="by team",
        key=lambda entry: entry.team.casefold(),
    ),
    EntryColumn(
        "Solver", lambda entry: button_text(entry.solver), order="by solver", key=lambda entry: entry.solver.casefold()
    ),
    EntryColumn("Score ↑", attrgetter("score"), "number", order=BY_RANK),
)
_SUMMARY = (
    EntryColumn("± 95 %", attrgetter("margin"), "number", ("summary",), order="by interval", is_optional=True),
    EntryColumn("Tier ↓", attrgetter("tier"), "count", ("summary",), order="by tier", is_optional=True),
    EntryColumn(
        "7 days",
        change_text,
        views=("summary",),
        order="by places won",
        key=lambda entry: entry.change,
        is_high_first=True,
    ),
    EntryColumn(
        "Train loss ↓ by calls",
        lambda entry: list(entry.sparkline) if len(entry.sparkline) > 1 else None,
        "series",
        ("summary",),
        order="by train loss",
        key=lambda entry: entry.sparkline[-1] if entry.sparkline else None,
        is_optional=True,
    ),
)
_COST = (
    EntryColumn(
        "Calls / run ↓",
        lambda entry: round(entry.calls / entry.n_runs),
        "count",
        ("summary", "tasks"),
        order="by calls",
        key=lambda entry: entry.calls / entry.n_runs,
    ),
    EntryColumn("Calls ↓", attrgetter("calls"), "count", ("cost",), order="by calls"),
    EntryColumn(
        "Budget used ↓",
        lambda entry: 100 * entry.calls / entry.budget_calls,
        "number",
        ("cost",),
        order="by budget used",
    ),
    EntryColumn("Tokens ↓", attrgetter("tokens"), "count", ("cost",), order="by tokens"),
    EntryColumn("Model s ↓", attrgetter("engine_s"), "number", ("cost",), order="by model seconds"),
    EntryColumn("Wall s ↓", attrgetter("wall_s"), "number", ("cost",), order="by wall seconds"),
    EntryColumn("Pareto", lambda entry: "yes" if entry.is_pareto else "", views=("cost",)),
    EntryColumn(
        "Efficiency ↑",
        attrgetter("efficiency"),
        "number",
        ("cost",),
        order="by efficiency",
        is_high_first=True,
        is_optional=True,
    ),
)
_LAST = (EntryColumn("Note", entry_note, is_optional=True),)


def columns_shown(
    board_round: BoardRound, entries: Sequence[Entry], view: str, order: str = BY_RANK
) -> list[EntryColumn]:
    """Return the columns of a view, always with the one that the rows are sorted by.

    Args:
        board_round: gives the tasks and their order.
        entries: the rows; an optional column without a value is left out.
        view: one of `VIEWS`.
        order: the `order` of a column.
    """
    every = columns_of(board_round)
    chosen = [each for each in every if not each.views or view in each.views]
    if order not in {each.order for each in chosen}:
        ordering = [each for each in every if each.order == order][:1]
        chosen = [each for each in every if each in chosen or each in ordering]
    return [each for each in chosen if each.is_shown(entries)]


def orders_of(columns: Sequence[EntryColumn], entries: Sequence[Entry]) -> list[str]:
    """Return the sort orders by the shown columns, the board's own first."""
    return list(dict.fromkeys(each.order for each in columns if each.order and each.is_shown(entries)))


def order_entries(entries: Sequence[Entry], columns: Sequence[EntryColumn], order: str) -> list[Entry]:
    """Return the entries sorted by a column, best first; entries without a value come last, ties in board order.

    Args:
        entries: in the order of the board.
        columns: of the round.
        order: the `order` of a column; any other text keeps the board's order.
    """
    column = next((each for each in columns if each.order == order), None)
    if column is None or order in {"", BY_RANK}:
        return list(entries)
    value = column.key or column.value
    known = [entry for entry in entries if value(entry) is not None]
    ordered = sorted(known, key=value, reverse=column.is_high_first)
    return ordered + [entry for entry in entries if value(entry) is None]
