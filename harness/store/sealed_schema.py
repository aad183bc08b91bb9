"""Tables of the sealed store: the worker's database."""

import secrets
from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Text,
    UniqueConstraint,
    and_,
)
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from harness.metrics.ranking import ScoringRule
from harness.records import Phase, Status, Verdict
from harness.store.columns import TYPE_MAP, new_metadata
from harness.store.round_names import with_version
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
    "TaskRow",
    "TeamRow",
    "TestSetRow",
    "UploadRow",
]


class SealedBase(DeclarativeBase):
    """Base of every sealed table."""

    metadata = new_metadata()
    type_annotation_map: ClassVar[dict[Any, Any]] = TYPE_MAP


class RoundRow(SealedBase):
    """A round: name and version are unique, and bound to one digest for ever."""

    __tablename__ = "rounds"
    __table_args__ = (UniqueConstraint("name", "version"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    version: Mapped[str] = mapped_column(String(20))
    digest: Mapped[str] = mapped_column(String(64))
    title: Mapped[str] = mapped_column(String(200))
    rules_json: Mapped[str] = mapped_column(Text)
    rule: Mapped[ScoringRule]
    phase: Mapped[Phase]
    opens: Mapped[datetime | None]
    closes: Mapped[datetime | None]
    created_at: Mapped[datetime]
    max_submissions_per_day: Mapped[int | None]
    max_submissions: Mapped[int | None]
    is_registered_only: Mapped[bool] = mapped_column(default=False)
    is_practice: Mapped[bool] = mapped_column(default=True)
    # From which phase on scores, test curves and logs may be seen.
    scores_from: Mapped[Phase] = mapped_column(default=Phase.OPEN)
    curves_from: Mapped[Phase] = mapped_column(default=Phase.PUBLISHED)
    logs_from: Mapped[Phase] = mapped_column(default=Phase.OPEN)
    # What ends after this moment stays hidden until the board is unfrozen.
    frozen_at: Mapped[datetime | None]
    # Known to nobody: draws the rotation of every run. Hexadecimal, 32 bytes.
    secret: Mapped[str] = mapped_column(String(64), default=lambda: secrets.token_hex(32))
    noise: Mapped[dict[str, Any] | None]
    # Grows with every change that the public may see; the publisher compares it.
    revision: Mapped[int] = mapped_column(default=1)

    tasks: Mapped[list["TaskRow"]] = relationship(order_by="TaskRow.position", back_populates="round")

    @property
    def full_name(self) -> str:
        """What to call it in a command, so that no newer version is meant."""
        return with_version(self.name, self.version)


class TaskRow(SealedBase):
    """A task of a round."""

    __tablename__ = "tasks"
    __table_args__ = (UniqueConstraint("round_id", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    round_id: Mapped[int] = mapped_column(ForeignKey("rounds.id"))
    position: Mapped[int]
    name: Mapped[str] = mapped_column(String(100))
    metric: Mapped[str] = mapped_column(String(50))
    budget_calls: Mapped[int]
    kshot_seeds: Mapped[list[Any]]
    has_private_rows: Mapped[bool]

    round: Mapped[RoundRow] = relationship(back_populates="tasks")


class TeamRow(SealedBase):
    """A team; the owner of the reference methods is one too."""

    __tablename__ = "teams"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    is_baseline_owner: Mapped[bool]
    created_at: Mapped[datetime]
    # Of a random token of 32 bytes, so that a plain hash is as good as a slow one. None: no token yet.
    token_sha256: Mapped[str | None] = mapped_column(String(64), unique=True, index=True)
    token_at: Mapped[datetime | None]


class SubmissionRow(SealedBase):
    """A solver handed in for a round. The same content may be handed in again."""

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
    # 0 for what was handed in; 1, 2, ... for repeats of a baseline under other solver seeds.
    repeat: Mapped[int] = mapped_column(default=0)
    # A staged copy: it runs again what `original_id` ran, and nobody sees it.
    rejudge_id: Mapped[int | None] = mapped_column(ForeignKey("rejudges.id"), index=True)
    original_id: Mapped[int | None] = mapped_column(ForeignKey("submissions.id"))
    # Of the upload of the web that it came by: taken in again after a crash, it is known.
    spool_number: Mapped[str | None] = mapped_column(String(32), unique=True, index=True)
    revision: Mapped[int] = mapped_column(default=1)

    @hybrid_property
    def is_shown(self) -> bool:
        """Whether it is a submission like any other: neither a staged copy nor a repeat."""
        return self.rejudge_id is None and self.repeat == 0

    @is_shown.inplace.expression
    @classmethod
    def _is_shown_expression(cls) -> ColumnElement[bool]:
        return and_(cls.rejudge_id.is_(None), cls.repeat == 0)

    round: Mapped[RoundRow] = relationship()
    team: Mapped[TeamRow] = relationship()
    runs: Mapped[list["RunRow"]] = relationship(order_by="RunRow.id", back_populates="submission")


class RunRow(SealedBase):
    """Submission x task x few-shot seed: a place in the queue, then a result."""

    __tablename__ = "runs"
    __table_args__ = (
        UniqueConstraint("submission_id", "task_id", "kshot_seed"),
        Index(None, "status", "is_held", "priority", "turn", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    submission_id: Mapped[int] = mapped_column(ForeignKey("submissions.id"))
    task_id: Mapped[int] = mapped_column(ForeignKey("tasks.id"))
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
    is_flagged: Mapped[bool] = mapped_column(default=False)
    score_public: Mapped[float | None]
    score_private: Mapped[float | None]
    calls: Mapped[int] = mapped_column(default=0)
    usage: Mapped[dict[str, Any] | None]
    message: Mapped[str] = mapped_column(Text, default="")
    artifact_path: Mapped[str] = mapped_column(Text, default="")
    artifact_sha256: Mapped[str] = mapped_column(String(64), default="")
    hashes: Mapped[dict[str, Any] | None]
    train_loss_curve: Mapped[list[Any] | None]
    # Of each incumbent: calls, public score, private score or null.
    test_curve: Mapped[list[Any] | None]
    wall_s: Mapped[float | None]
    is_official: Mapped[bool] = mapped_column(default=True)
    started_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]

    submission: Mapped[SubmissionRow] = relationship(back_populates="runs")
    task: Mapped[TaskRow] = relationship()
    attempts: Mapped[list["AttemptRow"]] = relationship(order_by="AttemptRow.number", back_populates="run")


class AttemptRow(SealedBase):
    """One try at a run. Without an end it is open; with a reason it is void and charged to nobody."""

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
    # The first metered call, or the first test row read: from here on a cancelled submission counts against
    # the quota.
    metered_at: Mapped[datetime | None]

    run: Mapped[RunRow] = relationship(back_populates="attempts")


class PredictionRow(SealedBase):
    """Predicted classes of a finished run: little-endian int64, canonical order."""

    __tablename__ = "predictions"

    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id"), primary_key=True)
    classes: Mapped[bytes] = mapped_column(LargeBinary)


class UploadRow(SealedBase):
    """Scores of predictions that somebody uploaded: nothing metered the calls behind them.

    The same archive stands once in a round.
    """

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
    """The audit: what happened, when, to what. Rows are only ever added; triggers see to it."""

    __tablename__ = "events"

    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(String(50))
    # Plain numbers, not foreign keys: the audit must outlive what it speaks of.
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
    """Submissions that the organizer gave a team on top of a round's quota."""

    __tablename__ = "grants"
    __table_args__ = (Index(None, "round_id", "team_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    round_id: Mapped[int] = mapped_column(ForeignKey("rounds.id"))
    team_id: Mapped[int] = mapped_column(ForeignKey("teams.id"))
    n_submissions: Mapped[int]
    reason: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]


class TestSetRow(SealedBase):
    """The test labels of a task, as the first run was scored on them; every later run must agree.

    `labels` is little-endian int64 (B,), `is_public` one byte per row.
    """

    __tablename__ = "test_sets"
    __test__ = False  # not a test case, whatever pytest thinks of its name

    task_id: Mapped[int] = mapped_column(ForeignKey("tasks.id"), primary_key=True)
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
    """A staged second judging of a round's submissions: applied or cancelled as a whole."""

    __tablename__ = "rejudges"

    id: Mapped[int] = mapped_column(primary_key=True)
    round_id: Mapped[int] = mapped_column(ForeignKey("rounds.id"), index=True)
    state: Mapped[RejudgeState]
    reason: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
