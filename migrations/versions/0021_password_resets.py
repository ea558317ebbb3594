"""links to set a new password

A deliverer of the release before gives such an email up: it is asked for again.
"""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"

_ABOUT_SOMETHING = "import_id is not null or endpoint_id is not null"


def upgrade() -> None:
    op.create_table(
        "password_resets",
        sa.Column("seller_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["seller_id"], ["sellers.id"], name=op.f("fk__password_resets__sellers"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("seller_id", "digest", name=op.f("pk__password_resets")),
    )
    op.drop_constraint(op.f("ck__deliveries__about_something"), "deliveries")
    op.create_check_constraint(
        op.f("ck__deliveries__about_something"),
        "deliveries",
        f"channel = 'EMAIL' or {_ABOUT_SOMETHING}",
        postgresql_not_valid=True,
    )


def downgrade() -> None:
    op.execute(f"delete from deliveries where not ({_ABOUT_SOMETHING})")
    op.drop_constraint(op.f("ck__deliveries__about_something"), "deliveries")
    op.create_check_constraint(
        op.f("ck__deliveries__about_something"), "deliveries", _ABOUT_SOMETHING, postgresql_not_valid=True
    )
    op.drop_table("password_resets")
