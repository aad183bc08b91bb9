"""Which class is taken for which, per submission and task.

Revision ID: public_0004
Revises: public_0003
"""

import sqlalchemy as sa
from alembic import op

revision = "public_0004"
down_revision = "public_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table; what it holds comes with the next publication."""
    op.create_table(
        "confusions",
        sa.Column("submission_id", sa.Integer(), nullable=False),
        sa.Column("task", sa.String(length=100), nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["submission_id"],
            ["entries.submission_id"],
            name=op.f("fk_confusions_submission_id_entries"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("submission_id", "task", name=op.f("pk_confusions")),
    )
    # Nothing is lost: every row is derived again from the sealed store.
    op.execute("UPDATE rounds SET revision = -1")


def downgrade() -> None:
    """Take it away again."""
    op.drop_table("confusions")
