"""Read-only queries of the public store, answered with frozen values.

The database is opened so that it cannot be written, and no answer can hold a private score before
publication: it is not in the file.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from pydantic import TypeAdapter
from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session

from harness.errors import UsageError
from harness.records import Status, phase_at, split_version
from harness.store.database import Connected, database_errors, open_read_only
from harness.store.public.board import (
    Board,
    BoardRound,
    Entry,
    Progress,
    SubmissionDetail,
    SubmissionList,
    SubmissionPage,
    Upload,
)
from harness.store.public.schema import (
    META_ID,
    PUBLIC,
    PublicEntry,
    PublicMeta,
    PublicPlace,
    PublicProgress,
    PublicRound,
    PublicUpload,
)
from harness.store.values import no_round

__all__ = ["PublicStore"]

_ROUND, _ENTRY, _DETAIL = TypeAdapter(BoardRound), TypeAdapter(Entry), TypeAdapter(SubmissionDetail)
_UPLOAD, _PROGRESS = TypeAdapter(Upload), TypeAdapter(Progress)


class PublicStore(Connected):
    """The public store, open for reading. Every method raises InfrastructureError if the file cannot be read now."""

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open the file.

        Raises:
            UsageError: it is missing, not a public store, or of another format than this code.
        """
        return cls(open_read_only(PUBLIC, path))

    @contextmanager
    def _session(self) -> Iterator[Session]:
        with database_errors(PUBLIC.name), Session(self.engine) as session:
            yield session

    def version(self) -> int:
        """Return the number that grows with every change; 0 before the first publication."""
        with self._session() as session:
            return _version(session)

    def rounds(self) -> tuple[BoardRound, ...]:
        """Return every published round, newest first."""
        with self._session() as session:
            return tuple(_to_round(row) for row in session.scalars(select(PublicRound).order_by(PublicRound.id.desc())))

    def board(self, name: str, version: str | None = None) -> Board:
        """Return the board of a round; without a version, of the one added last.

        Raises:
            UsageError: there is no such round.
        """
        with self._session() as session:
            row = _find_round(session, name, version)
            query = (
                _entries(row)
                .where(PublicPlace.submission_id.is_not(None))
                .order_by(PublicPlace.position.is_(None), PublicPlace.position, PublicEntry.submission_id.desc())
            )
            n_submissions = session.scalar(
                select(func.count()).select_from(PublicEntry).where(PublicEntry.round_id == row.id)
            )
            uploads = [
                _UPLOAD.validate_json(text)
                for text in session.scalars(select(PublicUpload.document).where(PublicUpload.round_id == row.id))
            ]
            return Board(
                round=_to_round(row),
                entries=_read(session, query, row),
                n_submissions=n_submissions or 0,
                version=_version(session),
                uploads=tuple(sorted(uploads, key=lambda each: (-each.score, each.created_at, each.upload_id))),
            )

    def submissions(self, name: str, version: str | None = None) -> tuple[Entry, ...]:
        """Return every submission of a round, newest first, whether it counts or not.

        Raises:
            UsageError: there is no such round.
        """
        with self._session() as session:
            row = _find_round(session, name, version)
            return _read(session, _entries(row).order_by(PublicEntry.submission_id.desc()), row)

    def submission_list(
        self, name: str, *, status: Status | None = None, text: str = "", offset: int = 0, limit: int = 50
    ) -> SubmissionList:
        """Return some submissions of a round, newest first.

        Args:
            name: the round.
            status: only those of this status.
            text: part of the team's or the solver's name, in any case.
            offset: how many to skip.
            limit: how many at most.

        Raises:
            UsageError: there is no such round.
        """
        with self._session() as session:
            row = _find_round(session, name, None)
            wanted = [PublicEntry.round_id == row.id]
            if status is not None:
                wanted.append(PublicEntry.status == status)
            if text:
                wanted.append(
                    or_(
                        PublicEntry.team.icontains(text, autoescape=True),
                        PublicEntry.solver.icontains(text, autoescape=True),
                    )
                )
            query = _entries(row).where(*wanted).order_by(PublicEntry.submission_id.desc())
            return SubmissionList(
                round=_to_round(row),
                entries=_read(session, query.offset(offset).limit(limit), row),
                n_found=session.scalar(select(func.count()).select_from(PublicEntry).where(*wanted)) or 0,
            )

    def entries(self, name: str, submission_ids: Sequence[int]) -> tuple[Entry, ...]:
        """Return some submissions of a round, in the order given; those of other rounds are left out.

        Raises:
            UsageError: there is no such round.
        """
        with self._session() as session:
            row = _find_round(session, name, None)
            query = _entries(row).where(PublicEntry.submission_id.in_(submission_ids))
            found = {entry.submission_id: entry for entry in _read(session, query, row)}
            return tuple(found[number] for number in submission_ids if number in found)

    def progress(self, submission_id: int) -> tuple[Progress, ...]:
        """Return the progress of a submission's running runs; it changes without a new version number."""
        with self._session() as session:
            return tuple(
                _PROGRESS.validate_json(text)
                for text in session.scalars(
                    select(PublicProgress.document)
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
            found = session.get(PublicEntry, submission_id)
            if found is None:
                raise UsageError(f"no submission {submission_id} on this board")
            row = session.get_one(PublicRound, found.round_id)
            query = _entries(row).where(PublicEntry.submission_id == submission_id)
            detail = _DETAIL.validate_json(found.detail)
            return SubmissionPage(
                round=_to_round(row),
                entry=_read(session, query, row)[0],
                runs=detail.runs,
                curves=detail.curves,
                confusions=detail.confusions,
            )


def _entries(row: PublicRound) -> Select[str, str, str]:
    """Select the documents of a round's submissions, each with that of its place, if it has one."""
    return (
        select(PublicEntry.document, PublicEntry.made_with, PublicPlace.document)
        .outerjoin(PublicPlace, PublicPlace.submission_id == PublicEntry.submission_id)
        .where(PublicEntry.round_id == row.id)
    )


def _read(session: Session, query: Select[str, str, str], row: PublicRound) -> tuple[Entry, ...]:
    found = []
    for document, made_with, place in session.execute(query):
        entry = _ENTRY.validate_json(document)
        is_stale = entry.is_complete and made_with != row.newest_made_with
        found.append(replace(entry, **json.loads(place or "{}"), is_stale=is_stale))
    return tuple(found)


def _to_round(row: PublicRound) -> BoardRound:
    """Return a round in the phase of this moment."""
    stored = _ROUND.validate_json(row.document)
    return replace(stored, phase=phase_at(stored.phase, stored.opens, stored.closes, datetime.now(UTC)))


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
        raise no_round(name, version, known)
    return row
