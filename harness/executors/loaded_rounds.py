"""The rounds that an executor has in memory: model and data are loaded once, not for every run."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from harness.config import RoundConfig
from harness.engine import Scheduler
from harness.session.loaded_round import LoadedRound

__all__ = ["LoadedRounds"]


@dataclass
class LoadedRounds:
    """Loads rounds for the threads of one process. Rounds in use are kept, and the one used last besides them.

    Attributes:
        loaded: round digest -> round, the one used last at the end.
    """

    loaded: dict[str, LoadedRound] = field(default_factory=dict)
    _in_use: Counter[str] = field(default_factory=Counter)
    _scheduler: Scheduler = field(default_factory=Scheduler)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def using(self, config: RoundConfig) -> Iterator[LoadedRound]:
        """Give a round with its model loaded, and keep it while it is used.

        Raises:
            ModelError: its model cannot be loaded.
        """
        digest = config.digest()
        with self._lock:
            self._in_use[digest] += 1
            loaded = self.loaded.pop(digest, None) or LoadedRound(config, self._scheduler)
            for unused in [each for each in self.loaded if not self._in_use[each]][:-1]:
                del self.loaded[unused]
            self.loaded[digest] = loaded
        try:
            loaded.load()
            yield loaded
        finally:
            with self._lock:
                self._in_use[digest] -= 1
