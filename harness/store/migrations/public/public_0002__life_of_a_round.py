"""Tiers, efficiency, test curves, holds with reasons, and what a round allows."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "public_0002"
down_revision = "public_0001"
branch_labels = None
depends_on = None

_ADDED: dict[str, tuple[tuple[str, Any, Any], ...]] = {
    "rounds": (
        ("phase_then", sa.String(length=16), "open"),
        ("frozen_at", sa.DateTime(timezone=True), None),
        ("is_practice", sa.Boolean(), sa.true()),
        ("is_registered_only", sa.Boolean(), sa.false()),
        ("max_submissions_per_day", sa.Integer(), None),
        ("max_submissions", sa.Integer(), None),
        ("noise", sa.JSON(), None),
    ),
    "entries": (("efficiency", sa.Double(), None),),
    "runs": (("hold_reason", sa.Text(), ""),),
    "curves": (("scores", sa.JSON(), "{}"),),
    "leader": (
        ("tier", sa.Integer(), None),
        ("is_pareto", sa.Boolean(), sa.false()),
        ("standard_error", sa.Double(), None),
    ),
}


def upgrade() -> None:
    """Add the columns; the publisher then rewrites every round."""
    for name, columns in _ADDED.items():
        for column, kind, default in columns:
            op.add_column(name, sa.Column(column, kind, nullable=default is None, server_default=default))
    op.execute("UPDATE rounds SET revision = -1")


def downgrade() -> None:
    """Refuse: the public store can be deleted and published again.

    Raises:
        NotImplementedError: always.
    """
    raise NotImplementedError("delete the public store and publish again")
