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

import json
import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from harness.errors import UsageError

__all__ = ["MAX_REQUEST_BYTES", "MAX_UPLOAD_BYTES", "UPLOAD_NUMBER", "Spool", "SpoolAnswer"]

MAX_UPLOAD_BYTES = 2 * 2**20
"""Packed size of an upload; what it unpacks to is bounded by the round."""

_MAX_WAITING = 200
MAX_REQUEST_BYTES = 4096
UPLOAD_NUMBER = re.compile(r"[0-9a-f]{32}")
_ZIP_STARTS = (b"PK\x03\x04", b"PK\x05\x06")


@dataclass(frozen=True, slots=True)
class SpoolAnswer:
    """Result of an upload: the number of the submission, or why there is none."""

    submission_id: int | None
    message: str


class Spool:
    """The folder of uploads as the web process uses it; `harness.worker.spool_reader` reads them."""

    def __init__(self, folder: Path) -> None:
        """Use a folder; `create` makes it."""
        self.uploads = folder / "uploads"
        self.answers = folder / "answers"

    def create(self) -> None:
        """Make the folders, private to their owner."""
        for folder in (self.uploads, self.answers):
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
        if len(request) > MAX_REQUEST_BYTES:
            raise UsageError(
                f"the token has {len(token):,} characters, more than any; copy it from the organizer again"
            )
        try:
            self.create()
            if sum(1 for _ in self.uploads.iterdir()) >= _MAX_WAITING:
                raise UsageError("too many uploads wait to be taken in; try again in a minute")
            number = secrets.token_hex(16)
            partial = self.uploads / f".{number}"
            partial.mkdir(mode=0o700)
            (partial / "submission.zip").write_bytes(archive)
            (partial / "request.json").write_text(request, encoding="utf-8")
            partial.rename(self.uploads / number)
        except OSError as error:
            raise UsageError(f"uploads cannot be kept at the moment: {error.strerror or error}") from error
        return number

    def answer_to(self, number: str) -> SpoolAnswer | None:
        """Return the answer to an upload; None while it waits, or if the number is unknown."""
        if UPLOAD_NUMBER.fullmatch(number) is None:
            return None
        try:
            return SpoolAnswer(**json.loads((self.answers / f"{number}.json").read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
