"""The spool: where the web process drops submission uploads, and where it finds the answers to them.

Theory of operation
-------------------
The web process can write here and nowhere else. The intake treats what it finds as untrusted input and is the
only one to check it. An upload is a folder that appears whole under `uploads/` (written under another name,
then renamed), holding `request.json` and `submission.zip`. The intake answers with `answers/<number>.json`
and removes the upload. A number is 128 random bits: only the uploader can ask for its answer.

A team's token lies here in plain text for the seconds until the upload is taken in, so the folders are private
to the arena's user. The token is never in an answer or a log.
"""

import contextlib
import json
import os
import re
import secrets
import shutil
import stat
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.errors import UsageError

__all__ = ["MAX_UPLOAD_BYTES", "Spool", "SpoolAnswer", "SpoolUpload"]

MAX_UPLOAD_BYTES = 2 * 2**20
"""Packed size of an upload; what it unpacks to is bounded by the round."""

_MAX_WAITING = 200
_MAX_REQUEST_BYTES = 4096
_PARTIAL_S = 3600.0
"""Age after which an incomplete upload was left by a process that died."""
_ANSWER_S = 30 * 24 * 3600.0
"""How long an answer is kept."""
_NUMBER = re.compile(r"[0-9a-f]{32}")
_ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06")


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


@dataclass(frozen=True, slots=True)
class SpoolAnswer:
    """Result of an upload: the number of the submission, or why there is none."""

    submission_id: int | None
    message: str


class Spool:
    """The folder of uploads; safe to use from several processes."""

    def __init__(self, folder: Path) -> None:
        """Use a folder; `create` makes it."""
        self._uploads = folder / "uploads"
        self._answers = folder / "answers"

    def create(self) -> None:
        """Make the folders, private to their owner."""
        for folder in (self._uploads, self._answers):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            folder.chmod(0o700)

    def drop(self, round_name: str, token: str, archive: bytes) -> str:
        """Store an upload for the intake and return its number.

        Raises:
            UsageError: it is not a zip, is too large, has too long a token, or too many wait already.
        """
        if not archive.startswith(_ZIP_STARTS):
            raise UsageError("this file is not a zip; pack solver.toml and the Python files into one")
        if len(archive) > MAX_UPLOAD_BYTES:
            raise UsageError(f"the zip has {len(archive):,} bytes; at most {MAX_UPLOAD_BYTES:,} are taken")
        request = json.dumps({"round": round_name, "token": token})
        if len(request) > _MAX_REQUEST_BYTES:
            raise UsageError(
                f"the token has {len(token):,} characters, more than any; copy it from the organizer again"
            )
        try:
            self.create()
            if sum(1 for _ in self._uploads.iterdir()) >= _MAX_WAITING:
                raise UsageError("too many uploads wait to be taken in; try again in a minute")
            number = secrets.token_hex(16)
            partial = self._uploads / f".{number}"
            partial.mkdir(mode=0o700)
            (partial / "submission.zip").write_bytes(archive)
            (partial / "request.json").write_text(request, encoding="utf-8")
            partial.rename(self._uploads / number)
        except OSError as error:
            raise UsageError(f"uploads cannot be kept at the moment: {error.strerror or error}") from error
        return number

    def answer_to(self, number: str) -> SpoolAnswer | None:
        """Return the answer to an upload; None while it waits, or if the number is unknown."""
        if _NUMBER.fullmatch(number) is None:
            return None
        try:
            return SpoolAnswer(**json.loads((self._answers / f"{number}.json").read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None

    def waiting(self) -> Iterator[SpoolUpload]:
        """Yield the uploads that wait, oldest first. Removes malformed uploads and old answers."""
        if not self._uploads.is_dir():
            return
        _remove_older(self._uploads.glob(".*"), _PARTIAL_S)
        _remove_older(self._answers.glob("*"), _ANSWER_S)
        folders = [path for path in self._uploads.iterdir() if not path.name.startswith(".")]
        for folder in sorted(folders, key=lambda path: path.lstat().st_mtime_ns):
            request, archive = _read_request(folder), folder / "submission.zip"
            if request is None or archive.is_symlink() or not archive.is_file():
                shutil.rmtree(folder, ignore_errors=True)
                continue
            yield SpoolUpload(folder.name, request["round"], request["token"], archive)

    def settle(self, upload: SpoolUpload, answer: SpoolAnswer) -> None:
        """SpoolAnswer an upload and remove it."""
        path = self._answers / f"{upload.number}.json"
        partial = path.with_suffix(".partial")
        partial.write_text(json.dumps(asdict(answer)), encoding="utf-8")
        partial.replace(path)
        shutil.rmtree(self._uploads / upload.number, ignore_errors=True)


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
            request = json.loads(file.read(_MAX_REQUEST_BYTES))
    except (OSError, ValueError, RecursionError):
        return None
    is_sound = (
        isinstance(request, dict)
        and isinstance(request.get("round"), str)
        and isinstance(request.get("token"), str)
        and _NUMBER.fullmatch(folder.name) is not None
    )
    return request if is_sound else None
