"""What listings held before an import changed them, recorded by its chunks; see ``models.EarlierValues``."""

import pyarrow as pa

from app.queries import ImportKey, binary, each
from app.queries.listings.listings import FIELD_NAMES, KEY

#: The columns that hold an entry for each listing: its key, its values by field, and the marks of its last UPDATE.
MARKS = ("updated_import_id", "updated_line", "hidden_line", "values_before", "hidden_before", "edits_before")
ENTRY = (*KEY, *FIELD_NAMES, *MARKS)


def record(key: ImportKey, places: pa.ChunkedArray) -> None:
    """Record what the listings in these ``places`` hold, which this transaction has locked and is about to change.

    Those that the import itself was the last to change are left out: they have been recorded before. To be called in
    the context ``listings.in_place``.
    """
    query = f"""
        insert into earlier_values (seller_id, import_id, listings, {", ".join(ENTRY)})
        select %(seller_id)s, %(import_id)s, count(*), {", ".join(f"array_agg(l.{name})" for name in ENTRY)}
        from listings l
        where l.ctid = any(%(place)b::tid[]) and l.seller_id = %(seller_id)s
            and l.updated_import_id is distinct from %(import_id)s
        having count(*) > 0
    """
    binary.execute(query, key, **binary.as_arrays(pa.table({"place": places})))


def entries(source: str = "earlier_values") -> str:
    """SQL: the rows ``source`` of the table as ``r``, each with its entries as ``e``."""
    return f"{source} r cross join lateral unnest({each('r', ENTRY)}) as e ({', '.join(ENTRY)})"
