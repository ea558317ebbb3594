"""pages of listings leave room for a new version of each of their listings"""

from alembic import op

revision = "0034"
down_revision = "0033"


def upgrade() -> None:
    # Only pages that are written from now on. Neither reading nor writing waits for it.
    op.execute("alter table listings set (fillfactor = 45)")


def downgrade() -> None:
    op.execute("alter table listings set (fillfactor = 70)")
