"""changes of listings by hand are counted

Two columns that are null where nothing was changed by hand: no row is written anew, and what imports write stays as
it is. The release before hides listings without counting; nothing goes by the count yet.
"""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    op.add_column("listings", sa.Column("edits", sa.Integer(), nullable=True))
    op.add_column("listings", sa.Column("edited_at", sa.DateTime(timezone=True), nullable=True))


def downgrade() -> None:
    op.drop_column("listings", "edited_at")
    op.drop_column("listings", "edits")
