"""Frozen values that go into and come out of the sealed store."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from harness.errors import InfrastructureError
from harness.metrics.ranking import ScoringRule
from harness.records import Phase, Status, Verdict, phase_at

__all__ = [
    "TERMINAL",
    "ClaimedRun",
    "LeaseLost",
    "Quota",
    "RejudgeState",
    "RoundFacts",
    "RunDifference",
    "StoredRejudge",
    "StoredRound",
    "StoredRun",
    "StoredSubmission",
    "StoredTeam",
    "TaskFacts",
]

TERMINAL = frozenset({Status.FINISHED, Status.FAILED, Status.CANCELLED})
"""States that a run or a submission does not leave any more."""


class LeaseLost(InfrastructureError):
    """The run is no longer this worker's: its lease ran out, or the submission was cancelled.

    The worker drops what it has; nothing was written.
    """


class RejudgeState(StrEnum):
    """Where a rejudge is in its life."""

    STAGED = "staged"
    APPLIED = "applied"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class TaskFacts:
    """What the store needs to know of a task of a round.

    Attributes:
        name: name of the task, unique in its round.
        metric: name of the metric, for display.
        budget_calls: calls that one attempt may be charged, >= 1.
        kshot_seeds: the few-shot samples; each gives one run.
        has_private_rows: whether some test rows are private. Without any, the public score
            stays the score after publication.
    """

    name: str
    metric: str
    budget_calls: int
    kshot_seeds: tuple[int, ...]
    has_private_rows: bool = True


@dataclass(frozen=True, slots=True)
class RoundFacts:
    """A round as the store keeps it.

    Attributes:
        name: name of the round.
        version: Major.Minor; scores of one version are comparable.
        digest: SHA-256 of `rules_json`, hexadecimal.
        rules_json: the validated rules as canonical JSON, what `digest` is of.
        tasks: in the order of the round file.
        title: one line for people; empty means the name.
        rule: which of a team's submissions counts.
        opens: aware, or None.
        closes: aware, or None.
        max_submissions_per_day: of a team, by UTC day; None means any number.
        max_submissions: of a team in all; None means any number.
        is_registered_only: only teams that the organizer added take part.
        is_practice: the test labels are known outside, so scores prove little.
        scores_from: the phase from which on scores are on the board.
        curves_from: the phase from which on the test scores of incumbents are.
        logs_from: the phase from which on a team may read its runs' logs.
    """

    name: str
    version: str
    digest: str
    rules_json: str
    tasks: tuple[TaskFacts, ...]
    title: str = ""
    rule: ScoringRule = ScoringRule.FORCE_BEST
    opens: datetime | None = None
    closes: datetime | None = None
    max_submissions_per_day: int | None = None
    max_submissions: int | None = None
    is_registered_only: bool = False
    is_practice: bool = True
    scores_from: Phase = Phase.OPEN
    curves_from: Phase = Phase.PUBLISHED
    logs_from: Phase = Phase.OPEN


@dataclass(frozen=True, slots=True)
class StoredRound:
    """A round read back: its facts, its row number and the phase it is in.

    Attributes:
        round_id: row number.
        facts: what it was created with.
        phase: as the organizer set it; `phase_at` says what the clock makes of it.
        frozen_at: since when the board stands still, or None.
        secret: 32 bytes, hexadecimal; never leaves the worker.
    """

    round_id: int
    facts: RoundFacts
    phase: Phase
    frozen_at: datetime | None
    secret: str

    def phase_at(self, now: datetime) -> Phase:
        """Return the phase at a moment; see `phase_at`."""
        return phase_at(self.phase, self.facts.opens, self.facts.closes, now)


@dataclass(frozen=True, slots=True)
class Quota:
    """What a team has used of a round's quota; grants raise the limits of their day and in all."""

    used_today: int
    used: int
    granted_today: int
    granted: int
    max_per_day: int | None
    max_total: int | None

    @property
    def left_today(self) -> int | None:
        """Submissions left on this UTC day; None means any number."""
        return (
            None
            if self.max_per_day is None
            else max(0, self.max_per_day + self.granted_today - self.used_today)
        )

    @property
    def left_in_all(self) -> int | None:
        """Submissions left in the round; None means any number."""
        return None if self.max_total is None else max(0, self.max_total + self.granted - self.used)

    @property
    def left(self) -> int | None:
        """Submissions left now; None means any number."""
        limits = [limit for limit in (self.left_today, self.left_in_all) if limit is not None]
        return min(limits) if limits else None

    @property
    def is_spent_in_all(self) -> bool:
        """Whether tomorrow will not help."""
        return self.left_in_all == 0

    def __str__(self) -> str:
        """Say it in one line."""

        def part(used: int, limit: int | None, granted: int, when: str) -> str:
            most = "any number" if limit is None else str(limit + granted)
            return f"{used} of {most} {when}"

        today = part(self.used_today, self.max_per_day, self.granted_today, "today (UTC)")
        return f"{today}, {part(self.used, self.max_total, self.granted, 'in all')}"


@dataclass(frozen=True, slots=True)
class RunDifference:
    """A run whose second judging differs from its first; each pair is (first, second)."""

    submission_id: int
    name: str
    task: str
    kshot_seed: int
    verdicts: tuple[Verdict | None, Verdict | None]
    scores: tuple[float | None, float | None]
    calls: tuple[int, int]


@dataclass(frozen=True, slots=True)
class StoredRejudge:
    """A rejudge, how far it is, and what differs so far (scores on the public rows)."""

    rejudge_id: int
    state: RejudgeState
    reason: str
    n_runs: int
    n_runs_done: int
    differences: tuple[RunDifference, ...]


@dataclass(frozen=True, slots=True)
class StoredTeam:
    """A team as the organizer sees it; its token is not known to the store."""

    team_id: int
    name: str
    is_baseline_owner: bool
    has_token: bool
    token_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class ClaimedRun:
    """A run that a worker holds until `lease_expires_at`; renew it with `heartbeat`.

    Attributes:
        run_id: row number.
        claim_number: counts the claims of this run; a later claim makes this one worthless.
        worker: who holds it.
        submission_id: row number of the submission.
        origin_id: of the submission that it judges again; its own, if it is no staged copy.
        submission_name: the solver's name.
        team: the team's name.
        digest: SHA-256 of the submission's content.
        path: folder of the submission, as given to `add_submission`.
        round_name: name of the round.
        round_version: version of the round.
        round_digest: SHA-256 of the round file.
        task: name of the task.
        kshot_seed: few-shot sample.
        solver_seed: never 0; the same for every attempt.
        budget_calls: calls that an attempt may be charged.
        n_attempts: attempts before this one, all of them void.
        is_baseline: a reference method.
        lease_expires_at: aware UTC.
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
    lease_expires_at: datetime


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run as the organizer sees it, private score included. Never shown on the web."""

    run_id: int
    task: str
    kshot_seed: int
    solver_seed: int
    status: Status
    is_held: bool
    hold_reason: str
    verdict: Verdict | None
    is_flagged: bool
    score_public: float | None
    score_private: float | None
    calls: int
    budget_calls: int
    n_attempts: int
    message: str
    artifact_path: str
    artifact_sha256: str
    hashes: Mapping[str, str]
    wall_s: float | None
    is_official: bool


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
