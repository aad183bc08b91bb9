"""Retry policy for a locked database or a full disk.

A result that took an hour to compute is not lost because the disk was full in the second in which it was to
be written, nor because its lease expired while it waited (unless another worker has claimed the run by then);
and a run is not started, and held after two tries, where its result could not be stored.
"""

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import TypeVar

from sqlalchemy.exc import SQLAlchemyError

from harness.errors import InfrastructureError
from harness.store.database import StoreUnavailable

__all__ = ["STORE_FAULTS", "has_room", "patiently"]

STORE_FAULTS = (InfrastructureError, SQLAlchemyError, OSError)
"""What a store or disk out of order raises; it never ends the worker."""

_PAUSE_S = 0.5

T = TypeVar("T")


def patiently(act: Callable[[], T], given_up: Event, patience_s: float) -> T:
    """Repeat an idempotent action until the database and the disk allow it; return its result.

    Args:
        act: the action.
        given_up: set by another thread when the action is no longer wanted.
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
    """Return whether a folder's disk has `n_bytes` left."""
    return shutil.disk_usage(folder).free >= n_bytes
