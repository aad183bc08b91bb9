"""The one door to the sealed store: transactions.

Theory of operation
-------------------
Every function of `harness.store.sealed` takes a `Transaction`: the open session, the moment that stands
on what it writes, and who acts. What one `with store.write() as tx:` holds happens wholly or not at all,
its lines of the audit included. On SQLite a writing transaction takes the write lock at its beginning:
one that first reads and then writes would otherwise fail instead of waiting.
"""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from harness.errors import UsageError
from harness.store.database import READING, Connected, database_errors, open_read_only, sqlite_url
from harness.store.paths import ArenaPaths
from harness.store.sealed.migrate import SEALED, open_migrated

__all__ = ["SealedStore", "Transaction", "utc_now"]


def utc_now() -> datetime:
    """Return the present moment, aware."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Transaction:
    """An open transaction of the sealed store.

    Attributes:
        session: SQLAlchemy's.
        now: the moment that stands on what is written; aware.
        actor: who acts, for the audit.
    """

    session: Session
    now: datetime
    actor: str


class SealedStore(Connected):
    """The worker's database. Safe to use from several processes and threads at once."""

    def __init__(self, engine: Engine, clock: Callable[[], datetime] = utc_now, actor: str | None = None) -> None:
        """Work on an engine of the sealed store; see `open`."""
        super().__init__(engine)
        self.clock = clock
        self._actor = actor or f"{os.environ.get('USER') or os.getuid()}@{socket.gethostname()}:{os.getpid()}"

    @classmethod
    def open(
        cls,
        paths: ArenaPaths,
        *,
        must_exist: bool = False,
        url: str | None = None,
        clock: Callable[[], datetime] = utc_now,
        actor: str | None = None,
    ) -> Self:
        """Open the sealed store of an arena, migrated to the newest schema.

        Args:
            paths: the arena folder; made if it is missing.
            must_exist: refuse to make a new arena.
            url: another database than the arena's SQLite file.
            clock: returns the present moment, aware.
            actor: who acts, for the audit; None means this process.

        Raises:
            UsageError: the store is missing, not a database, or newer than this code.
        """
        if must_exist and url is None and not paths.sealed_db.exists():
            raise UsageError(f"no arena at {paths.home}: sealed.db is missing; create a round first")
        paths.create()
        if url is None:
            paths.create_sealed_db()
        return cls(open_migrated(url or sqlite_url(paths.sealed_db)), clock, actor)

    @classmethod
    def open_to_read(cls, path: Path) -> Self:
        """Open the file so that nothing can be written through it.

        Raises:
            UsageError: it is missing, not a sealed store, or of another version than this code.
        """
        return cls(open_read_only(SEALED, path))

    def _session(self) -> Session:
        # Rows stay readable after their transaction, as they were at its end.
        return Session(self.engine, expire_on_commit=False)

    @contextmanager
    def write(self) -> Iterator[Transaction]:
        """Give a transaction that may write; it commits at the end of the block, or rolls back on an error.

        Raises:
            StoreUnavailable: the database is locked, full or gone; nothing was stored.
            InfrastructureError: it failed in another way; nothing was stored.
        """
        with database_errors(SEALED.name), self._session() as session, session.begin():
            # The lock first: a lease counts from when it was given, not from when it was asked for.
            session.connection()
            yield Transaction(session, self.clock(), self._actor)

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """Give one consistent view that takes no write lock.

        Raises:
            StoreUnavailable: the database cannot be read now.
        """
        with database_errors(SEALED.name), self._session() as session:
            session.connection(execution_options={READING: True})
            yield Transaction(session, self.clock(), self._actor)
