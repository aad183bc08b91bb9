"""Work that a thread repeats while something else goes on."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from harness.worker.faults import STORE_FAULTS

__all__ = ["repeating"]


@contextmanager
def repeating(name: str, pause_s: float, act: Callable[[], bool]) -> Iterator[None]:
    """Call `act` every `pause_s` seconds, first after one pause, until the block ends or it returns False.

    A fault of the store costs one call; the next one tries again.

    Args:
        name: of the thread, for people.
        pause_s: seconds between two calls.
        act: returns whether to call it again.
    """
    done = threading.Event()

    def work() -> None:
        while not done.wait(pause_s):
            with suppress(*STORE_FAULTS):
                if not act():
                    return

    thread = threading.Thread(target=work, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
