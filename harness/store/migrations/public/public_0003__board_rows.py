"""What the board shows beside scores: rules, sparklines, changes of rank, progress of running runs.

Revision ID: public_0003
Revises: public_0002
"""

import sqlalchemy as sa
from alembic import op

revision = "public_0003"
down_revision = "public_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns and the table; what they hold comes with the next publication."""
    with op.batch_alter_table("rounds") as batch:
        batch.add_column(sa.Column("rules", sa.JSON(), nullable=False, server_default="{}"))
    with op.batch_alter_table("entries") as batch:
        batch.add_column(sa.Column("sparkline", sa.JSON(), nullable=False, server_default="[]"))
    with op.batch_alter_table("leader") as batch:
        batch.add_column(sa.Column("change", sa.Integer(), nullable=True))
    op.create_table(
        "progress",
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("submission_id", sa.Integer(), nullable=False),
        sa.Column("task", sa.String(length=100), nullable=False),
        sa.Column("kshot_seed", sa.BigInteger(), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("budget_calls", sa.Integer(), nullable=False),
        sa.Column("best_train_loss", sa.Double(), nullable=True),
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_progress")),
    )
    op.create_index(op.f("ix_progress_submission_id"), "progress", ["submission_id"], unique=False)
    # Nothing is lost: every row is derived again from the sealed store.
    op.execute("UPDATE rounds SET revision = -1")


def downgrade() -> None:
    """Take them away again."""
    op.drop_table("progress")
    with op.batch_alter_table("leader") as batch:
        batch.drop_column("change")
    with op.batch_alter_table("entries") as batch:
        batch.drop_column("sparkline")
    with op.batch_alter_table("rounds") as batch:
        batch.drop_column("rules")
