"""A store that is open for reading alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, Self

from sqlalchemy.orm import Session

from harness.store.connected import Connected
from harness.store.database import Schema, database_errors, open_read_only

__all__ = ["Reader"]


class Reader(Connected):
    """One of the two stores, opened so that nothing can be written through it.

    Every question raises InfrastructureError if the file cannot
    be read at the moment.
    """

    schema: ClassVar[Schema]

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the file.

        Raises:
            UsageError: it is missing, not a store of this kind, or of another version than this code.
        """
        return cls(open_read_only(cls.schema, path))

    @contextmanager
    def _session(self) -> Iterator[Session]:
        with database_errors(self.schema.name), Session(self.engine) as session:
            yield session
