"""Tables of the sealed store: the worker's database."""

import secrets
from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import BigInteger, ColumnElement, ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint, and_
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from harness.config import RoundConfig, TaskConfig, parse_rules
from harness.errors import InfrastructureError
from harness.records import Phase, RunSummary, Status, Verdict, phase_at, with_version
from harness.store.columns import TYPE_MAP, new_metadata
from harness.store.values import RejudgeState

__all__ = [
    "AttemptRow",
    "ClockRow",
    "EventRow",
    "GrantRow",
    "PredictionRow",
    "RejudgeRow",
    "ReplicatesRow",
    "RoundRow",
    "RunRow",
    "SealedBase",
    "SubmissionRow",
    "TeamRow",
    "TestSetRow",
    "UploadRow",
]


class SealedBase(DeclarativeBase):
    """Base of every sealed table."""

    metadata = new_metadata()
    type_annotation_map: ClassVar[dict[Any, Any]] = TYPE_MAP


class RoundRow(SealedBase):
    """A round: its rules, and what happens to it. Name and version are unique, and bound to one digest."""

    __tablename__ = "rounds"
    __table_args__ = (UniqueConstraint("name", "version"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    version: Mapped[str] = mapped_column(String(20))
    digest: Mapped[str] = mapped_column(String(64))
    # The canonical JSON that `digest` is the SHA-256 of.
    rules_json: Mapped[str] = mapped_column(Text)
    phase: Mapped[Phase]
    created_at: Mapped[datetime]
    # What ends after this moment stays hidden until the board is unfrozen.
    frozen_at: Mapped[datetime | None]
    # Draws the rotation of every run. Hexadecimal, 32 bytes.
    secret: Mapped[str] = mapped_column(String(64), default=lambda: secrets.token_hex(32))
    noise: Mapped[dict[str, Any] | None]
    # Grows with every change that the public may see; the publisher compares it.
    revision: Mapped[int] = mapped_column(default=1)

    @property
    def config(self) -> RoundConfig:
        """The rules.

        Raises:
            InfrastructureError: this version of the code cannot read them, or they do not match the digest.
        """
        return parse_rules(self.rules_json, self.digest)

    @property
    def full_name(self) -> str:
        """The name with its version, as a command takes it."""
        return with_version(self.name, self.version)

    def task(self, name: str) -> TaskConfig:
        """Return a task of the round.

        Raises:
            InfrastructureError: the round has no such task.
        """
        found = self.config.task_named(name)
        if found is None:
            raise InfrastructureError(f"round {self.full_name} has no task {name!r}")
        return found

    def phase_at(self, now: datetime) -> Phase:
        """Return the phase at a moment."""
        rules = self.config.round
        return phase_at(self.phase, rules.opens, rules.closes, now)


class TeamRow(SealedBase):
    """A team; the owner of the baselines is one too."""

    __tablename__ = "teams"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    is_baseline_owner: Mapped[bool]
    created_at: Mapped[datetime]
    # A plain hash suffices: the token is 32 random bytes. None: no token yet.
    token_sha256: Mapped[str | None] = mapped_column(String(64), unique=True, index=True)
    token_at: Mapped[datetime | None]


class SubmissionRow(SealedBase):
    """A solver submitted to a round. The same content may be submitted again."""

    __tablename__ = "submissions"
    __table_args__ = (Index(None, "round_id", "team_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    round_id: Mapped[int] = mapped_column(ForeignKey("rounds.id"))
    team_id: Mapped[int] = mapped_column(ForeignKey("teams.id"))
    name: Mapped[str] = mapped_column(String(100))
    description: Mapped[str] = mapped_column(Text)
    digest: Mapped[str] = mapped_column(String(64), index=True)
    path: Mapped[str] = mapped_column(Text)
    is_baseline: Mapped[bool]
    is_example: Mapped[bool]
    status: Mapped[Status]
    verdict: Mapped[Verdict | None]
    submitted_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    # When it began to count against the team's quota.
    charged_at: Mapped[datetime | None]
    # 0 for a submission; 1, 2, ... for repeats of a baseline under other solver seeds.
    repeat: Mapped[int] = mapped_column(default=0)
    # Set on a rejudge's staged copy, which nobody sees: it runs again what `original_id` ran.
    rejudge_id: Mapped[int | None] = mapped_column(ForeignKey("rejudges.id"), index=True)
    original_id: Mapped[int | None] = mapped_column(ForeignKey("submissions.id"))
    # Of the submission upload that it came by: taken in again after a crash, it is recognized.
    spool_number: Mapped[str | None] = mapped_column(String(32), unique=True, index=True)
    revision: Mapped[int] = mapped_column(default=1)

    @hybrid_property
    def is_shown(self) -> bool:
        """Whether the board shows it: it is neither a staged copy nor a repeat."""
        return self.rejudge_id is None and self.repeat == 0

    @is_shown.inplace.expression
    @classmethod
    def _is_shown_expression(cls) -> ColumnElement[bool]:
        return and_(cls.rejudge_id.is_(None), cls.repeat == 0)

    round: Mapped[RoundRow] = relationship()
    team: Mapped[TeamRow] = relationship()
    runs: Mapped[list["RunRow"]] = relationship(order_by="RunRow.id", back_populates="submission")


class RunRow(SealedBase):
    """Submission x task x k-shot seed: a place in the queue, then a result."""

    __tablename__ = "runs"
    __table_args__ = (
        UniqueConstraint("submission_id", "task", "kshot_seed"),
        Index(None, "status", "is_held", "priority", "turn", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    submission_id: Mapped[int] = mapped_column(ForeignKey("submissions.id"))
    task: Mapped[str] = mapped_column(String(100))
    kshot_seed: Mapped[int] = mapped_column(BigInteger)
    solver_seed: Mapped[int]

    status: Mapped[Status]
    is_held: Mapped[bool] = mapped_column(default=False)
    # Why it is held, in words that everybody may read.
    hold_reason: Mapped[str] = mapped_column(Text, default="")
    priority: Mapped[int]
    turn: Mapped[int] = mapped_column(BigInteger, default=0)
    worker: Mapped[str | None] = mapped_column(String(200))
    claim_number: Mapped[int] = mapped_column(default=0)
    lease_expires_at: Mapped[datetime | None]
    n_lost_leases: Mapped[int] = mapped_column(default=0)
    n_internal_errors: Mapped[int] = mapped_column(default=0)

    verdict: Mapped[Verdict | None]
    score_public: Mapped[float | None]
    score_private: Mapped[float | None]
    calls: Mapped[int] = mapped_column(default=0)
    is_official: Mapped[bool] = mapped_column(default=True)
    ended_at: Mapped[datetime | None]
    # The rest of the result; None until there is one.
    summary: Mapped[RunSummary | None]

    submission: Mapped[SubmissionRow] = relationship(back_populates="runs")
    attempts: Mapped[list["AttemptRow"]] = relationship(order_by="AttemptRow.number", back_populates="run")

    @property
    def message(self) -> str:
        """What the participant reads beside the verdict."""
        if self.summary is not None:
            return self.summary.message
        if self.status is not Status.CANCELLED:
            return ""
        counts = any(attempt.metered_at is not None for attempt in self.attempts if attempt.is_cancelled)
        return f"{CANCELLED} after its first query, so it counts" if counts else CANCELLED


CANCELLED = "cancelled"
"""Why an attempt is void that its team, or the organizer, cancelled."""


class AttemptRow(SealedBase):
    """One try at a run. Without an end it is open; with a reason it is void, and nobody is charged for it."""

    __tablename__ = "attempts"
    __table_args__ = (UniqueConstraint("run_id", "number"), Index(None, "ended_at"))

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id"))
    number: Mapped[int]
    claim_number: Mapped[int]
    worker: Mapped[str] = mapped_column(String(200))
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    void_reason: Mapped[str | None] = mapped_column(Text)
    # The first metered call, or the first test row read: a submission cancelled after it counts against
    # the quota.
    metered_at: Mapped[datetime | None]

    run: Mapped[RunRow] = relationship(back_populates="attempts")

    @property
    def is_cancelled(self) -> bool:
        """Whether the submission was cancelled while this attempt was open."""
        return self.void_reason == CANCELLED


class PredictionRow(SealedBase):
    """Predicted classes of a finished run: little-endian int64, canonical order."""

    __tablename__ = "predictions"

    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id"), primary_key=True)
    classes: Mapped[bytes] = mapped_column(LargeBinary)


class UploadRow(SealedBase):
    """Scores of a prediction upload: nothing metered the calls behind them. One row per archive and round."""

    __tablename__ = "uploads"
    __table_args__ = (UniqueConstraint("round_id", "digest"), Index(None, "round_id", "team_id"))

    id: Mapped[int] = mapped_column(primary_key=True)
    round_id: Mapped[int] = mapped_column(ForeignKey("rounds.id"))
    # None: the organizer's own, in nobody's quota.
    team_id: Mapped[int | None] = mapped_column(ForeignKey("teams.id"))
    charged_at: Mapped[datetime | None]
    name: Mapped[str] = mapped_column(String(100))
    digest: Mapped[str] = mapped_column(String(64))
    score: Mapped[float]
    task_scores: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    revision: Mapped[int] = mapped_column(default=1)


class EventRow(SealedBase):
    """The audit: what happened, when, to what. Triggers refuse to change or delete a row."""

    __tablename__ = "events"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(String(50))
    # Plain numbers, not foreign keys: the audit must outlive what it refers to.
    round_id: Mapped[int | None]
    submission_id: Mapped[int | None] = mapped_column(index=True)
    run_id: Mapped[int | None]
    attempt_id: Mapped[int | None]
    actor: Mapped[str] = mapped_column(String(200), default="")
    detail: Mapped[dict[str, Any]]


class ClockRow(SealedBase):
    """The queue's virtual time: the turn of the run claimed last. One row."""

    __tablename__ = "clock"

    id: Mapped[int] = mapped_column(primary_key=True)
    turn: Mapped[int] = mapped_column(BigInteger)


class GrantRow(SealedBase):
    """Submissions that the organizer granted a team beyond a round's quota."""

    __tablename__ = "grants"
    __table_args__ = (Index(None, "round_id", "team_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    round_id: Mapped[int] = mapped_column(ForeignKey("rounds.id"))
    team_id: Mapped[int] = mapped_column(ForeignKey("teams.id"))
    n_submissions: Mapped[int]
    reason: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]


class TestSetRow(SealedBase):
    """The test labels that the first run of a task was scored on; every later run must agree.

    `labels` is little-endian int64 (B,), `is_public` one byte per row.
    """

    __tablename__ = "test_sets"
    __test__ = False  # pytest would collect a class of this name

    round_id: Mapped[int] = mapped_column(ForeignKey("rounds.id"), primary_key=True)
    task: Mapped[str] = mapped_column(String(100), primary_key=True)
    digest: Mapped[str] = mapped_column(String(64))
    n_classes: Mapped[int]
    labels: Mapped[bytes] = mapped_column(LargeBinary)
    is_public: Mapped[bytes] = mapped_column(LargeBinary)


class ReplicatesRow(SealedBase):
    """Bootstrap totals of a complete submission: little-endian float64 (R,)."""

    __tablename__ = "replicates"

    submission_id: Mapped[int] = mapped_column(ForeignKey("submissions.id"), primary_key=True)
    public: Mapped[bytes] = mapped_column(LargeBinary)
    private: Mapped[bytes] = mapped_column(LargeBinary)


class RejudgeRow(SealedBase):
    """A staged second judging of a round's submissions, applied or cancelled as a whole."""

    __tablename__ = "rejudges"

    id: Mapped[int] = mapped_column(primary_key=True)
    round_id: Mapped[int] = mapped_column(ForeignKey("rounds.id"), index=True)
    state: Mapped[RejudgeState]
    reason: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
