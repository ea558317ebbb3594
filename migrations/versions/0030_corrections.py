"""corrections of failed rows, each of which is taken up once, whichever way

Nothing changes for imports that are running or paused. The release before goes on retrying all failed rows of an import
at once: the unique index lets it do so only where no row has been taken up, and this release knows such a retry by its
``taken_up_as``, which is null.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0030"
down_revision = "0029"

_CODE_TEXT = sa.Text(collation="C")


def _key() -> list[sa.Column]:
    return [
        sa.Column("seller_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("import_id", sa.BigInteger(), autoincrement=False, nullable=False),
    ]


def upgrade() -> None:
    op.add_column("imports", sa.Column("taken_up_as", _CODE_TEXT, nullable=True))
    op.add_column("imports", sa.Column("part", sa.SmallInteger(), server_default=sa.text("1"), nullable=False))
    op.execute(
        "alter table imports add constraint ck__imports__taken_up_as_known"
        " check (taken_up_as in ('RETRY', 'FIX', 'UPLOAD')) not valid"
    )
    op.create_index(
        "ix__imports__retried_parts",
        "imports",
        ["seller_id", "parent_id", "retried_rows", "part"],
        unique=True,
        postgresql_where=sa.text("parent_id is not null and kind <> 'UNDO'"),
    )
    op.drop_index("ix__imports__retried_once", table_name="imports")
    op.create_table(
        "corrections",
        *_key(),
        sa.Column("line", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("state", _CODE_TEXT, nullable=False),
        sa.Column("row", sa.Text(), nullable=True),
        sa.Column("code", sa.SmallInteger(), nullable=True),
        sa.Column("columns", postgresql.ARRAY(_CODE_TEXT), nullable=True),
        sa.Column("causes", postgresql.ARRAY(_CODE_TEXT), nullable=True),
        sa.Column("facts", postgresql.JSON(), nullable=True),
        sa.Column("answer", sa.Integer(), nullable=True),
        sa.Column("taken_by", sa.BigInteger(), nullable=True),
        sa.Column("taken_line", sa.Integer(), nullable=True),
        sa.CheckConstraint("(taken_by is null) = (taken_line is null)", name=op.f("ck__corrections__taken_in_full")),
        sa.CheckConstraint("state in ('OPEN', 'RIGHT', 'LEFT_OUT')", name=op.f("ck__corrections__state_known")),
        sa.PrimaryKeyConstraint("seller_id", "import_id", "line", name=op.f("pk__corrections")),
    )
    op.create_table(
        "answers",
        *_key(),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("rule", _CODE_TEXT, nullable=False),
        sa.Column("cause", _CODE_TEXT, nullable=False),
        sa.Column("column", _CODE_TEXT, nullable=False),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("cells", postgresql.JSONB(), nullable=False),
        sa.Column("rows", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("actor_id", sa.Integer(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("seller_id", "import_id", "number", name=op.f("pk__answers")),
    )
    op.create_table(
        "open_values",
        *_key(),
        sa.Column("cause", _CODE_TEXT, nullable=False),
        sa.Column("column", _CODE_TEXT, nullable=False),
        sa.Column("value", _CODE_TEXT, nullable=False),
        sa.Column("rows", sa.Integer(), nullable=False),
        sa.Column("first_line", sa.Integer(), nullable=False),
        sa.Column("last_line", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("seller_id", "import_id", "cause", "column", "value", name=op.f("pk__open_values")),
    )
    op.create_table(
        "fixings",
        *_key(),
        sa.Column("version", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("answers", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("answering", sa.Integer(), nullable=True),
        sa.Column("cursor_line", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("rows_done", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("is_surveyed", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("moved_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("correct", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("behind", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("left_out", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("taken", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("seller_id", "import_id", name=op.f("pk__fixings")),
    )
    op.create_index(
        "ix__fixings__answering", "fixings", ["moved_at"], postgresql_where=sa.text("answering is not null")
    )


def downgrade() -> None:
    op.drop_table("fixings")
    op.drop_table("open_values")
    op.drop_table("answers")
    op.drop_table("corrections")
    # Only one part of an import's failed rows can be linked again; the others become imports of their own.
    op.execute("update imports set parent_id = null, retried_rows = null where part > 1")
    op.create_index(
        "ix__imports__retried_once",
        "imports",
        ["seller_id", "parent_id", "retried_rows"],
        unique=True,
        postgresql_where=sa.text("parent_id is not null and kind <> 'UNDO'"),
    )
    op.drop_index("ix__imports__retried_parts", table_name="imports")
    op.drop_constraint("ck__imports__taken_up_as_known", "imports")
    op.drop_column("imports", "part")
    op.drop_column("imports", "taken_up_as")
