"""what operators see: workers, lost attempts, an audit log, and what is not kept any more"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

_CODE = sa.Text(collation="C")
_TIME = sa.DateTime(timezone=True)
_COUNTS = ("batches_taken_back", "jobs_lost", "imports_settled", "transactions_ended")


def upgrade() -> None:
    op.add_column("imports", sa.Column("source_removed_at", _TIME, nullable=True))
    op.add_column("imports", sa.Column("errors_removed_at", _TIME, nullable=True))
    op.create_index("ix__imports__storage_key", "imports", ["seller_id", "storage_key"])
    op.create_index(op.f("ix__imports__finished_at"), "imports", ["finished_at"])
    op.create_index(
        "ix__batches__given_up",
        "batches",
        ["seller_id", "import_id"],
        postgresql_where=sa.text("status = 'FAILED' and \"cursor\" < end_byte"),
    )
    op.add_column("batches", sa.Column("worker", sa.Text(), nullable=True))
    for name in _COUNTS:
        op.add_column("reconciler", sa.Column(name, sa.BigInteger(), server_default=sa.text("0"), nullable=False))
    op.create_table(
        "workers",
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("pid", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("started_at", _TIME, server_default=sa.text("now()"), nullable=False),
        sa.Column("heartbeat_at", _TIME, server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("host", "pid", name=op.f("pk__workers")),
    )
    op.create_table(
        "lost_attempts",
        sa.Column("seller_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("import_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("attempt", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", _TIME, server_default=sa.text("now()"), nullable=False),
        sa.Column("worker", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("is_given_up", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["seller_id", "import_id"],
            ["imports.seller_id", "imports.id"],
            name=op.f("fk__lost_attempts__imports"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("seller_id", "import_id", "number", "attempt", name=op.f("pk__lost_attempts")),
    )
    op.create_index(op.f("ix__lost_attempts__at"), "lost_attempts", ["at"])
    op.create_table(
        "audit_log",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("at", _TIME, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("actor_id", sa.Integer(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("via", _CODE, nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("action", _CODE, nullable=False),
        sa.Column("seller_id", sa.Integer(), nullable=False),
        sa.Column("public_id", sa.Uuid(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk__audit_log")),
    )
    op.create_index(op.f("ix__audit_log__public_id"), "audit_log", ["public_id"])


def downgrade() -> None:
    op.drop_table("audit_log")
    op.drop_table("lost_attempts")
    op.drop_table("workers")
    for name in reversed(_COUNTS):
        op.drop_column("reconciler", name)
    op.drop_column("batches", "worker")
    op.drop_index("ix__batches__given_up", table_name="batches")
    op.drop_index(op.f("ix__imports__finished_at"), table_name="imports")
    op.drop_index("ix__imports__storage_key", table_name="imports")
    op.drop_column("imports", "errors_removed_at")
    op.drop_column("imports", "source_removed_at")
