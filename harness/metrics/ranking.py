"""The ranking of a round: which submissions count, their ranks, tiers and Pareto membership.

Entries are ranked by total, then by fewer charged calls. Entries equal on both share a rank; the time of
submission orders only how they are displayed. Baselines and unofficial results stand in the same order
without a rank. An incomplete submission has neither a total nor a rank.

`rank_contenders` is the one entry point of the sealed standings, the public board and `round verify`.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from harness.metrics.tiers import tiers
from harness.records import Array

__all__ = [
    "TOTAL_DECIMALS",
    "Contender",
    "Placed",
    "Ranking",
    "ScoringRule",
    "choose",
    "mean_of_seeds",
    "owner_of",
    "pareto_front",
    "rank",
    "rank_contenders",
    "total_score",
]

TOTAL_DECIMALS = 9
"""Totals are compared after rounding to this many decimals: the order of summation changes the last bits."""


class ScoringRule(StrEnum):
    """Which of a team's complete submissions counts."""

    FORCE_LAST = "Force_Last"
    FORCE_BEST = "Force_Best"


@dataclass(frozen=True, slots=True)
class Contender:
    """A submission, as far as the ranking needs it.

    Attributes:
        submission_id: unique.
        owner: see `owner_of`; one complete submission per owner counts.
        total: raw 0-100, the score that ranks; None if the submission is incomplete.
        public_total: raw 0-100 on the public rows. `Force_Best` compares it alone, so that publication does
            not change which submission counts.
        calls: charged calls over all runs.
        submitted_at: aware.
        is_ranked: False for a baseline.
        is_official: False if a run was made without isolation; then it has no rank.
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
    """Return the owner: a team has one place, and each baseline or example (`is_bundled`) has its own."""
    return team, name if is_bundled else ""


@dataclass(frozen=True, slots=True)
class Placed:
    """An entry's place.

    Attributes:
        contender: the entry.
        position: its row, from 1.
        rank: its rank among competitors, from 1; None for an entry that is not ranked.
        tier: from 1, see `harness.metrics.tiers`; None without replicates.
        is_pareto: True if no official entry beats it on score and calls, see `pareto_front`.
        standard_error: of its total, in points; None without replicates.
    """

    contender: Contender
    position: int
    rank: int | None
    tier: int | None = None
    is_pareto: bool = False
    standard_error: float | None = None

    @property
    def submission_id(self) -> int:
        """The entry's submission."""
        return self.contender.submission_id


@dataclass(frozen=True, slots=True)
class Ranking:
    """A ranked round.

    Attributes:
        places: the submissions that count, one per owner, best first.
        pending: the incomplete submissions to show below, at most one per owner.
    """

    places: tuple[Placed, ...]
    pending: tuple[Contender, ...]

    def public_ranks(self) -> dict[int, int | None]:
        """Return submission -> the rank that the same entries have by their public totals."""
        entries = [replace(place.contender, total=place.contender.public_total) for place in self.places]
        return {place.submission_id: place.rank for place in rank(entries)}


def mean_of_seeds(scores: Sequence[float | None]) -> float | None:
    """Return the mean over k-shot seeds; None if a score is missing or there is no score."""
    present = [score for score in scores if score is not None]
    if not scores or len(present) != len(scores):
        return None
    return sum(present) / len(present)


def total_score(task_scores: Mapping[str, float | None]) -> float | None:
    """Return the mean over tasks; None if a score is missing or there is no task."""
    return mean_of_seeds(list(task_scores.values()))


def rank_contenders(
    contenders: Iterable[Contender],
    rule: ScoringRule,
    replicates_of: Callable[[Sequence[int]], Mapping[int, Array]] | None = None,
) -> Ranking:
    """Return which submissions of a round count, and their places.

    Args:
        contenders: all submissions of the round, in any order.
        rule: which of an owner's complete submissions counts.
        replicates_of: returns, of the submissions that count, submission -> its paired bootstrap totals, float64
            (R,), from `harness.metrics.bootstrap`; a submission without any has neither tier nor standard error.
    """
    counted, pending = choose(contenders, rule)
    places = rank(counted)
    numbers = [place.submission_id for place in places]
    replicates = {} if replicates_of is None else replicates_of(numbers)
    totals = [replicates.get(number) for number in numbers]
    # An unofficial entry ran without isolation: nothing enforced its calls.
    points = [
        (place.contender.total, place.contender.calls)
        if place.contender.total is not None and place.contender.is_official
        else None
        for place in places
    ]
    return Ranking(
        places=tuple(
            replace(
                place, tier=tier, is_pareto=is_pareto, standard_error=None if own is None else float(own.std(ddof=1))
            )
            for place, tier, is_pareto, own in zip(places, tiers(totals), pareto_front(points), totals, strict=True)
        ),
        pending=tuple(pending),
    )


def rank(contenders: Iterable[Contender]) -> list[Placed]:
    """Return every contender's position and rank, best first; entries equal on total and calls share a rank."""
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
        placed.append(Placed(contender, position, own_rank))
    return placed


def choose(contenders: Iterable[Contender], rule: ScoringRule) -> tuple[list[Contender], list[Contender]]:
    """Return the complete submissions that count, one per owner, and the incomplete ones to show.

    An unofficial submission counts only if its owner has no official one. An owner's newest incomplete
    submission is shown if it is newer than every complete one.

    Args:
        contenders: all submissions of one round.
        rule: `Force_Last` takes the last complete submission, `Force_Best` the best.
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


def pareto_front(points: Sequence[tuple[float, int] | None]) -> list[bool]:
    """Return for every entry whether it is on the frontier of score (up) and calls (down).

    An entry is off the frontier if another one is at least as good on both and better on one. Equal entries
    are on it together.

    Args:
        points: per entry (total 0-100, charged calls); None for an entry that is never on the frontier.
    """
    merits = [None if point is None else _merit(*point) for point in points]
    # By rising calls, best total first among equals: an entry is on the frontier if its total is a new best.
    front: set[tuple[float, int]] = set()
    best = float("inf")
    for merit in sorted({merit for merit in merits if merit is not None}, key=lambda merit: merit[::-1]):
        if merit[0] < best:
            front.add(merit)
            best = merit[0]
    return [merit in front for merit in merits]


def _merit(total: float, calls: int) -> tuple[float, int]:
    return (-round(total, TOTAL_DECIMALS), calls)


def _age(contender: Contender) -> tuple[datetime, int]:
    return (contender.submitted_at, contender.submission_id)


def _best(complete: list[Contender]) -> Contender:
    return min(complete, key=lambda contender: _display_order(contender, contender.public_total))


def _display_order(contender: Contender, total: float | None) -> tuple[bool, tuple[float, int], datetime, int]:
    merit = (0.0, 0) if total is None else _merit(total, contender.calls)
    return (total is None, merit, contender.submitted_at, contender.submission_id)
