"""Draining a solver's stdout and stderr: all of it is read, the beginning is kept."""

import os
import threading
import time

__all__ = ["LogDrain"]

_READ_BYTES = 1 << 16
_PAUSE_S = 0.001
"""After each read that is thrown away: a flood then costs its writer time, not the harness."""


class LogDrain(threading.Thread):
    """Reads a pipe to its end, so that a flood can neither block the solver nor fill memory."""

    def __init__(self, fd: int, keep_bytes: int) -> None:
        """Take over the pipe's read end, which is closed at its end of file."""
        super().__init__(name="log-drain", daemon=True)
        self._fd = fd
        self._keep_bytes = keep_bytes
        self._kept = bytearray()
        self._dropped = False
        self._lock = threading.Lock()

    def run(self) -> None:
        """Read until every writer is gone."""
        try:
            while chunk := os.read(self._fd, _READ_BYTES):
                with self._lock:
                    room = max(0, self._keep_bytes - len(self._kept))
                    self._kept += chunk[:room]
                    self._dropped = self._dropped or len(chunk) > room
                if len(chunk) > room:
                    time.sleep(_PAUSE_S)
        finally:
            os.close(self._fd)

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
