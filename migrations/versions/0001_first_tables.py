"""first tables"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "items",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("urn", sa.Text(collation="C"), nullable=False),
        sa.Column("game", sa.Text(), nullable=False),
        sa.Column("set", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("rarity", sa.Text(), nullable=False),
        sa.Column("variants", postgresql.ARRAY(sa.Text(collation="C")), nullable=False),
        sa.Column("name_key", sa.Text(collation="C"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk__items")),
        sa.UniqueConstraint("urn", name=op.f("uq__items__urn")),
    )
    op.create_index(op.f("ix__items__name_key"), "items", ["name_key"], unique=False)
    op.create_table(
        "listings",
        sa.Column("seller_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("item_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("condition", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("variants", sa.Text(collation="C"), nullable=False),
        sa.Column("price", sa.Integer(), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("hidden", sa.Boolean(), nullable=False),
        sa.Column("comment", sa.Text(), nullable=True),
        sa.Column("notes", sa.Text(), nullable=True),
        sa.Column("reference", sa.Text(), nullable=True),
        sa.Column("created_import_id", sa.BigInteger(), nullable=False),
        sa.Column("created_line", sa.Integer(), nullable=False),
        sa.Column("updated_import_id", sa.BigInteger(), nullable=True),
        sa.Column("updated_line", sa.Integer(), nullable=True),
        sa.Column("hidden_line", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("seller_id", "item_id", "condition", "variants", name=op.f("pk__listings")),
    )
    op.create_table(
        "reconciler",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("last_run_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_clean_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("id = 1", name=op.f("ck__reconciler__one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk__reconciler")),
    )
    op.create_table(
        "row_errors",
        sa.Column("seller_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("import_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("line", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("code", sa.SmallInteger(), nullable=False),
        sa.Column("columns", postgresql.ARRAY(sa.Text(collation="C")), nullable=False),
        sa.Column("causes", postgresql.ARRAY(sa.Text(collation="C")), nullable=False),
        sa.Column("messages", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("row", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seller_id", "import_id", "line", name=op.f("pk__row_errors")),
    )
    op.create_table(
        "sellers",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("email", sa.Text(), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=False),
        sa.Column("is_operator", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("email = lower(email)", name=op.f("ck__sellers__email_lower_case")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk__sellers")),
        sa.UniqueConstraint("email", name=op.f("uq__sellers__email")),
    )
    op.create_table(
        "external_ids",
        sa.Column("source", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("external_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("item_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(["item_id"], ["items.id"], name=op.f("fk__external_ids__items"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("source", "external_id", "item_id", name=op.f("pk__external_ids")),
    )
    op.create_index(op.f("ix__external_ids__item_id"), "external_ids", ["item_id"], unique=False)
    op.create_table(
        "imports",
        sa.Column("seller_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("public_id", sa.Uuid(), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("storage_key", sa.Text(), nullable=False),
        sa.Column("file_size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("header", sa.Text(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("invalid", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(collation="C"), server_default="RUNNING", nullable=False),
        sa.Column("pause_requested_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(finished_at is null) = (status in ('RUNNING', 'PAUSED'))", name=op.f("ck__imports__finished_at_when_over")
        ),
        sa.CheckConstraint(
            "pause_requested_at is null or status = 'RUNNING'", name=op.f("ck__imports__pausing_only_while_running")
        ),
        sa.CheckConstraint(
            "status in ('RUNNING', 'PAUSED', 'COMPLETED', 'FAILED', 'TERMINATED')",
            name=op.f("ck__imports__status_known"),
        ),
        sa.ForeignKeyConstraint(["seller_id"], ["sellers.id"], name=op.f("fk__imports__sellers")),
        sa.PrimaryKeyConstraint("seller_id", "id", name=op.f("pk__imports")),
        sa.UniqueConstraint("public_id", name=op.f("uq__imports__public_id")),
    )
    op.create_index(
        "ix__imports__live",
        "imports",
        ["id"],
        unique=False,
        postgresql_where=sa.text("status in ('RUNNING', 'PAUSED')"),
    )
    op.create_table(
        "batches",
        sa.Column("seller_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("import_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("start_byte", sa.BigInteger(), nullable=False),
        sa.Column("end_byte", sa.BigInteger(), nullable=False),
        sa.Column("cursor", sa.BigInteger(), nullable=False),
        sa.Column("first_line", sa.Integer(), nullable=False),
        sa.Column("cursor_line", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("created", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("updated", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("failed", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("status", sa.Text(collation="C"), server_default="QUEUED", nullable=False),
        sa.Column("attempt", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("fruitless_attempts", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("dispatched_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("heartbeat_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "status in ('QUEUED', 'RUNNING', 'PAUSED', 'COMPLETED', 'FAILED', 'TERMINATED')",
            name=op.f("ck__batches__status_known"),
        ),
        sa.CheckConstraint("created + updated + failed <= total", name=op.f("ck__batches__counters_add_up")),
        sa.CheckConstraint(
            'start_byte <= "cursor" and "cursor" <= end_byte', name=op.f("ck__batches__cursor_in_range")
        ),
        sa.ForeignKeyConstraint(
            ["seller_id", "import_id"],
            ["imports.seller_id", "imports.id"],
            name=op.f("fk__batches__imports"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("seller_id", "import_id", "number", name=op.f("pk__batches")),
    )
    op.create_index(
        "ix__batches__live",
        "batches",
        ["status"],
        unique=False,
        postgresql_where=sa.text("status in ('QUEUED', 'RUNNING')"),
    )
    op.execute("insert into reconciler (id) values (1)")


def downgrade() -> None:
    op.drop_index(
        "ix__batches__live", table_name="batches", postgresql_where=sa.text("status in ('QUEUED', 'RUNNING')")
    )
    op.drop_table("batches")
    op.drop_index(
        "ix__imports__live", table_name="imports", postgresql_where=sa.text("status in ('RUNNING', 'PAUSED')")
    )
    op.drop_table("imports")
    op.drop_index(op.f("ix__external_ids__item_id"), table_name="external_ids")
    op.drop_table("external_ids")
    op.drop_table("sellers")
    op.drop_table("row_errors")
    op.drop_table("reconciler")
    op.drop_table("listings")
    op.drop_index(op.f("ix__items__name_key"), table_name="items")
    op.drop_table("items")
