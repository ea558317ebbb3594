"""The listings that the rows of a check would make: each goes to the first row that claims it."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from app.queries import ImportKey, binary
from app.queries.bulk_insert import insert_all, insert_missing, with_key
from app.queries.listings.listings import HAS_KEY, KEY, Makers


def take(key: ImportKey, rows: pa.Table, new: NDArray[np.int64]) -> NDArray[np.int32]:
    """Claim listings for the rows of a check that would make them: the ``new`` ones of ``rows``, in the order of keys.

    Returns the lines of the rows whose claim succeeded.
    """
    rows = with_key(rows.select([*KEY, "line"]).take(new), key)
    if insert_all("claims", rows.column_names, binary.encode_rows(rows)):
        return np.asarray(rows["line"])
    return insert_missing("claims", rows, line="line")


def find_makers(key: ImportKey, keys: pa.Table) -> Makers:
    """Which rows of the check have claimed them, for those of ``keys`` that one has."""
    # OFFSET 0 keeps the planner at the primary key's index, see ``queries.listings``.
    query = f"""
        select array_agg(k.number::int - 1) as at, array_agg(l.import_id) as import_ids, array_agg(l.line) as lines
        from {binary.unnest(keys.schema)}
        cross join lateral (select * from claims l where {HAS_KEY} and l.import_id = %(import_id)s offset 0) l
    """
    return Makers(**binary.execute(query, key, **binary.as_arrays(keys)))
