"""the kind of an import; a batch with failed rows is COMPLETED

The first of two phases: columns and constraints are there, and triggers let the release before go on beside this one.
The rows of before are brought up to date by the next migration, when no transaction without the triggers is left.
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"

# Each for one release: docs/upgrading.md has why, and the release after this one drops them.
_TRIGGERS = """
create function sluice_keep_kind() returns trigger language plpgsql as $$
begin
    -- The release before knows no kind, and this one does not write is_check.
    if new.is_check then
        new.kind := 'CHECK';
    end if;
    new.is_check := new.kind = 'CHECK';
    return new;
end $$;

create trigger keep_kind before insert on imports for each row execute function sluice_keep_kind();

create function sluice_keep_batch_completed() returns trigger language plpgsql as $$
begin
    new.status := 'COMPLETED';
    return new;
end $$;

-- Workers of the release before finish a batch with failed rows as FAILED.
create trigger keep_batch_completed before update on batches for each row
    when (new.status = 'FAILED' and new."cursor" = new.end_byte) execute function sluice_keep_batch_completed();

create function sluice_keep_import_failed() returns trigger language plpgsql as $$
begin
    if exists (
        select 1 from batches b
        where b.seller_id = new.seller_id and b.import_id = new.id and b.failed > 0
    ) then
        new.status := 'FAILED';
    end if;
    return new;
end $$;

-- Reconcilers of the release before settle an import as COMPLETED where no batch is FAILED.
create trigger keep_import_failed before update on imports for each row
    when (new.status = 'COMPLETED' and old.status = 'RUNNING') execute function sluice_keep_import_failed();
"""


def upgrade() -> None:
    op.add_column("imports", sa.Column("kind", sa.Text(collation="C"), server_default="IMPORT", nullable=False))
    op.create_check_constraint(
        op.f("ck__imports__kind_known"), "imports", "kind in ('IMPORT', 'CHECK')", postgresql_not_valid=True
    )
    op.create_check_constraint(
        op.f("ck__batches__given_up_with_rows_left"),
        "batches",
        "status <> 'FAILED' or \"cursor\" < end_byte",
        postgresql_not_valid=True,
    )
    op.execute(_TRIGGERS)


def downgrade() -> None:
    for table, name in (
        ("imports", "keep_import_failed"),
        ("batches", "keep_batch_completed"),
        ("imports", "keep_kind"),
    ):
        op.execute(f"drop trigger {name} on {table}")
        op.execute(f"drop function sluice_{name}()")
    op.drop_constraint(op.f("ck__batches__given_up_with_rows_left"), "batches")
    op.execute("update batches set status = 'FAILED' where status = 'COMPLETED' and failed > 0")
    op.drop_column("imports", "kind")
