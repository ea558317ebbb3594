"""which columns the values of a foreseen change belong to"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    # The default is a constant, so that no row is written anew. It is what the rows of the release before have, and
    # what its workers go on to write while hosts are upgraded one by one.
    op.add_column(
        "foreseen_changes",
        sa.Column(
            "columns",
            postgresql.ARRAY(sa.Text(collation="C")),
            server_default=sa.text("'{PRICE,QUANTITY,HIDDEN,COMMENT,NOTES,REFERENCE}'"),
            nullable=False,
        ),
    )


def downgrade() -> None:
    op.drop_column("foreseen_changes", "columns")
