"""Reading a submission's files for the sandbox: regular files only, copied, never linked."""

import os
import stat
from pathlib import Path

from harness.errors import InvalidSubmission

__all__ = ["MAX_BYTES", "MAX_FILES", "read_submission"]

MAX_FILES = 200
MAX_BYTES = 16 << 20
"""Backstops. A round's own, smaller limits are enforced where submissions are taken in."""

_SKIPPED = frozenset({"__pycache__", ".git"})


def read_submission(folder: Path) -> dict[str, bytes]:
    """Return relative path -> contents of every file below `folder`.

    A copy cannot change under the run, carries no ownership or mode, and makes no link to the
    host's files.

    Raises:
        InvalidSubmission: not a folder, a link or special file, too many files or bytes.
    """
    files: dict[str, bytes] = {}
    total = 0
    if not folder.is_dir():
        msg = f"{folder}: expected a folder that holds the solver's files"
        raise InvalidSubmission(msg)
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if name not in _SKIPPED)
        for name in (*folders, *names):
            if Path(parent, name).is_symlink():
                msg = f"{Path(parent, name).relative_to(folder)}: links are not accepted, copy the file"
                raise InvalidSubmission(msg)
        for name in sorted(names):
            path = Path(parent, name)
            data = _read_regular(path, MAX_BYTES - total)
            total += len(data)
            files[str(path.relative_to(folder))] = data
            if len(files) > MAX_FILES:
                msg = f"{folder.name}: more than {MAX_FILES} files"
                raise InvalidSubmission(msg)
    return files


def _read_regular(path: Path, at_most: int) -> bytes:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        msg = f"{path.name}: cannot be read: {error.strerror}"
        raise InvalidSubmission(msg) from None
    with open(fd, "rb") as file:  # noqa: PTH123 - from a descriptor
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            msg = f"{path.name}: not a regular file"
            raise InvalidSubmission(msg)
        data = file.read(at_most + 1)
    if len(data) > at_most:
        msg = f"{path.name}: the submission's files pass {MAX_BYTES} bytes"
        raise InvalidSubmission(msg)
    return data
