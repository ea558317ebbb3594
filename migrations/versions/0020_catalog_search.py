"""an index of the words of the catalog's items

It is built while the catalog is read, and no table that imports write to changes: running imports go on.
"""

from alembic import op

revision = "0020"
down_revision = "0019"

# What catalog_words.ITEM_WORDS was when this was written.
_FROM = (
    "àáâãäåçèéêëìíîïñòóôõöùúûüýÿāăąćĉċčďēĕėęěĝğġģĥĩīĭįĵķĺļľńņňōŏőŕŗřśŝşšţťũūŭůűųŵŷźżž"
    "\x1f !\"#$%&()*+,-./:;<=>?@[\\]^_`{|}~''’"
)
_TO = "aaaaaaceeeeiiiinooooouuuuyyaaaccccdeeeeegggghiiiijklllnnnooorrrssssttuuuuuuwyzzz" + " " * 33
_WORDS = (
    "array_to_tsvector(array_remove(string_to_array(translate((name_key || ' ') || lower(number), "
    f"'{_FROM}', '{_TO}'), ' '), ''))"
)


def upgrade() -> None:
    with op.get_context().autocommit_block():
        # What an upgrade that was interrupted here may have left is not a whole index.
        op.execute("drop index concurrently if exists ix__items__words")
        op.execute(f"create index concurrently ix__items__words on items using gin ({_WORDS})")


def downgrade() -> None:
    op.drop_index("ix__items__words", table_name="items")
