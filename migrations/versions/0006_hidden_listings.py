"""hidden listings found without looking at the others"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    # A partial index: the rows of an import are rarely hidden, and those that are not cost it nothing.
    op.create_index(
        "ix__listings__hidden",
        "listings",
        ["seller_id", "item_id", "condition", "variants"],
        unique=False,
        postgresql_where=sa.text("hidden"),
    )


def downgrade() -> None:
    op.drop_index("ix__listings__hidden", table_name="listings", postgresql_where=sa.text("hidden"))
