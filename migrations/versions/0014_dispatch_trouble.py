"""why jobs cannot be sent to Redis, for operators"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.add_column("reconciler", sa.Column("dispatch_trouble", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("reconciler", "dispatch_trouble")
