"""The journal of an attempt: one line per charge, written before the query is computed."""

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
        calls: charged for it.
        total: charged so far, this query included.
    """

    query: int
    calls: int
    total: int

    def line(self) -> str:
        """Return the entry as a line of JSON. Formatted by hand: the solver waits, and an encoder is slower."""
        return f'{{"query":{self.query},"calls":{self.calls},"total":{self.total}}}\n'


class Journal:
    """Append-only JSON lines, one file per attempt.

    Each line reaches the operating system before the forward pass starts, so the record survives if the
    worker is killed. It is not synced to the disk: after a power cut the attempt is void and runs again
    from zero.
    """

    def __init__(self, path: Path) -> None:
        """Create the file.

        Raises:
            InfrastructureError: the file exists (an attempt is never continued) or cannot be written.
        """
        try:
            # Unbuffered: each write reaches the operating system at once.
            self._file = path.open("xb", buffering=0)
        except OSError as error:
            raise InfrastructureError(f"cannot create the journal {path}: {error}") from error

    def append(self, entry: JournalEntry) -> None:
        """Write one charge.

        Raises:
            InfrastructureError: it cannot be written; the attempt must end.
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
    """Yield the charges of a journal; skip a last line that a kill cut short."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            if line.endswith("\n"):
                yield JournalEntry(**json.loads(line))
