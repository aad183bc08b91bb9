"""Frozen values that go into and come out of the sealed store."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from harness.errors import InfrastructureError
from harness.metrics.ranking import ScoringRule
from harness.records import IntArray, Status, Usage, Verdict

__all__ = [
    "ClaimedRun",
    "LeaseLost",
    "Phase",
    "RoundFacts",
    "RunResult",
    "StoredRound",
    "StoredRun",
    "StoredSubmission",
    "TaskFacts",
]

_NEVER_SCORED = frozenset(
    {
        Verdict.RUNTIME_ERROR,
        Verdict.PROTOCOL_VIOLATION,
        Verdict.SANDBOX_VIOLATION,
        Verdict.INVALID_SUBMISSION,
        Verdict.ABORTED,
    }
)


class LeaseLost(InfrastructureError):
    """The run is no longer this worker's: its lease ran out, or the submission was cancelled.

    The worker drops what it has; nothing was written.
    """


class Phase(StrEnum):
    """Where a round is in its life."""

    DRAFT = "draft"
    OPEN = "open"
    FROZEN = "frozen"
    CLOSED = "closed"
    PUBLISHED = "published"


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


@dataclass(frozen=True, slots=True)
class StoredRound:
    """A round read back: its facts, its row number and the phase it is in."""

    round_id: int
    facts: RoundFacts
    phase: Phase


@dataclass(frozen=True, slots=True)
class ClaimedRun:
    """A run that a worker holds until `lease_expires_at`; renew it with `heartbeat`.

    Attributes:
        run_id: row number.
        claim_number: counts the claims of this run; a later claim makes this one worthless.
        worker: who holds it.
        submission_id: row number of the submission.
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


@dataclass(frozen=True, slots=True, eq=False)
class RunResult:
    """How an attempt ended, as it enters the store.

    Attributes:
        verdict: never IE; an internal error voids the attempt instead.
        score_public: raw 0-100 on the public test rows; None means not scored.
        score_private: raw 0-100 on the private test rows; None if not scored or if there are none.
        usage: what the attempt was charged and used.
        budget_calls: calls that it was allowed.
        is_flagged: scored on a checkpoint, because a limit ended the attempt.
        message: for the participant; empty if all went well. Everybody may read it.
        artifact_path: of the attempt's JSON document, relative to the artifact folder.
        artifact_sha256: of that document, hexadecimal.
        hashes: submission, round, data, model, code, packages.
        train_loss_curve: (calls charged, train loss) in the order of the calls.
        predictions: int64 (B,) class numbers in canonical order, or None.
        wall_s: seconds from start to end.
        is_official: False if the solver was not isolated; such a run is marked wherever it shows.
        started_at: aware.
        ended_at: aware.
    """

    verdict: Verdict
    score_public: float | None
    score_private: float | None
    usage: Usage
    budget_calls: int
    started_at: datetime
    ended_at: datetime
    is_flagged: bool = False
    message: str = ""
    artifact_path: str = ""
    artifact_sha256: str = ""
    hashes: Mapping[str, str] = field(default_factory=dict)
    train_loss_curve: tuple[tuple[int, float], ...] = ()
    predictions: IntArray | None = None
    wall_s: float = 0.0
    is_official: bool = True

    def __post_init__(self) -> None:
        """Refuse a result that contradicts itself.

        Raises:
            InfrastructureError: naming the field, its value and what was expected.
        """
        if self.verdict is Verdict.INTERNAL_ERROR:
            raise InfrastructureError("a run cannot finish with verdict IE; call void_attempt instead")
        for name, score in (("score_public", self.score_public), ("score_private", self.score_private)):
            if score is not None and not (math.isfinite(score) and 0.0 <= score <= 100.0):
                raise InfrastructureError(f"{name} is {score!r}; expected a number from 0 to 100")
        if self.score_private is not None and self.score_public is None:
            raise InfrastructureError("score_private without score_public; expected both or neither")
        is_scored = self.score_public is not None
        if self.verdict is Verdict.OK and not is_scored:
            raise InfrastructureError("verdict OK without score_public; a run that ended well has a score")
        if self.verdict in _NEVER_SCORED and is_scored:
            raise InfrastructureError(f"verdict {self.verdict} with a score; such runs are never scored")
        if self.is_flagged and not is_scored:
            raise InfrastructureError("is_flagged without a score; it says that a checkpoint was scored")


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run as the organizer sees it, private score included. Never shown on the web."""

    run_id: int
    task: str
    kshot_seed: int
    solver_seed: int
    status: Status
    is_held: bool
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
