"""failed rows counted by cause and column"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "error_groups",
        sa.Column("seller_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("import_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("cause", sa.Text(collation="C"), nullable=False),
        sa.Column("column", sa.Text(collation="C"), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("first_line", sa.Integer(), nullable=False),
        sa.Column("last_line", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("seller_id", "import_id", "number", "cause", "column", name=op.f("pk__error_groups")),
    )
    # The failed rows that there are.
    op.execute(
        """
        insert into error_groups
        select e.seller_id, e.import_id, b.number, p.cause, p."column", count(distinct e.line), min(e.line), max(e.line)
        from (
            select seller_id, import_id, number, first_line,
                lead(first_line) over (partition by seller_id, import_id order by number) as next_line
            from batches
        ) b
        join row_errors e on e.seller_id = b.seller_id and e.import_id = b.import_id
            and e.line >= b.first_line and (b.next_line is null or e.line < b.next_line)
        cross join lateral unnest(e.causes, e."columns") as p (cause, "column")
        group by 1, 2, 3, 4, 5
        """
    )


def downgrade() -> None:
    op.drop_table("error_groups")
