"""A plain reader and validator, record by record and cell by cell: what the product's columns are compared with.

``as_columns`` and ``as_lines`` show what the product makes of the same bytes in the same form.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from app.csvfile import reader
from app.csvfile.causes import Problem
from app.csvfile.columns import HEADER, VALUES, Column, Layout
from app.csvfile.contract import ItemName, Mode, NamedBy, name_key
from app.csvfile.errors import FileRejected
from app.csvfile.guard import unguard
from app.csvfile.header import layout_of
from app.csvfile.lines import LineReader
from app.csvfile.reader import read_blocks
from app.csvfile.records import BrokenCells, read_records
from app.csvfile.rows import SCHEMA, Row, each_row
from app.csvfile.validate import find_problems
from app.csvfile.visible import trim


class Record(NamedTuple):
    """One record: its line, its values, their problems if they are broken, its text and the byte behind it."""

    line: int
    cells: list[str]
    problems: list[Problem]
    text: str
    end: int


class Line(NamedTuple):
    """What a record comes to: a valid row, or its problems."""

    line: int
    text: str
    row: Row | None
    problems: list[Problem]


def read(data: bytes, layout: Layout, *, offset: int = 0, line: int = 1) -> Iterator[Record]:
    """The records of ``data``, which begin at a byte and on a line of their file.

    Raises FileRejected for what the product refuses.
    """
    lines = io.StringIO(data.decode(), newline="\n").readlines()
    at = 0
    for cells, height in read_records(lines, 0, line=line, layout=layout, is_last=True):
        text = "".join(lines[at : at + height])
        size = len(text.encode())
        if size > reader.MAX_RECORD_BYTES:
            raise FileRejected("A record is too long.", line + at)
        offset += size
        yield Record(line + at, _own(cells, layout), _problems(cells), text, offset)
        at += height


def judge(data: bytes, header: str = HEADER, *, line: int = 2) -> Iterator[Line]:
    """What the rows of ``data`` come to, but for blank ones."""
    layout = layout_of(header)
    for record in read(data, layout, line=line):
        cells = BrokenCells(record.cells, record.problems) if record.problems else record.cells
        problems = find_problems(cells, layout)
        if problems is not None:
            row = None if problems else _row(record.line, dict(zip(layout.columns, cells, strict=True)))
            yield Line(record.line, record.text.removesuffix("\n").removesuffix("\r"), row, problems)


def as_columns(pieces: Iterable[bytes], layout: Layout, *, offset: int = 0, line: int = 1) -> Iterator[Record]:
    """The records as the product reads them."""
    for block in read_blocks(pieces, offset=offset, line=line, layout=layout):
        every = np.arange(len(block))
        for at, (cells, text) in enumerate(zip(block.cells(every), block.texts(every), strict=True)):
            end = block.offset + int(block.starts[at + 1])
            yield Record(int(block.lines[at]), _own(cells, layout), _problems(cells), text, end)


def as_lines(
    pieces: Iterable[bytes], header: str = HEADER, *, offset: int = 0, line: int = 2, at_once: int = 1_000
) -> Iterator[Line]:
    """What the product makes of the rows, ``at_once`` records at a time."""
    line_reader = LineReader(pieces, header=header, offset=offset, line=line)
    while (lines := line_reader.take(at_once)).count:
        assert lines.count <= at_once
        rows = {row.line: row for row in each_row(lines.rows)}
        assert [*rows] == sorted(rows)
        assert not rows.keys() & lines.wrong.keys()
        every = sorted(rows | lines.wrong)
        for number, text in zip(every, lines.texts(every).to_pylist(), strict=True):
            yield Line(number, text, rows.get(number), lines.wrong.get(number, []))


def as_table(rows: Iterable[Row]) -> pa.Table:
    """``rows`` as a table of ``rows.SCHEMA``."""
    made = []
    for row in rows:
        named_by, name = row.name
        made.append(
            {
                "line": row.line,
                "is_create": row.mode is Mode.CREATE,
                "named_by": named_by,
                "urn": name if named_by is NamedBy.URN else None,
                "external_id": name if isinstance(name, int) else None,
                "name_key": name if named_by is NamedBy.NAME else None,
                "condition": row.condition,
                "variants": row.variants,
                "hidden": row.hidden,
                **{field.name: value for field, value in zip(VALUES.values(), row.values, strict=True)},
            }
        )
    return pa.Table.from_pylist(made, SCHEMA)


def _problems(cells: list[str]) -> list[Problem]:
    return cells.problems if isinstance(cells, BrokenCells) else []


def _own(cells: list[str], layout: Layout) -> list[str]:
    is_wide = len(layout.columns) < len(cells) <= layout.width and not layout.find_extra(cells)
    return [*cells][: len(layout.columns)] if is_wide else [*cells]


def _row(line: int, cells: dict[Column, str]) -> Row:
    values: dict[Column, Any] = {column: column.spec.parse(_strip(column, cell)) for column, cell in cells.items()}
    mode, hidden = values[Column.MODE], values[Column.HIDDEN]
    return Row(
        line,
        mode,
        _name(values),
        values[Column.CONDITION],
        values[Column.VARIANTS],
        bool(hidden) if mode is Mode.CREATE else hidden,
        tuple(values.get(column) for column in VALUES),
    )


def _name(values: dict[Column, Any]) -> ItemName:
    for named_by in (NamedBy.URN, NamedBy.CARDMARKET_ID, NamedBy.TCGPLAYER_ID):
        if (value := values[Column[named_by.name]]) not in (None, ""):
            return named_by, value
    return NamedBy.NAME, name_key(*(unguard(values[column]) for column in (Column.GAME, Column.SET, Column.NAME)))


def _strip(column: Column, cell: str) -> str:
    if column.spec.is_free_text:
        return cell.strip()
    value = trim(cell)
    return trim(unguard(value)) if value.startswith('="') else value
