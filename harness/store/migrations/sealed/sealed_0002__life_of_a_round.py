"""Quotas, tokens, fair turns, holds with reasons, test curves, tiers, rejudges, and who did what."""

import secrets
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "sealed_0002"
down_revision = "sealed_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns and tables; what is stored keeps its meaning."""
    op.create_table(
        "clock",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("turn", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clock")),
    )
    op.execute("INSERT INTO clock (id, turn) VALUES (1, 0)")
    op.create_table(
        "rejudges",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("round_id", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["round_id"], ["rounds.id"], name=op.f("fk_rejudges_round_id_rounds")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rejudges")),
    )
    op.create_index(op.f("ix_rejudges_round_id"), "rejudges", ["round_id"], unique=False)
    op.create_table(
        "grants",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("round_id", sa.Integer(), nullable=False),
        sa.Column("team_id", sa.Integer(), nullable=False),
        sa.Column("n_submissions", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["round_id"], ["rounds.id"], name=op.f("fk_grants_round_id_rounds")),
        sa.ForeignKeyConstraint(["team_id"], ["teams.id"], name=op.f("fk_grants_team_id_teams")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_grants")),
    )
    op.create_index(op.f("ix_grants_round_id_team_id"), "grants", ["round_id", "team_id"], unique=False)
    op.create_table(
        "test_sets",
        sa.Column("task_id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("n_classes", sa.Integer(), nullable=False),
        sa.Column("labels", sa.LargeBinary(), nullable=False),
        sa.Column("is_public", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name=op.f("fk_test_sets_task_id_tasks")),
        sa.PrimaryKeyConstraint("task_id", name=op.f("pk_test_sets")),
    )
    op.create_table(
        "replicates",
        sa.Column("submission_id", sa.Integer(), nullable=False),
        sa.Column("public", sa.LargeBinary(), nullable=False),
        sa.Column("private", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["submission_id"], ["submissions.id"], name=op.f("fk_replicates_submission_id_submissions")
        ),
        sa.PrimaryKeyConstraint("submission_id", name=op.f("pk_replicates")),
    )
    # Columns are added in place: copying a table, as Alembic's batches do on SQLite, would drop the old one
    # and with it, under foreign keys, whatever refers to its rows.
    _add("rounds", sa.Column("max_submissions_per_day", sa.Integer(), nullable=True))
    _add("rounds", sa.Column("max_submissions", sa.Integer(), nullable=True))
    _add("rounds", _flag("is_registered_only", default=False))
    _add("rounds", _flag("is_practice", default=True))
    for name, phase in (("scores_from", "open"), ("curves_from", "published"), ("logs_from", "open")):
        _add("rounds", sa.Column(name, sa.String(length=16), nullable=False, server_default=phase))
    _add("rounds", sa.Column("frozen_at", sa.DateTime(timezone=True), nullable=True))
    _add("rounds", sa.Column("secret", sa.String(length=64), nullable=False, server_default=""))
    _add("rounds", sa.Column("noise", sa.JSON(), nullable=True))
    for (number,) in op.get_bind().execute(sa.text("SELECT id FROM rounds")).all():
        op.get_bind().execute(
            sa.text("UPDATE rounds SET secret = :secret, revision = revision + 1 WHERE id = :number"),
            {"secret": secrets.token_hex(32), "number": number},
        )
    _add("teams", sa.Column("token_sha256", sa.String(length=64), nullable=True))
    _add("teams", sa.Column("token_at", sa.DateTime(timezone=True), nullable=True))
    _add("teams", sa.Column("last_turn", sa.BigInteger(), nullable=False, server_default="0"))
    op.create_index(op.f("ix_teams_token_sha256"), "teams", ["token_sha256"], unique=True)
    _add("submissions", sa.Column("charged_at", sa.DateTime(timezone=True), nullable=True))
    _add("submissions", sa.Column("repeat", sa.Integer(), nullable=False, server_default="0"))
    for name, table in (("rejudge_id", "rejudges"), ("original_id", "submissions")):
        # Alembic cannot add a column with a foreign key to SQLite; SQLite and PostgreSQL both can.
        key = f"fk_submissions_{name}_{table}"
        op.execute(
            f"ALTER TABLE submissions ADD COLUMN {name} INTEGER CONSTRAINT {key} REFERENCES {table} (id)"
        )
    op.create_index(op.f("ix_submissions_rejudge_id"), "submissions", ["rejudge_id"], unique=False)
    op.execute(
        "UPDATE submissions SET charged_at = submitted_at WHERE EXISTS (SELECT 1 FROM runs "
        "WHERE runs.submission_id = submissions.id AND (runs.calls > 0 OR runs.score_public IS NOT NULL))"
    )
    _add("runs", sa.Column("hold_reason", sa.Text(), nullable=False, server_default=""))
    _add("runs", sa.Column("turn", sa.BigInteger(), nullable=False, server_default="0"))
    _add("runs", sa.Column("test_curve", sa.JSON(), nullable=True))
    op.drop_index(op.f("ix_runs_status_priority_id"), "runs")
    op.create_index(
        op.f("ix_runs_status_is_held_priority_turn_id"),
        "runs",
        ["status", "is_held", "priority", "turn", "id"],
        unique=False,
    )
    _add("attempts", sa.Column("metered_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(op.f("ix_attempts_ended_at"), "attempts", ["ended_at"], unique=False)
    _add("events", sa.Column("actor", sa.String(length=200), nullable=False, server_default=""))


def _add(table: str, column: sa.Column[Any]) -> None:
    op.add_column(table, column)


def _flag(name: str, *, default: bool) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.true() if default else sa.false())


def downgrade() -> None:
    """Refuse: scores and charges of the newer schema would be lost; restore the backup instead.

    Raises:
        NotImplementedError: always.
    """
    raise NotImplementedError("restore the backup that was made before the upgrade")
