"""Where the pages get their values: the public store, cached by its version number."""

import os
import sys
from pathlib import Path

import streamlit as st

from harness.errors import UsageError
from harness.store.board import Board, BoardRound, SubmissionPage
from harness.store.queries import PublicStore
from leaderboard.launch import PUBLIC_DB_VARIABLE

__all__ = ["board", "public_db", "rounds", "submission", "version"]


def public_db() -> Path:
    """Return the file to read: the argument after `--`, else the environment variable.

    Raises:
        UsageError: neither names a file.
    """
    named = sys.argv[1] if len(sys.argv) > 1 else os.environ.get(PUBLIC_DB_VARIABLE)
    if not named:
        raise UsageError(f"no public store is named; set {PUBLIC_DB_VARIABLE} or pass a path after --")
    return Path(named)


def version() -> int:
    """Return the version number of the store, read now."""
    return _store().version()


def rounds() -> tuple[BoardRound, ...]:
    """Return every round, newest first."""
    return _rounds(_stamp(), version())


def board(name: str) -> Board:
    """Return the board of a round.

    Raises:
        UsageError: there is no such round.
    """
    return _board(_stamp(), version(), name)


def submission(submission_id: int) -> SubmissionPage:
    """Return a submission with its runs and curves.

    Raises:
        UsageError: there is none of that number.
    """
    return _submission(_stamp(), version(), submission_id)


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


@st.cache_resource(max_entries=4)
def _open(stamp: tuple[str, int]) -> PublicStore:
    return PublicStore.open(Path(stamp[0]))


@st.cache_data(max_entries=4, show_spinner=False)
def _rounds(stamp: tuple[str, int], at_version: int) -> tuple[BoardRound, ...]:  # noqa: ARG001
    return _open(stamp).rounds()


@st.cache_data(max_entries=32, show_spinner=False)
def _board(stamp: tuple[str, int], at_version: int, name: str) -> Board:  # noqa: ARG001
    return _open(stamp).board(name)


@st.cache_data(max_entries=256, show_spinner=False)
def _submission(stamp: tuple[str, int], at_version: int, submission_id: int) -> SubmissionPage:  # noqa: ARG001
    return _open(stamp).submission(submission_id)
