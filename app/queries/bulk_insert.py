"""Inserts thousands of rows into a table in which some of their keys may already exist."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from psycopg import errors

from app.queries import ImportKey, binary, execute


def copy(table: str, rows: pa.Table) -> None:
    """Insert ``rows``, whose columns have the names of those of ``table``."""
    binary.copy_rows(table, rows.column_names, binary.encode_rows(rows))


def insert_missing(table: str, rows: pa.Table, *, line: str) -> NDArray[np.int32]:
    """Insert those of ``rows`` (ordered by key) whose key does not exist. Returns their values of the column ``line``.

    Waits for keys that another transaction is inserting, in the order of the key.
    """
    names = ", ".join(rows.column_names)
    query = f"""
        with made as (
            insert into {table} ({names})
            select {names} from {binary.unnest(rows.schema)}
            on conflict do nothing
            returning {line}
        )
        select array_agg({line}) as lines from made
    """
    return binary.execute(query, binary.as_arrays(rows))["lines"]


def insert_all(table: str, names: Sequence[str], encoded: pa.BinaryArray) -> bool:
    """Insert all rows (ordered by key), or none if a key exists. Returns whether it inserted them.

    They are encoded from columns with these ``names``. This takes half as long as ``insert_missing``, and waits as it
    does.
    """
    execute("savepoint inserting")
    try:
        binary.copy_rows(table, names, encoded)
    except (errors.UniqueViolation, errors.InternalError_) as error:
        # The coordinator of a cluster passes a COPY on to a node, and that node's error as one of its own.
        if not isinstance(error, errors.UniqueViolation) and "duplicate key value" not in str(error):
            raise
        execute("rollback to savepoint inserting")
        return False
    execute("release savepoint inserting")
    return True


def with_key(rows: pa.Table, key: ImportKey, **others: pa.Scalar) -> pa.Table:
    """``rows`` with the columns ``seller_id`` and ``import_id`` before theirs, and ``others``, the same in all rows."""
    of_all = {"seller_id": pa.scalar(key.seller_id, pa.int32()), "import_id": pa.scalar(key.import_id), **others}
    for at, (name, value) in enumerate(of_all.items()):
        rows = rows.add_column(at, name, pa.repeat(value, len(rows)))
    return rows
