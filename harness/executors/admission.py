"""How many runs may be at work at once: as many as memory allows."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from harness.errors import InfrastructureError

__all__ = ["Admission", "machine_bytes"]

_SHARE = 0.8
"""Of the machine's memory; the rest is for the model's activations and the system."""

_LOOK_EVERY_S = 0.5
"""Whether anybody still wants the run that waits."""


def machine_bytes() -> int:
    """Return what runs may hold together on this machine."""
    return int(_SHARE * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


class Admission:
    """Lets a run start when what all admitted runs may use fits into memory.

    What counts is what a run is allowed to use, not what it uses now: a run that grows later must
    not take the memory of one that was there before. A run that is alone is always admitted; its own
    limits hold it.

    Args:
        total_bytes: for all runs together.
    """

    def __init__(self, total_bytes: int) -> None:
        """Start with nobody admitted."""
        self._total = total_bytes
        self._held: list[int] = []
        self._changed = threading.Condition()

    @contextmanager
    def hold(self, n_bytes: int, stop: threading.Event | None = None) -> Iterator[None]:
        """Wait until a run that may use `n_bytes` fits, and keep its place while it runs.

        Args:
            n_bytes: what the run may use.
            stop: set by another thread when nobody wants the run's result any more.

        Raises:
            InfrastructureError: `stop` was set before there was room.
        """
        with self._changed:
            while self._held and sum(self._held) + n_bytes > self._total:
                if stop is not None and stop.is_set():
                    raise InfrastructureError("the run was stopped while it waited for memory")
                self._changed.wait(_LOOK_EVERY_S)
            self._held.append(n_bytes)
        try:
            yield
        finally:
            with self._changed:
                self._held.remove(n_bytes)
                self._changed.notify_all()
