"""The schema before the first migration: `harness.store.sealed.migrate` makes it from the models."""

revision = "sealed_1"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Do nothing: no older schema was ever released."""


def downgrade() -> None:
    """Do nothing."""
