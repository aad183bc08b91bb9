"""Reports a running attempt to the store and the board."""

import math
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

from harness.session.blackbox import AttemptProgress
from harness.store.public.publisher import Publisher
from harness.store.sealed.attempts import note_metered
from harness.store.sealed.store import SealedStore
from harness.store.values import ClaimedRun, LeaseLost
from harness.worker.repeating import repeating

__all__ = ["AttemptWatch"]

_LOOK_EVERY_S = 0.05
_REPORT_EVERY_S = 2.0
"""Between two reports of a run's progress to the board, and between two tries at a store out of order."""
_NOTE_S = 1.0
"""The longest that an attempt waits for the note of its first metered query."""


class AttemptWatch:
    """Notes the first metered query in the store, and the progress on the board now and then.

    A thread writes both, so that a store out of order neither stops nor ends the run. Only its first query
    waits a moment for the note, so that a team that cancels a run after seeing its progress is charged.
    """

    def __init__(
        self,
        store: SealedStore,
        publisher: Publisher,
        run: ClaimedRun,
        attempt: int,
        publish: Callable[[], None],
        lost: threading.Event,
    ) -> None:
        """Watch an attempt.

        Args:
            store: the sealed store.
            publisher: of the same arena.
            run: claimed.
            attempt: its open attempt.
            publish: brings the board up to date, and never fails.
            lost: set when the run turns out to belong to this worker no longer.
        """
        self._store = store
        self._publisher = publisher
        self._run = run
        self._attempt = attempt
        self._publish = publish
        self._lost = lost
        self._newest: AttemptProgress | None = None
        self._written: AttemptProgress | None = None
        self._is_noted = threading.Event()
        self._tried_at = -math.inf

    def writing(self) -> AbstractContextManager[None]:
        """Write from a thread until the block ends."""
        return repeating("watch", _LOOK_EVERY_S, self._write)

    def on_query(self, progress: AttemptProgress) -> None:
        """Take note of a query."""
        is_first = self._newest is None
        self._newest = progress
        if is_first:
            self._is_noted.wait(_NOTE_S)

    def _write(self) -> bool:
        """Write what is new; what a store out of order refuses is tried again later."""
        newest, now = self._newest, time.monotonic()
        if newest is None or newest is self._written or now - self._tried_at < _REPORT_EVERY_S:
            return True
        self._tried_at = now
        if not self._is_noted.is_set():
            # A run cancelled from now on counts against the quota.
            try:
                with self._store.write() as tx:
                    note_metered(tx, self._attempt)
            except LeaseLost:
                self._lost.set()
                return False
            self._is_noted.set()
        if self._written is None:
            self._publish()
        self._publisher.report(self._run, newest.calls, newest.best_train_loss)
        self._written = newest
        return True
