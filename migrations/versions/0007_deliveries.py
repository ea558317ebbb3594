"""webhooks and e-mails: who wants them, and what is to be sent"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_CODE = sa.Text(collation="C")
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("sellers", sa.Column("email_on_end", _CODE, server_default="NEVER", nullable=False))
    op.create_check_constraint(
        op.f("ck__sellers__email_on_end_known"),
        "sellers",
        "email_on_end in ('NEVER', 'FAILED', 'ALWAYS')",
        postgresql_not_valid=True,
    )
    op.create_table(
        "webhook_endpoints",
        sa.Column("seller_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("public_id", sa.Uuid(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("events", sa.ARRAY(_CODE), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("old_secret", sa.Text(), nullable=True),
        sa.Column("old_secret_until", _TIME, nullable=True),
        sa.Column("switched_off_at", _TIME, nullable=True),
        sa.Column("switched_off_because", _CODE, nullable=True),
        sa.Column("failing_since", _TIME, nullable=True),
        sa.Column("created_at", _TIME, server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "switched_off_because in ('SELLER', 'GONE', 'FAILING')",
            name=op.f("ck__webhook_endpoints__switched_off_because_known"),
        ),
        sa.CheckConstraint(
            "(switched_off_at is null) = (switched_off_because is null)",
            name=op.f("ck__webhook_endpoints__off_told_in_full"),
        ),
        sa.CheckConstraint(
            "(old_secret is null) = (old_secret_until is null)",
            name=op.f("ck__webhook_endpoints__old_secret_told_in_full"),
        ),
        sa.ForeignKeyConstraint(["seller_id"], ["sellers.id"], name=op.f("fk__webhook_endpoints__sellers")),
        sa.PrimaryKeyConstraint("seller_id", "id", name=op.f("pk__webhook_endpoints")),
        sa.UniqueConstraint("public_id", name=op.f("uq__webhook_endpoints__public_id")),
    )
    op.create_table(
        "deliveries",
        sa.Column("seller_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("public_id", sa.Uuid(), nullable=False),
        sa.Column("channel", _CODE, nullable=False),
        sa.Column("event", _CODE, nullable=False),
        sa.Column("endpoint_id", sa.BigInteger(), nullable=True),
        sa.Column("import_id", sa.BigInteger(), nullable=True),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("status", _CODE, server_default="WAITING", nullable=False),
        sa.Column("attempts", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("due_at", _TIME, server_default=sa.text("now()"), nullable=False),
        sa.Column("claimed_at", _TIME, nullable=True),
        sa.Column("finished_at", _TIME, nullable=True),
        sa.Column("answer_code", sa.SmallInteger(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("answer_body", sa.Text(), nullable=True),
        sa.Column("created_at", _TIME, server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("channel in ('WEBHOOK', 'EMAIL')", name=op.f("ck__deliveries__channel_known")),
        sa.CheckConstraint(
            "status in ('WAITING', 'SENDING', 'DELIVERED', 'GIVEN_UP')", name=op.f("ck__deliveries__status_known")
        ),
        sa.CheckConstraint(
            "channel = 'EMAIL' or (endpoint_id is not null and body is not null)",
            name=op.f("ck__deliveries__webhook_told_in_full"),
        ),
        sa.CheckConstraint(
            "import_id is not null or endpoint_id is not null", name=op.f("ck__deliveries__about_something")
        ),
        sa.CheckConstraint(
            "(finished_at is null) = (status in ('WAITING', 'SENDING'))",
            name=op.f("ck__deliveries__finished_at_when_over"),
        ),
        sa.ForeignKeyConstraint(["seller_id"], ["sellers.id"], name=op.f("fk__deliveries__sellers")),
        sa.ForeignKeyConstraint(
            ["seller_id", "endpoint_id"],
            ["webhook_endpoints.seller_id", "webhook_endpoints.id"],
            name=op.f("fk__deliveries__webhook_endpoints"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("seller_id", "id", name=op.f("pk__deliveries")),
        sa.UniqueConstraint("public_id", name=op.f("uq__deliveries__public_id")),
    )
    op.create_index(
        "ix__deliveries__live",
        "deliveries",
        ["due_at"],
        postgresql_where=sa.text("status in ('WAITING', 'SENDING')"),
    )
    op.create_index("ix__deliveries__endpoint", "deliveries", ["seller_id", "endpoint_id", "id"])


def downgrade() -> None:
    op.drop_table("deliveries")
    op.drop_table("webhook_endpoints")
    op.drop_constraint(op.f("ck__sellers__email_on_end_known"), "sellers")
    op.drop_column("sellers", "email_on_end")
