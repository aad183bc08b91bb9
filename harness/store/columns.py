"""Column types and the declarative base that both databases share."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, DateTime, Dialect, Enum, MetaData
from sqlalchemy.types import TypeDecorator

from harness.errors import InfrastructureError
from harness.metrics.ranking import ScoringRule
from harness.records import Phase, Status, Verdict
from harness.store.values import RejudgeState

__all__ = ["NAMING_CONVENTION", "TYPE_MAP", "UtcDateTime", "new_metadata"]

NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
"""Stable constraint names, so that a migration can name what it changes on every database."""


class UtcDateTime(TypeDecorator[datetime]):
    """A moment: refuses times without an offset, stores UTC, gives back aware UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Turn an aware time into UTC.

        Raises:
            InfrastructureError: the time has no offset.
        """
        if value is None:
            return None
        if value.tzinfo is None:
            raise InfrastructureError(f"time {value.isoformat()} has no offset; pass an aware datetime")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """SQLite drops the offset; what was stored is UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _enum(kind: type[StrEnum]) -> Enum:
    """Store a string enum by value, as text: a new member needs no change of the column."""
    return Enum(
        kind,
        native_enum=False,
        length=16,
        values_callable=lambda members: [str(member) for member in members],
    )


TYPE_MAP: dict[Any, Any] = {
    datetime: UtcDateTime(),
    dict[str, Any]: JSON(),
    list[Any]: JSON(),
    Status: _enum(Status),
    Verdict: _enum(Verdict),
    Phase: _enum(Phase),
    RejudgeState: _enum(RejudgeState),
    ScoringRule: _enum(ScoringRule),
}


def new_metadata() -> MetaData:
    """Metadata with the project's constraint names."""
    return MetaData(naming_convention=NAMING_CONVENTION)
