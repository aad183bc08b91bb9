"""The sealed store's schema version, and how an older database is brought to it."""

from importlib import import_module
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, insert, inspect, text

from harness.errors import UsageError
from harness.store.database import Schema, open_to_write
from harness.store.sealed.schema import ClockRow, SealedBase

__all__ = ["SEALED", "open_migrated", "upgrade"]

_MIGRATIONS = Path(__file__).parent / "migrations"


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Make the tables of an empty database, or migrate one that has some, in the caller's transaction."""
    # Alembic costs a fifth of a second to import, and most commands meet an up-to-date database.
    command = import_module("alembic.command")
    if not inspect(connection).get_table_names():
        SealedBase.metadata.create_all(connection)
        connection.execute(insert(ClockRow), {"id": 1, "turn": 0})
        _forbid_changes_of_events(connection)
        command.stamp(_configuration(connection), revision)
        return
    command.upgrade(_configuration(connection), revision)


def _configuration(connection: Connection) -> Any:
    configuration = import_module("alembic.config").Config()
    configuration.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    configuration.set_main_option("version_locations", str(_MIGRATIONS / "versions").replace("%", "%%"))
    configuration.set_main_option("path_separator", "newline")
    configuration.attributes["connection"] = connection
    configuration.attributes["metadata"] = SealedBase.metadata
    return configuration


def _forbid_changes_of_events(connection: Connection) -> None:
    """Make the database refuse anything but new lines in the audit."""
    if connection.dialect.name == "sqlite":
        for action in ("UPDATE", "DELETE"):
            connection.exec_driver_sql(
                f"CREATE TRIGGER events_no_{action.lower()} BEFORE {action} ON events "
                "BEGIN SELECT RAISE(ABORT, 'events are append-only'); END"
            )


def _version_of(connection: Connection, place: str) -> str | None:
    """Return the schema revision of a database, None if it is empty.

    Raises:
        UsageError: it belongs to another program, or is newer than this code.
    """
    tables = inspect(connection).get_table_names()
    if not tables:
        return None
    if "alembic_version" not in tables:
        raise UsageError(f"{place} is another program's database; expected a sealed store of an arena")
    revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if revision is None or str(revision) in _known_revisions():
        return None if revision is None else str(revision)
    if not str(revision).startswith("sealed_"):
        raise UsageError(f"{place} has schema {revision}; expected a sealed store of an arena")
    raise UsageError(
        f"{place} has schema {revision}, which this version of gradfree does not know (it writes "
        f"{SEALED.newest}); use the version that wrote it"
    )


def _known_revisions() -> set[str]:
    return {file.stem.partition("__")[0] for file in (_MIGRATIONS / "versions").glob("sealed_*.py")}


SEALED = Schema(
    name="sealed",
    newest="sealed_1",
    version_of=_version_of,
    update=upgrade,
    synchronous="FULL",
    mend="any command that writes, such as `gradfree worker --until-idle`, migrates it",
)


def open_migrated(url: str) -> Engine:
    """Open the sealed store for writing, migrated to the newest schema.

    Raises:
        UsageError: it is not a database, another program's, or newer than this code.
        StoreUnavailable: it is locked, or its disk is full or broken.
    """
    return open_to_write(SEALED, url)
