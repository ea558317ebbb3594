"""foreign files on their way into the import format, and the mappings that sellers save

Running and paused imports are not concerned: their files have no conversion.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0028"
down_revision = "0027"

_CODE = sa.Text(collation="C")
_TIME = sa.DateTime(timezone=True)
_ZERO = sa.text("0")


def upgrade() -> None:
    op.create_table(
        "conversions",
        sa.Column("seller_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("public_id", sa.Uuid(), nullable=False),
        sa.Column("form_key", sa.Uuid(), nullable=True),
        sa.Column("idempotency_key", sa.Text(), nullable=True),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("storage_key", sa.Text(), nullable=False),
        sa.Column("file_size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("reading", JSONB(), nullable=False),
        sa.Column("mapping", JSONB(), nullable=True),
        sa.Column("mapping_name", sa.Text(), nullable=True),
        sa.Column("start_as", _CODE, nullable=True),
        sa.Column("status", _CODE, server_default="DRAFT", nullable=False),
        sa.Column("rows", sa.Integer(), server_default=_ZERO, nullable=False),
        sa.Column("converted", sa.Integer(), server_default=_ZERO, nullable=False),
        sa.Column("added", sa.Integer(), server_default=_ZERO, nullable=False),
        sa.Column("left_out", sa.Integer(), server_default=_ZERO, nullable=False),
        sa.Column("undecided", sa.Integer(), server_default=_ZERO, nullable=False),
        sa.Column("lines", sa.Integer(), server_default=_ZERO, nullable=False),
        sa.Column("scan", JSONB(), nullable=True),
        sa.Column("reasons", JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("text_key", sa.Text(), nullable=True),
        sa.Column("head_size", sa.Integer(), server_default=_ZERO, nullable=False),
        sa.Column("done", sa.SmallInteger(), server_default=_ZERO, nullable=False),
        sa.Column("attempt", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("fruitless_attempts", sa.SmallInteger(), server_default=_ZERO, nullable=False),
        sa.Column("dispatched_at", _TIME, nullable=True),
        sa.Column("heartbeat_at", _TIME, nullable=True),
        sa.Column("worker", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("created_at", _TIME, server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", _TIME, server_default=sa.text("now()"), nullable=False),
        sa.Column("used_at", _TIME, nullable=True),
        sa.Column("source_removed_at", _TIME, nullable=True),
        sa.CheckConstraint(
            "status in ('DRAFT', 'QUEUED', 'RUNNING', 'CONVERTED', 'FAILED')",
            name=op.f("ck__conversions__status_known"),
        ),
        sa.CheckConstraint("start_as in ('IMPORT', 'CHECK')", name=op.f("ck__conversions__start_as_known")),
        sa.ForeignKeyConstraint(["seller_id"], ["sellers.id"], name=op.f("fk__conversions__sellers")),
        sa.PrimaryKeyConstraint("seller_id", "id", name=op.f("pk__conversions")),
        sa.UniqueConstraint("public_id", name=op.f("uq__conversions__public_id")),
    )
    op.create_index("ix__conversions__form_key", "conversions", ["seller_id", "form_key"], unique=True)
    op.create_index("ix__conversions__storage_key", "conversions", ["seller_id", "storage_key"])
    op.create_index("ix__conversions__text_key", "conversions", ["seller_id", "text_key"])
    op.create_index(
        "ix__conversions__live", "conversions", ["status"], postgresql_where=sa.text("status in ('QUEUED', 'RUNNING')")
    )
    op.create_index("ix__conversions__updated_at", "conversions", ["updated_at"])
    op.create_table(
        "mappings",
        sa.Column("seller_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("public_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("columns", ARRAY(sa.Text()), nullable=False),
        sa.Column("columns_hash", sa.LargeBinary(), nullable=False),
        sa.Column("mapping", JSONB(), nullable=False),
        sa.Column("created_at", _TIME, server_default=sa.text("now()"), nullable=False),
        sa.Column("used_at", _TIME, nullable=True),
        sa.ForeignKeyConstraint(["seller_id"], ["sellers.id"], name=op.f("fk__mappings__sellers")),
        sa.PrimaryKeyConstraint("seller_id", "id", name=op.f("pk__mappings")),
        sa.UniqueConstraint("public_id", name=op.f("uq__mappings__public_id")),
    )
    op.create_index("ix__mappings__name", "mappings", ["seller_id", "name"], unique=True)
    op.create_index("ix__mappings__columns", "mappings", ["seller_id", "columns_hash"])
    op.add_column("imports", sa.Column("conversion_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(
        op.f("fk__imports__conversions"),
        "imports",
        "conversions",
        ["seller_id", "conversion_id"],
        ["seller_id", "id"],
        postgresql_not_valid=True,
    )
    op.create_index(
        "ix__imports__conversion",
        "imports",
        ["seller_id", "conversion_id"],
        postgresql_where=sa.text("conversion_id is not null"),
    )


def downgrade() -> None:
    op.drop_index("ix__imports__conversion", table_name="imports")
    op.drop_constraint(op.f("fk__imports__conversions"), "imports")
    op.drop_column("imports", "conversion_id")
    op.drop_table("mappings")
    op.drop_table("conversions")
