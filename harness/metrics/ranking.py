"""Who counts, and in which order: pure functions of scores, calls and times.

Rank by total score, then by fewer charged calls. Entries that are equal on both share a rank; the
time of submission orders their display and nothing else. Reference methods and unofficial results
stand in the same order without a rank. What is not complete has neither a score nor a rank, and comes
last.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

__all__ = [
    "TOTAL_DECIMALS",
    "Contender",
    "Placed",
    "ScoringRule",
    "choose",
    "mean_of_seeds",
    "owner_of",
    "rank",
    "total_score",
]

TOTAL_DECIMALS = 9
"""Totals are compared after rounding to this many decimals: sums in another order stay equal."""


class ScoringRule(StrEnum):
    """Which of a team's complete submissions counts."""

    FORCE_LAST = "Force_Last"
    FORCE_BEST = "Force_Best"


@dataclass(frozen=True, slots=True)
class Contender:
    """A submission as the ranking sees it.

    Attributes:
        submission_id: unique.
        owner: whose submission it is: only one complete submission per owner counts.
        total: raw 0-100, the score that ranks; None if the submission is not complete.
        public_total: raw 0-100 on the public rows: `Force_Best` looks at nothing else, so that
            publication does not change whose submission counts.
        calls: charged calls over all runs.
        submitted_at: aware.
        is_ranked: False for a reference method.
        is_official: False if a run was made without isolation; never ranked.
    """

    submission_id: int
    owner: tuple[str, str]
    total: float | None
    public_total: float | None
    calls: int
    submitted_at: datetime
    is_ranked: bool = True
    is_official: bool = True


def owner_of(team: str, name: str, *, is_bundled: bool) -> tuple[str, str]:
    """Return whose submission it is, and of several reference methods or examples of one owner which one."""
    return team, name if is_bundled else ""


@dataclass(frozen=True, slots=True)
class Placed:
    """A place on the board: `position` counts rows from 1, `rank` counts competitors."""

    submission_id: int
    position: int
    rank: int | None


def mean_of_seeds(scores: Sequence[float | None]) -> float | None:
    """Return the mean over few-shot seeds, or None if any is missing or there are none."""
    present = [score for score in scores if score is not None]
    if not scores or len(present) != len(scores):
        return None
    return sum(present) / len(present)


def total_score(task_scores: Mapping[str, float | None]) -> float | None:
    """Return the mean over tasks, or None if any is missing or there are none."""
    return mean_of_seeds(list(task_scores.values()))


def rank(contenders: Iterable[Contender]) -> list[Placed]:
    """Return every contender's place, best first; competitors with the same merit share a rank."""
    ordered = sorted(contenders, key=lambda contender: _display_order(contender, contender.total))
    placed: list[Placed] = []
    n_ranked = 0
    shared: tuple[tuple[float, int], int] | None = None
    for position, contender in enumerate(ordered, start=1):
        own_rank: int | None = None
        if contender.is_ranked and contender.is_official and contender.total is not None:
            n_ranked += 1
            merit = _merit(contender.total, contender.calls)
            own_rank = shared[1] if shared is not None and shared[0] == merit else n_ranked
            shared = (merit, own_rank)
        placed.append(Placed(contender.submission_id, position, own_rank))
    return placed


def choose(contenders: Iterable[Contender], rule: ScoringRule) -> tuple[list[Contender], list[Contender]]:
    """Return the complete submissions that count, one per owner, and the incomplete ones worth showing.

    An unofficial one counts only for an owner without an official one. An owner's newest incomplete
    submission is shown if it is newer than every complete one.

    Args:
        contenders: all submissions of one round.
        rule: `Force_Last` takes the last complete one, `Force_Best` the best.
    """
    by_owner: dict[tuple[str, str], list[Contender]] = {}
    for contender in contenders:
        by_owner.setdefault(contender.owner, []).append(contender)
    counted: list[Contender] = []
    pending: list[Contender] = []
    for own in by_owner.values():
        complete = [contender for contender in own if contender.total is not None]
        incomplete = [contender for contender in own if contender.total is None]
        eligible = [contender for contender in complete if contender.is_official] or complete
        if eligible:
            counted.append(max(eligible, key=_age) if rule is ScoringRule.FORCE_LAST else _best(eligible))
        if incomplete:
            newest = max(incomplete, key=_age)
            if all(_age(newest) > _age(contender) for contender in complete):
                pending.append(newest)
    return counted, pending


def _merit(total: float, calls: int) -> tuple[float, int]:
    return (-round(total, TOTAL_DECIMALS), calls)


def _age(contender: Contender) -> tuple[datetime, int]:
    return (contender.submitted_at, contender.submission_id)


def _best(complete: list[Contender]) -> Contender:
    return min(complete, key=lambda contender: _display_order(contender, contender.public_total))


def _display_order(
    contender: Contender, total: float | None
) -> tuple[bool, tuple[float, int], datetime, int]:
    merit = (0.0, 0) if total is None else _merit(total, contender.calls)
    return (total is None, merit, contender.submitted_at, contender.submission_id)
