"""Sealed ranking: ignores freezes and visibility, and ranks by private scores."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import selectinload

from harness.metrics.ranking import Contender, owner_of, rank_contenders, total_score
from harness.records import Status
from harness.store.sealed.schema import RoundRow, RunRow, SubmissionRow
from harness.store.sealed.store import Transaction

__all__ = ["SealedEntry", "standings"]


@dataclass(frozen=True, slots=True)
class SealedEntry:
    """A complete submission that counts, with both scores.

    Attributes:
        submission_id: row number.
        team: as written by people: never markup.
        name: of the solver; never markup.
        is_baseline: a baseline.
        is_official: every run was made in a sandbox.
        public: total on the public rows, raw 0-100.
        private: total that publication would show, raw 0-100.
        calls: charged over all runs.
        public_rank: rank among competitors by the public total; None if not ranked.
        private_rank: place that publication would give.
    """

    submission_id: int
    team: str
    name: str
    is_baseline: bool
    is_official: bool
    public: float | None
    private: float | None
    calls: int
    public_rank: int | None
    private_rank: int | None


def standings(tx: Transaction, round_row: RoundRow) -> tuple[SealedEntry, ...]:
    """Return the entries of a round that count, in the order that publication would give now."""
    rows = {
        row.id: row
        for row in tx.session.scalars(
            select(SubmissionRow)
            .where(
                SubmissionRow.round_id == round_row.id,
                SubmissionRow.status == Status.FINISHED,
                SubmissionRow.is_shown,
            )
            .options(selectinload(SubmissionRow.team))
        )
    }
    totals = _totals(tx, round_row)
    contenders = [_contender(row, totals[number]) for number, row in rows.items()]
    ranking = rank_contenders(contenders, round_row.config.round.rule)
    public_ranks = ranking.public_ranks()
    return tuple(
        _entry(rows[place.submission_id], place.contender, public_ranks, place.rank)
        for place in ranking.places
    )


@dataclass(frozen=True, slots=True)
class _Totals:
    public: float | None
    private: float | None
    calls: int
    is_official: bool


def _totals(tx: Transaction, round_row: RoundRow) -> dict[int, _Totals]:
    """Return submission -> its totals. The means of seeds are taken by the database: 250,000 runs are many."""
    means: dict[int, dict[str, Any]] = {}
    for line in tx.session.execute(
        select(
            RunRow.submission_id,
            RunRow.task,
            func.count(),
            func.count(RunRow.score_public),
            func.avg(RunRow.score_public),
            func.count(RunRow.score_private),
            func.avg(RunRow.score_private),
            func.sum(RunRow.calls),
            func.count().filter(~RunRow.is_official),
        )
        .join(SubmissionRow)
        .where(SubmissionRow.round_id == round_row.id, SubmissionRow.status == Status.FINISHED)
        .group_by(RunRow.submission_id, RunRow.task)
    ):
        means.setdefault(line[0], {})[line[1]] = line[2:]
    totals = {}
    for number, of_task in means.items():
        public: dict[str, float | None] = {}
        private: dict[str, float | None] = {}
        for task in round_row.config.task:
            n_runs, n_public, mean_public, n_private, mean_private, _, _ = of_task[task.name]
            public[task.name] = mean_public if n_public == n_runs else None
            private[task.name] = (
                public[task.name]
                if not task.has_private_rows
                else mean_private
                if n_private == n_runs
                else None
            )
        totals[number] = _Totals(
            total_score(public),
            total_score(private),
            sum(line[5] for line in of_task.values()),
            not any(line[6] for line in of_task.values()),
        )
    return totals


def _contender(row: SubmissionRow, totals: _Totals) -> Contender:
    return Contender(
        submission_id=row.id,
        owner=owner_of(row.team.name, row.name, is_bundled=row.is_baseline or row.is_example),
        total=totals.private,
        public_total=totals.public,
        calls=totals.calls,
        submitted_at=row.submitted_at,
        is_ranked=not row.is_baseline,
        is_official=totals.is_official,
    )


def _entry(
    row: SubmissionRow, merit: Contender, public_rank: Mapping[int, int | None], private_rank: int | None
) -> SealedEntry:
    return SealedEntry(
        submission_id=row.id,
        team=row.team.name,
        name=row.name,
        is_baseline=row.is_baseline,
        is_official=merit.is_official,
        public=merit.public_total,
        private=merit.total,
        calls=merit.calls,
        public_rank=public_rank[row.id],
        private_rank=private_rank,
    )
