"""A store that is open for reading alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from harness.store.database import Schema, database_errors, open_read_only

__all__ = ["Reader"]


class Reader:
    """Opens and closes one of the two stores so that nothing can be written through it.

    Use as a context manager, or call `close`. Every question raises InfrastructureError if the file cannot
    be read at the moment.
    """

    schema: ClassVar[Schema]

    def __init__(self, engine: Engine) -> None:
        """Read from an engine made by `open_read_only`."""
        self._engine = engine

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the file.

        Raises:
            UsageError: it is missing, not a store of this kind, or of another version than this code.
        """
        return cls(open_read_only(cls.schema, path))

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._engine.dispose()

    @contextmanager
    def _session(self) -> Iterator[Session]:
        with database_errors(self.schema.name), Session(self._engine) as session:
            yield session
