"""what looked wrong in the rows of a file when it was uploaded"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    # The default is a constant, so that no row is written anew; web processes of the version before leave it at that.
    op.add_column(
        "imports", sa.Column("warnings", postgresql.JSONB(), server_default=sa.text("'[]'::jsonb"), nullable=False)
    )


def downgrade() -> None:
    op.drop_column("imports", "warnings")
