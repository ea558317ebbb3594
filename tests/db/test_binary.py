"""Arrow columns reach PostgreSQL, and come back, as they are."""

from __future__ import annotations

import pyarrow as pa
import pytest
from flask import Flask
from sqlalchemy import text

from app.extensions import db
from app.queries import binary
from app.queries.bulk_insert import copy

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
    db.session.execute(text("create temp table t (a int, b text, c bool, d int8, e int2, f text, number int)"))
    binary.execute(
        f"insert into t select a, b, c, d, e, f::text, number from {binary.unnest(part.schema)}", binary.as_arrays(part)
    )
    found = [tuple(row) for row in db.session.execute(text("select * from t order by number"))]
    assert found == [(*row, number) for number, row in enumerate(_ROWS[start : start + count], 1)]


@pytest.mark.parametrize(("start", "count"), _SLICES)
def test_rows_of_a_copy(app: Flask, start: int, count: int) -> None:
    part = _TABLE.slice(start, count).append_column("g", pa.repeat("new", count))
    part = part.append_column("h", pa.repeat(binary.as_array(_TABLE["a"]), count))
    db.session.execute(text("create temp table t (a int, b text, c bool, d int8, e int2, f tid, g text, h int[])"))
    copy("t", part)
    found = [tuple(row) for row in db.session.execute(text("select * from t"))]
    assert found == [(*row, "new", [-1, None, 2**31 - 1, 0]) for row in _ROWS[start : start + count]]


def test_arrays_of_a_result(app: Flask) -> None:
    query = (
        "select array_agg(e) as e, array_agg(f) as f, array_agg(d) as d, array_agg(a is null) as is_null, "
        "array_agg(a) filter (where e > 9) as none"
    )
    found = binary.execute(f"{query} from {binary.unnest(_TABLE.schema)}", binary.as_arrays(_TABLE))
    assert {name: (array.dtype.str, array.tolist()) for name, array in found.items()} == {
        "e": ("<i2", _TABLE["e"].to_pylist()),
        "f": ("|V6", _TABLE["f"].to_pylist()),
        "d": ("<i8", _TABLE["d"].to_pylist()),
        "is_null": ("|b1", [False, True, False, False]),
        "none": ("<i4", []),
    }
