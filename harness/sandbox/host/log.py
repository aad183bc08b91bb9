"""Drain a solver's stdout and stderr: read all of it, keep the beginning."""

import contextlib
import os
import threading
import time
from pathlib import Path

__all__ = ["LogDrain"]

_READ_BYTES = 1 << 16
_PAUSE_S = 0.001
"""Pause after each discarded read, so that a flood slows its writer rather than the harness."""


class LogDrain(threading.Thread):
    """Read a pipe to its end, so that a flood neither blocks the solver nor fills memory.

    The kept part is also written to a file at once, so that it outlives this process.
    """

    def __init__(self, fd: int, keep_bytes: int, path: Path | None = None) -> None:
        """Take ownership of the pipe's read end; it is closed at end of file.

        Args:
            fd: the read end.
            keep_bytes: size of the kept part.
            path: a file to create, private to its owner; None: keep the log in memory only.
        """
        super().__init__(name="log-drain", daemon=True)
        self._fd = fd
        self._path = path
        self._keep_bytes = keep_bytes
        self._kept = bytearray()
        self._dropped = False
        self._lock = threading.Lock()

    def run(self) -> None:
        """Read until every writer has closed the pipe."""
        copy = None if self._path is None else _create(self._path)
        try:
            while chunk := os.read(self._fd, _READ_BYTES):
                with self._lock:
                    room = max(0, self._keep_bytes - len(self._kept))
                    self._kept += chunk[:room]
                    self._dropped = self._dropped or len(chunk) > room
                if copy is not None and room:
                    # On a full disk only the copy is lost; the log itself is in memory.
                    with contextlib.suppress(OSError):
                        os.write(copy, chunk[:room])
                if len(chunk) > room:
                    time.sleep(_PAUSE_S)
        finally:
            os.close(self._fd)
            if copy is not None:
                os.close(copy)

    def discard(self) -> None:
        """Discard the log, and whatever is read later."""
        with self._lock:
            self._keep_bytes = 0
            self._kept.clear()

    @property
    def kept(self) -> bytes:
        """The kept beginning of the output."""
        with self._lock:
            return bytes(self._kept)

    @property
    def truncated(self) -> bool:
        """Whether the output is longer than the kept part."""
        with self._lock:
            return self._dropped


def _create(path: Path) -> int | None:
    """Create a file; return None if that fails."""
    with contextlib.suppress(OSError):
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    return None
