"""Reads the result of a query with COPY into Arrow columns, for results of millions of rows."""

from collections.abc import Iterator, Mapping
from itertools import islice

import pyarrow as pa
from pyarrow import csv

from app.queries import driver_cursor

_ROWS_AT_ONCE = 20_000


def iter_batches(query: str, types: Mapping[str, pa.DataType]) -> Iterator[pa.RecordBatch]:
    """The rows of ``query``, whose columns become these with these ``types``, some thousands at a time.

    A null text is read as an empty one.
    """
    parse = csv.ParseOptions(newlines_in_values=True)
    convert = csv.ConvertOptions(column_types=types)
    with driver_cursor() as cursor, cursor.copy(f"copy ({query}) to stdout (format csv)") as copy:
        # PostgreSQL sends row by row.
        while rows := b"".join(islice(copy, _ROWS_AT_ONCE)):
            read = csv.ReadOptions(use_threads=False, block_size=len(rows) + 1, column_names=[*types])
            yield from csv.read_csv(pa.py_buffer(rows), read, parse, convert).to_batches()
