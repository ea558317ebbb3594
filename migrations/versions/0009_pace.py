"""how fast an import was over its life, and when it was paused"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    # A default that is a constant, so that no row is written; imports that are over have no history and show none.
    pauses = postgresql.ARRAY(sa.DateTime(timezone=True))
    op.add_column("imports", sa.Column("pauses", pauses, server_default=sa.text("'{}'"), nullable=False))
    pace = postgresql.ARRAY(sa.Integer())
    op.add_column("batches", sa.Column("pace", pace, server_default=sa.text("'{}'"), nullable=False))


def downgrade() -> None:
    op.drop_column("batches", "pace")
    op.drop_column("imports", "pauses")
