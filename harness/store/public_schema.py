"""Tables of the public store: what everybody may see. Written by the publisher alone."""

from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import BigInteger, ForeignKey, Index, String, Text, false
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from harness.metrics.ranking import ScoringRule
from harness.records import Phase, Status, Verdict
from harness.store.columns import TYPE_MAP, new_metadata

__all__ = [
    "META_ID",
    "PublicBase",
    "PublicConfusion",
    "PublicCurve",
    "PublicEntry",
    "PublicLeader",
    "PublicMeta",
    "PublicProgress",
    "PublicRound",
    "PublicRun",
    "PublicUpload",
]

META_ID = 1
"""`meta` has this one row."""


class PublicBase(DeclarativeBase):
    """Base of every public table."""

    metadata = new_metadata()
    type_annotation_map: ClassVar[dict[Any, Any]] = TYPE_MAP


class PublicMeta(PublicBase):
    """The version number of everything here: it grows with every change."""

    __tablename__ = "meta"

    id: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[int]
    published_at: Mapped[datetime]


class PublicRound(PublicBase):
    """A round. `is_final` says that the scores shown are those on the private rows."""

    __tablename__ = "rounds"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100), index=True)
    version: Mapped[str] = mapped_column(String(20))
    digest: Mapped[str] = mapped_column(String(64))
    title: Mapped[str] = mapped_column(String(200))
    rule: Mapped[ScoringRule]
    phase: Mapped[Phase]
    # By the clock, when this row was written.
    phase_then: Mapped[Phase]
    is_final: Mapped[bool]
    opens: Mapped[datetime | None]
    closes: Mapped[datetime | None]
    frozen_at: Mapped[datetime | None]
    is_practice: Mapped[bool]
    is_registered_only: Mapped[bool]
    max_submissions_per_day: Mapped[int | None]
    max_submissions: Mapped[int | None]
    noise: Mapped[dict[str, Any] | None]
    tasks: Mapped[list[Any]]
    # What of the round file everybody may read; empty where the store holds no round file.
    rules: Mapped[dict[str, Any]]
    revision: Mapped[int]


class PublicEntry(PublicBase):
    """Summary of a submission: one row each."""

    __tablename__ = "entries"
    __table_args__ = (Index(None, "round_id", "is_pending_shown"),)

    submission_id: Mapped[int] = mapped_column(primary_key=True)
    round_id: Mapped[int] = mapped_column(ForeignKey("rounds.id"))
    team: Mapped[str] = mapped_column(String(100))
    name: Mapped[str] = mapped_column(String(100))
    description: Mapped[str] = mapped_column(Text)
    digest: Mapped[str] = mapped_column(String(64))
    is_baseline: Mapped[bool]
    is_example: Mapped[bool]
    status: Mapped[Status]
    verdict: Mapped[Verdict | None]
    is_flagged: Mapped[bool]
    is_official: Mapped[bool]
    is_complete: Mapped[bool]
    score: Mapped[float | None]
    public_score: Mapped[float | None]
    task_scores: Mapped[dict[str, Any]]
    calls: Mapped[int]
    budget_calls: Mapped[int]
    # See `harness.metrics.efficiency`; null while test curves are hidden.
    efficiency: Mapped[float | None]
    tokens: Mapped[int] = mapped_column(BigInteger)
    engine_s: Mapped[float]
    wall_s: Mapped[float]
    n_runs: Mapped[int]
    n_runs_done: Mapped[int]
    n_runs_held: Mapped[int]
    submitted_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    # The newest incomplete submission of its team, newer than the one that counts.
    is_pending_shown: Mapped[bool] = mapped_column(default=False)
    # Digest of the data, model, tokenizer, code and packages of its scored runs; empty without any.
    made_with: Mapped[str] = mapped_column(String(64), server_default="")
    # The newest complete submission of the round was made with others.
    is_stale: Mapped[bool] = mapped_column(default=False, server_default=false())
    # Best train loss so far, mean over runs, on a small logarithmic grid of the budget.
    sparkline: Mapped[list[Any]]
    revision: Mapped[int]


