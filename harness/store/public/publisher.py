"""Deriving the public store from the sealed one.

Theory of operation
-------------------
The public store holds nothing that cannot be derived again. Rounds, submissions and uploads carry a
revision that grows with every change; publishing rewrites those whose revision differs, recomputes the
ranking, and raises the version number, all in one transaction. If the process dies between a sealed commit
and this one, the next call finds the difference and repairs it; a call that finds none writes nothing.

A private score is not copied before its round is published; `documents` decides what is copied.
"""

from datetime import timedelta
from typing import Any, Self

from pydantic import TypeAdapter
from sqlalchemy import Engine, delete, func, select
from sqlalchemy.orm import Session, selectinload

from harness.records import Status
from harness.store.database import Connected, database_errors, open_to_write, sqlite_url
from harness.store.paths import ArenaPaths
from harness.store.public.board import BoardRound, Entry, Progress, SubmissionDetail, Upload
from harness.store.public.documents import detail_document, entry_document, made_with, round_document, upload_document
from harness.store.public.ranking import place_entries
from harness.store.public.schema import (
    META_ID,
    PUBLIC,
    PublicEntry,
    PublicMeta,
    PublicProgress,
    PublicRound,
    PublicUpload,
    ensure_format,
)
from harness.store.public.view import View, view_of
from harness.store.sealed.replicates import derive_replicates, predictions_of, test_sets_of
from harness.store.sealed.schema import RoundRow, RunRow, SubmissionRow, UploadRow
from harness.store.sealed.store import SealedStore, Transaction
from harness.store.values import TERMINAL, ClaimedRun

__all__ = ["MANUAL_BASELINE", "Publisher"]

MANUAL_BASELINE = "manual"
"""The baseline that efficiency is measured from."""

_BATCH = 200
"""Submissions read at once: bounds the memory of publishing a whole arena."""

_CHANGE_SPAN = timedelta(days=7)
"""A change of rank is relative to the ranking that long ago."""

_ROUND, _ENTRY, _DETAIL = TypeAdapter(BoardRound), TypeAdapter(Entry), TypeAdapter(SubmissionDetail)
_UPLOAD, _PROGRESS = TypeAdapter(Upload), TypeAdapter(Progress)
_PLACE_FIELDS = {"counts", "rank", "tier", "is_pareto", "standard_error", "change", "is_stale"}


class Publisher(Connected):
    """Keeps the public store equal to what the sealed one allows everybody to see."""

    def __init__(self, sealed: SealedStore, engine: Engine) -> None:
        """Publish from `sealed` into an engine of the public store; see `open`."""
        super().__init__(engine)
        self._sealed = sealed

    @classmethod
    def open(cls, paths: ArenaPaths, sealed: SealedStore, *, url: str | None = None) -> Self:
        """Open the public store of an arena, made if it is missing.

        Args:
            paths: the arena folder.
            sealed: the open sealed store of the same arena.
            url: another database than the arena's SQLite file.

        Raises:
            UsageError: the store is not a database, or another program's.
        """
        return cls(sealed, open_to_write(PUBLIC, url or sqlite_url(paths.public_db)))

    def publish(self) -> int:
        """Bring the public store up to date and return its version number. Idempotent.

        Raises:
            InfrastructureError: a database failed; the old board stays whole.
        """
        derive_replicates(self._sealed)
        with database_errors(PUBLIC.name), Session(self.engine) as public, public.begin():
            # The public write lock is taken before the sealed store is read. So of two publishers the later
            # writer is also the later reader, and an older state never overwrites a newer one.
            ensure_format(public.connection())
            meta = public.get_one(PublicMeta, META_ID)
            with self._sealed.read() as tx:
                if _publish_rounds(public, tx) or meta.published_at is None:
                    meta.version += 1
                    meta.published_at = tx.now
            return meta.version

    def report(self, run: ClaimedRun, calls: int, best_train_loss: float | None) -> None:
        """Show the progress of a run. It is no result, so the version number stays.

        Raises:
            InfrastructureError: the database failed.
        """
        with database_errors(PUBLIC.name), Session(self.engine) as public, public.begin():
            entry = public.get(PublicEntry, run.submission_id)
            if entry is None:
                return
            if _ROUND.validate_json(public.get_one(PublicRound, entry.round_id).document).frozen_at:
                return
            shown = {each.run_id: each.status for each in _DETAIL.validate_json(entry.detail).runs}
            if shown.get(run.run_id, Status.CANCELLED) in TERMINAL:
                # Cancelled, and its worker has not learned of it yet.
                return
            progress = Progress(
                task=run.task,
                kshot_seed=run.kshot_seed,
                calls=calls,
                budget_calls=run.budget_calls,
                best_train_loss=best_train_loss,
                reported_at=self._sealed.clock(),
            )
            public.merge(
                PublicProgress(run_id=run.run_id, submission_id=run.submission_id, document=_text(_PROGRESS, progress))
            )


def _text(adapter: TypeAdapter[Any], value: object, exclude: set[str] | None = None) -> str:
    return adapter.dump_json(value, exclude=exclude).decode()


