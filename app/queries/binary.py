"""Arrow columns in PostgreSQL's binary format: rows for COPY, arrays as parameters, and arrays in results.

The bytes of thousands of values are made and read at once, without an object for each.
"""

import struct
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from psycopg.adapt import Dumper
from psycopg.pq import Format
from psycopg.pq.abc import PGresult

from app.csvfile.rows import whole
from app.queries import Parameters, as_mapping, driver_cursor

#: A tuple identifier (``ctid``) as its bytes.
TID = pa.binary(6)

_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER = b"\xff\xff"


class _Type(NamedTuple):
    name: str
    #: Fixed in ``pg_type.dat``.
    oid: int


_TYPES = {
    pa.bool_(): _Type("bool", 16),
    pa.int64(): _Type("int8", 20),
    pa.int16(): _Type("int2", 21),
    pa.int32(): _Type("int4", 23),
    pa.string(): _Type("text", 25),
    TID: _Type("tid", 27),
}
#: The types in results, by the ids of the types of their arrays: ``_bool`` and so on in ``pg_type.dat``.
_DTYPES = {1000: "?", 1016: "i8", 1005: "i2", 1007: "i4", 1010: f"V{TID.byte_width}"}
#: Rows whose texts PostgreSQL joins: of the longest rows, too, they are far from the gigabyte that a value may have.
_ROWS_JOINED = 1_000
#: The length of a null.
_NULL = -1
_NOTHING = pa.scalar(b"", pa.binary())


class Array(bytes):
    """An array as a parameter; the statement casts it to its type."""


class _ArrayDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: Any) -> Any:
        return obj


def execute(query: str, of: Parameters = None, /, **values: Any) -> dict[str, NDArray[Any]]:
    """Execute a statement, some of whose parameters are of the type Array.

    Returns the arrays in the only row of its result, if it has one, by the names of their columns. They have no nulls;
    an array that is null itself has no elements.
    """
    result = _run(query, of, values)
    return {
        (result.fname(at) or b"").decode(): _read_array(result.get_value(0, at), _DTYPES[result.ftype(at)])
        for at in range(result.nfields if result.ntuples else 0)
    }


def _run(query: str, of: Parameters, values: Mapping[str, Any]) -> PGresult:
    cursor = driver_cursor()
    cursor.adapters.register_dumper(Array, _ArrayDumper)
    result = cursor.execute(query, as_mapping(of, values), binary=True).pgresult
    assert result is not None
    return result


def _read_array(value: bytes | None, dtype: str) -> NDArray[Any]:
    kind = np.dtype(dtype)
    if value is None:
        return np.empty(0, kind)
    elements = np.frombuffer(value, np.dtype([("length", ">i4"), ("value", kind.newbyteorder(">"))]), offset=20)
    return elements["value"].astype(kind)


def read_table(query: str, types: Mapping[str, pa.DataType], of: Parameters = None, /, **values: Any) -> pa.Table:
    """The rows of ``query``, whose columns become these with these ``types``: texts, and integers that are not null.

    A null text is read as an empty one, and parameters may be of the type Array. This is for some thousands of rows and
    takes a third of the time of COPY, from which the driver takes row by row.
    """
    names = ", ".join(f'"{name}"' for name in types)
    joined = (
        f"""array_agg(octet_length(coalesce("{name}", ''))), string_agg("{name}", '')"""
        if kind == pa.string()
        else f'array_agg("{name}")'
        for name, kind in types.items()
    )
    query = f"""
        select {", ".join(joined)}
        from (select *, (row_number() over () - 1) / {_ROWS_JOINED} as part from ({query}) as q ({names})) as p
        group by part order by part
    """
    result = _run(query, of, values)
    parts = ((result.get_value(row, at) for at in range(result.nfields)) for row in range(result.ntuples))
    tables = [_read_part(types, part) for part in parts]
    return pa.concat_tables(tables) if tables else pa.schema([*types.items()]).empty_table()


def _read_part(types: Mapping[str, pa.DataType], values: Iterator[bytes | None]) -> pa.Table:
    columns = {}
    for name, kind in types.items():
        if kind == pa.string():
            ends = np.cumsum(_read_array(next(values), "i4"))
            columns[name] = _binary(np.frombuffer(next(values) or b"", np.uint8), np.append(0, ends)).view(kind)
        else:
            columns[name] = pa.array(_read_array(next(values), f"i{kind.bit_width // 8}"))
    return pa.table(columns)


def unnest(schema: pa.Schema) -> str:
    """SQL: the rows ``k`` of a table with this schema, with a further column: their ``number``, from 1.

    The parameters are ``as_arrays`` of the table.
    """
    # Not unnest(…, …) in FROM, which writes each array to a store of its own first: half a microsecond a row of ten.
    arrays = {field.name: f"%({field.name})b::{_TYPES[field.type].name}[]" for field in schema}
    columns = ", ".join(f"unnest({array}) as {name}" for name, array in arrays.items())
    return f"(select {columns}, generate_series(1, cardinality({next(iter(arrays.values()))})) as number) as k"


