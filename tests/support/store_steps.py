"""Steps in the life of a round and its submissions, each in a transaction of its own."""

from typing import Any

from in_store import write

from harness.records import IntArray, Phase, RunSummary
from harness.store.sealed.attempts import finish_run, start_attempt
from harness.store.sealed.claims import claim_run
from harness.store.sealed.noise import add_repeats
from harness.store.sealed.rejudges import apply_rejudge, cancel_rejudge, find_rejudge, stage_rejudge
from harness.store.sealed.rounds import find_round, set_phase
from harness.store.sealed.schema import SubmissionRow
from harness.store.sealed.store import SealedStore, Transaction
from harness.store.sealed.submissions import add_submission, cancel_submission, check_admission, find_submission
from harness.store.sealed.teams import find_team, quota_of
from harness.store.values import ClaimedRun, Quota

__all__ = [
    "add_rejudge",
    "admit_and_enter",
    "cancel",
    "end_rejudge",
    "enter",
    "finish",
    "finish_all",
    "quota",
    "repeat",
    "to_phase",
]


def enter(store: SealedStore, team: str, name: str, *, round_name: str = "toy", **columns: Any) -> int:
    """Store a submission of a team that exists, whatever its quota; return its number.

    Args:
        store: the sealed store.
        team: its name.
        name: of the solver.
        round_name: of a stored round.
        columns: of the submission, such as `digest` and `is_baseline`.
    """
    return write(store, _enter, team, name, round_name, **columns)


def admit_and_enter(store: SealedStore, team: str, name: str, *, token: str | None = None, **columns: Any) -> int:
    """Store a submission to round "toy" as a participant hands it in: admitted, then stored, in one transaction."""
    with store.write() as tx:
        is_example = columns.get("is_example", False)
        if not columns.get("is_baseline", False):
            row, owner = find_round(tx, "toy"), find_team(tx, team)
            check_admission(tx, row, owner, token=token, is_example=is_example)
        return _enter(tx, team, name, "toy", **columns)


def _enter(tx: Transaction, team: str, name: str, round_name: str, **columns: Any) -> int:
    columns = {"digest": "b" * 64, "path": "submissions/b"} | columns
    row = SubmissionRow(team=find_team(tx, team), name=name, **columns)
    return add_submission(tx, find_round(tx, round_name), row).id


def cancel(store: SealedStore, number: int, reason: str = "") -> None:
    """Cancel a submission."""
    with store.write() as tx:
        cancel_submission(tx, find_submission(tx, number), reason)


def finish(store: SealedStore, claim: ClaimedRun, summary: RunSummary, predictions: IntArray | None = None) -> None:
    """Make one attempt at a claimed run, with this result."""
    attempt = write(store, start_attempt, claim)
    write(store, finish_run, claim, attempt, summary, predictions)


def finish_all(store: SealedStore, summary: RunSummary) -> None:
    """Finish every run that waits with the same result."""
    while claim := write(store, claim_run, "w", 60):
        finish(store, claim, summary)


def to_phase(store: SealedStore, phase: Phase, name: str = "toy") -> None:
    """Move a round to another phase."""
    with store.write() as tx:
        set_phase(tx, find_round(tx, name), phase)


def quota(store: SealedStore, team: str, round_name: str = "toy") -> Quota:
    """Return what a team has used."""
    with store.read() as tx:
        return quota_of(tx, find_round(tx, round_name), find_team(tx, team))


def repeat(store: SealedStore, name: str, n_repeats: int, round_name: str = "toy") -> int:
    """Queue repeats of a baseline; return how many were added."""
    with store.write() as tx:
        return add_repeats(tx, find_round(tx, round_name), name, n_repeats)


def add_rejudge(store: SealedStore, reason: str = "", round_name: str = "toy") -> int:
    """Stage a rejudge of a round; return its number."""
    with store.write() as tx:
        return stage_rejudge(tx, find_round(tx, round_name), reason).id


def end_rejudge(store: SealedStore, round_name: str = "toy", *, is_applied: bool) -> None:
    """Apply or cancel the staged rejudge of a round."""
    with store.write() as tx:
        row = find_rejudge(tx, find_round(tx, round_name))
        if is_applied:
            apply_rejudge(tx, row)
        else:
            cancel_rejudge(tx, row)
