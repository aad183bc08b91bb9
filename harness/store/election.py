"""Which submissions of a round stand on the board, and where: recomputed whole with every change."""

from datetime import datetime

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from harness.metrics.ranking import Contender, choose, owner_of, pareto_front, rank
from harness.metrics.tiers import tiers
from harness.store.public_schema import PublicEntry, PublicLeader
from harness.store.replicates import load_replicates
from harness.store.sealed_schema import RoundRow
from harness.store.view import View

__all__ = ["elect"]


def elect(public: Session, sealed: Session, round_row: RoundRow, view: View, earlier: datetime) -> None:
    """Recompute which submissions count, their ranks and tiers, and which incomplete ones are shown.

    Args:
        public: the open session.
        sealed: the open session of the sealed store.
        round_row: the round.
        view: what everybody may see of it.
        earlier: ranks are compared with those of the results there were then.
    """
    rows = public.execute(
        select(
            PublicEntry.submission_id,
            PublicEntry.team,
            PublicEntry.name,
            PublicEntry.is_baseline,
            PublicEntry.is_example,
            PublicEntry.is_official,
            PublicEntry.score,
            PublicEntry.public_score,
            PublicEntry.calls,
            PublicEntry.submitted_at,
            PublicEntry.finished_at,
        ).where(PublicEntry.round_id == round_row.id)
    ).all()
    _mark_stale(public, round_row)
    contenders = [
        Contender(
            submission_id=row.submission_id,
            owner=owner_of(row.team, row.name, is_bundled=row.is_baseline or row.is_example),
            total=row.score,
            public_total=row.public_score,
            calls=row.calls,
            submitted_at=row.submitted_at,
            is_ranked=not row.is_baseline,
            is_official=row.is_official,
        )
        for row in rows
    ]
    counted, pending = choose(contenders, round_row.rule)
    owners = {contender.submission_id: contender.owner for contender in counted}
    places = rank(counted)
    merits = {contender.submission_id: contender for contender in counted}
    totals = load_replicates(sealed, list(merits), is_private=view.is_final)
    own_tiers = tiers([totals.get(place.submission_id) for place in places])
    front = pareto_front([_point(merits[place.submission_id]) for place in places])
    finished = {row.submission_id: row.finished_at for row in rows}
    known, _ = choose(
        (
            each
            for each in contenders
            if (ended := finished[each.submission_id]) is not None and ended <= earlier
        ),
        round_row.rule,
    )
    owner_then = {contender.submission_id: contender.owner for contender in known}
    rank_then = {owner_then[place.submission_id]: place.rank for place in rank(known)}
    public.execute(delete(PublicLeader).where(PublicLeader.round_id == round_row.id))
    placed = [
        {
            "round_id": round_row.id,
            "team": owners[place.submission_id][0],
            "slot": owners[place.submission_id][1],
            "submission_id": place.submission_id,
            "rank": place.rank,
            "position": place.position,
            "tier": tier,
            "is_pareto": is_pareto,
            "standard_error": (
                float(totals[place.submission_id].std(ddof=1)) if place.submission_id in totals else None
            ),
            "change": _places_won(rank_then.get(owners[place.submission_id]), place.rank),
        }
        for place, tier, is_pareto in zip(places, own_tiers, front, strict=True)
    ]
    if placed:
        public.execute(insert(PublicLeader), placed)
    public.execute(
        update(PublicEntry)
        .where(PublicEntry.round_id == round_row.id, PublicEntry.is_pending_shown.is_(True))
        .values(is_pending_shown=False)
    )
    if pending:
        shown = [contender.submission_id for contender in pending]
        public.execute(
            update(PublicEntry).where(PublicEntry.submission_id.in_(shown)).values(is_pending_shown=True)
        )


def _mark_stale(public: Session, round_row: RoundRow) -> None:
    """Mark the complete submissions that were made with other data, model, code or machine than the newest one."""
    complete = (PublicEntry.round_id == round_row.id, PublicEntry.is_complete)
    newest = public.scalar(
        select(PublicEntry.made_with)
        .where(*complete)
        .order_by(PublicEntry.finished_at.desc(), PublicEntry.submission_id.desc())
        .limit(1)
    )
    of_round = update(PublicEntry).where(PublicEntry.round_id == round_row.id)
    public.execute(of_round.where(PublicEntry.is_stale).values(is_stale=False))
    if newest is not None:
        public.execute(of_round.where(*complete, PublicEntry.made_with != newest).values(is_stale=True))


def _point(contender: Contender) -> tuple[float, int] | None:
    """Return score and calls; None for what ran without a sandbox: its calls bind nobody."""
    if contender.total is None or not contender.is_official:
        return None
    return contender.total, contender.calls


def _places_won(rank_then: int | None, rank_now: int | None) -> int | None:
    return None if rank_then is None or rank_now is None else rank_then - rank_now
