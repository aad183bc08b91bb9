"""Read-only questions to the public store, answered with frozen values.

Everything here opens the database so that it cannot be written, and nothing here can see a private
score: it is not in the file.
"""

from collections.abc import Sequence

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from harness.errors import UsageError
from harness.records import Status
from harness.store.board import (
    Board,
    BoardRound,
    Entry,
    Progress,
    SubmissionList,
    SubmissionPage,
    TaskScores,
)
from harness.store.board_rows import to_curve, to_entry, to_round, to_run, to_upload
from harness.store.database import PUBLIC
from harness.store.public_schema import (
    META_ID,
    PublicConfusion,
    PublicCurve,
    PublicEntry,
    PublicLeader,
    PublicMeta,
    PublicProgress,
    PublicRound,
    PublicRun,
    PublicUpload,
)
from harness.store.reader import Reader
from harness.store.round_names import split_version

__all__ = ["PublicStore"]


class PublicStore(Reader):
    """The public store, open for reading."""

    schema = PUBLIC

    def version(self) -> int:
        """Return the number that grows with every change; 0 before the first publication."""
        with self._session() as session:
            return _version(session)

    def rounds(self) -> tuple[BoardRound, ...]:
        """Return every published round, newest first."""
        with self._session() as session:
            return tuple(
                to_round(row) for row in session.scalars(select(PublicRound).order_by(PublicRound.id.desc()))
            )

    def board(self, name: str, version: str | None = None) -> Board:
        """Return the board of a round; without a version, of the one added last.

        Raises:
            UsageError: there is no such round.
        """
        with self._session() as session:
            round_row = _find_round(session, name, version)
            rows = session.execute(
                select(PublicEntry, PublicLeader)
                .outerjoin(PublicLeader, PublicLeader.submission_id == PublicEntry.submission_id)
                .where(
                    PublicEntry.round_id == round_row.id,
                    or_(PublicLeader.submission_id.is_not(None), PublicEntry.is_pending_shown),
                )
                .order_by(
                    PublicLeader.position.is_(None), PublicLeader.position, PublicEntry.submission_id.desc()
                )
            )
            entries = tuple(to_entry(entry, leader, round_row) for entry, leader in rows)
            n_submissions = session.scalar(
                select(func.count()).select_from(PublicEntry).where(PublicEntry.round_id == round_row.id)
            )
            uploads = session.scalars(
                select(PublicUpload)
                .where(PublicUpload.round_id == round_row.id)
                .order_by(PublicUpload.score.desc(), PublicUpload.created_at, PublicUpload.upload_id)
            )
            return Board(
                round=to_round(round_row),
                entries=entries,
                n_submissions=n_submissions or 0,
                version=_version(session),
                uploads=tuple(to_upload(upload, round_row) for upload in uploads),
            )

    def submissions(self, name: str, version: str | None = None) -> tuple[Entry, ...]:
        """Return every submission of a round, newest first, whether it counts or not.

        Raises:
            UsageError: there is no such round.
        """
        with self._session() as session:
            round_row = _find_round(session, name, version)
            rows = session.execute(
                select(PublicEntry, PublicLeader)
                .outerjoin(PublicLeader, PublicLeader.submission_id == PublicEntry.submission_id)
                .where(PublicEntry.round_id == round_row.id)
                .order_by(PublicEntry.submission_id.desc())
            )
            return tuple(to_entry(entry, leader, round_row) for entry, leader in rows)

    def submission_list(
        self,
        name: str,
        *,
        status: Status | None = None,
        text: str = "",
        offset: int = 0,
        limit: int = 50,
    ) -> SubmissionList:
        """Return some submissions of a round, newest first.

        Args:
            name: the round.
            status: of this status alone.
            text: part of the team's or the solver's name, whatever its case.
            offset: how many to leave out.
            limit: how many at most.

        Raises:
            UsageError: there is no such round.
        """
        with self._session() as session:
            round_row = _find_round(session, name, None)
            wanted = [PublicEntry.round_id == round_row.id]
            if status is not None:
                wanted.append(PublicEntry.status == status)
            if text:
                wanted.append(
                    or_(
                        PublicEntry.team.icontains(text, autoescape=True),
                        PublicEntry.name.icontains(text, autoescape=True),
                    )
                )
            rows = session.execute(
                select(PublicEntry, PublicLeader)
                .outerjoin(PublicLeader, PublicLeader.submission_id == PublicEntry.submission_id)
                .where(*wanted)
                .order_by(PublicEntry.submission_id.desc())
                .offset(offset)
                .limit(limit)
            )
            return SubmissionList(
                round=to_round(round_row),
                entries=tuple(to_entry(entry, leader, round_row) for entry, leader in rows),
                n_found=session.scalar(select(func.count()).select_from(PublicEntry).where(*wanted)) or 0,
            )

    def task_scores(self, name: str, task: str, submission_ids: Sequence[int]) -> tuple[TaskScores, ...]:
        """Return the scores of some submissions of a round on one task, in the order given.

        Raises:
            UsageError: there is no such round, or it has no such task, or no such submission.
        """
        with self._session() as session:
            round_row = _find_round(session, name, None)
            if task not in {each["name"] for each in round_row.tasks}:
                raise UsageError(f"round {name} has no task {task}")
            runs: dict[int, dict[int, float | None]] = {number: {} for number in submission_ids}
            for number, seed, score in session.execute(
                select(PublicRun.submission_id, PublicRun.kshot_seed, PublicRun.score)
                .where(PublicRun.submission_id.in_(submission_ids), PublicRun.task == task)
                .order_by(PublicRun.run_id)
            ):
                runs[number][seed] = score
            rows = {
                entry.submission_id: to_entry(entry, leader, round_row)
                for entry, leader in session.execute(
                    select(PublicEntry, PublicLeader)
                    .outerjoin(PublicLeader, PublicLeader.submission_id == PublicEntry.submission_id)
                    .where(
                        PublicEntry.submission_id.in_(submission_ids), PublicEntry.round_id == round_row.id
                    )
                )
            }
            return tuple(
                TaskScores(rows[number], runs[number]) for number in submission_ids if number in rows
            )

    def progress(self, submission_id: int) -> tuple[Progress, ...]:
        """Return how far the running runs of a submission are; read anew every time, whatever the version."""
        with self._session() as session:
            return tuple(
                Progress(
                    row.task,
                    row.kshot_seed,
                    row.calls,
                    row.budget_calls,
                    row.best_train_loss,
                    row.reported_at,
                )
                for row in session.scalars(
                    select(PublicProgress)
                    .where(PublicProgress.submission_id == submission_id)
                    .order_by(PublicProgress.run_id)
                )
            )

    def submission(self, submission_id: int) -> SubmissionPage:
        """Return a submission with its runs and curves.

        Raises:
            UsageError: there is none of that number.
        """
        with self._session() as session:
            entry = session.get(PublicEntry, submission_id)
            if entry is None:
                raise UsageError(f"no submission {submission_id} on this board")
            round_row = session.get_one(PublicRound, entry.round_id)
            leader = session.scalar(select(PublicLeader).where(PublicLeader.submission_id == submission_id))
            order = {task["name"]: position for position, task in enumerate(round_row.tasks)}
            runs = session.scalars(select(PublicRun).where(PublicRun.submission_id == submission_id)).all()
            curves = session.scalars(
                select(PublicCurve).where(PublicCurve.submission_id == submission_id)
            ).all()
            confusions = session.scalars(
                select(PublicConfusion).where(PublicConfusion.submission_id == submission_id)
            ).all()
            return SubmissionPage(
                round=to_round(round_row),
                entry=to_entry(entry, leader, round_row),
                runs=tuple(
                    to_run(run) for run in sorted(runs, key=lambda run: (order[run.task], run.run_id))
                ),
                curves=tuple(
                    to_curve(curve) for curve in sorted(curves, key=lambda curve: order[curve.task])
                ),
                confusions={each.task: tuple(map(tuple, each.counts)) for each in confusions},
            )


def _version(session: Session) -> int:
    meta = session.get(PublicMeta, META_ID)
    return 0 if meta is None else meta.version


def _find_round(session: Session, name: str, version: str | None) -> PublicRound:
    if version is None:
        name, version = split_version(name)
    query = select(PublicRound).where(PublicRound.name == name).order_by(PublicRound.id.desc()).limit(1)
    if version is not None:
        query = query.where(PublicRound.version == version)
    row = session.scalar(query)
    if row is None:
        known = session.execute(select(PublicRound.name, PublicRound.version).order_by(PublicRound.id)).all()
        wanted = name if version is None else f"{name} {version}"
        listing = ", ".join(f"{other} {its_version}" for other, its_version in known) or "none yet"
        raise UsageError(f"no round {wanted} on this board; rounds: {listing}")
    return row
