"""The first tables of the sealed store."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "sealed_1"
down_revision = None
branch_labels = None
depends_on = None

_MOMENT = sa.DateTime(timezone=True)
_HASH = sa.String(64)
_NAME = sa.String(100)
_STATE = sa.String(16)


def upgrade() -> None:
    """Create every table."""
    _table(
        "rounds",
        _id(),
        _column("name", _NAME),
        _column("version", sa.String(20)),
        _column("digest", _HASH),
        _column("rules_json", sa.Text()),
        _column("phase", _STATE),
        _column("created_at", _MOMENT),
        _column("frozen_at", _MOMENT, nullable=True),
        _column("secret", _HASH),
        _column("noise", sa.JSON(), nullable=True),
        _column("revision", sa.Integer()),
        sa.UniqueConstraint("name", "version", name="uq_rounds_name_version"),
    )
    _table(
        "teams",
        _id(),
        _column("name", _NAME),
        _column("is_baseline_owner", sa.Boolean()),
        _column("created_at", _MOMENT),
        _column("token_sha256", _HASH, nullable=True),
        _column("token_at", _MOMENT, nullable=True),
        sa.UniqueConstraint("name", name="uq_teams_name"),
    )
    op.create_index("ix_teams_token_sha256", "teams", ["token_sha256"], unique=True)
    _table(
        "rejudges",
        _id(),
        _reference("rejudges", "round_id", "rounds"),
        _column("state", _STATE),
        _column("reason", sa.Text()),
        _column("created_at", _MOMENT),
        _column("ended_at", _MOMENT, nullable=True),
    )
    op.create_index("ix_rejudges_round_id", "rejudges", ["round_id"])
    _table(
        "submissions",
        _id(),
        _reference("submissions", "round_id", "rounds"),
        _reference("submissions", "team_id", "teams"),
        _column("name", _NAME),
        _column("description", sa.Text()),
        _column("digest", _HASH),
        _column("path", sa.Text()),
        _column("is_baseline", sa.Boolean()),
        _column("is_example", sa.Boolean()),
        _column("status", _STATE),
        _column("verdict", _STATE, nullable=True),
        _column("submitted_at", _MOMENT),
        _column("finished_at", _MOMENT, nullable=True),
        _column("charged_at", _MOMENT, nullable=True),
        _column("repeat", sa.Integer()),
        _reference("submissions", "rejudge_id", "rejudges", nullable=True),
        _reference("submissions", "original_id", "submissions", nullable=True),
        _column("spool_number", sa.String(32), nullable=True),
        _column("revision", sa.Integer()),
    )
    op.create_index("ix_submissions_digest", "submissions", ["digest"])
    op.create_index("ix_submissions_round_id_team_id", "submissions", ["round_id", "team_id"])
    op.create_index("ix_submissions_rejudge_id", "submissions", ["rejudge_id"])
    op.create_index("ix_submissions_spool_number", "submissions", ["spool_number"], unique=True)
    _table(
        "runs",
        _id(),
        _reference("runs", "submission_id", "submissions"),
        _column("task", _NAME),
        _column("kshot_seed", sa.BigInteger()),
        _column("solver_seed", sa.Integer()),
        _column("status", _STATE),
        _column("is_held", sa.Boolean()),
        _column("hold_reason", sa.Text()),
        _column("priority", sa.Integer()),
        _column("turn", sa.BigInteger()),
        _column("worker", sa.String(200), nullable=True),
        _column("claim_number", sa.Integer()),
        _column("lease_expires_at", _MOMENT, nullable=True),
        _column("n_lost_leases", sa.Integer()),
        _column("n_internal_errors", sa.Integer()),
        _column("verdict", _STATE, nullable=True),
        _column("score_public", sa.Double(), nullable=True),
        _column("score_private", sa.Double(), nullable=True),
        _column("calls", sa.Integer()),
        _column("is_official", sa.Boolean()),
        _column("ended_at", _MOMENT, nullable=True),
        _column("summary", sa.Text(), nullable=True),
        sa.UniqueConstraint(
            "submission_id", "task", "kshot_seed", name="uq_runs_submission_id_task_kshot_seed"
        ),
    )
    op.create_index(
        "ix_runs_status_is_held_priority_turn_id", "runs", ["status", "is_held", "priority", "turn", "id"]
    )
    _table(
        "attempts",
        _id(),
        _reference("attempts", "run_id", "runs"),
        _column("number", sa.Integer()),
        _column("claim_number", sa.Integer()),
        _column("worker", sa.String(200)),
        _column("started_at", _MOMENT),
        _column("ended_at", _MOMENT, nullable=True),
        _column("void_reason", sa.Text(), nullable=True),
        _column("metered_at", _MOMENT, nullable=True),
        sa.UniqueConstraint("run_id", "number", name="uq_attempts_run_id_number"),
    )
    op.create_index("ix_attempts_ended_at", "attempts", ["ended_at"])
    _table(
        "predictions", _reference("predictions", "run_id", "runs"), _column("classes", sa.LargeBinary()),
        key=("run_id",),
    )  # fmt: skip
    _table(
        "uploads",
        _id(),
        _reference("uploads", "round_id", "rounds"),
        _reference("uploads", "team_id", "teams", nullable=True),
        _column("charged_at", _MOMENT, nullable=True),
        _column("name", _NAME),
        _column("digest", _HASH),
        _column("score", sa.Double()),
        _column("task_scores", sa.JSON()),
        _column("created_at", _MOMENT),
        _column("revision", sa.Integer()),
        sa.UniqueConstraint("round_id", "digest", name="uq_uploads_round_id_digest"),
    )
    op.create_index("ix_uploads_round_id_team_id", "uploads", ["round_id", "team_id"])
    _table(
        "grants",
        _id(),
        _reference("grants", "round_id", "rounds"),
        _reference("grants", "team_id", "teams"),
        _column("n_submissions", sa.Integer()),
        _column("reason", sa.Text()),
        _column("created_at", _MOMENT),
    )
    op.create_index("ix_grants_round_id_team_id", "grants", ["round_id", "team_id"])
    _table(
        "test_sets",
        _reference("test_sets", "round_id", "rounds"),
        _column("task", _NAME),
        _column("digest", _HASH),
        _column("n_classes", sa.Integer()),
        _column("labels", sa.LargeBinary()),
        _column("is_public", sa.LargeBinary()),
        key=("round_id", "task"),
    )
    _table(
        "replicates",
        _reference("replicates", "submission_id", "submissions"),
        _column("public", sa.LargeBinary()),
        _column("private", sa.LargeBinary()),
        key=("submission_id",),
    )
    _table(
        "events",
        _id(),
        _column("at", _MOMENT),
        _column("kind", sa.String(50)),
        *(
            _column(name, sa.Integer(), nullable=True)
            for name in ("round_id", "submission_id", "run_id", "attempt_id")
        ),
        _column("actor", sa.String(200)),
        _column("detail", sa.JSON()),
    )
    op.create_index("ix_events_submission_id", "events", ["submission_id"])
    _table("clock", _id(), _column("turn", sa.BigInteger()))
    op.execute("INSERT INTO clock (id, turn) VALUES (1, 0)")
    if op.get_bind().dialect.name == "sqlite":
        for action in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER events_no_{action.lower()} BEFORE {action} ON events "
                "BEGIN SELECT RAISE(ABORT, 'events are append-only'); END"
            )


def downgrade() -> None:
    """Refuse: scores and charges would be lost; restore a backup instead.

    Raises:
        NotImplementedError: always.
    """
    raise NotImplementedError("restore the backup that was made before the upgrade")


def _table(name: str, *items: Any, key: tuple[str, ...] = ("id",)) -> None:
    op.create_table(name, *items, sa.PrimaryKeyConstraint(*key, name=f"pk_{name}"))


def _id() -> sa.Column[int]:
    return sa.Column("id", sa.Integer(), nullable=False)


def _column(name: str, kind: Any, *, nullable: bool = False) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=nullable)


def _reference(table: str, name: str, target: str, *, nullable: bool = False) -> sa.Column[int]:
    key = sa.ForeignKey(f"{target}.id", name=f"fk_{table}_{name}_{target}")
    return sa.Column(name, sa.Integer(), key, nullable=nullable)
