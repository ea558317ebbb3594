"""probable mistakes in the changes that an import makes, counted by its batches

Running and paused imports have no counts for the rows before the upgrade, and none for rows that a worker of the
release before processes meanwhile.
"""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    op.create_table(
        "listing_warnings",
        sa.Column("seller_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("import_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(collation="C"), nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("first_line", sa.Integer(), nullable=False),
        sa.Column("before", sa.Integer(), nullable=False),
        sa.Column("after", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("seller_id", "import_id", "number", "kind", name=op.f("pk__listing_warnings")),
    )


def downgrade() -> None:
    op.drop_table("listing_warnings")
