"""Work that repeats itself in a thread while something else goes on."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from harness.rounds.faults import STORE_FAULTS

__all__ = ["repeating"]


@contextmanager
def repeating(name: str, pause_s: float, act: Callable[[], bool]) -> Iterator[None]:
    """Call `act` every `pause_s` seconds, first after one pause, until the block ends or it says False.

    A store out of order costs one time; the next one tries again.

    Args:
        name: of the thread, for people.
        pause_s: between two calls.
        act: returns whether it is to be called again.
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
