"""The phases of a round, and which one the clock makes of them."""

from datetime import datetime
from enum import StrEnum

__all__ = ["Phase", "phase_at"]


class Phase(StrEnum):
    """Where a round is in its life."""

    DRAFT = "draft"
    OPEN = "open"
    FROZEN = "frozen"
    CLOSED = "closed"
    PUBLISHED = "published"

    def has_reached(self, other: "Phase") -> bool:
        """Say whether a round in this phase has passed, or is in, another one."""
        return _ORDER.index(self) >= _ORDER.index(other)


_ORDER = (Phase.DRAFT, Phase.OPEN, Phase.FROZEN, Phase.CLOSED, Phase.PUBLISHED)


def phase_at(phase: Phase, opens: datetime | None, closes: datetime | None, now: datetime) -> Phase:
    """Return the phase that everybody sees: an open round before it opens is a draft, and closed after its end."""
    if phase in {Phase.OPEN, Phase.FROZEN}:
        if opens is not None and now < opens:
            return Phase.DRAFT
        if closes is not None and now >= closes:
            return Phase.CLOSED
    return phase
