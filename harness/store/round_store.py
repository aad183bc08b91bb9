"""Rounds in the sealed store, one transaction per method."""

from harness.errors import InfrastructureError
from harness.records import Array, IntArray, Phase
from harness.store import evidence, noise, rejudges, replicates, rounds
from harness.store.standings import SealedEntry, standings
from harness.store.transactions import Transactions
from harness.store.values import RoundFacts, StoredRejudge, StoredRound

__all__ = ["RoundStore"]


class RoundStore(Transactions):
    """Rounds and their phases."""

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
            UsageError: there is no such round, or its present phase does not lead there.
        """
        with self._transaction() as session:
            rounds.set_phase(session, rounds.find_round(session, name, version), phase, self._clock())

    def unfreeze(self, name: str, version: str | None = None) -> None:
        """Show what ended since a round's board was frozen; publish afterwards.

        Raises:
            UsageError: there is no such round, or its board is not frozen.
        """
        with self._transaction() as session:
            rounds.unfreeze(session, rounds.find_round(session, name, version), self._clock())

    def keep_test_set(
        self,
        name: str,
        version: str,
        task: str,
        *,
        digest: str,
        n_classes: int,
        labels: IntArray,
        is_public: Array,
    ) -> None:
        """Keep the test labels that a task is scored on; the same again changes nothing.

        Args:
            name: of the round.
            version: of the round.
            task: name of the task.
            digest: SHA-256 of the test rows with their labels, hexadecimal.
            n_classes: C.
            labels: int64 (B,).
            is_public: bool (B,).

        Raises:
            UsageError: there is no such round.
            InfrastructureError: the round was scored on other test rows before, or has no such task.
        """
        with self._transaction() as session:
            for row in rounds.find_round(session, name, version).tasks:
                if row.name == task:
                    replicates.keep_test_set(session, row, digest, n_classes, labels, is_public)
                    return
            raise InfrastructureError(f"round {name} {version} has no task {task!r}")

    def derive(self) -> None:
        """Compute what finished submissions allow and nobody has computed yet: bootstrap totals, noise floors."""
        with self.reading() as session:
            computed = replicates.missing_replicates(session)
            floors = noise.missing_noise(session)
        if computed or floors:
            with self._transaction() as session:
                replicates.keep_replicates(session, computed)
                noise.keep_noise(session, floors, self._clock())

    def test_sets(self, name: str, version: str | None = None) -> dict[str, evidence.TestSet]:
        """Return task -> test labels, for the tasks that were scored. Sealed.

        Raises:
            UsageError: there is no such round.
        """
        with self.reading() as session:
            return evidence.test_sets_of(session, rounds.find_round(session, name, version))

    def standings(self, name: str, version: str | None = None) -> tuple[SealedEntry, ...]:
        """Return the entries that count, best first, whatever the public may see of them. Sealed.

        Raises:
            UsageError: there is no such round.
        """
        with self.reading() as session:
            return standings(session, rounds.find_round(session, name, version))

    def stale_submissions(self, name: str, version: str | None = None) -> dict[int, tuple[str, ...]]:
        """Return submission -> which of data, model, tokenizer, code and packages differ from the newest scores'.

        Raises:
            UsageError: there is no such round.
        """
        with self.reading() as session:
            return evidence.stale_submissions(session, rounds.find_round(session, name, version))

    def add_repeats(self, name: str, baseline: str, n_repeats: int) -> int:
        """Queue a reference method under other solver seeds until it has `n_repeats`; return how many were added.

        Raises:
            UsageError: no such round, or it does not have that reference method.
        """
        with self._transaction() as session:
            return noise.add_repeats(
                session, rounds.find_round(session, name), baseline, n_repeats, self._clock()
            )

    def stage_rejudge(self, name: str, reason: str = "") -> StoredRejudge:
        """Queue a second judging of everything that has ended; one that is staged already is returned as it is.

        Raises:
            UsageError: no such round, nothing to judge again, or the round is published.
        """
        with self._transaction() as session:
            row = rejudges.stage_rejudge(session, rounds.find_round(session, name), reason, self._clock())
            return rejudges.to_stored_rejudge(session, row)

    def get_rejudge(self, name: str) -> StoredRejudge:
        """Return the staged rejudge of a round, with the differences so far.

        Raises:
            UsageError: no such round, or none is staged.
        """
        with self.reading() as session:
            row = rejudges.find_rejudge(session, rounds.find_round(session, name))
            return rejudges.to_stored_rejudge(session, row)

    def refuse_staged_rejudge(self, name: str) -> None:
        """Do nothing unless a rejudge of a round is staged.

        Raises:
            UsageError: one is, or there is no such round.
        """
        with self.reading() as session:
            rounds.refuse_staged(session, rounds.find_round(session, name))

    def apply_rejudge(self, name: str) -> int:
        """Let the second results stand; return how many runs differ. Publish afterwards.

        Raises:
            UsageError: none is staged, or a staged run has not ended.
        """
        with self._transaction() as session:
            row = rejudges.find_rejudge(session, rounds.find_round(session, name))
            return rejudges.apply_rejudge(session, row, self._clock())

    def cancel_rejudge(self, name: str) -> None:
        """Drop what is staged; the first results stand.

        Raises:
            UsageError: none is staged.
        """
        with self._transaction() as session:
            row = rejudges.find_rejudge(session, rounds.find_round(session, name))
            rejudges.cancel_rejudge(session, row, self._clock())
