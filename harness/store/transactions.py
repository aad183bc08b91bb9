"""What every part of the sealed store does: open a transaction, read the clock, say who acts."""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from harness.store.connected import Connected
from harness.store.database import READING, database_errors

__all__ = ["Transactions", "utc_now"]


def utc_now() -> datetime:
    """Return the present moment, aware."""
    return datetime.now(UTC)


class Transactions(Connected):
    """One transaction per method, with the actor and the moment that its events carry."""

    def __init__(
        self, engine: Engine, clock: Callable[[], datetime] = utc_now, actor: str | None = None
    ) -> None:
        """Work on an engine made by `open_database(SEALED, ...)`.

        Args:
            engine: of the sealed store.
            clock: gives the present moment, aware.
            actor: who acts, for the audit; None means this process.
        """
        super().__init__(engine)
        self._clock = clock
        self._actor = actor or f"{os.environ.get('USER') or os.getuid()}@{socket.gethostname()}:{os.getpid()}"

    @contextmanager
    def _transaction(self) -> Iterator[Session]:
        with database_errors("sealed"), Session(self.engine) as session, session.begin():
            session.info["actor"] = self._actor
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Give a session with one consistent view that takes no write lock."""
        with database_errors("sealed"), Session(self.engine) as session:
            session.connection(execution_options={READING: True})
            yield session
