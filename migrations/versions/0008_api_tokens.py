"""tokens of the API, and the keys of its requests"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.add_column("imports", sa.Column("idempotency_key", sa.Text(), nullable=True))
    op.create_table(
        "api_tokens",
        sa.Column("seller_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("public_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(collation="C"), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("ending", sa.Text(collation="C"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("scope in ('read', 'read-write')", name=op.f("ck__api_tokens__scope_known")),
        sa.ForeignKeyConstraint(["seller_id"], ["sellers.id"], name=op.f("fk__api_tokens__sellers")),
        sa.PrimaryKeyConstraint("seller_id", "id", name=op.f("pk__api_tokens")),
        sa.UniqueConstraint("public_id", name=op.f("uq__api_tokens__public_id")),
        sa.UniqueConstraint("digest", name=op.f("uq__api_tokens__digest")),
    )


def downgrade() -> None:
    op.drop_table("api_tokens")
    op.drop_column("imports", "idempotency_key")
