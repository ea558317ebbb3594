"""Finds the rows of a block that are no rows: blank ones, totals, remarks, and the header once more."""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from app.csvfile.texts import Indices, Mask
from app.csvfile.visible import trim
from app.imports.foreign.shapes import Block, Note, Reading

#: What the first value of a row says that adds the others up, in the languages of spreadsheets.
TOTALS = frozenset(
    "total totals subtotal sum summe gesamt gesamtsumme zwischensumme somme totale somma suma totaal".split()
) | {"grand total", "sub total", "total general", "in total"}
#: A total stands in one of the first columns.
_TOTAL_COLUMNS = 3
#: A row of so few values may be a remark.
_FEW = 2
#: In a table of fewer columns, a row with one or two values may well be a row.
_MIN_WIDTH = 4
_WRITTEN = pa.array(
    [f"{form}{end}" for word in sorted(TOTALS) for form in (word, word.upper(), word.capitalize(), word.title())
     for end in ("", ":", " :", " ")]
)  # fmt: skip


def notes_of(block: Block, reading: Reading) -> Block:
    """``block`` without its blank rows and the lines before the first row, and with a note on each row that is none."""
    filled = _count_filled(block.cells)
    few = np.flatnonzero(filled <= _FEW).tolist()
    notes = dict(block.notes)
    blank: list[int] = []
    for at in few:
        values = [*filter(None, map(trim, _values(block.cells, at)))]
        if not values and notes.get(at) in (None, Note.TOO_FEW_CELLS):
            blank.append(at)
        elif _is_remark(len(values), notes.get(at), block.cells.num_columns):
            notes[at] = Note.REMARK
    for at in _find_totals(block.cells, filled):
        notes[at] = Note.TOTAL
    if reading.header_line:
        notes |= dict.fromkeys(_find_headers(block.cells, reading.columns), Note.HEADER)
    is_row = block.lines >= reading.first_line
    is_row[blank] = False
    return block if is_row.all() and notes == block.notes else _keep(block, is_row, notes)


def _keep(block: Block, is_row: Mask, notes: dict[int, Note]) -> Block:
    at = np.cumsum(is_row) - 1
    notes = {int(at[row]): note for row, note in sorted(notes.items()) if is_row[row]}
    cells = block.cells.filter(pa.array(is_row))
    return Block(cells, block.lines[is_row], block.starts[is_row], block.lengths[is_row], notes)


def _count_filled(cells: pa.Table) -> Indices:
    """The number of cells of each row that are not empty."""
    filled = np.zeros(cells.num_rows, np.int64)
    for column in cells.columns:
        filled += pc.binary_length(column).to_numpy() > 0
    return filled


def _values(cells: pa.Table, row: int) -> list[str]:
    return [column[row].as_py() for column in cells.columns]


def _is_remark(values: int, note: Note | None, width: int) -> bool:
    """Whether a row is a title, a remark, or the last line of an export: one value, or a few of a line that ends."""
    return width >= _MIN_WIDTH and (values == 1 or note is Note.TOO_FEW_CELLS)


def _find_totals(cells: pa.Table, filled: Indices) -> Iterable[int]:
    """The rows whose first value says that it is a total, and that have few others."""
    is_sparse = filled <= max(_TOTAL_COLUMNS, cells.num_columns / 2)
    found: set[int] = set()
    for column in cells.columns[:_TOTAL_COLUMNS]:
        found.update(np.flatnonzero(pc.is_in(column, _WRITTEN).to_numpy() & is_sparse).tolist())
    for row in found:
        first = next(filter(None, map(trim, _values(cells, row))), "")
        if first.rstrip(" :").lower() in TOTALS:
            yield row


def _find_headers(cells: pa.Table, names: tuple[str, ...]) -> Iterable[int]:
    """The rows that are the header once more."""
    if len(names) < _MIN_WIDTH:
        return
    same = pc.and_(pc.equal(cells.column(0), names[0]), pc.equal(cells.column(1), names[1])).to_numpy()
    for row in np.flatnonzero(same).tolist():
        values = [trim(value) for value in _values(cells, row)]
        if sum(value == name for value, name in zip(values, names, strict=True)) > len(names) / 2:
            yield row
