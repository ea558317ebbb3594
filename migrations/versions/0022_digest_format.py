"""how the digests of listings before an import are made"""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    op.add_column("imports", sa.Column("digest_format", sa.SmallInteger(), server_default=sa.text("1"), nullable=False))


def downgrade() -> None:
    op.drop_column("imports", "digest_format")
