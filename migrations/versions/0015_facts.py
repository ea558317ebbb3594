"""the facts about failed rows, of which their sentences are made when they are read"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    # Rows that are there keep their sentences: millions would be written anew for nothing. Workers of the version
    # before go on writing sentences.
    op.add_column("row_errors", sa.Column("facts", sa.JSON(), nullable=True))
    op.alter_column("row_errors", "messages", nullable=True)


def downgrade() -> None:
    # What is lost is the sentences; the causes are still there, and how to fix them.
    op.execute(
        """
        update row_errors set messages = array_fill(cast('' as text), array[cardinality(causes)])
        where messages is null
        """
    )
    op.alter_column("row_errors", "messages", nullable=False)
    op.drop_column("row_errors", "facts")
