"""Tables of the public store: a few columns to search and order by, and one JSON document per row.

It is derived from the sealed store, so it needs no migrations: a database of another format is emptied and
filled again, in one transaction, so that readers see the old board until the new one is whole.
"""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import Connection, ForeignKey, MetaData, String, Text, insert, inspect, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from harness.errors import UsageError
from harness.records import Phase, Status
from harness.store.columns import TYPE_MAP, new_metadata
from harness.store.database import Schema

__all__ = [
    "META_ID",
    "PUBLIC",
    "PublicEntry",
    "PublicMeta",
    "PublicPlace",
    "PublicProgress",
    "PublicRound",
    "PublicUpload",
    "ensure_format",
]

META_ID = 1
"""`meta` has this one row."""

_FORMAT = "1"
"""Of tables and documents; raise it with every change of either."""


class PublicBase(DeclarativeBase):
    """Base of every public table."""

    metadata = new_metadata()
    type_annotation_map: ClassVar[dict[Any, Any]] = TYPE_MAP


class PublicMeta(PublicBase):
    """The format, and the version number of the content, which grows with every change."""

    __tablename__ = "meta"

    id: Mapped[int] = mapped_column(primary_key=True)
    format: Mapped[str] = mapped_column(String(20))
    version: Mapped[int]
    published_at: Mapped[datetime | None]


class PublicRound(PublicBase):
    """A round; the document is a `BoardRound`."""

    __tablename__ = "rounds"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100), index=True)
    version: Mapped[str] = mapped_column(String(20))
    # By the clock, when this row was written.
    phase_then: Mapped[Phase]
    revision: Mapped[int]
    # Changes with every submission and upload of the round; the publisher compares it.
    content: Mapped[str] = mapped_column(String(100))
    # Of the newest complete submission; see `PublicEntry.made_with`.
    newest_made_with: Mapped[str | None] = mapped_column(String(64))
    document: Mapped[str] = mapped_column(Text)


class PublicEntry(PublicBase):
    """A submission; the document is an `Entry` without its place, the detail a `SubmissionDetail`."""

    __tablename__ = "entries"

    submission_id: Mapped[int] = mapped_column(primary_key=True)
    round_id: Mapped[int] = mapped_column(ForeignKey("rounds.id"), index=True)
    revision: Mapped[int]
    team: Mapped[str] = mapped_column(String(100))
    solver: Mapped[str] = mapped_column(String(100))
    status: Mapped[Status]
    # SHA-256 (hex) over what its scores were made with; empty without a score.
    made_with: Mapped[str] = mapped_column(String(64))
    document: Mapped[str] = mapped_column(Text)
    detail: Mapped[str] = mapped_column(Text)


class PublicPlace(PublicBase):
    """A submission that stands on the board; the document holds the place fields of an `Entry`.

    One that counts has a position; the newest incomplete one of a team has none, and comes last.
    """

    __tablename__ = "places"

    submission_id: Mapped[int] = mapped_column(ForeignKey("entries.submission_id"), primary_key=True)
    round_id: Mapped[int] = mapped_column(ForeignKey("rounds.id"), index=True)
    position: Mapped[int | None]
    document: Mapped[str] = mapped_column(Text)


class PublicUpload(PublicBase):
    """Scores of a prediction upload on the public rows; the document is an `Upload`."""

    __tablename__ = "uploads"

    upload_id: Mapped[int] = mapped_column(primary_key=True)
    round_id: Mapped[int] = mapped_column(ForeignKey("rounds.id"), index=True)
    revision: Mapped[int]
    document: Mapped[str] = mapped_column(Text)


class PublicProgress(PublicBase):
    """Progress of a run that has not ended; the document is a `Progress`. It does not raise the version number."""

    __tablename__ = "progress"

    run_id: Mapped[int] = mapped_column(primary_key=True)
    submission_id: Mapped[int] = mapped_column(index=True)
    document: Mapped[str] = mapped_column(Text)


def _version_of(connection: Connection, place: str) -> str | None:
    """Return the format of a database, None if it is empty or of a format that is always rebuilt.

    Raises:
        UsageError: it belongs to another program.
    """
    tables = set(inspect(connection).get_table_names())
    if not tables:
        return None
    if "meta" in tables and "format" in {each["name"] for each in inspect(connection).get_columns("meta")}:
        return str(connection.execute(text("SELECT format FROM meta")).scalar())
    if {"meta", "entries", "alembic_version"} <= tables:  # before formats were numbered
        return "0"
    raise UsageError(f"{place} is another program's database; expected a public store of an arena")


def ensure_format(connection: Connection) -> None:
    """Empty a database of another format, in the transaction that fills it again; the version number goes on.

    Does nothing if the format is this code's.
    """
    if _version_of(connection, "the public store") == _FORMAT:
        return
    tables = MetaData()
    tables.reflect(connection)
    version = 0
    if "meta" in tables.tables:
        version = connection.execute(text("SELECT max(version) FROM meta")).scalar() or 0
    tables.drop_all(connection)
    PublicBase.metadata.create_all(connection)
    connection.execute(insert(PublicMeta), {"id": META_ID, "format": _FORMAT, "version": version, "published_at": None})


def _fill_empty(connection: Connection) -> None:
    """Make the tables of an empty database. One of an older format keeps its board until it is published anew."""
    if not inspect(connection).get_table_names():
        ensure_format(connection)


PUBLIC = Schema(
    name="public",
    newest=_FORMAT,
    version_of=_version_of,
    update=_fill_empty,
    synchronous="NORMAL",
    mend="any command that writes, such as `gradfree worker --until-idle`, builds it anew",
)
