"""Rows as lists become a table, until the reader makes tables itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from app.csvfile.columns import VALUES
from app.csvfile.contract import Mode, NamedBy
from app.csvfile.rows import SCHEMA
from app.csvfile.validate import Rows


def as_table(numbers: Sequence[int], rows: Rows) -> pa.Table:
    """A table of ``rows``, which begin on the lines ``numbers``."""
    columns: dict[str, Sequence[Any]] = {
        "line": numbers,
        "is_create": [mode is Mode.CREATE for mode in rows.modes],
        "named_by": [named_by for named_by, _ in rows.names],
        "urn": [name if named_by is NamedBy.URN else None for named_by, name in rows.names],
        "external_id": [name if isinstance(name, int) else None for _, name in rows.names],
        "name_key": [name if named_by is NamedBy.NAME else None for named_by, name in rows.names],
        "condition": rows.conditions,
        "variants": rows.variants,
        "hidden": rows.hidden,
        **{field.name: values for field, values in zip(VALUES.values(), rows.values, strict=True)},
    }
    return pa.table([pa.array(columns[field.name], field.type) for field in SCHEMA], SCHEMA)
