"""pages of listings leave room for updates"""

from alembic import op

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    # Only pages that are written from now on. Neither reading nor writing waits for it.
    op.execute("alter table listings set (fillfactor = 70)")


def downgrade() -> None:
    op.execute("alter table listings reset (fillfactor)")
