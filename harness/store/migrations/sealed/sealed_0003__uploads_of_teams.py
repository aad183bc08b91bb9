"""Whose quota uploaded predictions count in, and which upload of the web a submission came by."""

import sqlalchemy as sa
from alembic import op

revision = "sealed_0003"
down_revision = "sealed_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns: what is stored belongs to nobody's quota, and came by no upload that is known."""
    # As text: Alembic cannot add a column with a foreign key to SQLite; SQLite and PostgreSQL both can.
    op.execute(
        "ALTER TABLE uploads ADD COLUMN team_id INTEGER CONSTRAINT fk_uploads_team_id_teams REFERENCES teams (id)"
    )
    op.add_column("uploads", sa.Column("charged_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(op.f("ix_uploads_round_id_team_id"), "uploads", ["round_id", "team_id"], unique=False)
    op.add_column("submissions", sa.Column("spool_number", sa.String(length=32), nullable=True))
    op.create_index(op.f("ix_submissions_spool_number"), "submissions", ["spool_number"], unique=True)


def downgrade() -> None:
    """Refuse: charges of the newer schema would be lost; restore the backup instead.

    Raises:
        NotImplementedError: always.
    """
    raise NotImplementedError("restore the backup that was made before the upgrade")
