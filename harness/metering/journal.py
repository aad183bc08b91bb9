"""The journal of one attempt: what was charged, line by line, before it was computed."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from harness.errors import InfrastructureError

__all__ = ["Journal", "JournalEntry", "read_journal"]


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """One charge.

    Attributes:
        query: number of the query within the attempt, from 1.
        calls: what it was charged.
        total: charged so far, this query included.
    """

    query: int
    calls: int
    total: int

    def line(self) -> str:
        """Return the entry as a line of JSON: three numbers need no encoder, and a solver waits."""
        return f'{{"query":{self.query},"calls":{self.calls},"total":{self.total}}}\n'


class Journal:
    """Append-only JSON lines, one file per attempt.

    Each line reaches the operating system before the forward pass starts, so a killed worker
    leaves a true record. It is not synced to the disk: after a power cut the attempt is void
    anyway and runs again from zero.
    """

    def __init__(self, path: Path) -> None:
        """Create the file.

        Raises:
            InfrastructureError: it exists already (an attempt is never continued) or cannot be
                written.
        """
        try:
            # Unbuffered: what is written has reached the operating system.
            self._file = path.open("xb", buffering=0)
        except OSError as error:
            raise InfrastructureError(f"cannot create the journal {path}: {error}") from error

    def append(self, entry: JournalEntry) -> None:
        """Write one charge.

        Raises:
            InfrastructureError: the disk refused it; the attempt must end.
        """
        line = entry.line().encode()
        try:
            written = self._file.write(line)
        except OSError as error:
            raise InfrastructureError(f"cannot write the journal {self._file.name}: {error}") from error
        if written != len(line):
            raise InfrastructureError(f"cannot write the journal {self._file.name}: the disk is full")

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        """Return the journal."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self.close()


def read_journal(path: Path) -> Iterator[JournalEntry]:
    """Yield the charges of a journal; a last line cut short by a kill is left out."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if line.endswith("\n"):
                yield JournalEntry(**json.loads(line))
