"""Inserts thousands of rows into a table in which some of their keys may already exist."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from psycopg import errors

from app.queries import ImportKey, binary, driver_cursor


def copy(table: str, rows: pa.Table) -> None:
    """Insert ``rows``, whose columns have the names of those of ``table``."""
    with driver_cursor() as cursor:
        binary.copy_rows(cursor, table, rows.column_names, binary.encode_rows(rows))


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
    found = binary.execute(query, binary.as_arrays(rows))
    return found["lines"]


def insert_all(table: str, names: Sequence[str], encoded: pa.BinaryArray) -> bool:
    """Insert all rows (ordered by key), or none if a key exists. Returns whether it inserted them.

    They are encoded from columns with these ``names``. This takes half as long as ``insert_missing``, and waits as it
    does.
    """
    with driver_cursor() as cursor:
        cursor.execute("savepoint inserting")
        try:
            binary.copy_rows(cursor, table, names, encoded)
        except (errors.UniqueViolation, errors.InternalError_) as error:
            # The coordinator of a cluster passes a COPY on to a node, and that node's error as one of its own.
            if not isinstance(error, errors.UniqueViolation) and "duplicate key value" not in str(error):
                raise
            cursor.execute("rollback to savepoint inserting")
            return False
        cursor.execute("release savepoint inserting")
        return True


def with_key(rows: pa.Table, key: ImportKey, **others: Any) -> pa.Table:
    """``rows`` with the columns ``seller_id`` and ``import_id`` before theirs, and ``others``."""
    seller_id, import_id = pa.scalar(key.seller_id, pa.int32()), pa.scalar(key.import_id, pa.int64())
    return with_constants(rows, seller_id=seller_id, import_id=import_id, **others)


def with_constants(rows: pa.Table, **constants: Any) -> pa.Table:
    """``rows`` with further columns before theirs, each with the same value in all rows: a scalar of Arrow."""
    for at, (name, value) in enumerate(constants.items()):
        rows = rows.add_column(at, name, pa.repeat(value, len(rows)))
    return rows
