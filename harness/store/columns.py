"""Column types that both databases share."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import JSON, DateTime, Dialect, Enum, MetaData, Text
from sqlalchemy.types import TypeDecorator

from harness.errors import InfrastructureError
from harness.records import Phase, RunSummary, Status, Verdict
from harness.store.values import RejudgeState

__all__ = ["NAMING_CONVENTION", "TYPE_MAP", "Summary", "UtcDateTime", "new_metadata"]

NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
"""Stable constraint names, so that a migration can name what it changes on every database."""


class UtcDateTime(TypeDecorator[datetime]):
    """A moment: refuses times without an offset, stores UTC, returns aware UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Convert an aware time to UTC.

        Raises:
            InfrastructureError: the time has no offset.
        """
        if value is None:
            return None
        if value.tzinfo is None:
            raise InfrastructureError(f"time {value.isoformat()} has no offset; pass an aware datetime")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Return aware UTC: SQLite drops the offset of what it stored."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Summary(TypeDecorator[RunSummary]):
    """The summary of a run's artifact, as one JSON document."""

    impl = Text
    cache_ok = True
    _adapter = TypeAdapter(RunSummary)

    def process_bind_param(self, value: RunSummary | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        """Return the JSON text."""
        return None if value is None else self._adapter.dump_json(value).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> RunSummary | None:  # noqa: ARG002
        """Return the value."""
        return None if value is None else self._adapter.validate_json(value)


def _enum(kind: type[StrEnum]) -> Enum:
    """Store a string enum by value, as text, so that a new member needs no change of the column."""
    return Enum(kind, native_enum=False, length=16, values_callable=lambda members: [str(member) for member in members])


TYPE_MAP: dict[Any, Any] = {
    datetime: UtcDateTime(),
    dict[str, Any]: JSON(),
    RunSummary: Summary(),
    Status: _enum(Status),
    Verdict: _enum(Verdict),
    Phase: _enum(Phase),
    RejudgeState: _enum(RejudgeState),
}


def new_metadata() -> MetaData:
    """Return metadata with the project's constraint names."""
    return MetaData(naming_convention=NAMING_CONVENTION)
