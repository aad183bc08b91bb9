"""What a worker does about a database that is locked and a disk that is full: it waits for them.

A result that took an hour to compute is not thrown away because the disk was full in the second in which
it was to be written, nor because its lease ran out while it waited (unless another worker has claimed the
run by then); and a run is not tried, and held after two tries, where nothing could be kept of it.
"""

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import TypeVar

from sqlalchemy.exc import SQLAlchemyError

from harness.errors import InfrastructureError
from harness.store import StoreUnavailable

__all__ = ["STORE_FAULTS", "has_room", "patiently"]

STORE_FAULTS = (InfrastructureError, SQLAlchemyError, OSError)
"""What a store out of order raises: never the worker's end."""

_PAUSE_S = 0.5

T = TypeVar("T")


def patiently(act: Callable[[], T], given_up: Event, patience_s: float) -> T:
    """Do something that is safe to repeat until the database and the disk let it be done; return its result.

    Args:
        act: what to do.
        given_up: set by another thread when nobody wants it done any more.
        patience_s: seconds after which the fault is raised.

    Raises:
        StoreUnavailable: the database did not recover in time.
        OSError: the disk did not.
    """
    until = time.monotonic() + patience_s
    while True:
        try:
            return act()
        except (StoreUnavailable, OSError):
            if given_up.wait(_PAUSE_S) or time.monotonic() > until:
                raise


def has_room(folder: Path, n_bytes: int) -> bool:
    """Say whether a folder's disk has so many bytes left for what a run writes."""
    return shutil.disk_usage(folder).free >= n_bytes
