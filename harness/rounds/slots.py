"""Several runs of one worker at a time, each in a thread of its own."""

import threading
from collections.abc import Callable
from concurrent.futures import Future

__all__ = ["in_slots"]


def in_slots(n_slots: int, work: Callable[[threading.Event], int], stop: threading.Event) -> int:
    """Do `work` in every slot at once; return the sum. One slot is this thread.

    Args:
        n_slots: >= 1.
        work: gets `stop`, and returns soon after it is set.
        stop: set here on an interrupt.

    Raises:
        KeyboardInterrupt: the caller's; what is at work in other threads ends with the process.
    """
    if n_slots == 1:
        return work(stop)
    futures: list[Future[int]] = [Future() for _ in range(n_slots)]

    def serve(future: Future[int]) -> None:
        try:
            future.set_result(work(stop))
        except BaseException as error:  # noqa: BLE001 (raised again below, in the thread that can be told)
            future.set_exception(error)

    try:
        # Daemons: an interrupt must not wait for solvers; they die with this process.
        for number, future in enumerate(futures):
            threading.Thread(target=serve, args=(future,), name=f"slot-{number}", daemon=True).start()
        return sum(future.result() for future in futures)
    except KeyboardInterrupt:
        stop.set()
        raise