def as_arrays(columns: pa.Table) -> dict[str, Array]:
    """The columns of a table as parameters, by their names."""
    return {name: Array(as_array(whole(columns[name]))) for name in columns.column_names}


def as_array(column: pa.Array) -> bytes:
    """A column as an array, also as one value of a column for ``encode_rows``."""
    if not len(column):
        return struct.pack(">iii", 0, 0, _TYPES[column.type].oid)
    header = struct.pack(">iiiii", 1, int(column.null_count > 0), _TYPES[column.type].oid, len(column), 1)
    field = _encode(column)
    # Of values of one size the bytes are there already.
    data = _side_by_side(field.fixed, len(column)) if field.rest is None else _data_of(_join([field], len(column)))
    return header + bytes(data)


def encode_rows(columns: pa.Table) -> pa.BinaryArray:
    """Each row of a table in COPY's binary format. Values of the type ``binary`` are in that format already."""
    fields = [_encode(whole(column)) for column in columns.columns]
    count = _Field([(">i2", len(fields))], None)
    return _join([count, *fields], len(columns))


def copy_rows(table: str, names: Iterable[str], rows: pa.BinaryArray) -> None:
    """Insert ``rows``, which ``encode_rows`` has encoded from columns with these ``names``."""
    columns = ", ".join(f'"{name}"' for name in names)
    with driver_cursor().copy(f"copy {table} ({columns}) from stdin (format binary)") as stream:
        # Each write wakes up the server.
        stream.write(b"".join((_HEADER, _data_of(rows), _TRAILER)))


class _Field(NamedTuple):
    """A column in pieces that are joined for each row: integers of fixed sizes, then some bytes of any length."""

    #: The type of each, and their values, or the one value of all.
    fixed: list[tuple[str, NDArray[Any] | int]]
    #: Null stands for no bytes.
    rest: pa.Array | None


def _encode(column: pa.Array) -> _Field:
    """The length of each value, or _NULL, and its bytes."""
    if pa.types.is_string(column.type) or column.type == pa.binary():
        lengths = _without_nulls(pc.binary_length(column), _NULL).to_numpy()
        return _Field([(">i4", lengths)], column.view(pa.binary()))
    kind, values = _values(column)
    size = np.dtype(kind).itemsize
    if not column.null_count:
        return _Field([(">i4", size), (kind, values)], None)
    is_valid = column.is_valid().to_numpy(zero_copy_only=False)
    ends = np.cumsum(is_valid) * size
    rest = _binary(values[is_valid].astype(kind), np.concatenate([[0], ends]))
    return _Field([(">i4", np.where(is_valid, size, _NULL))], rest)


def _values(column: pa.Array) -> tuple[str, NDArray[Any]]:
    """The type and the values of a column of fixed-size values; those of a null have no meaning."""
    if column.type == TID:
        _, data = column.buffers()
        return f"V{TID.byte_width}", np.frombuffer(data, f"V{TID.byte_width}")[column.offset :][: len(column)]
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    values = _without_nulls(column, 0).to_numpy()
    return f">i{values.itemsize}", values


def _without_nulls(column: pa.Array, value: int) -> pa.Array:
    return column.fill_null(value) if column.null_count else column


def _binary(data: NDArray[Any], offsets: NDArray[Any]) -> pa.Array:
    """An array of binary values, each of which lies between two of the ``offsets`` into ``data``."""
    buffers = [None, pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(data)]
    return pa.Array.from_buffers(pa.binary(), len(offsets) - 1, buffers)


def _join(fields: Iterable[_Field], count: int) -> pa.BinaryArray:
    """The bytes of all fields of each of ``count`` rows."""
    pieces: list[pa.Array] = []
    run: list[tuple[str, NDArray[Any] | int]] = []
    for field in fields:
        run += field.fixed
        if field.rest is not None:
            pieces += [_beside_each_other(run, count), field.rest]
            run = []
    if run:
        pieces.append(_beside_each_other(run, count))
    return pc.binary_join_element_wise(*pieces, _NOTHING, null_handling="replace", null_replacement="")


def _data_of(values: pa.BinaryArray) -> memoryview:
    """The bytes of all ``values``, one after the other."""
    if not len(values):
        return memoryview(b"")
    _, offsets, data = values.buffers()
    first, last = np.frombuffer(offsets, np.int32, len(values) + 1, values.offset * 4)[[0, -1]]
    return memoryview(data)[first:last]


def _beside_each_other(integers: list[tuple[str, NDArray[Any] | int]], count: int) -> pa.Array:
    """The bytes of several integers of fixed sizes for each of ``count`` rows."""
    rows = _side_by_side(integers, count)
    return _binary(rows, np.arange(count + 1) * rows.itemsize)


def _side_by_side(integers: list[tuple[str, NDArray[Any] | int]], count: int) -> NDArray[np.void]:
    rows = np.empty(count, np.dtype([(str(at), kind) for at, (kind, _) in enumerate(integers)]))
    for at, (_, values) in enumerate(integers):
        rows[str(at)] = values
    return rows
