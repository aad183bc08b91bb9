"""What every open store is: connections to a database, closed at the end."""

from types import TracebackType
from typing import Self

from sqlalchemy import Engine

__all__ = ["Connected"]


class Connected:
    """Owns the connections to a database. Use as a context manager, or call `close`.

    Attributes:
        engine: what sessions are made on.
    """

    def __init__(self, engine: Engine) -> None:
        """Take over an engine."""
        self.engine = engine

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
        self.engine.dispose()
