"""the number that is drawn when an import has ended, by which it is certain that a later one began after it

Imports that are over get one number, which says that those to come begin later. What the release before ends until it
is replaced has none and counts as if it went on, so that an undo only looks longer for listings that several runs have
changed.
"""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"


def upgrade() -> None:
    op.add_column("imports", sa.Column("end_number", sa.BigInteger(), nullable=True))
    op.execute(
        """
        update imports set end_number = drawn.number
        from (select nextval(pg_get_serial_sequence('imports', 'id')) as number) drawn
        where finished_at is not null
        """
    )


def downgrade() -> None:
    op.drop_column("imports", "end_number")
