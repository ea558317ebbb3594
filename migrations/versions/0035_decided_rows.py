"""a conversion can take just the rows that another of the same file has left out or open

A column that is null, and an index of nothing. A worker of the release before converts such a file whole.
"""

import sqlalchemy as sa
from alembic import op

revision = "0035"
down_revision = "0034"

_INDEX = "ix__conversions__decides"


def upgrade() -> None:
    op.add_column("conversions", sa.Column("decides", sa.BigInteger(), nullable=True))
    op.create_index(_INDEX, "conversions", ["seller_id", "decides"], postgresql_where=sa.text("decides is not null"))


def downgrade() -> None:
    op.drop_index(_INDEX, table_name="conversions")
    op.drop_column("conversions", "decides")
