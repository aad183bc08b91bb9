"""Opening a database: for writing, brought up to date; or so that nothing can be written through it.

Every transaction of a writer starts with BEGIN IMMEDIATE: SQLite has one writer at a time, and a
transaction that first reads and then writes would otherwise fail instead of waiting.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.pool import NullPool

from harness.errors import InfrastructureError, UsageError

__all__ = [
    "READING",
    "Connected",
    "Schema",
    "StoreUnavailable",
    "database_errors",
    "open_read_only",
    "open_to_write",
    "sqlite_url",
]

WRITER_BUSY_TIMEOUT_MS = 30_000
READER_BUSY_TIMEOUT_MS = 3_000

READING = "gradfree_reading"
"""Execution option of a connection that only reads: it takes no write lock and waits for nobody."""


class StoreUnavailable(InfrastructureError):
    """The database is locked, full or gone for now. Nothing was stored; the same call may succeed later."""


@dataclass(frozen=True, slots=True)
class Schema:
    """One of the two databases.

    Attributes:
        name: "sealed" or "public".
        newest: the version of its tables that this code writes.
        version_of: returns a database's version, None if it is empty; raises UsageError if it belongs to
            another program, or is newer than this code. Its second argument names the place, for errors.
        update: brings an empty or older database to `newest`, in the transaction that the caller opened.
        synchronous: SQLite's durability. The sealed store survives a power cut; the public one can be
            derived again.
        mend: what to do about another version when reading, for people.
    """

    name: str
    newest: str
    version_of: Callable[[Connection, str], str | None]
    update: Callable[[Connection], None]
    synchronous: str
    mend: str


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


@contextmanager
def database_errors(store: str) -> Iterator[None]:
    """Turn a failure of the database into a platform error that quotes it.

    Raises:
        StoreUnavailable: the database is locked, full or gone.
        InfrastructureError: it is damaged, or refused a statement.
    """
    try:
        yield
    except OperationalError as error:
        raise StoreUnavailable(f"the {store} store failed: {error.orig}") from error
    except DatabaseError as error:
        raise InfrastructureError(f"the {store} store failed: {error.orig}") from error


def sqlite_url(path: Path) -> str:
    """Return the database URL of a file."""
    return f"sqlite:///{path}"


def open_to_write(schema: Schema, url: str) -> Engine:
    """Open a database for writing and bring it up to date; two processes may do so at once.

    Args:
        schema: which of the two.
        url: SQLAlchemy URL.

    Raises:
        UsageError: the file is not a database, another program's, or newer than this code.
        StoreUnavailable: it is locked, or its disk is full or broken.
    """
    parsed = make_url(url)
    is_file = parsed.get_backend_name() == "sqlite" and parsed.database
    place = str(parsed.database) if is_file else url
    engine = create_engine(url)
    if is_file:
        event.listen(engine, "connect", _writer_settings(schema))
        event.listen(engine, "begin", _begin_immediate)
    try:
        with engine.begin() as connection:
            if schema.version_of(connection, place) != schema.newest:
                schema.update(connection)
    except DatabaseError as error:
        engine.dispose()
        raise _unreadable(schema, place, error) from error
    except UsageError:
        engine.dispose()
        raise
    return engine


def open_read_only(schema: Schema, path: Path) -> Engine:
    """Open an SQLite file so that nothing can be written through it.

    Raises:
        UsageError: the file is missing, not a database, or of another version than this code.
        StoreUnavailable: it is locked, or its disk is broken.
    """
    if not path.is_file():
        raise UsageError(
            f"no {schema.name} store at {path}: the file is missing; create a round first (`gradfree round create toy`)"
        )
    engine = create_engine(sqlite_url(path), poolclass=NullPool, creator=lambda: _connect_to_read(path))
    event.listen(engine, "connect", _reader_settings)
    try:
        with engine.connect() as connection:
            version = schema.version_of(connection, str(path))
    except DatabaseError as error:
        raise _unreadable(schema, str(path), error) from error
    if version != schema.newest:
        raise UsageError(
            f"the {schema.name} store at {path} has schema {version or 'none'}, expected {schema.newest}; {schema.mend}"
        )
    return engine


def _connect_to_read(path: Path) -> sqlite3.Connection:
    """Connect to a file read-only, also as a user who may write nothing beside it.

    SQLite makes a missing write-ahead log in order to read. A user who may not make it opens the file as
    immutable: without a log nobody is writing at the moment.
    """
    has_log = path.with_name(f"{path.name}-wal").exists()
    mode = "ro" if has_log or os.access(path.parent, os.W_OK) else "ro&immutable=1"
    return sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode={mode}", uri=True, check_same_thread=False)


def _writer_settings(schema: Schema) -> Callable[[sqlite3.Connection, Any], None]:
    def configure(connection: sqlite3.Connection, _record: Any) -> None:
        # The driver's own transactions start too late (at the first write); see _begin_immediate.
        connection.isolation_level = None
        connection.execute(f"PRAGMA busy_timeout = {WRITER_BUSY_TIMEOUT_MS}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {schema.synchronous}")
        connection.execute("PRAGMA foreign_keys = ON")

    return configure


def _reader_settings(connection: sqlite3.Connection, _record: Any) -> None:
    connection.execute(f"PRAGMA busy_timeout = {READER_BUSY_TIMEOUT_MS}")
    connection.execute("PRAGMA query_only = ON")


def _begin_immediate(connection: Connection) -> None:
    is_reading = connection.get_execution_options().get(READING, False)
    connection.exec_driver_sql("BEGIN" if is_reading else "BEGIN IMMEDIATE")


_TRANSIENT = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_FULL", "SQLITE_IOERR")
"""Prefixes of SQLite's error names for faults that pass."""


def _unreadable(schema: Schema, place: str, error: DatabaseError) -> UsageError | StoreUnavailable:
    if getattr(error.orig, "sqlite_errorname", "").startswith(_TRANSIENT):
        return StoreUnavailable(
            f"the {schema.name} store at {place} cannot be opened now: {error.orig}; "
            "check whether its disk is full, and which process holds its lock"
        )
    if isinstance(error, OperationalError):
        return UsageError(f"the {schema.name} store at {place} cannot be opened: {error.orig}")
    return UsageError(
        f"{place} cannot be read as a {schema.name} store: {error.orig}; move it away, or restore it from a backup"
    )
