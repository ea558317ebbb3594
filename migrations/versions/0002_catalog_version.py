"""the version of the catalog"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "catalog",
        sa.Column("id", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck__catalog__one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk__catalog")),
    )
    op.execute("insert into catalog (id) values (1)")


def downgrade() -> None:
    op.drop_table("catalog")
