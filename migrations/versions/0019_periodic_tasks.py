"""periodic tasks have their own clocks"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0017"


def upgrade() -> None:
    op.create_table(
        "periodic_tasks",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("last_run_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk__periodic_tasks")),
    )


def downgrade() -> None:
    op.drop_table("periodic_tasks")
