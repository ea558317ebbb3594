"""Arrow columns reach PostgreSQL, and come back, as they are."""

from __future__ import annotations

import pyarrow as pa
import pytest
from flask import Flask
from sqlalchemy import text

from app.extensions import db
from app.queries import binary, driver_cursor
from app.queries.bulk_insert import copy, with_constants

_TABLE = pa.table(
    {
        "a": pa.array([-1, None, 2**31 - 1, 0], pa.int32()),
        "b": ["", 'x"\\é\r\n\t', None, "{NULL,\\N}"],
        "c": pa.array([True, None, False, True]),
        "d": pa.array([-(2**63), 2**63 - 1, 0, 1]),
        "e": pa.array([1, 2, 3, -4], pa.int16()),
        "f": pa.array([b"\0\0\0\1\0\2", b"\0\0\0\0\1\0", b"\0" * 6, b"\0" * 6], binary.TID),
    }
)
_ROWS = [
    (-1, "", True, -(2**63), 1, "(1,2)"),
    (None, 'x"\\é\r\n\t', None, 2**63 - 1, 2, "(0,256)"),
    (2**31 - 1, None, False, 0, 3, "(0,0)"),
    (0, "{NULL,\\N}", True, 1, -4, "(0,0)"),
]
_SLICES = [(0, 4), (1, 2), (3, 1), (2, 0)]


@pytest.mark.parametrize(("start", "count"), _SLICES)
def test_arrays(app: Flask, start: int, count: int) -> None:
    part = _TABLE.slice(start, count)
    with driver_cursor() as cursor:
        binary.execute(
            cursor, f"select a, b, c, d, e, f::text, number from {binary.unnest(part.schema)}", binary.as_arrays(part)
        )
        expected = [(*row, number) for number, row in enumerate(_ROWS[start : start + count], 1)]
        assert cursor.fetchall() == expected


@pytest.mark.parametrize(("start", "count"), _SLICES)
def test_rows_of_a_copy(app: Flask, start: int, count: int) -> None:
    part = with_constants(_TABLE.slice(start, count), g=pa.scalar("new"), h=pa.scalar(binary.as_array(_TABLE["a"])))
    db.session.execute(text("create temp table t (a int, b text, c bool, d int8, e int2, f tid, g text, h int[])"))
    copy("t", part)
    found = [tuple(row) for row in db.session.execute(text("select * from t"))]
    assert found == [(*row, "new", [-1, None, 2**31 - 1, 0]) for row in _ROWS[start : start + count]]


def test_arrays_of_a_result(app: Flask) -> None:
    with driver_cursor() as cursor:
        query = (
            "select array_agg(e), array_agg(f), array_agg(d), array_agg(a is null), array_agg(a) filter (where e > 9)"
        )
        binary.execute(cursor, f"{query} from {binary.unnest(_TABLE.schema)}", binary.as_arrays(_TABLE))
        assert binary.read_array(cursor, 0, "i2").tolist() == _TABLE["e"].to_pylist()
        assert binary.read_array(cursor, 1, "V6").tolist() == _TABLE["f"].to_pylist()
        assert binary.read_array(cursor, 2, "i8").tolist() == _TABLE["d"].to_pylist()
        assert binary.read_array(cursor, 3, "?").tolist() == [False, True, False, False]
        assert binary.read_array(cursor, 4, "i4").tolist() == []
