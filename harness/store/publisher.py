"""Deriving the public store from the sealed one.

Theory of operation
-------------------
The public store holds nothing that cannot be derived again. Rounds, submissions and uploads carry a revision
that grows with every change; publishing rewrites those whose revision differs, recomputes who leads,
and raises the version number, all in one transaction. If the process dies between a sealed commit and
this one, the next call finds the difference and mends it; a call that finds none writes nothing.

A private score is not copied before its round is published: what is not there cannot leak.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Self

from sqlalchemy import Engine, delete, select
from sqlalchemy.orm import Session, selectinload

from harness.records import Status
from harness.store.connected import Connected
from harness.store.database import PUBLIC, database_errors, open_database, sqlite_url
from harness.store.election import elect
from harness.store.evidence import predictions_of, test_sets_of
from harness.store.paths import ArenaPaths
from harness.store.public_rows import (
    public_confusions,
    public_curves,
    public_entry,
    public_round,
    public_run,
    public_upload,
)
from harness.store.public_schema import (
    META_ID,
    PublicConfusion,
    PublicCurve,
    PublicEntry,
    PublicMeta,
    PublicProgress,
    PublicRound,
    PublicRun,
    PublicUpload,
)
from harness.store.sealed_schema import RoundRow, RunRow, SubmissionRow, UploadRow
from harness.store.values import TERMINAL, ClaimedRun
from harness.store.view import View, view_of
from harness.store.writer import SealedStore, utc_now

__all__ = ["MANUAL_BASELINE", "Publisher"]

MANUAL_BASELINE = "manual"
"""The reference method that efficiency is measured from."""

_BATCH = 200
"""Submissions read at once: bounds the memory of publishing a whole arena."""

_CHANGE_SPAN = timedelta(days=7)
"""A change of rank is told against the ranking that long ago."""


class Publisher(Connected):
    """Keeps the public store equal to what the sealed one allows everybody to see."""

    def __init__(self, sealed: SealedStore, engine: Engine, clock: Callable[[], datetime] = utc_now) -> None:
        """Publish from `sealed` into an engine made by `open_database(PUBLIC, ...)`."""
        super().__init__(engine)
        self._sealed = sealed
        self._clock = clock

    @classmethod
    def open(
        cls,
        paths: ArenaPaths,
        sealed: SealedStore,
        *,
        url: str | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> Self:
        """Open the public store of an arena, made if it is missing.

        Args:
            paths: the arena folder.
            sealed: the open sealed store of the same arena.
            url: another database than the arena's SQLite file.
            clock: gives the present moment, aware.

        Raises:
            UsageError: the store is not a database, or newer than this code.
        """
        return cls(sealed, open_database(PUBLIC, url or sqlite_url(paths.public_db)), clock)

    def publish(self) -> int:
        """Bring the public store up to date and return its version number. Safe to repeat at any time.

        Raises:
            InfrastructureError: a database failed; the old board stands whole.
        """
        self._sealed.derive()
        with database_errors("public"), Session(self.engine) as public, public.begin():
            # The public write lock is held before the sealed store is read. So of two publishers
            # the later writer is also the later reader, and an older state never overwrites a newer.
            meta = public.get(PublicMeta, META_ID)
            with self._sealed.reading() as sealed:
                changed = self._publish_rounds(public, sealed)
            if meta is None:
                meta = PublicMeta(id=META_ID, version=0, published_at=self._clock())
                public.add(meta)
            elif not changed:
                return meta.version
            meta.version += 1
            meta.published_at = self._clock()
            return meta.version

    def report(self, run: ClaimedRun, calls: int, best_train_loss: float | None) -> None:
        """Show how far a run is. No result, so the version number stays.

        Raises:
            InfrastructureError: the database failed.
        """
        with database_errors("public"), Session(self.engine) as public, public.begin():
            entry = public.get(PublicEntry, run.submission_id)
            if entry is None or public.get_one(PublicRound, entry.round_id).frozen_at is not None:
                # A frozen board stands still.
                return
            shown = public.get(PublicRun, run.run_id)
            if shown is None or shown.status in TERMINAL:
                # Cancelled, and its worker does not know it yet.
                return
            public.merge(
                PublicProgress(
                    run_id=run.run_id,
                    submission_id=run.submission_id,
                    task=run.task,
                    kshot_seed=run.kshot_seed,
                    calls=calls,
                    budget_calls=run.budget_calls,
                    best_train_loss=best_train_loss,
                    reported_at=self._clock(),
                )
            )

    def _publish_rounds(self, public: Session, sealed: Session) -> bool:
        shown = {
            row.id: (row.revision, row.phase_then)
            for row in public.execute(select(PublicRound.id, PublicRound.revision, PublicRound.phase_then))
        }
        changed = False
        for row in sealed.scalars(
            select(RoundRow).options(selectinload(RoundRow.tasks)).order_by(RoundRow.id)
        ).all():
            manual = _manual(sealed, row)
            view = view_of(row, self._clock(), manual)
            is_round_changed = shown.get(row.id) != (row.revision, view.phase)
            if is_round_changed:
                public.merge(public_round(row, view))
                public.flush()
            if (
                _publish_submissions(public, sealed, row, view, manual, is_everything=is_round_changed)
                or is_round_changed
            ):
                changed = True
                elect(public, sealed, row, view, self._clock() - _CHANGE_SPAN)
            changed = _publish_uploads(public, sealed, row, view) or changed
        return changed


def _manual(sealed: Session, round_row: RoundRow) -> SubmissionRow | None:
    """Return the round's finished manual prompt, the zero of efficiency."""
    return sealed.scalar(
        select(SubmissionRow)
        .where(
            SubmissionRow.round_id == round_row.id,
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
    sealed: Session,
    round_row: RoundRow,
    view: View,
    manual: SubmissionRow | None,
    *,
    is_everything: bool,
) -> bool:
    """Rewrite the submissions of a round that differ; True if there were any."""
    of_round = select(SubmissionRow.id, SubmissionRow.revision).where(
        SubmissionRow.round_id == round_row.id,
        SubmissionRow.is_shown,
    )
    shown = dict(
        public.execute(
            select(PublicEntry.submission_id, PublicEntry.revision).where(
                PublicEntry.round_id == round_row.id
            )
        ).all()
    )
    revisions = dict(sealed.execute(of_round).all())
    # With the manual prompt's scores the efficiency of every entry changes.
    if manual is not None and shown.get(manual.id) != manual.revision:
        is_everything = True
    stale = [
        number for number, revision in revisions.items() if is_everything or shown.get(number) != revision
    ]
    test_sets = test_sets_of(sealed, round_row) if stale and view.has_curves else {}
    for start in range(0, len(stale), _BATCH):
        batch = sealed.scalars(
            select(SubmissionRow)
            .where(SubmissionRow.id.in_(stale[start : start + _BATCH]))
            .options(
                selectinload(SubmissionRow.team),
                selectinload(SubmissionRow.runs).selectinload(RunRow.attempts),
                selectinload(SubmissionRow.runs).selectinload(RunRow.task),
            )
        )
        for row in batch:
            public.merge(public_entry(row, round_row, view))
            public.flush()
            public.execute(delete(PublicRun).where(PublicRun.submission_id == row.id))
            public.execute(delete(PublicCurve).where(PublicCurve.submission_id == row.id))
            public.execute(delete(PublicConfusion).where(PublicConfusion.submission_id == row.id))
            public.add_all(public_run(run, view) for run in row.runs)
            waiting = [run.id for run in row.runs if run.status is not Status.RUNNING]
            public.execute(delete(PublicProgress).where(PublicProgress.run_id.in_(waiting)))
            public.add_all(public_curves(row, view))
            predictions = predictions_of(sealed, row.id) if test_sets else {}
            public.add_all(public_confusions(row, view, predictions, test_sets))
        public.flush()
    return bool(stale)


def _publish_uploads(public: Session, sealed: Session, round_row: RoundRow, view: View) -> bool:
    """Rewrite the uploads of a round that differ, take away what may not be seen; True if there were any."""
    shown = dict(
        public.execute(
            select(PublicUpload.upload_id, PublicUpload.revision).where(PublicUpload.round_id == round_row.id)
        ).all()
    )
    rows = sealed.scalars(select(UploadRow).where(UploadRow.round_id == round_row.id)).all()
    seen = {row.id: row for row in rows if not view.hides_upload(row)}
    for number, row in seen.items():
        if shown.get(number) != row.revision:
            public.merge(public_upload(row))
    gone = shown.keys() - seen.keys()
    public.execute(delete(PublicUpload).where(PublicUpload.upload_id.in_(gone)))
    return bool(gone) or any(shown.get(number) != row.revision for number, row in seen.items())
