"""Taking in what the web process left in the spool, with the checks of `harness.rounds.intake`."""

import fcntl
from collections.abc import Callable
from contextlib import AbstractContextManager

from harness.errors import InfrastructureError, SubmissionError, UsageError
from harness.rounds.intake import submit
from harness.store.paths import ArenaPaths
from harness.store.public.publisher import Publisher
from harness.store.sealed import teams
from harness.store.sealed.rounds import find_round
from harness.store.sealed.store import SealedStore
from harness.store.sealed.submissions import submission_of_upload
from harness.store.spool import SpoolAnswer
from harness.worker.faults import STORE_FAULTS
from harness.worker.repeating import repeating
from harness.worker.spool_reader import SpoolReader, SpoolUpload

__all__ = ["intake_running", "take_in_uploads"]

_PAUSE_S = 1.0
"""Between two looks into the spool."""


def take_in_uploads(
    store: SealedStore, publisher: Publisher, paths: ArenaPaths, team_of_token: Callable[[str], str] | None = None
) -> int:
    """Take in every submission upload that waits and answer each; return how many became submissions.

    One process at a time: while another one does this, nothing is done. An upload that meets a platform error
    stays, and is tried again with the next call. A process that dies between the submission and the answer
    leaves the upload too: the next one finds the submission by the upload's number.

    Args:
        store: the sealed store.
        publisher: of the same arena.
        paths: the arena folder.
        team_of_token: returns the team's name, or raises UsageError where the token belongs to no team; by
            default the store's own.
    """
    if not paths.spool.is_dir():
        return 0
    with (paths.spool / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return 0
        return _take_in_all(store, publisher, paths, team_of_token or _store_tokens(store))


def _store_tokens(store: SealedStore) -> Callable[[str], str]:
    def team_of_token(token: str) -> str:
        with store.read() as tx:
            return teams.team_of_token(tx, token)

    return team_of_token


def intake_running(store: SealedStore, publisher: Publisher, paths: ArenaPaths) -> AbstractContextManager[None]:
    """Take uploads in from a thread, so that none waits for the run that a worker is executing."""

    def look() -> bool:
        take_in_uploads(store, publisher, paths)
        return True

    return repeating("intake", _PAUSE_S, look)


def _take_in_all(
    store: SealedStore, publisher: Publisher, paths: ArenaPaths, team_of_token: Callable[[str], str]
) -> int:
    spool = SpoolReader(paths.spool)
    n_taken = 0
    for upload in spool.waiting():
        try:
            answer = _take_in(store, publisher, paths, team_of_token, upload)
            spool.settle(upload, answer)
        except (InfrastructureError, OSError):
            continue
        n_taken += answer.submission_id is not None
    return n_taken


def _take_in(
    store: SealedStore,
    publisher: Publisher,
    paths: ArenaPaths,
    team_of_token: Callable[[str], str],
    upload: SpoolUpload,
) -> SpoolAnswer:
    with store.read() as tx:
        known = submission_of_upload(tx, upload.number)
    if known is not None:
        # Taken in by a process that died before it answered; whatever changed since, it is queued.
        return _queued(known)
    try:
        team = team_of_token(upload.token)
        with store.read() as tx:
            stored = find_round(tx, upload.round_name)
        number = submit(
            store, publisher, paths, stored.config, upload.archive, team, token=upload.token, spool_number=upload.number
        )
    except (UsageError, SubmissionError) as error:
        return SpoolAnswer(None, str(error))
    except STORE_FAULTS:
        raise
    except Exception as error:  # noqa: BLE001 (what one file does to the parsers must not stop the others' intake)
        return SpoolAnswer(None, f"the upload could not be read ({type(error).__name__}); tell the organizer")
    return _queued(number)


def _queued(number: int) -> SpoolAnswer:
    return SpoolAnswer(number, f"submission {number} is queued")
