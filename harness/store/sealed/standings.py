"""Sealed ranking: ignores freezes and visibility, and ranks by private scores."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.orm import InstrumentedAttribute, selectinload

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
    is_finished = (
        SubmissionRow.round_id == round_row.id,
        SubmissionRow.status == Status.FINISHED,
        SubmissionRow.is_shown,
    )
    rows = {
        row.id: row
        for row in tx.session.scalars(
            select(SubmissionRow).where(*is_finished).options(selectinload(SubmissionRow.team))
        )
    }
    # The means over seeds are taken by the database: a large round has 250,000 runs.
    lines = tx.session.execute(
        select(
            RunRow.submission_id,
            RunRow.task,
            _complete_mean(RunRow.score_public),
            _complete_mean(RunRow.score_private),
            func.sum(RunRow.calls),
            func.count().filter(~RunRow.is_official),
        )
        .join(SubmissionRow)
        .where(*is_finished)
        .group_by(RunRow.submission_id, RunRow.task)
    )
    by_task: dict[int, dict[str, Any]] = {}
    for submission_id, task, *values in lines:
        by_task.setdefault(submission_id, {})[task] = values
    tasks = round_row.config.task
    contenders = [
        Contender(
            submission_id=number,
            owner=owner_of(row.team.name, row.name, is_bundled=row.is_baseline or row.is_example),
            total=total_score({task.name: by_task[number][task.name][int(task.has_private_rows)] for task in tasks}),
            public_total=total_score({task.name: by_task[number][task.name][0] for task in tasks}),
            calls=sum(values[2] for values in by_task[number].values()),
            submitted_at=row.submitted_at,
            is_ranked=not row.is_baseline,
            is_official=not any(values[3] for values in by_task[number].values()),
        )
        for number, row in rows.items()
    ]
    ranking = rank_contenders(contenders, round_row.config.round.rule)
    public_ranks = ranking.public_ranks()
    return tuple(
        SealedEntry(
            submission_id=place.submission_id,
            team=rows[place.submission_id].team.name,
            name=rows[place.submission_id].name,
            is_baseline=rows[place.submission_id].is_baseline,
            is_official=place.contender.is_official,
            public=place.contender.public_total,
            private=place.contender.total,
            calls=place.contender.calls,
            public_rank=public_ranks[place.submission_id],
            private_rank=place.rank,
        )
        for place in ranking.places
    )


def _complete_mean(score: InstrumentedAttribute[float | None]) -> ColumnElement[float | None]:
    """Return the mean over runs; null if one of them has no score."""
    return case((func.count(score) == func.count(), func.avg(score)), else_=None)
