"""Holding on to a claimed run while it is worked at."""

import threading
from contextlib import AbstractContextManager

from harness.rounds.background import repeating
from harness.store import ClaimedRun, SealedStore

__all__ = ["leased"]


def leased(
    store: SealedStore, run: ClaimedRun, lease_s: float, lost: threading.Event
) -> AbstractContextManager[None]:
    """Renew a run's lease from a thread, three times in its length: a busy database costs one beat, not the lease.

    Args:
        store: the sealed store.
        run: claimed by this worker.
        lease_s: seconds that each renewal lasts.
        lost: set as soon as the run turns out to be no longer this worker's: its lease ran out, or
            the submission was cancelled.
    """

    def renew() -> bool:
        if store.heartbeat(run, lease_s):
            return True
        lost.set()
        return False

    return repeating("lease", lease_s / 3, renew)
