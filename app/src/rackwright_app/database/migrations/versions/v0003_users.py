"""Users, their refresh tokens, and the audit table, which is only appended to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB, UUID

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the tables of users and of the audit."""
    now = sa.text("now()")
    op.create_table(
        "users",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), primary_key=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("disabled", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False, server_default=now),
        sa.CheckConstraint("role IN ('user', 'admin')", name="users_role_is_known"),
    )
    op.create_index("users_by_name", "users", [sa.text("lower(name)")], unique=True)
    op.create_table(
        "refresh_tokens",
        sa.Column("digest", sa.LargeBinary(), primary_key=True),
        sa.Column("family", UUID(), nullable=False),
        sa.Column("user_id", sa.BigInteger(), sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
        sa.Column("expires_at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("used_at", sa.TIMESTAMP(timezone=True)),
    )
    op.create_index("refresh_tokens_of_family", "refresh_tokens", ["family"])
    op.create_table(
        "audit",
        sa.Column("chain", sa.Text(), primary_key=True),
        sa.Column("seq", sa.BigInteger(), primary_key=True),
        sa.Column("at", sa.TIMESTAMP(timezone=True), nullable=False),
        sa.Column("record", JSONB(), nullable=False),
    )
    op.create_index("audit_by_time", "audit", ["at"])
    op.execute(
        """
        CREATE FUNCTION audit_is_only_appended_to() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF TG_OP = 'DELETE' AND current_setting('rackwright.retention', true) = 'on'
               AND OLD.at < now() - interval '1 day' THEN
                RETURN OLD;
            END IF;
            RAISE EXCEPTION 'the audit table is only appended to';
        END $$
        """
    )
    op.execute(
        "CREATE TRIGGER audit_is_only_appended_to BEFORE UPDATE OR DELETE ON audit"
        " FOR EACH ROW EXECUTE FUNCTION audit_is_only_appended_to()"
    )


def downgrade() -> None:
    """Drops the tables of users and of the audit."""
    for table in ("audit", "refresh_tokens", "users"):
        op.drop_table(table)
    op.execute("DROP FUNCTION audit_is_only_appended_to")
