"""Holding on to a claimed run while it is worked at."""

import contextlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from harness.rounds.faults import STORE_FAULTS
from harness.store import ClaimedRun, SealedStore

__all__ = ["leased"]


@contextmanager
def leased(store: SealedStore, run: ClaimedRun, lease_s: float, lost: threading.Event) -> Iterator[None]:
    """Renew a run's lease from a thread, three times in its length.

    Args:
        store: the sealed store.
        run: claimed by this worker.
        lease_s: seconds that each renewal lasts.
        lost: set as soon as the run turns out to be no longer this worker's: its lease ran out, or
            the submission was cancelled.
    """
    done = threading.Event()

    def renew() -> None:
        while not done.wait(lease_s / 3):
            # A busy database costs one beat of three, not the lease.
            with contextlib.suppress(*STORE_FAULTS):
                if not store.heartbeat(run, lease_s):
                    lost.set()
                    return

    thread = threading.Thread(target=renew, name="lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
