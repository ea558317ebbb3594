"""what sellers do with their imports' records: a name, a note, dealt with, deleted"""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    op.add_column("imports", sa.Column("name", sa.Text(), nullable=True))
    op.add_column("imports", sa.Column("note", sa.Text(), nullable=True))
    op.add_column("imports", sa.Column("dealt_with_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("imports", sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True))
    op.create_index(
        "ix__imports__deleted", "imports", ["deleted_at"], postgresql_where=sa.text("deleted_at is not null")
    )


def downgrade() -> None:
    op.drop_index("ix__imports__deleted", table_name="imports")
    for column in ("deleted_at", "dealt_with_at", "note", "name"):
        op.drop_column("imports", column)
