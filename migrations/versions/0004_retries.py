"""imports that take up rows of others again"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("imports", sa.Column("parent_id", sa.BigInteger(), nullable=True))
    op.add_column("imports", sa.Column("retried_rows", sa.Text(collation="C"), nullable=True))
    op.create_foreign_key(
        op.f("fk__imports__imports"),
        "imports",
        "imports",
        ["seller_id", "parent_id"],
        ["seller_id", "id"],
        postgresql_not_valid=True,
    )
    op.create_check_constraint(
        op.f("ck__imports__retried_rows_known"),
        "imports",
        "retried_rows in ('FAILED', 'REMAINING')",
        postgresql_not_valid=True,
    )
    op.create_check_constraint(
        op.f("ck__imports__retry_told_in_full"),
        "imports",
        "(parent_id is null) = (retried_rows is null)",
        postgresql_not_valid=True,
    )
    op.create_index(
        "ix__imports__retries",
        "imports",
        ["seller_id", "parent_id", "retried_rows"],
        unique=True,
        postgresql_where=sa.text("parent_id is not null"),
    )


def downgrade() -> None:
    op.drop_index("ix__imports__retries", table_name="imports")
    op.drop_constraint(op.f("ck__imports__retry_told_in_full"), "imports")
    op.drop_constraint(op.f("ck__imports__retried_rows_known"), "imports")
    op.drop_constraint(op.f("fk__imports__imports"), "imports")
    op.drop_column("imports", "retried_rows")
    op.drop_column("imports", "parent_id")
