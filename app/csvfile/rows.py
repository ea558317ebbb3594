"""The valid rows of a file as Arrow columns: the schema that the reader, the workers and the COPY share."""

from __future__ import annotations

import pyarrow as pa

from app.csvfile.columns import FIELDS

_TYPES = {"int4": pa.int32(), "text": pa.string(), "bool": pa.bool_()}

#: The columns of a table of valid rows, one line each, in the order of the file.
SCHEMA = pa.schema(
    [
        #: The physical line on which the row begins.
        pa.field("line", pa.int32(), nullable=False),
        #: Whether its MODE is CREATE; else it is UPDATE.
        pa.field("is_create", pa.bool_(), nullable=False),
        #: How it names the item: a ``contract.NamedBy``. Only the column for that way has a value.
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
