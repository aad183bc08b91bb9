"""Where the pages get their values: the public store, cached by its version and the phases of its rounds."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from harness.errors import UsageError
from harness.records import Phase, Status
from harness.store.board import (
    Board,
    BoardRound,
    Entry,
    Progress,
    SubmissionList,
    SubmissionPage,
    TaskScores,
)
from harness.store.queries import PublicStore
from harness.store.spool import Spool
from leaderboard import charts
from leaderboard.charts.style import series_name
from leaderboard.launch import PUBLIC_DB_VARIABLE
from leaderboard.palette import DARK, LIGHT
from leaderboard.wording import round_address

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
    "task_scores",
    "version",
]

Edition = tuple[int, tuple[Phase, ...]]
"""The version of the store, and the phases of its rounds: the clock closes a round without a new version."""


def public_db() -> Path:
    """Return the file to read: the argument after `--`, else the environment variable.

    Raises:
        UsageError: neither names a file.
    """
    named = sys.argv[1] if len(sys.argv) > 1 else os.environ.get(PUBLIC_DB_VARIABLE)
    if not named:
        raise UsageError(f"no public store is named; set {PUBLIC_DB_VARIABLE} or pass a path after --")
    return Path(named)


def takes_uploads() -> bool:
    """Return whether this server was given a spool for uploads."""
    return len(sys.argv) > 2


def spool() -> Spool:
    """Return the spool: the one place that this process may write to.

    Raises:
        UsageError: this server was given none.
    """
    if not takes_uploads():
        raise UsageError("this board takes no uploads; hand in with the command line: gradfree submit")
    return Spool(Path(sys.argv[2]))


def version() -> int:
    """Return the version number of the store, read now."""
    return _store().version()


def rounds() -> tuple[BoardRound, ...]:
    """Return every round, newest first."""
    return _store().rounds()


def round_of(name: str) -> BoardRound:
    """Return a round without its entries; a name alone means its newest version.

    Raises:
        UsageError: there is no such round.
    """
    found = next((each for each in rounds() if name in {each.name, round_address(each)}), None)
    if found is None:
        raise UsageError(f"no round {name} on this board")
    return found


def board(name: str) -> Board:
    """Return the board of a round.

    Raises:
        UsageError: there is no such round.
    """
    return _board(_stamp(), _edition(), name)


def submission(submission_id: int) -> SubmissionPage:
    """Return a submission with its runs and curves.

    Raises:
        UsageError: there is none of that number.
    """
    return _submission(_stamp(), _edition(), submission_id)


def submissions(name: str, status: Status | None, text: str, page: int, per_page: int) -> SubmissionList:
    """Return one page of a round's submissions, newest first; `page` counts from 1.

    Raises:
        UsageError: there is no such round.
    """
    return _submissions(_stamp(), _edition(), name, status, text, page, per_page)


def task_scores(name: str, task: str, submission_ids: tuple[int, ...]) -> tuple[TaskScores, ...]:
    """Return the scores of some submissions on one task.

    Raises:
        UsageError: there is no such round or task.
    """
    return _task_scores(_stamp(), _edition(), name, task, submission_ids)


def progress(submission_id: int) -> tuple[Progress, ...]:
    """Return how far the running runs of a submission are, read now."""
    return _store().progress(submission_id)


def cost_chart(name: str, *, is_dark: bool) -> dict[str, Any]:
    """Return score against calls of a round, as a specification."""
    return _cost_chart(_stamp(), _edition(), name, is_dark)


def targets_chart(entries: Sequence[Entry], *, is_dark: bool) -> dict[str, Any]:
    """Return the targets that some entries reached against calls, as a specification."""
    chosen = tuple(entry.submission_id for entry in entries)
    return _targets_chart(_stamp(), _edition(), chosen, is_dark)


def _stamp() -> tuple[str, int]:
    """Name the file, and notice when it was replaced by another one."""
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


@st.cache_data(max_entries=32, show_spinner=False)
def _board(stamp: tuple[str, int], edition: Edition, name: str) -> Board:  # noqa: ARG001
    return _open(stamp).board(name)


@st.cache_data(max_entries=256, show_spinner=False)
def _submission(stamp: tuple[str, int], edition: Edition, submission_id: int) -> SubmissionPage:  # noqa: ARG001
    return _open(stamp).submission(submission_id)


@st.cache_data(max_entries=64, show_spinner=False)
def _submissions(
    stamp: tuple[str, int],
    edition: Edition,  # noqa: ARG001
    name: str,
    status: Status | None,
    text: str,
    page: int,
    per_page: int,
) -> SubmissionList:
    return _open(stamp).submission_list(
        name, status=status, text=text, offset=(page - 1) * per_page, limit=per_page
    )


@st.cache_data(max_entries=64, show_spinner=False)
def _task_scores(
    stamp: tuple[str, int],
    edition: Edition,  # noqa: ARG001
    name: str,
    task: str,
    submission_ids: tuple[int, ...],
) -> tuple[TaskScores, ...]:
    return _open(stamp).task_scores(name, task, submission_ids)


@st.cache_data(max_entries=32, show_spinner=False)
def _cost_chart(stamp: tuple[str, int], edition: Edition, name: str, is_dark: bool) -> dict[str, Any]:  # noqa: FBT001
    return charts.score_against_calls(_board(stamp, edition, name).entries, DARK if is_dark else LIGHT)


@st.cache_data(max_entries=32, show_spinner=False)
def _targets_chart(
    stamp: tuple[str, int],
    edition: Edition,
    chosen: tuple[int, ...],
    is_dark: bool,  # noqa: FBT001
) -> dict[str, Any]:
    pages = [_submission(stamp, edition, number) for number in chosen]
    curves = {series_name(page.entry): page.curves for page in pages}
    return charts.targets_reached(curves, DARK if is_dark else LIGHT)
