"""Read a submission's files for the sandbox: regular files only, copied, never linked."""

import errno
import os
import stat
from collections.abc import Iterable
from pathlib import Path

from harness.errors import InvalidSubmission

__all__ = ["MAX_BYTES", "MAX_FILES", "read_files", "read_regular", "refuse_links"]

MAX_FILES = 200
MAX_BYTES = 16 << 20
"""Upper bounds. Intake enforces the round's own, smaller limits."""

_SKIPPED = frozenset({"__pycache__", ".git"})


def read_files(folder: Path) -> dict[str, bytes]:
    """Return relative path -> contents of every file below `folder`.

    A copy cannot change during the run, has no owner or mode of the host, and is no link to the
    host's files.

    Raises:
        InvalidSubmission: not a folder, a link, a special file, or too many files or bytes.
    """
    files: dict[str, bytes] = {}
    left = MAX_BYTES
    if not folder.is_dir():
        msg = f"{folder}: not a folder; expected a folder with the solver's files"
        raise InvalidSubmission(msg)
    # By descriptor: a folder could be replaced by a link before its files are opened.
    for parent, folders, names, parent_fd in os.fwalk(folder):
        folders[:] = sorted(name for name in folders if name not in _SKIPPED)
        refuse_links(folders, folder_fd=parent_fd)
        for name in sorted(names):
            data = read_regular(name, at_most=left, folder_fd=parent_fd)
            left -= len(data)
            files[str(Path(parent, name).relative_to(folder))] = data
            if left < 0 or len(files) > MAX_FILES:
                msg = f"{folder.name}: too large; expected at most {MAX_FILES} files and {MAX_BYTES} bytes"
                raise InvalidSubmission(msg)
    return files


def refuse_links(folders: Iterable[str], *, folder_fd: int) -> None:
    """Reject folders that are links, which a walk would skip.

    Args:
        folders: names within one folder.
        folder_fd: descriptor of that folder.

    Raises:
        InvalidSubmission: one is a link.
    """
    for name in folders:
        if stat.S_ISLNK(os.stat(name, dir_fd=folder_fd, follow_symlinks=False).st_mode):
            msg = f"{name}: links are not accepted, copy the folder"
            raise InvalidSubmission(msg)


def read_regular(name: str, *, at_most: int, folder_fd: int) -> bytes:
    """Return a regular file's contents, cut after `at_most` + 1 bytes.

    Args:
        name: of the file, within the folder.
        at_most: size limit in bytes; a longer result shows that the file exceeds it.
        folder_fd: descriptor of the folder.

    Raises:
        InvalidSubmission: a link, a special file, or one that cannot be read.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        fd = os.open(name, flags, dir_fd=folder_fd)
    except OSError as error:
        is_link = error.errno == errno.ELOOP
        what = "links are not accepted, copy the file" if is_link else f"cannot be read: {error.strerror}"
        msg = f"{name}: {what}"
        raise InvalidSubmission(msg) from None
    with open(fd, "rb") as file:  # noqa: PTH123 - from a descriptor
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            msg = f"{name}: not a regular file"
            raise InvalidSubmission(msg)
        return file.read(at_most + 1)
