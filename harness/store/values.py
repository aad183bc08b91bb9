"""Frozen values that go into and come out of the sealed store."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from harness.errors import InfrastructureError, UsageError
from harness.records import RunSummary, Status, Verdict

__all__ = [
    "TERMINAL",
    "ClaimedRun",
    "LeaseLost",
    "Quota",
    "RejudgeState",
    "RunDifference",
    "StoredRejudge",
    "StoredRun",
    "StoredSubmission",
    "no_round",
]

TERMINAL = frozenset({Status.FINISHED, Status.FAILED, Status.CANCELLED})
"""States that a run or a submission never leaves."""


class LeaseLost(InfrastructureError):
    """The run no longer belongs to this worker: its lease expired, or the submission was cancelled.

    The worker drops the attempt. Nothing was written.
    """


class RejudgeState(StrEnum):
    """Where a rejudge is in its life."""

    STAGED = "staged"
    APPLIED = "applied"
    CANCELLED = "cancelled"


def no_round(wanted: str, version: str | None, known: Iterable[tuple[str, str]]) -> UsageError:
    """Return the error for a round that does not exist, listing (name, version) of those that do."""
    wanted = wanted if version is None else f"{wanted} {version}"
    listing = ", ".join(f"{name} {its_version}" for name, its_version in known) or "none yet"
    return UsageError(f"no round {wanted}; rounds: {listing}")


@dataclass(frozen=True, slots=True)
class Quota:
    """What a team has used of a round's quota. Grants raise both limits; one made today counts today."""

    used_today: int
    used: int
    granted_today: int
    granted: int
    max_per_day: int | None
    max_total: int | None

    @property
    def left_today(self) -> int | None:
        """Submissions left on this UTC day; None means no limit."""
        if self.max_per_day is None:
            return None
        return max(0, self.max_per_day + self.granted_today - self.used_today)

    @property
    def left_in_all(self) -> int | None:
        """Submissions left in the round; None means no limit."""
        return None if self.max_total is None else max(0, self.max_total + self.granted - self.used)

    @property
    def left(self) -> int | None:
        """Submissions left now; None means no limit."""
        limits = [limit for limit in (self.left_today, self.left_in_all) if limit is not None]
        return min(limits) if limits else None

    @property
    def is_spent_in_all(self) -> bool:
        """Whether the total is used up, so that waiting until tomorrow does not help."""
        return self.left_in_all == 0

    def __str__(self) -> str:
        """Return one line for people."""

        def part(used: int, limit: int | None, granted: int, when: str) -> str:
            most = "any number" if limit is None else str(limit + granted)
            return f"{used} of {most} {when}"

        today = part(self.used_today, self.max_per_day, self.granted_today, "today (UTC)")
        return f"{today}, {part(self.used, self.max_total, self.granted, 'in all')}"


@dataclass(frozen=True, slots=True)
class RunDifference:
    """A run whose second result differs from its first; each pair is (first, second)."""

    submission_id: int
    name: str
    task: str
    kshot_seed: int
    verdicts: tuple[Verdict | None, Verdict | None]
    scores: tuple[float | None, float | None]
    calls: tuple[int, int]


@dataclass(frozen=True, slots=True)
class StoredRejudge:
    """A rejudge, its progress, and the differences so far (scores on the public rows)."""

    rejudge_id: int
    state: RejudgeState
    reason: str
    n_runs: int
    n_runs_done: int
    differences: tuple[RunDifference, ...]


@dataclass(frozen=True, slots=True)
class ClaimedRun:
    """A run that a worker holds under a lease; `queue.heartbeat` renews the lease.

    Attributes:
        run_id: row number.
        claim_number: counts the claims of this run; a later claim invalidates this one.
        worker: name of the worker that holds it.
        submission_id: row number of the submission.
        origin_id: for a rejudge's staged copy or a repeat, its original; else `submission_id`.
        submission_name: the solver's name.
        team: the team's name.
        digest: SHA-256 (hex) of the submission's content.
        path: folder of the submission, relative to the arena's submissions.
        round_name: name of the round.
        round_version: version of the round.
        round_digest: SHA-256 (hex) of the rules.
        task: name of the task.
        kshot_seed: the draw of examples.
        solver_seed: the solver's randomness; never 0, the same for every attempt.
        budget_calls: calls that an attempt may be charged.
        n_attempts: void attempts before this claim.
        is_baseline: entered as a baseline.
    """

    run_id: int
    claim_number: int
    worker: str
    submission_id: int
    origin_id: int
    submission_name: str
    team: str
    digest: str
    path: str
    round_name: str
    round_version: str
    round_digest: str
    task: str
    kshot_seed: int
    solver_seed: int
    budget_calls: int
    n_attempts: int
    is_baseline: bool


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run with private scores: for the organizer, never for the web.

    Attributes:
        summary: of its artifact; None until it ends with a result.
        message: of the summary, or why it was cancelled.
    """

    run_id: int
    task: str
    kshot_seed: int
    solver_seed: int
    status: Status
    is_held: bool
    hold_reason: str
    verdict: Verdict | None
    score_public: float | None
    score_private: float | None
    calls: int
    budget_calls: int
    n_attempts: int
    message: str
    summary: RunSummary | None


@dataclass(frozen=True, slots=True)
class StoredSubmission:
    """A submission as the organizer sees it, with its runs in the order of the round file."""

    submission_id: int
    round_name: str
    round_version: str
    team: str
    name: str
    description: str
    digest: str
    path: str
    is_baseline: bool
    is_example: bool
    status: Status
    verdict: Verdict | None
    submitted_at: datetime
    finished_at: datetime | None
    runs: tuple[StoredRun, ...]
