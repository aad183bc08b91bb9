"""Opening a database: create, migrate to the newest schema, or open read-only.

Every transaction of a writer starts with BEGIN IMMEDIATE: SQLite has one writer at a time, and a
transaction that first reads and then wants to write would otherwise fail instead of waiting.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, MetaData, create_engine, event, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.pool import NullPool

from harness.errors import InfrastructureError, UsageError
from harness.store.public_schema import PublicBase
from harness.store.sealed_schema import SealedBase

__all__ = [
    "PUBLIC",
    "READING",
    "SEALED",
    "Schema",
    "StoreUnavailable",
    "database_errors",
    "open_database",
    "open_read_only",
    "sqlite_url",
    "upgrade",
]

WRITER_BUSY_TIMEOUT_MS = 30_000
READER_BUSY_TIMEOUT_MS = 3_000

READING = "gradfree_reading"
"""Execution option of a connection that will only read: it takes no write lock and waits for nobody."""


class StoreUnavailable(InfrastructureError):
    """The database is locked, full or gone for now; nothing was stored, and the same again may succeed."""


@dataclass(frozen=True, slots=True)
class Schema:
    """One of the two schemas, with the newest revision that this code knows.

    Attributes:
        name: "sealed" or "public": also the folder of its migrations.
        metadata: the tables as the models have them.
        head: identifier of the newest migration.
        synchronous: SQLite's durability; the sealed store survives a power cut, and the public
            one can be published again.
    """

    name: str
    metadata: MetaData
    head: str
    synchronous: str


SEALED = Schema("sealed", SealedBase.metadata, "sealed_0004", "FULL")
PUBLIC = Schema("public", PublicBase.metadata, "public_0005", "NORMAL")


@contextmanager
def database_errors(store: str) -> Iterator[None]:
    """Turn a failure of the database into ours, with its own words.

    Raises:
        StoreUnavailable: the database is locked, full or gone.
        InfrastructureError: it is damaged, or refused what it was told.
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


def open_database(schema: Schema, url: str) -> Engine:
    """Open a database for writing and bring its schema up to date; two processes may do so at once.

    Args:
        schema: `SEALED` or `PUBLIC`.
        url: SQLAlchemy URL.

    Raises:
        UsageError: the file is not a database, another program's, or newer than this code.
        StoreUnavailable: it is locked, or its disk is full or broken.
    """
    path = _file_of(url)
    engine = create_engine(url)
    if path is not None:
        event.listen(engine, "connect", _writer_settings(schema))
        event.listen(engine, "begin", _begin_immediate)
    try:
        with engine.begin() as connection:
            if _revision(connection, schema, path or url) != schema.head:
                upgrade(connection, schema)
    except DatabaseError as error:
        engine.dispose()
        raise _unreadable(schema, path or url, error) from error
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
            revision = _revision(connection, schema, path)
    except DatabaseError as error:
        raise _unreadable(schema, path, error) from error
    if revision != schema.head:
        raise UsageError(
            f"the {schema.name} store at {path} has schema {revision or 'none'}, this version reads "
            f"{schema.head}; publish the round again with this version"
        )
    return engine


def _connect_to_read(path: Path) -> sqlite3.Connection:
    """Connect to a file that nothing may be written through, also as a user who may write nothing beside it.

    SQLite makes the write-ahead log in order to read, where it is missing. Who may not make it opens the
    file as one that does not change: without a log nobody writes at the moment.
    """
    has_log = path.with_name(f"{path.name}-wal").exists()
    mode = "ro" if has_log or os.access(path.parent, os.W_OK) else "ro&immutable=1"
    return sqlite3.connect(
        f"file:{quote(str(path.absolute()))}?mode={mode}", uri=True, check_same_thread=False
    )


def _file_of(url: str) -> Path | None:
    parsed = make_url(url)
    return Path(parsed.database) if parsed.get_backend_name() == "sqlite" and parsed.database else None


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


def _revision(connection: Connection, schema: Schema, place: Path | str) -> str | None:
    """Return the schema revision of a database, None if it is empty.

    Raises:
        UsageError: it belongs to something else, or is newer than this code.
    """
    tables = inspect(connection).get_table_names()
    if not tables:
        return None
    if "alembic_version" not in tables:
        raise UsageError(f"{place} is another program's database; expected a {schema.name} store of an arena")
    revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if revision is None:
        return None
    known = _known_revisions(schema)
    if revision not in known:
        if not str(revision).startswith(f"{schema.name}_"):
            raise UsageError(f"{place} has schema {revision}; expected a {schema.name} store of an arena")
        raise UsageError(
            f"{place} has schema {revision}, newer than this version of gradfree knows ({schema.head}); "
            "update gradfree-arena"
        )
    return str(revision)


def _known_revisions(schema: Schema) -> set[str]:
    folder = _migrations() / schema.name
    return {file.stem.split("__")[0] for file in folder.glob(f"{schema.name}_*.py")}


def _migrations() -> Path:
    return Path(__file__).parent / "migrations"


def upgrade(connection: Connection, schema: Schema, revision: str = "head") -> None:
    """Migrate a database, in the transaction that the caller opened."""
    # Alembic costs a fifth of a second to import, and most commands meet an up-to-date database.
    command = import_module("alembic.command")
    configuration = import_module("alembic.config").Config()
    configuration.set_main_option("script_location", str(_migrations()).replace("%", "%%"))
    configuration.set_main_option("version_locations", str(_migrations() / schema.name).replace("%", "%%"))
    configuration.set_main_option("path_separator", "newline")
    configuration.attributes["connection"] = connection
    configuration.attributes["metadata"] = schema.metadata
    command.upgrade(configuration, revision)


_FOR_NOW = ("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_FULL", "SQLITE_IOERR")
"""SQLite's names, or how they begin, of what is no fault of whoever chose the file."""


def _unreadable(schema: Schema, place: Path | str, error: DatabaseError) -> UsageError | StoreUnavailable:
    if getattr(error.orig, "sqlite_errorname", "").startswith(_FOR_NOW):
        return StoreUnavailable(
            f"the {schema.name} store at {place} cannot be opened now: {error.orig}; "
            "look whether its disk is full, or who holds its lock"
        )
    if isinstance(error, OperationalError):
        return UsageError(f"the {schema.name} store at {place} cannot be opened: {error.orig}")
    return UsageError(
        f"{place} cannot be read as a {schema.name} store: {error.orig}; "
        "move it away, or restore it from a backup"
    )
