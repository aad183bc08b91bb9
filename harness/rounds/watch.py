"""How an attempt goes, told to the store and the board while it runs."""

import contextlib
import math
import time
from collections.abc import Callable

from harness.rounds.faults import STORE_FAULTS
from harness.session.blackbox import Progress
from harness.store import ClaimedRun, Publisher, SealedStore, StoreUnavailable

__all__ = ["AttemptWatch"]

_REPORT_EVERY_S = 2.0
"""Between two reports of a run's progress to the board."""


class AttemptWatch:
    """Notes the first metered query in the store, and the progress on the board now and then.

    While either is out of order the run goes on: it must neither wait for them nor end by them.
    """

    def __init__(
        self,
        store: SealedStore,
        publisher: Publisher,
        run: ClaimedRun,
        attempt: int,
        publish: Callable[[], None],
    ) -> None:
        """Watch an attempt.

        Args:
            store: the sealed store.
            publisher: of the same arena.
            run: claimed.
            attempt: its open attempt.
            publish: brings the board up to date, and never fails.
        """
        self._store = store
        self._publisher = publisher
        self._run = run
        self._attempt = attempt
        self._publish = publish
        self._is_metered = False
        self._reported_at = -math.inf

    def on_query(self, progress: Progress) -> None:
        """Take note of a query.

        Raises:
            LeaseLost: the run is no longer this worker's.
        """
        if not self._is_metered:
            # A run cancelled from now on counts against the quota. While the store is out of order
            # the next query notes it.
            with contextlib.suppress(StoreUnavailable):
                self._store.note_metered(self._attempt)
                self._is_metered = True
        now = time.monotonic()
        if now - self._reported_at < _REPORT_EVERY_S:
            return
        with contextlib.suppress(*STORE_FAULTS):
            if self._reported_at == -math.inf:
                self._publish()
            self._publisher.report(self._run, progress.calls, progress.best_train_loss)
        self._reported_at = now
