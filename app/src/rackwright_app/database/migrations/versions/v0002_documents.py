"""Documents, their pieces, and the sources of an answer."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR, UUID

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the tables of documents."""
    op.create_table(
        "documents",
        sa.Column("id", UUID(), primary_key=True, server_default=sa.text("gen_random_uuid()")),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("chunks", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False, server_default="processing"),
        sa.Column("created_at", sa.TIMESTAMP(timezone=True), nullable=False, server_default=sa.text("now()")),
        sa.CheckConstraint("kind IN ('pdf', 'docx', 'markdown', 'text')", name="documents_kind_is_known"),
        sa.CheckConstraint("status IN ('processing', 'ready')", name="documents_status_is_known"),
    )
    op.create_index("documents_of_subject", "documents", ["subject", sa.text("created_at DESC")])
    op.create_table(
        "chunks",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), primary_key=True),
        sa.Column("document_id", UUID(), sa.ForeignKey("documents.id", ondelete="CASCADE"), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("page", sa.Integer()),
        sa.Column("heading", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("words", TSVECTOR(), nullable=False),
    )
    op.create_index("chunks_of_document", "chunks", ["document_id", "position"], unique=True)
    op.create_index("chunks_by_words", "chunks", ["words"], postgresql_using="gin")
    op.add_column("turns", sa.Column("sources", JSONB()))


def downgrade() -> None:
    """Drops the tables of documents."""
    op.drop_column("turns", "sources")
    op.drop_table("chunks")
    op.drop_table("documents")
