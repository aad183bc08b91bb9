"""The sealed store as the worker and the command line use it: one transaction per method."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Self

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from harness.errors import UsageError
from harness.store import attempts, queue, rounds, submissions, uploads
from harness.store.database import READING, SEALED, database_errors, open_database, sqlite_url
from harness.store.events import Event, read_events
from harness.store.paths import ArenaPaths
from harness.store.sealed_schema import RunRow
from harness.store.values import (
    ClaimedRun,
    Phase,
    RoundFacts,
    RunResult,
    StoredRound,
    StoredSubmission,
)

__all__ = ["SealedStore", "utc_now"]


def utc_now() -> datetime:
    """Return the present moment, aware."""
    return datetime.now(UTC)


class SealedStore:
    """Rounds, teams, submissions and the queue. Every method is one transaction, and leaves an event.

    Safe to use from several processes at once. Use as a context manager, or call `close`. Every method
    raises InfrastructureError if the database fails; nothing was stored then.
    """

    def __init__(self, engine: Engine, clock: Callable[[], datetime] = utc_now) -> None:
        """Work on an engine made by `open_database(SEALED, ...)`."""
        self.engine = engine
        self._clock = clock

    @classmethod
    def open(
        cls,
        paths: ArenaPaths,
        *,
        must_exist: bool = False,
        url: str | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> Self:
        """Open the sealed store of an arena, migrated to the newest schema.

        Args:
            paths: the arena folder; made if it is missing.
            must_exist: refuse to make a new arena.
            url: another database than the arena's SQLite file.
            clock: gives the present moment, aware.

        Raises:
            UsageError: the store is missing, not a database, or newer than this code.
        """
        address = url or sqlite_url(paths.sealed_db)
        if must_exist and url is None and not paths.sealed_db.exists():
            raise UsageError(f"no arena at {paths.home}: sealed.db is missing; create a round first")
        paths.create()
        if url is None:
            paths.create_sealed_db()
        return cls(open_database(SEALED, address), clock)

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self.engine.dispose()

    def add_round(self, facts: RoundFacts, phase: Phase = Phase.OPEN) -> StoredRound:
        """Store a round. The same file again changes nothing.

        Raises:
            UsageError: the same name and version is stored with another digest.
        """
        with self._transaction() as session:
            return rounds.to_stored_round(rounds.add_round(session, facts, phase, self._clock()))

    def get_round(self, name: str, version: str | None = None) -> StoredRound:
        """Return a round; without a version, the one added last.

        Raises:
            UsageError: there is none.
        """
        with self.reading() as session:
            return rounds.to_stored_round(rounds.find_round(session, name, version))

    def list_rounds(self) -> tuple[StoredRound, ...]:
        """Return every round, oldest first."""
        with self.reading() as session:
            return tuple(rounds.to_stored_round(row) for row in rounds.list_rounds(session))

    def set_phase(self, name: str, phase: Phase, version: str | None = None) -> None:
        """Move a round to another phase; publish afterwards.

        Raises:
            UsageError: there is no such round.
        """
        with self._transaction() as session:
            rounds.set_phase(session, rounds.find_round(session, name, version), phase, self._clock())

    def ensure_team(self, name: str, *, is_baseline_owner: bool = False) -> int:
        """Return the team's number, making the team if it is new.

        Raises:
            UsageError: the name is empty, or taken by a team of the other kind.
        """
        with self._transaction() as session:
            return rounds.ensure_team(session, name, self._clock(), is_baseline_owner=is_baseline_owner).id

    def add_submission(
        self,
        round_name: str,
        team: str,
        name: str,
        digest: str,
        path: str,
        *,
        description: str = "",
        is_baseline: bool = False,
        is_example: bool = False,
        round_version: str | None = None,
    ) -> int:
        """Store a submission and queue one run per task and few-shot seed; return its number.

        Args:
            round_name: a stored round.
            team: a stored team; only the owner of the baselines hands in baselines.
            name: the solver's name.
            digest: SHA-256 of the submission's content. The same content may be handed in again.
            path: folder of the content.
            description: the participant's own words.
            is_baseline: a reference method: on the board in order, without a rank.
            is_example: one of the packaged examples: ranked, one row per solver.
            round_version: None means the version added last.

        Raises:
            UsageError: no such round or team, or the team is of the other kind.
        """
        with self._transaction() as session:
            row = submissions.add_submission(
                session,
                rounds.find_round(session, round_name, round_version),
                rounds.find_team(session, team),
                self._clock(),
                name=name,
                digest=digest,
                path=path,
                description=description,
                is_baseline=is_baseline,
                is_example=is_example,
            )
            return row.id

    def get_submission(self, submission_id: int) -> StoredSubmission:
        """Return a submission with its runs, private scores included.

        Raises:
            UsageError: there is none of that number.
        """
        with self.reading() as session:
            return submissions.to_stored_submission(submissions.find_submission(session, submission_id))

    def list_submissions(
        self, round_name: str | None = None, team: str | None = None
    ) -> tuple[StoredSubmission, ...]:
        """Return submissions, oldest first.

        Raises:
            UsageError: no such round or team.
        """
        with self.reading() as session:
            round_row = None if round_name is None else rounds.find_round(session, round_name)
            team_row = None if team is None else rounds.find_team(session, team)
            found = submissions.list_submissions(session, round_row, team_row)
            return tuple(submissions.to_stored_submission(row) for row in found)

    def cancel_submission(self, submission_id: int, reason: str = "") -> None:
        """End a submission's runs that have not ended.

        Raises:
            UsageError: there is none of that number, or it has ended.
        """
        with self._transaction() as session:
            row = submissions.find_submission(session, submission_id)
            submissions.cancel_submission(session, row, reason, self._clock())

    def add_upload(
        self,
        round_name: str,
        name: str,
        digest: str,
        task_scores: Mapping[str, float],
        score: float,
        *,
        round_version: str | None = None,
    ) -> int:
        """Store the scores of uploaded predictions; the same archive again replaces its row.

        Args:
            round_name: a stored round.
            name: what to show, as written by people.
            digest: SHA-256 of the archive.
            task_scores: 0-100 on the public rows, for every task of the round.
            score: 0-100, the mean over tasks.
            round_version: None means the version added last.

        Returns:
            The row's number.

        Raises:
            UsageError: no such round, or the name cannot be shown.
            InfrastructureError: a task is missing or unknown, or a score out of range.
        """
        with self._transaction() as session:
            row = uploads.add_upload(
                session,
                rounds.find_round(session, round_name, round_version),
                self._clock(),
                name=name,
                digest=digest,
                score=score,
                task_scores=task_scores,
            )
            return row.id

    def claim_run(
        self, worker: str, lease_s: float, round_name: str | None = None, *, only_bundled: bool = False
    ) -> ClaimedRun | None:
        """Take the next run, participants before baselines; None if nothing waits.

        Args:
            worker: who asks; for people.
            lease_s: seconds until the run may be taken away; renew with `heartbeat`.
            round_name: only runs of this round.
            only_bundled: only runs of reference methods and packaged examples.

        Raises:
            UsageError: no such round.
        """
        with self._transaction() as session:
            round_id = None if round_name is None else rounds.find_round(session, round_name).id
            now = self._clock()
            run = queue.claim_run(session, worker, lease_s, now, round_id, only_bundled=only_bundled)
            return None if run is None else _to_claim(run, now + timedelta(seconds=lease_s))

    def has_waiting_runs(self, round_name: str | None = None, *, only_bundled: bool = False) -> bool:
        """Say whether a run, of those that `claim_run` may give, is queued or held by a worker.

        Raises:
            UsageError: no such round.
        """
        with self.reading() as session:
            round_id = None if round_name is None else rounds.find_round(session, round_name).id
            return queue.has_waiting_runs(session, round_id, only_bundled=only_bundled)

    def heartbeat(self, run: ClaimedRun, lease_s: float) -> bool:
        """Renew the lease by `lease_s` from now. False: stop, the run is no longer this worker's."""
        with self._transaction() as session:
            return queue.heartbeat(session, run, lease_s, self._clock())

    def start_attempt(self, run: ClaimedRun) -> int:
        """Open an attempt and return its number in the store.

        Raises:
            LeaseLost: the run is no longer this worker's.
            InfrastructureError: an attempt of the run is open.
        """
        with self._transaction() as session:
            return attempts.start_attempt(session, run, self._clock()).id

    def void_attempt(self, attempt_id: int, reason: str) -> bool:
        """End an attempt after an internal error: no charges remain, the run waits again.

        Returns:
            True if this was the second in a row, so that the run is held for the organizer.

        Raises:
            LeaseLost: the attempt has ended already.
        """
        with self._transaction() as session:
            return attempts.void_attempt(session, attempt_id, reason, self._clock())

    def finish_run(self, run: ClaimedRun, attempt_id: int, result: RunResult) -> None:
        """Store a result, and the submission's verdict with the last one. Safe to repeat after a crash.

        Raises:
            LeaseLost: the run is no longer this worker's; nothing was stored.
            InfrastructureError: the attempt belongs to another run.
        """
        with self._transaction() as session:
            attempts.finish_run(session, run, attempt_id, result, self._clock())

    def release_run(self, run: ClaimedRun) -> None:
        """Give a run back unharmed, as a worker does that is told to stop.

        Raises:
            LeaseLost: the run is no longer this worker's.
        """
        with self._transaction() as session:
            queue.release_run(session, run, self._clock())

    def release_hold(self, run_id: int) -> None:
        """Let a held run wait in the queue again.

        Raises:
            UsageError: the run does not exist or is not held.
        """
        with self._transaction() as session:
            queue.release_hold(session, run_id, self._clock())

    def sweep_expired(self) -> int:
        """Take back every run whose lease ran out; `claim_run` does so too."""
        with self._transaction() as session:
            return queue.sweep_expired(session, self._clock())

    def events(self, submission_id: int | None = None) -> tuple[Event, ...]:
        """Return the audit, oldest first, of one submission or of everything."""
        with self.reading() as session:
            return tuple(read_events(session, submission_id))

    @contextmanager
    def _transaction(self) -> Iterator[Session]:
        with database_errors("sealed"), Session(self.engine) as session, session.begin():
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Give a session with one consistent view that takes no write lock."""
        with database_errors("sealed"), Session(self.engine) as session:
            session.connection(execution_options={READING: True})
            yield session


def _to_claim(run: RunRow, lease_expires_at: datetime) -> ClaimedRun:
    submission = run.submission
    return ClaimedRun(
        run_id=run.id,
        claim_number=run.claim_number,
        worker=run.worker or "",
        submission_id=submission.id,
        submission_name=submission.name,
        team=submission.team.name,
        digest=submission.digest,
        path=submission.path,
        round_name=submission.round.name,
        round_version=submission.round.version,
        round_digest=submission.round.digest,
        task=run.task.name,
        kshot_seed=run.kshot_seed,
        solver_seed=run.solver_seed,
        budget_calls=run.task.budget_calls,
        n_attempts=len(run.attempts),
        is_baseline=submission.is_baseline,
        lease_expires_at=lease_expires_at,
    )
