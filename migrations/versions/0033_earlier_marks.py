"""earlier values have the marks of the UPDATE before, so that an undo puts these back too

Columns that are null. Records of before have no marks: what an undo puts back from them counts as changed by it. The
arrays that compress badly are stored as they are, because compressing them took a third of what recording costs.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0033"
down_revision = "0032"

_MARKS = {
    "updated_import_id": sa.BigInteger(),
    "updated_line": sa.Integer(),
    "hidden_line": sa.Integer(),
    "values_before": sa.BigInteger(),
    "hidden_before": sa.Boolean(),
    "edits_before": sa.Integer(),
}
_HARDLY_REPEATED = ("item_id", "condition", "price", "quantity", "reference")
_MARKS_HARDLY_REPEATED = ("updated_line", "hidden_line", "values_before")


def upgrade() -> None:
    op.add_column("listings", sa.Column("put_back_import_id", sa.BigInteger(), nullable=True))
    for name, kind in _MARKS.items():
        op.add_column("earlier_values", sa.Column(name, postgresql.ARRAY(kind), nullable=True))
    _store(*_HARDLY_REPEATED, *_MARKS_HARDLY_REPEATED, storage="external")


def downgrade() -> None:
    _store(*_HARDLY_REPEATED, storage="extended")
    for name in _MARKS:
        op.drop_column("earlier_values", name)
    op.drop_column("listings", "put_back_import_id")


def _store(*names: str, storage: str) -> None:
    stored = ", ".join(f"alter column {name} set storage {storage}" for name in names)
    # On a database cluster this table may be distributed already, and Citus cannot change that of such a table.
    op.execute(
        f"do $$ begin alter table earlier_values {stored}; exception when feature_not_supported then null; end $$"
    )
