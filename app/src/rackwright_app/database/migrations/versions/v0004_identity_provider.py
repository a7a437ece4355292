"""Users of an identity provider, and how long their pages may stay signed in."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Lets a user come from an identity provider, without a password."""
    op.alter_column("users", "password_hash", nullable=True)
    op.add_column("users", sa.Column("issuer", sa.Text()))
    op.add_column("users", sa.Column("subject", sa.Text()))
    op.create_check_constraint(
        "users_come_from_one_place",
        "users",
        "(password_hash IS NULL) = (issuer IS NOT NULL) AND (issuer IS NULL) = (subject IS NULL)",
    )
    op.create_index(
        "users_of_provider",
        "users",
        ["issuer", "subject"],
        unique=True,
        postgresql_where=sa.text("issuer IS NOT NULL"),
    )
    op.add_column("refresh_tokens", sa.Column("ends_at", sa.TIMESTAMP(timezone=True)))


def downgrade() -> None:
    """Forgets the provider's users."""
    op.drop_column("refresh_tokens", "ends_at")
    op.execute("DELETE FROM users WHERE issuer IS NOT NULL")
    op.drop_index("users_of_provider", "users")
    op.drop_constraint("users_come_from_one_place", "users")
    op.drop_column("users", "subject")
    op.drop_column("users", "issuer")
    op.alter_column("users", "password_hash", nullable=False)
