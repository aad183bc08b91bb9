"""The queue of the sealed store, one transaction per method."""

from collections.abc import Collection

from harness.store import attempts, claims, queue, rounds
from harness.store.run_result import RunResult
from harness.store.transactions import Transactions
from harness.store.values import ClaimedRun

__all__ = ["QueueStore"]


class QueueStore(Transactions):
    """Claims, leases, attempts and results."""

    def claim_run(
        self,
        worker: str,
        lease_s: float,
        round_name: str | None = None,
        *,
        only_bundled: bool = False,
        at_work: Collection[ClaimedRun] = (),
        is_sweeping: bool = True,
    ) -> ClaimedRun | None:
        """Take the next run, participants before baselines; None if nothing waits.

        Args:
            worker: who asks; for people.
            lease_s: seconds until the run may be taken away; renew with `heartbeat`.
            round_name: only runs of this round.
            only_bundled: only runs of reference methods and packaged examples.
            at_work: what this process has claimed and is at: alive, whatever the leases say.
            is_sweeping: take back runs of others whose lease ran out.

        Raises:
            UsageError: no such round.
        """
        with self._transaction() as session:
            round_id = None if round_name is None else rounds.find_round(session, round_name).id
            return claims.claim_run(
                session,
                worker,
                lease_s,
                self._clock(),
                round_id,
                only_bundled=only_bundled,
                at_work=at_work,
                is_sweeping=is_sweeping,
            )

    def has_waiting_runs(self, round_name: str | None = None, *, only_bundled: bool = False) -> bool:
        """Say whether a run, of those that `claim_run` may give, is queued or held by a worker.

        Raises:
            UsageError: no such round.
        """
        with self.reading() as session:
            round_id = None if round_name is None else rounds.find_round(session, round_name).id
            return claims.has_waiting_runs(session, round_id, only_bundled=only_bundled)

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

    def note_metered(self, attempt_id: int) -> None:
        """Remember that an attempt was charged its first call; again changes nothing.

        Raises:
            LeaseLost: the attempt has ended already.
        """
        with self._transaction() as session:
            attempts.note_metered(session, attempt_id, self._clock())

    def start_scoring(self, attempt_id: int) -> None:
        """Note that an attempt's test rows are about to be read; again changes nothing.

        Raises:
            LeaseLost: the attempt has ended already.
        """
        with self._transaction() as session:
            attempts.start_scoring(session, attempt_id, self._clock())

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

        A run whose lease ran out and that nobody has claimed since takes it too: a worker that could not
        reach the store to renew it has not worked for nothing.

        Raises:
            LeaseLost: another worker has claimed the run, or it was cancelled; nothing was stored.
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

    def sweep(self) -> int:
        """Mend every state that nothing would leave by itself; return how much was mended."""
        with self._transaction() as session:
            return queue.sweep(session, self._clock())

    def take_back_everything(self, reason: str) -> int:
        """Queue again every run that a worker held, after a restore; return how many there were."""
        with self._transaction() as session:
            return queue.take_back_everything(session, reason, self._clock())

    def sweep_expired(self) -> int:
        """Take back every run whose lease ran out; `claim_run` does so too."""
        with self._transaction() as session:
            return queue.sweep_expired(session, self._clock())
