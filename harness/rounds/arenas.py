"""The rounds that a worker has in memory: model and data are loaded once, not for every run."""

import threading
from collections.abc import Collection
from dataclasses import dataclass, field

from harness.engine import Scheduler
from harness.rounds.lifecycle import stored_config
from harness.session.arena import Arena
from harness.store import ClaimedRun, SealedStore

__all__ = ["Arenas"]


@dataclass
class Arenas:
    """Loads rounds for the threads of one worker. Kept are those at work, and the one used last beside them.

    Attributes:
        store: the sealed store.
        loaded: round digest -> round, the one used last at the end.
    """

    store: SealedStore
    loaded: dict[str, Arena] = field(default_factory=dict)
    _scheduler: Scheduler = field(default_factory=Scheduler)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def of(self, run: ClaimedRun, at_work: Collection[ClaimedRun]) -> Arena:
        """Return the round of a run with its model loaded.

        Args:
            run: claimed.
            at_work: all claims that this worker is at.

        Raises:
            UsageError: the store has no such round.
            ModelError: its model cannot be loaded.
        """
        with self._lock:
            arena = self.loaded.pop(run.round_digest, None)
            if arena is None:
                stored = self.store.get_round(run.round_name, run.round_version)
                arena = Arena(stored_config(stored), self._scheduler)
            used = {claim.round_digest for claim in at_work}
            for digest in [digest for digest in self.loaded if digest not in used][:-1]:
                del self.loaded[digest]
            self.loaded[run.round_digest] = arena
        arena.load()
        return arena
