"""Which submissions of a round stand on the board, and where: recomputed whole with every change."""

import json
from datetime import datetime

from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass
from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from harness.metrics.ranking import Contender, owner_of, rank_contenders
from harness.store.public.schema import PublicEntry, PublicPlace, PublicRound
from harness.store.public.view import View
from harness.store.sealed.replicates import load_replicates
from harness.store.sealed.schema import RoundRow
from harness.store.sealed.store import Transaction

__all__ = ["place_entries"]


@dataclass(frozen=True, slots=True)
class _Line:
    """The part of an `Entry` that the ranking depends on."""

    submission_id: int
    team: str
    solver: str
    is_baseline: bool
    is_example: bool
    is_official: bool
    is_complete: bool
    score: float | None
    public_score: float | None
    calls: int
    submitted_at: datetime
    finished_at: datetime | None

    @property
    def contender(self) -> Contender:
        return Contender(
            submission_id=self.submission_id,
            owner=owner_of(self.team, self.solver, is_bundled=self.is_baseline or self.is_example),
            total=self.score,
            public_total=self.public_score,
            calls=self.calls,
            submitted_at=self.submitted_at,
            is_ranked=not self.is_baseline,
            is_official=self.is_official,
        )


_LINE = TypeAdapter(_Line)


def place_entries(public: Session, tx: Transaction, row: RoundRow, view: View, earlier: datetime) -> None:
    """Recompute which submissions count, their ranks and tiers, and which incomplete ones are shown.

    Args:
        public: the open session.
        tx: the open transaction of the sealed store.
        row: the round.
        view: what everybody may see of it.
        earlier: `change` compares with the ranks of the results there were then.
    """
    stored = public.execute(
        select(PublicEntry.document, PublicEntry.made_with).where(PublicEntry.round_id == row.id)
    ).all()
    lines = {line.submission_id: (line, made) for text, made in stored for line in [_LINE.validate_json(text)]}
    rule = row.config.round.rule
    contenders = [line.contender for line, _ in lines.values()]
    ranking = rank_contenders(contenders, rule, lambda numbers: load_replicates(tx, numbers, is_private=view.is_final))
    earlier_ranking = rank_contenders(
        (line.contender for line, _ in lines.values() if line.finished_at and line.finished_at <= earlier), rule
    )
    rank_then = {place.contender.owner: place.rank for place in earlier_ranking.places}
    placed = [
        {
            "submission_id": place.submission_id,
            "round_id": row.id,
            "position": place.position,
            "document": json.dumps(
                {
                    "counts": True,
                    "rank": place.rank,
                    "tier": place.tier,
                    "is_pareto": place.is_pareto,
                    "standard_error": place.standard_error,
                    "change": _ranks_gained(rank_then.get(place.contender.owner), place.rank),
                }
            ),
        }
        for place in ranking.places
    ]
    placed += [
        {"submission_id": each.submission_id, "round_id": row.id, "position": None, "document": "{}"}
        for each in ranking.pending
    ]
    public.execute(delete(PublicPlace).where(PublicPlace.round_id == row.id))
    if placed:
        public.execute(insert(PublicPlace), placed)
    complete = [(line, made) for line, made in lines.values() if line.is_complete and line.finished_at]
    newest = max(complete, key=lambda each: (each[0].finished_at, each[0].submission_id), default=None)
    public.execute(
        update(PublicRound)
        .where(PublicRound.id == row.id)
        .values(newest_made_with=None if newest is None else newest[1])
    )


def _ranks_gained(rank_then: int | None, rank_now: int | None) -> int | None:
    return None if rank_then is None or rank_now is None else rank_then - rank_now
