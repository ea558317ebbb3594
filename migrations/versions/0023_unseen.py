"""imports that have ended and that nobody has looked at yet

What has ended before counts as seen, and so does what a reconciler of the release before settles.
"""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    op.add_column("imports", sa.Column("is_unseen", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.create_index("ix__imports__unseen", "imports", ["seller_id", "id"], postgresql_where=sa.text("is_unseen"))


def downgrade() -> None:
    op.drop_index("ix__imports__unseen", table_name="imports")
    op.drop_column("imports", "is_unseen")
