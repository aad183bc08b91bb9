"""Tables of the sealed store: the worker's database."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import BigInteger, ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from harness.metrics.ranking import ScoringRule
from harness.records import Status, Verdict
from harness.store.columns import TYPE_MAP, new_metadata
from harness.store.values import Phase

__all__ = [
    "AttemptRow",
    "EventRow",
    "PredictionRow",
    "RoundRow",
    "RunRow",
    "SealedBase",
    "SubmissionRow",
    "TaskRow",
    "TeamRow",
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
    # Grows with every change that the public may see; the publisher compares it.
    revision: Mapped[int] = mapped_column(default=1)

    tasks: Mapped[list["TaskRow"]] = relationship(order_by="TaskRow.position", back_populates="round")


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
    revision: Mapped[int] = mapped_column(default=1)

    round: Mapped[RoundRow] = relationship()
    team: Mapped[TeamRow] = relationship()
    runs: Mapped[list["RunRow"]] = relationship(order_by="RunRow.id", back_populates="submission")


class RunRow(SealedBase):
    """Submission x task x few-shot seed: a place in the queue, then a result."""

    __tablename__ = "runs"
    __table_args__ = (
        UniqueConstraint("submission_id", "task_id", "kshot_seed"),
        Index(None, "status", "priority", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    submission_id: Mapped[int] = mapped_column(ForeignKey("submissions.id"))
    task_id: Mapped[int] = mapped_column(ForeignKey("tasks.id"))
    kshot_seed: Mapped[int] = mapped_column(BigInteger)
    solver_seed: Mapped[int]

    status: Mapped[Status]
    is_held: Mapped[bool] = mapped_column(default=False)
    priority: Mapped[int]
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
    __table_args__ = (UniqueConstraint("run_id", "number"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("runs.id"))
    number: Mapped[int]
    claim_number: Mapped[int]
    worker: Mapped[str] = mapped_column(String(200))
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    void_reason: Mapped[str | None] = mapped_column(Text)

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
    __table_args__ = (UniqueConstraint("round_id", "digest"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    round_id: Mapped[int] = mapped_column(ForeignKey("rounds.id"))
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
    detail: Mapped[dict[str, Any]]
