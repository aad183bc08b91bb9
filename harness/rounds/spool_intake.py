"""Taking in what the web process left in the spool: the checks of `harness.rounds.intake`."""

import fcntl
from collections.abc import Callable
from contextlib import AbstractContextManager

from harness.errors import InfrastructureError, SubmissionError, UsageError
from harness.rounds.background import repeating
from harness.rounds.faults import STORE_FAULTS
from harness.rounds.intake import submit
from harness.rounds.lifecycle import stored_config
from harness.store import ArenaPaths, Publisher, SealedStore
from harness.store.spool import Answer, Spool, Upload

__all__ = ["intake_running", "take_in_uploads"]

_PAUSE_S = 1.0
"""Between two looks into the spool."""


def take_in_uploads(
    store: SealedStore,
    publisher: Publisher,
    paths: ArenaPaths,
    team_of_token: Callable[[str], str] | None = None,
) -> int:
    """Take in every upload that waits and answer each; return how many became submissions.

    One process at a time: where another one is at it, nothing is done. An upload that meets a fault of
    ours stays, and is tried again with the next call. A process that dies between the submission and the
    answer leaves the upload too: the next one finds the submission by the upload's number.

    Args:
        store: the sealed store.
        publisher: of the same arena.
        paths: the arena folder.
        team_of_token: gives the team's name, or raises UsageError where the token is nobody's; the
            store's own by default.
    """
    if not paths.spool.is_dir():
        return 0
    with (paths.spool / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return 0
        return _take_in_all(store, publisher, paths, team_of_token or store.team_of_token)


def intake_running(
    store: SealedStore, publisher: Publisher, paths: ArenaPaths
) -> AbstractContextManager[None]:
    """Take uploads in from a thread, so that nobody waits for the run that a worker is at."""

    def look() -> bool:
        take_in_uploads(store, publisher, paths)
        return True

    return repeating("intake", _PAUSE_S, look)


def _take_in_all(
    store: SealedStore, publisher: Publisher, paths: ArenaPaths, team_of_token: Callable[[str], str]
) -> int:
    spool = Spool(paths.spool)
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
    upload: Upload,
) -> Answer:
    known = store.submission_of_upload(upload.number)
    if known is not None:
        # Taken in by a process that died before it could say so; whatever changed since, it is queued.
        return _queued(known)
    try:
        team = team_of_token(upload.token)
        config = stored_config(store.get_round(upload.round_name))
        number = submit(
            store,
            publisher,
            paths,
            config,
            upload.archive,
            team,
            token=upload.token,
            spool_number=upload.number,
        )
    except (UsageError, SubmissionError) as error:
        return Answer(None, str(error))
    except STORE_FAULTS:
        raise
    except Exception as error:  # noqa: BLE001 (what one file makes the parsers do must not stop the others' intake)
        return Answer(None, f"the upload could not be read ({type(error).__name__}); tell the organizer")
    return _queued(number)


def _queued(number: int) -> Answer:
    return Answer(number, f"submission {number} is queued")
