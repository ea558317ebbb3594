"""batches_reclaimed: the glossary's word for what the reconciler counts as batches_taken_back

Nothing changes for imports that are running or paused. The release before goes on counting in the old column, this one
counts in the new one, and the total is the sum of both. The next release adds the old one to the new one and drops it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"


def upgrade() -> None:
    op.add_column(
        "reconciler", sa.Column("batches_reclaimed", sa.BigInteger(), server_default=sa.text("0"), nullable=False)
    )


def downgrade() -> None:
    op.execute("update reconciler set batches_taken_back = batches_taken_back + batches_reclaimed")
    op.drop_column("reconciler", "batches_reclaimed")
