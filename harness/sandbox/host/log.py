"""Draining a solver's stdout and stderr: all of it is read, the beginning is kept."""

import contextlib
import os
import threading
import time
from pathlib import Path

__all__ = ["LogDrain"]

_READ_BYTES = 1 << 16
_PAUSE_S = 0.001
"""After each read that is thrown away: a flood then costs its writer time, not the harness."""


class LogDrain(threading.Thread):
    """Reads a pipe to its end, so that a flood can neither block the solver nor fill memory.

    What is kept is written to a file too as it comes, so that it outlives this process.
    """

    def __init__(self, fd: int, keep_bytes: int, path: Path | None = None) -> None:
        """Take over the pipe's read end, which is closed at its end of file.

        Args:
            fd: of the pipe.
            keep_bytes: how much is kept.
            path: a file to be made, private to its owner; None keeps the log in memory alone.
        """
        super().__init__(name="log-drain", daemon=True)
        self._fd = fd
        self._path = path
        self._keep_bytes = keep_bytes
        self._kept = bytearray()
        self._dropped = False
        self._lock = threading.Lock()

    def run(self) -> None:
        """Read until every writer is gone."""
        copy = None if self._path is None else _create(self._path)
        try:
            while chunk := os.read(self._fd, _READ_BYTES):
                with self._lock:
                    room = max(0, self._keep_bytes - len(self._kept))
                    self._kept += chunk[:room]
                    self._dropped = self._dropped or len(chunk) > room
                if copy is not None and room:
                    # A full disk costs the copy; the log itself is in memory.
                    with contextlib.suppress(OSError):
                        os.write(copy, chunk[:room])
                if len(chunk) > room:
                    time.sleep(_PAUSE_S)
        finally:
            os.close(self._fd)
            if copy is not None:
                os.close(copy)

    def discard(self) -> None:
        """Forget what was read and keep nothing of what follows."""
        with self._lock:
            self._keep_bytes = 0
            self._kept.clear()

    @property
    def kept(self) -> bytes:
        """The beginning of what was written."""
        with self._lock:
            return bytes(self._kept)

    @property
    def truncated(self) -> bool:
        """Whether more was written than is kept."""
        with self._lock:
            return self._dropped


def _create(path: Path) -> int | None:
    """Open a new file; None if the disk refuses it."""
    with contextlib.suppress(OSError):
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    return None