class PublicRun(PublicBase):
    """A run, with the score that everybody may see at this time."""

    __tablename__ = "runs"

    run_id: Mapped[int] = mapped_column(primary_key=True)
    submission_id: Mapped[int] = mapped_column(
        ForeignKey("entries.submission_id", ondelete="CASCADE"), index=True
    )
    task: Mapped[str] = mapped_column(String(100))
    kshot_seed: Mapped[int] = mapped_column(BigInteger)
    solver_seed: Mapped[int]
    status: Mapped[Status]
    is_held: Mapped[bool]
    hold_reason: Mapped[str] = mapped_column(Text)
    verdict: Mapped[Verdict | None]
    is_flagged: Mapped[bool]
    is_official: Mapped[bool]
    score: Mapped[float | None]
    calls: Mapped[int]
    budget_calls: Mapped[int]
    n_attempts: Mapped[int]
    message: Mapped[str] = mapped_column(Text)
    hashes: Mapped[dict[str, Any]]
    artifact_sha256: Mapped[str] = mapped_column(String(64))
    wall_s: Mapped[float | None]
    engine_s: Mapped[float | None]
    tokens: Mapped[int | None] = mapped_column(BigInteger)
    ended_at: Mapped[datetime | None]


class PublicCurve(PublicBase):
    """Best train loss so far of a submission on a task, on a fixed grid of calls.

    `losses` maps each few-shot seed (as text) to a list as long as `calls`; null before the first loss.
    `scores` maps it to the test scores of the incumbents, [[calls, score], ...]; empty while they are hidden.
    """

    __tablename__ = "curves"

    submission_id: Mapped[int] = mapped_column(
        ForeignKey("entries.submission_id", ondelete="CASCADE"), primary_key=True
    )
    task: Mapped[str] = mapped_column(String(100), primary_key=True)
    calls: Mapped[list[Any]]
    losses: Mapped[dict[str, Any]]
    scores: Mapped[dict[str, Any]]


class PublicConfusion(PublicBase):
    """How often each class was predicted for each true class: rows are true classes, summed over seeds.

    Of the rows whose scores are shown; there is none while test curves are hidden.
    """

    __tablename__ = "confusions"

    submission_id: Mapped[int] = mapped_column(
        ForeignKey("entries.submission_id", ondelete="CASCADE"), primary_key=True
    )
    task: Mapped[str] = mapped_column(String(100), primary_key=True)
    counts: Mapped[list[Any]]


class PublicUpload(PublicBase):
    """Scores of uploaded predictions on the public rows; never ranked."""

    __tablename__ = "uploads"

    upload_id: Mapped[int] = mapped_column(primary_key=True)
    round_id: Mapped[int] = mapped_column(ForeignKey("rounds.id"), index=True)
    name: Mapped[str] = mapped_column(String(100))
    digest: Mapped[str] = mapped_column(String(64))
    score: Mapped[float]
    task_scores: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    revision: Mapped[int]


class PublicLeader(PublicBase):
    """The submission that counts: one per round and team, and one per round and reference method.

    `slot` is empty for a team, and the solver's name where one owner enters several methods.
    """

    __tablename__ = "leader"

    round_id: Mapped[int] = mapped_column(ForeignKey("rounds.id"), primary_key=True)
    team: Mapped[str] = mapped_column(String(100), primary_key=True)
    slot: Mapped[str] = mapped_column(String(100), primary_key=True)
    submission_id: Mapped[int] = mapped_column(ForeignKey("entries.submission_id"), unique=True)
    rank: Mapped[int | None]
    position: Mapped[int]
    # See `harness.metrics.tiers` and `harness.metrics.ranking`.
    tier: Mapped[int | None]
    is_pareto: Mapped[bool]
    # Of the score over test rows and few-shot seeds, in points.
    standard_error: Mapped[float | None]
    # Places won since a week before the last change; null for what was not ranked then.
    change: Mapped[int | None]


class PublicProgress(PublicBase):
    """How far a run is that has not ended. Changes often, and does not raise the version number."""

    __tablename__ = "progress"

    run_id: Mapped[int] = mapped_column(primary_key=True)
    submission_id: Mapped[int] = mapped_column(index=True)
    task: Mapped[str] = mapped_column(String(100))
    kshot_seed: Mapped[int] = mapped_column(BigInteger)
    calls: Mapped[int]
    budget_calls: Mapped[int]
    best_train_loss: Mapped[float | None]
    reported_at: Mapped[datetime]
