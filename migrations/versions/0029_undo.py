"""imports can be undone: earlier values, kept listings, the kind UNDO

Columns that are null or have a constant default, and new tables: no row is written anew. Workers of the release before
update listings without recording earlier values; ``batches.reversible`` does not count their rows, so that an undo
knows what it cannot put back.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0029"
down_revision = "0028"

_KINDS = ("('IMPORT', 'CHECK')", "('IMPORT', 'CHECK', 'UNDO')")
_ROWS = ("('ALL', 'FAILED', 'REMAINING')", "('ALL', 'WRITTEN', 'FAILED', 'REMAINING')")


def upgrade() -> None:
    op.add_column("listings", sa.Column("edits_before", sa.Integer(), nullable=True))
    op.add_column("batches", sa.Column("reversible", sa.Integer(), server_default=sa.text("0"), nullable=False))
    op.create_table(
        "earlier_values",
        sa.Column("seller_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("import_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("listings", sa.Integer(), nullable=False),
        sa.Column("item_id", postgresql.ARRAY(sa.Integer()), nullable=False),
        sa.Column("condition", postgresql.ARRAY(sa.SmallInteger()), nullable=False),
        sa.Column("variants", postgresql.ARRAY(sa.Text(collation="C")), nullable=False),
        sa.Column("price", postgresql.ARRAY(sa.Integer()), nullable=True),
        sa.Column("quantity", postgresql.ARRAY(sa.Integer()), nullable=True),
        sa.Column("hidden", postgresql.ARRAY(sa.Boolean()), nullable=True),
        sa.Column("comment", postgresql.ARRAY(sa.Text()), nullable=True),
        sa.Column("notes", postgresql.ARRAY(sa.Text()), nullable=True),
        sa.Column("reference", postgresql.ARRAY(sa.Text()), nullable=True),
        sa.PrimaryKeyConstraint("seller_id", "import_id", "id", name=op.f("pk__earlier_values")),
    )
    op.create_table(
        "kept_listings",
        sa.Column("seller_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("import_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("item_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("condition", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("variants", sa.Text(collation="C"), nullable=False),
        sa.Column("changed_import_id", sa.BigInteger(), nullable=True),
        sa.Column("changed_line", sa.Integer(), nullable=True),
        sa.Column("is_edited", sa.Boolean(), nullable=False),
        sa.Column("is_unrecorded", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.PrimaryKeyConstraint(
            "seller_id", "import_id", "item_id", "condition", "variants", name=op.f("pk__kept_listings")
        ),
    )
    _replace_checks(_KINDS[1], _ROWS[1])
    # Few rows, next to listings; the old index stays until the new ones are there.
    op.create_index(
        "ix__imports__retried_once",
        "imports",
        ["seller_id", "parent_id", "retried_rows"],
        unique=True,
        postgresql_where=sa.text("parent_id is not null and kind <> 'UNDO'"),
    )
    op.create_index(
        "ix__imports__undone_once",
        "imports",
        ["seller_id", "parent_id"],
        unique=True,
        postgresql_where=sa.text("kind = 'UNDO' and status in ('RUNNING', 'PAUSED')"),
    )
    op.create_index(
        "ix__imports__parent", "imports", ["seller_id", "parent_id"], postgresql_where=sa.text("parent_id is not null")
    )
    op.drop_index("ix__imports__retries", table_name="imports")


def downgrade() -> None:
    # The release before knows no undo. Its listings stay as they are.
    op.execute("delete from imports where kind = 'UNDO'")
    op.create_index(
        "ix__imports__retries",
        "imports",
        ["seller_id", "parent_id", "retried_rows"],
        unique=True,
        postgresql_where=sa.text("parent_id is not null"),
    )
    for name in ("ix__imports__parent", "ix__imports__undone_once", "ix__imports__retried_once"):
        op.drop_index(name, table_name="imports")
    _replace_checks(_KINDS[0], _ROWS[0])
    op.drop_table("kept_listings")
    op.drop_table("earlier_values")
    op.drop_column("batches", "reversible")
    op.drop_column("listings", "edits_before")


def _replace_checks(kinds: str, rows: str) -> None:
    for column, values in (("kind", kinds), ("retried_rows", rows)):
        name = op.f(f"ck__imports__{column}_known")
        op.drop_constraint(name, "imports")
        op.create_check_constraint(name, "imports", f"{column} in {values}", postgresql_not_valid=True)
