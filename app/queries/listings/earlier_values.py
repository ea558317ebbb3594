"""What listings held before an import changed them, recorded by its chunks; see ``models.EarlierValues``."""

from __future__ import annotations

import pyarrow as pa

from app.csvfile.columns import FIELDS
from app.queries import ImportKey, binary
from app.queries.listings.listings import KEY

#: The columns that hold an entry for each listing: its key, then its values by field.
VALUES = tuple(field.name for field in FIELDS.values())
_ENTRY = (*KEY, *VALUES)


def record(key: ImportKey, places: pa.ChunkedArray) -> None:
    """Record what the listings in these ``places`` hold, which this transaction has locked and is about to change.

    Those that the import itself was the last to change are left out: they have been recorded before.
    """
    places = pa.table({"place": places})
    binary.execute(
        f"""
        insert into earlier_values (seller_id, import_id, listings, {", ".join(_ENTRY)})
        select %(seller_id)s, %(import_id)s, count(*), {", ".join(f"array_agg(l.{name})" for name in _ENTRY)}
        from {binary.unnest(places.schema)} join listings l on l.ctid = k.place
        where l.seller_id = %(seller_id)s and l.updated_import_id is distinct from %(import_id)s
        having count(*) > 0
        """,
        {**binary.as_arrays(places), **key._asdict()},
    )


def entries(alias: str, source: str = "earlier_values") -> str:
    """SQL: the rows ``source`` of the table, each with its entries as ``alias``."""
    arrays = ", ".join(f"r.{name}" for name in _ENTRY)
    return f"{source} r cross join lateral unnest({arrays}) as {alias} ({', '.join(_ENTRY)})"
