"""checks, rows that change nothing, and files that are uploaded twice"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_CODE = sa.Text(collation="C")


def upgrade() -> None:
    op.add_column("imports", sa.Column("is_check", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.add_column("imports", sa.Column("form_key", sa.Uuid(), nullable=True))
    op.create_index("ix__imports__form_key", "imports", ["seller_id", "form_key"], unique=True)
    op.create_index("ix__imports__sha256", "imports", ["seller_id", "sha256"])
    op.drop_constraint(op.f("ck__imports__retried_rows_known"), "imports")
    op.create_check_constraint(
        op.f("ck__imports__retried_rows_known"),
        "imports",
        "retried_rows in ('ALL', 'FAILED', 'REMAINING')",
        postgresql_not_valid=True,
    )

    op.add_column("batches", sa.Column("unchanged", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.drop_constraint(op.f("ck__batches__counters_add_up"), "batches")
    op.create_check_constraint(
        op.f("ck__batches__counters_add_up"),
        "batches",
        "created + updated + unchanged + failed <= total",
        postgresql_not_valid=True,
    )

    op.add_column("listings", sa.Column("values_before", sa.BigInteger(), nullable=True))
    op.add_column("listings", sa.Column("hidden_before", sa.Boolean(), nullable=True))

    op.create_table(
        "left_alone",
        sa.Column("seller_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("import_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("first_line", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("item_ids", sa.ARRAY(sa.Integer()), nullable=False),
        sa.Column("conditions", sa.ARRAY(sa.SmallInteger()), nullable=False),
        sa.Column("variants", sa.ARRAY(_CODE), nullable=False),
        sa.Column("lines", sa.ARRAY(sa.Integer()), nullable=False),
        sa.Column("hidden_lines", sa.ARRAY(sa.Integer()), nullable=False),
        sa.PrimaryKeyConstraint("seller_id", "import_id", "number", "first_line", name=op.f("pk__left_alone")),
    )
    op.create_table(
        "claims",
        sa.Column("seller_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("import_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("item_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("condition", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("variants", _CODE, nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("seller_id", "import_id", "item_id", "condition", "variants", name=op.f("pk__claims")),
    )
    op.create_table(
        "foreseen_changes",
        sa.Column("seller_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("import_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("line", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("item_id", sa.Integer(), nullable=False),
        sa.Column("condition", sa.SmallInteger(), nullable=False),
        sa.Column("variants", _CODE, nullable=False),
        sa.Column("before", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("after", sa.ARRAY(sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("seller_id", "import_id", "line", name=op.f("pk__foreseen_changes")),
    )


def downgrade() -> None:
    op.drop_table("foreseen_changes")
    op.drop_table("claims")
    op.drop_table("left_alone")
    op.drop_column("listings", "hidden_before")
    op.drop_column("listings", "values_before")
    op.drop_constraint(op.f("ck__batches__counters_add_up"), "batches")
    op.drop_column("batches", "unchanged")
    op.create_check_constraint(
        op.f("ck__batches__counters_add_up"),
        "batches",
        "created + updated + failed <= total",
        postgresql_not_valid=True,
    )
    op.drop_constraint(op.f("ck__imports__retried_rows_known"), "imports")
    op.create_check_constraint(
        op.f("ck__imports__retried_rows_known"),
        "imports",
        "retried_rows in ('FAILED', 'REMAINING')",
        postgresql_not_valid=True,
    )
    op.drop_index("ix__imports__sha256", table_name="imports")
    op.drop_index("ix__imports__form_key", table_name="imports")
    op.drop_column("imports", "form_key")
    op.drop_column("imports", "is_check")
