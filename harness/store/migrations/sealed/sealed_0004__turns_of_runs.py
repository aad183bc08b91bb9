"""A team's last turn is that of its runs: kept beside them, it counted what was cancelled."""

from alembic import op

revision = "sealed_0004"
down_revision = "sealed_0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Drop the column."""
    op.drop_column("teams", "last_turn")


def downgrade() -> None:
    """Refuse: restore the backup instead.

    Raises:
        NotImplementedError: always.
    """
    raise NotImplementedError("restore the backup that was made before the upgrade")
