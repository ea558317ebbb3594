"""The rows of a file as Arrow columns: the schema that validation, the workers and the COPY share."""

from collections.abc import Iterator
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from app.csvfile.columns import FIELDS, VALUES, Column, Values
from app.csvfile.contract import Condition, ItemName, Mode, NamedBy

_TYPES = {"int4": pa.int32(), "text": pa.string(), "bool": pa.bool_()}

#: What an invalid row has in the column ``named_by``; its other values may be missing.
NOT_VALID = 0

#: The columns of a table of rows, one line each, in the order of the file.
SCHEMA = pa.schema(
    [
        #: The physical line on which the row begins.
        pa.field("line", pa.int32(), nullable=False),
        #: Whether its MODE is CREATE; else it is UPDATE.
        pa.field("is_create", pa.bool_(), nullable=False),
        #: How it names the item: a ``contract.NamedBy``. Only the column for that way has a value. Or NOT_VALID.
        pa.field("named_by", pa.int8(), nullable=False),
        pa.field("urn", pa.string()),
        pa.field("external_id", pa.int64()),
        pa.field("name_key", pa.string()),
        #: A ``contract.Condition``.
        pa.field("condition", pa.int16(), nullable=False),
        #: Sorted, joined by ``|``; empty if there are none.
        pa.field("variants", pa.string(), nullable=False),
        #: The fields of the listing, by name. Null: no value; for HIDDEN, an UPDATE leaves it unchanged (a CREATE
        #: has false). All null if the file does not have the column.
        *(pa.field(field.name, _TYPES[field.sql]) for field in FIELDS.values()),
    ]
)


def whole(column: pa.ChunkedArray) -> pa.Array:
    """A column in one piece."""
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)


def valid(rows: pa.Table) -> pa.Table:
    """The valid ones of ``rows``."""
    return rows.filter(pc.not_equal(rows["named_by"], NOT_VALID))


class Row(NamedTuple):
    """A valid row by itself, for what looks at few of them; whether its item and listing exist is not known."""

    #: The physical line on which it begins.
    line: int
    mode: Mode
    name: ItemName
    condition: Condition
    #: Sorted, joined by ``|``; empty if there are none.
    variants: str
    #: None: an UPDATE leaves it unchanged.
    hidden: bool | None
    #: Its values, in the order of ``columns.VALUES``; None for a column that its file does not have.
    values: Values


def each_row(rows: pa.Table) -> Iterator[Row]:
    """The rows of a table one by one."""
    columns = (column.to_pylist() for column in rows.columns)
    for line, is_create, named_by, urn, external_id, name_key, condition, variants, *fields in zip(
        *columns, strict=True
    ):
        name = next(name for name in (urn, external_id, name_key) if name is not None)
        values = dict(zip(FIELDS, fields, strict=True))
        yield Row(
            line,
            Mode.CREATE if is_create else Mode.UPDATE,
            (NamedBy(named_by), name),
            Condition(condition),
            variants,
            values[Column.HIDDEN],
            tuple(values[column] for column in VALUES),
        )