def _publish_rounds(public: Session, tx: Transaction) -> bool:
    """Rewrite what differs; return whether anything did."""
    known = {row.id: row for row in public.scalars(select(PublicRound))}
    is_changed = False
    for row in tx.session.scalars(select(RoundRow).order_by(RoundRow.id)).all():
        shown = known.get(row.id)
        content = _content(tx, row)
        is_round_changed = shown is None or (shown.revision, shown.phase_then) != (row.revision, row.phase_at(tx.now))
        if shown is not None and not is_round_changed and shown.content == content:
            continue
        is_changed = True
        manual = _manual(tx, row)
        view = view_of(row, tx.now, manual)
        public.merge(
            PublicRound(
                id=row.id,
                name=row.name,
                version=row.version,
                phase_then=view.phase,
                revision=row.revision,
                content=content,
                document=_text(_ROUND, round_document(row, view)),
            )
        )
        public.flush()
        is_any = _publish_submissions(public, tx, row, view, manual, is_everything=is_round_changed)
        if is_any or is_round_changed:
            place_entries(public, tx, row, view, tx.now - _CHANGE_SPAN)
        _publish_uploads(public, tx, row, view)
    return is_changed


def _content(tx: Transaction, row: RoundRow) -> str:
    """Return numbers and sums of revisions: they grow with every change of a submission or an upload."""
    of_submissions = select(func.count(), func.coalesce(func.sum(SubmissionRow.revision), 0)).where(
        SubmissionRow.round_id == row.id, SubmissionRow.is_shown
    )
    of_uploads = select(func.count(), func.coalesce(func.sum(UploadRow.revision), 0)).where(
        UploadRow.round_id == row.id
    )
    return " ".join(str(number) for query in (of_submissions, of_uploads) for number in tx.session.execute(query).one())


def _manual(tx: Transaction, row: RoundRow) -> SubmissionRow | None:
    """Return the round's finished manual prompt, the zero of efficiency."""
    return tx.session.scalar(
        select(SubmissionRow)
        .where(
            SubmissionRow.round_id == row.id,
            SubmissionRow.is_baseline,
            SubmissionRow.name == MANUAL_BASELINE,
            SubmissionRow.status == Status.FINISHED,
            SubmissionRow.is_shown,
        )
        .order_by(SubmissionRow.id)
        .limit(1)
    )


def _publish_submissions(
    public: Session,
    tx: Transaction,
    round_row: RoundRow,
    view: View,
    manual: SubmissionRow | None,
    *,
    is_everything: bool,
) -> bool:
    """Rewrite the submissions of a round that differ; return whether there were any."""
    shown = dict(
        public.execute(
            select(PublicEntry.submission_id, PublicEntry.revision).where(PublicEntry.round_id == round_row.id)
        ).all()
    )
    revisions = dict(
        tx.session.execute(
            select(SubmissionRow.id, SubmissionRow.revision).where(
                SubmissionRow.round_id == round_row.id, SubmissionRow.is_shown
            )
        ).all()
    )
    # With the manual prompt's scores the efficiency of every entry changes.
    if manual is not None and shown.get(manual.id) != manual.revision:
        is_everything = True
    stale = [number for number, revision in revisions.items() if is_everything or shown.get(number) != revision]
    test_sets = test_sets_of(tx, round_row) if stale and view.has_curves else {}
    for start in range(0, len(stale), _BATCH):
        batch = tx.session.scalars(
            select(SubmissionRow)
            .where(SubmissionRow.id.in_(stale[start : start + _BATCH]))
            .options(selectinload(SubmissionRow.team), selectinload(SubmissionRow.runs).selectinload(RunRow.attempts))
        )
        for row in batch:
            predictions = predictions_of(tx, row.id) if test_sets else {}
            public.merge(
                PublicEntry(
                    submission_id=row.id,
                    round_id=row.round_id,
                    revision=row.revision,
                    team=row.team.name,
                    solver=row.name,
                    status=row.status,
                    made_with=made_with(row),
                    document=_text(_ENTRY, entry_document(row, view), _PLACE_FIELDS),
                    detail=_text(_DETAIL, detail_document(row, view, predictions, test_sets)),
                )
            )
            waiting = [run.id for run in row.runs if run.status is not Status.RUNNING]
            public.execute(delete(PublicProgress).where(PublicProgress.run_id.in_(waiting)))
        public.flush()
    return bool(stale)


def _publish_uploads(public: Session, tx: Transaction, round_row: RoundRow, view: View) -> None:
    """Rewrite the prediction uploads of a round that differ, and remove those that may not be seen."""
    shown = dict(
        public.execute(
            select(PublicUpload.upload_id, PublicUpload.revision).where(PublicUpload.round_id == round_row.id)
        ).all()
    )
    rows = tx.session.scalars(select(UploadRow).where(UploadRow.round_id == round_row.id)).all()
    seen = {row.id: row for row in rows if not view.hides_upload(row)}
    for number, row in seen.items():
        if shown.get(number) != row.revision:
            public.merge(
                PublicUpload(
                    upload_id=row.id,
                    round_id=row.round_id,
                    revision=row.revision,
                    document=_text(_UPLOAD, upload_document(row)),
                )
            )
    public.execute(delete(PublicUpload).where(PublicUpload.upload_id.in_(shown.keys() - seen.keys())))
