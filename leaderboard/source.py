"""Values for the pages, read from the public store and cached by its version and the rounds' phases."""

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import streamlit as st

from harness.records import Phase, Status
from harness.store.public import (
    Board,
    BoardRound,
    Entry,
    Progress,
    PublicStore,
    Spool,
    SubmissionList,
    SubmissionPage,
    UsageError,
)
from leaderboard import charts
from leaderboard.charts.style import series_name
from leaderboard.launch import PUBLIC_DB_VARIABLE
from leaderboard.palette import DARK, LIGHT

__all__ = [
    "board",
    "cost_chart",
    "progress",
    "public_db",
    "round_of",
    "rounds",
    "spool",
    "submission",
    "submissions",
    "takes_uploads",
    "targets_chart",
    "version",
]

P = ParamSpec("P")
T = TypeVar("T")
Edition = tuple[int, tuple[Phase, ...]]
"""Store version and phases of the rounds: a round closes by the clock without a new version."""


def public_db() -> Path:
    """Return the path of the public store: the argument after `--`, else the environment variable.

    Raises:
        UsageError: neither is set.
    """
    named = sys.argv[1] if len(sys.argv) > 1 else os.environ.get(PUBLIC_DB_VARIABLE)
    if not named:
        raise UsageError(f"no path of a public store; set {PUBLIC_DB_VARIABLE} or pass it after --")
    return Path(named)


def takes_uploads() -> bool:
    """Return whether this server has a spool for submission uploads."""
    return len(sys.argv) > 2


def spool() -> Spool:
    """Return the spool, the only folder that this process writes to.

    Raises:
        UsageError: this server has none.
    """
    if not takes_uploads():
        raise UsageError("this board accepts no uploads; submit with the command line: gradfree submit")
    return Spool(Path(sys.argv[2]))


def version() -> int:
    """Return the version number of the store, uncached."""
    return _store().version()


def rounds() -> tuple[BoardRound, ...]:
    """Return every round, newest first."""
    return _store().rounds()


def round_of(name: str) -> BoardRound:
    """Return a round without its entries; a name without a version means the newest one.

    Raises:
        UsageError: there is no such round.
    """
    found = next((each for each in rounds() if name in {each.name, each.full_name}), None)
    if found is None:
        raise UsageError(f"no round {name} on this board")
    return found


def board(name: str) -> Board:
    """Return the board of a round.

    Raises:
        UsageError: there is no such round.
    """
    return _cached(PublicStore.board, name)


def submission(submission_id: int) -> SubmissionPage:
    """Return a submission with its runs and curves.

    Raises:
        UsageError: there is none of that number.
    """
    return _cached(PublicStore.submission, submission_id)


def submissions(name: str, status: Status | None, text: str, page: int, per_page: int) -> SubmissionList:
    """Return one page of a round's submissions, newest first; `page` counts from 1.

    Raises:
        UsageError: there is no such round.
    """
    return _cached(
        PublicStore.submission_list, name, status=status, text=text, offset=(page - 1) * per_page, limit=per_page
    )


def progress(submission_id: int) -> tuple[Progress, ...]:
    """Return the progress of a submission's running runs, uncached."""
    return _store().progress(submission_id)


def cost_chart(name: str, *, is_dark: bool) -> dict[str, Any]:
    """Return the chart of score against calls of a round."""

    def draw(store: PublicStore, name: str, *, is_dark: bool) -> dict[str, Any]:
        return charts.score_against_calls(store.board(name).entries, DARK if is_dark else LIGHT)

    return _cached(draw, name, is_dark=is_dark)


def targets_chart(entries: Sequence[Entry], *, is_dark: bool) -> dict[str, Any]:
    """Return the chart of targets reached against calls, for some entries."""

    def draw(store: PublicStore, chosen: tuple[int, ...], *, is_dark: bool) -> dict[str, Any]:
        pages = [store.submission(number) for number in chosen]
        curves = {series_name(page.entry): page.curves for page in pages}
        return charts.targets_reached(curves, DARK if is_dark else LIGHT)

    return _cached(draw, tuple(entry.submission_id for entry in entries), is_dark=is_dark)


def _cached(read: Callable[Concatenate[PublicStore, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Return what `read` returns for the open store, cached until the store or a round's phase changes."""
    found: T = _answer(_stamp(), _edition(), read.__qualname__, args, kwargs, read)
    return found


@st.cache_data(max_entries=512, show_spinner=False)
def _answer(
    stamp: tuple[str, int],
    edition: Edition,  # noqa: ARG001
    name: str,  # noqa: ARG001
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    _read: Callable[..., Any],  # Streamlit does not hash an argument whose name starts so
) -> Any:
    return _read(_open(stamp), *args, **kwargs)


def _stamp() -> tuple[str, int]:
    """Return the file's path and its inode, which changes when it is replaced by another one."""
    path = public_db()
    try:
        return str(path), path.stat().st_ino
    except OSError as error:
        raise UsageError(
            f"no board at {path}: the file is missing; create a round first (`gradfree round create toy`)"
        ) from error


def _store() -> PublicStore:
    return _open(_stamp())


def _edition() -> Edition:
    return version(), tuple(each.phase for each in rounds())


@st.cache_resource(max_entries=4)
def _open(stamp: tuple[str, int]) -> PublicStore:
    return PublicStore.open(Path(stamp[0]))
