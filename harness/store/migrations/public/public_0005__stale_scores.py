"""What a score was made with, and whether the newest one was made with the same.

Revision ID: public_0005
Revises: public_0004
"""

import sqlalchemy as sa
from alembic import op

revision = "public_0005"
down_revision = "public_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; what they hold comes with the next publication."""
    op.add_column("entries", sa.Column("made_with", sa.String(length=64), nullable=False, server_default=""))
    op.add_column("entries", sa.Column("is_stale", sa.Boolean(), nullable=False, server_default=sa.false()))
    # Nothing is lost: every row is derived again from the sealed store.
    op.execute("UPDATE rounds SET revision = -1")


def downgrade() -> None:
    """Take them away again."""
    op.drop_column("entries", "is_stale")
    op.drop_column("entries", "made_with")
