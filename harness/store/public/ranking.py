"""Which submissions of a round stand on the board, and where: recomputed whole with every change."""

import json
from datetime import datetime

from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass
from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from harness.metrics.pareto import pareto_front
from harness.metrics.ranking import Contender, choose, owner_of, rank
from harness.metrics.tiers import tiers
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
    lines = {
        line.submission_id: (line, made) for text, made in stored for line in [_LINE.validate_json(text)]
    }
    contenders = [line.contender for line, _ in lines.values()]
    rule = row.config.round.rule
    counted, pending = choose(contenders, rule)
    merits = {each.submission_id: each for each in counted}
    places = rank(counted)
    totals = load_replicates(tx, list(merits), is_private=view.is_final)
    own_tiers = tiers([totals.get(place.submission_id) for place in places])
    front = pareto_front([_point(merits[place.submission_id]) for place in places])
    known, _ = choose(
        (each for each in contenders if _has_ended(lines[each.submission_id][0], earlier)), rule
    )
    owner_then = {each.submission_id: each.owner for each in known}
    rank_then = {owner_then[place.submission_id]: place.rank for place in rank(known)}
    placed = [
        {
            "submission_id": place.submission_id,
            "round_id": row.id,
            "position": place.position,
            "document": json.dumps(
                {
                    "counts": True,
                    "rank": place.rank,
                    "tier": tier,
                    "is_pareto": is_pareto,
                    "standard_error": (
                        float(totals[place.submission_id].std(ddof=1))
                        if place.submission_id in totals
                        else None
                    ),
                    "change": _ranks_gained(rank_then.get(merits[place.submission_id].owner), place.rank),
                }
            ),
        }
        for place, tier, is_pareto in zip(places, own_tiers, front, strict=True)
    ]
    placed += [
        {"submission_id": each.submission_id, "round_id": row.id, "position": None, "document": "{}"}
        for each in pending
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


def _has_ended(line: _Line, at: datetime) -> bool:
    return line.finished_at is not None and line.finished_at <= at


def _point(contender: Contender) -> tuple[float, int] | None:
    """Return score and calls; None for what ran without a sandbox: its calls are not comparable."""
    if contender.total is None or not contender.is_official:
        return None
    return contender.total, contender.calls


def _ranks_gained(rank_then: int | None, rank_now: int | None) -> int | None:
    return None if rank_then is None or rank_now is None else rank_then - rank_now
