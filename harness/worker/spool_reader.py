"""The intake's side of the spool: what the web process left there is untrusted input."""

import contextlib
import json
import os
import shutil
import stat
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.store.spool import MAX_REQUEST_BYTES, UPLOAD_NUMBER, Spool, SpoolAnswer

__all__ = ["SpoolReader", "SpoolUpload"]

_PARTIAL_S = 3600.0
"""Age after which an incomplete upload was left by a process that died."""
_ANSWER_S = 30 * 24 * 3600.0
"""How long an answer is kept."""


@dataclass(frozen=True, slots=True)
class SpoolUpload:
    """A submission upload that waits. Nothing of it is checked.

    Attributes:
        number: its name.
        round_name: the round that it is for.
        token: the team's token.
        archive: the zip.
    """

    number: str
    round_name: str
    token: str
    archive: Path


class SpoolReader(Spool):
    """The folder of uploads as the intake uses it; safe to use from several processes."""

    def waiting(self) -> Iterator[SpoolUpload]:
        """Yield the uploads that wait, oldest first. Removes malformed uploads and old answers."""
        if not self.uploads.is_dir():
            return
        _remove_older(self.uploads.glob(".*"), _PARTIAL_S)
        _remove_older(self.answers.glob("*"), _ANSWER_S)
        folders = [path for path in self.uploads.iterdir() if not path.name.startswith(".")]
        for folder in sorted(folders, key=lambda path: path.lstat().st_mtime_ns):
            request, archive = _read_request(folder), folder / "submission.zip"
            if request is None or archive.is_symlink() or not archive.is_file():
                shutil.rmtree(folder, ignore_errors=True)
                continue
            yield SpoolUpload(folder.name, request["round"], request["token"], archive)

    def settle(self, upload: SpoolUpload, answer: SpoolAnswer) -> None:
        """SpoolAnswer an upload and remove it."""
        path = self.answers / f"{upload.number}.json"
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(asdict(answer)), encoding="utf-8")
        partial.replace(path)
        shutil.rmtree(self.uploads / upload.number, ignore_errors=True)


def _remove_older(paths: Iterable[Path], seconds: float) -> None:
    """Remove files and folders last written more than `seconds` ago."""
    before = time.time() - seconds
    for path in paths:
        # Another process may remove them at the same time.
        with contextlib.suppress(OSError):
            if path.lstat().st_mtime < before:
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def _read_request(folder: Path) -> dict[str, Any] | None:
    """Return the request of an upload, or None if it is malformed."""
    try:
        # Opening a pipe would wait for somebody to write into it.
        descriptor = os.open(folder / "request.json", os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return None
            request = json.loads(file.read(MAX_REQUEST_BYTES))
    except (OSError, ValueError, RecursionError):
        return None
    is_sound = (
        isinstance(request, dict)
        and isinstance(request.get("round"), str)
        and isinstance(request.get("token"), str)
        and UPLOAD_NUMBER.fullmatch(folder.name) is not None
    )
    return request if is_sound else None
