"""ids by which pages can name sessions"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    # The table is written anew for this, under a lock: it has a row for each browser that is signed in, and no more.
    # The database gives the ids, so that web processes of the version before go on making sessions.
    op.add_column(
        "sessions", sa.Column("public_id", sa.Uuid(), server_default=sa.text("gen_random_uuid()"), nullable=False)
    )
    op.create_unique_constraint(op.f("uq__sessions__public_id"), "sessions", ["public_id"])


def downgrade() -> None:
    op.drop_column("sessions", "public_id")
