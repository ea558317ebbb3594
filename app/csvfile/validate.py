"""Validates rows against the contract, as far as a row alone decides.

The parse functions of the columns decide, and say what is wrong with a cell. The fast pass goes column by column over
the rows of a block, because nearly every row is valid, and calls them once for each distinct value, or only for suspect
ones. The slow pass takes a row about which more is wrong than its cells by themselves, and collects all its problems.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache, cached_property
from itertools import chain, repeat
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from app.csvfile.causes import Cause, Problem
from app.csvfile.columns import FIELDS, NAME_COLUMNS, NEWEST, Column, Layout, Spec
from app.csvfile.contract import NAME_KEY_SEPARATOR, Mode, NamedBy, column_letters, fold
from app.csvfile.damage import ERROR_MARKS, is_date, is_error, is_shortened, plain_digits
from app.csvfile.guard import unguard
from app.csvfile.parse import Wrong
from app.csvfile.reader import CONTROL, Block
from app.csvfile.records import BrokenCells
from app.csvfile.rows import NOT_VALID, SCHEMA
from app.csvfile.texts import Indices, Mask, Texts, union, where
from app.csvfile.visible import describe_invisible, trim, typed, without_controls

#: Maximum number of values of a column that are remembered before all are forgotten, and the longest of them.
_REMEMBERED, _REMEMBERED_LENGTH = 10_000, 100

#: The columns that name an item by themselves, in the order in which they decide.
_NAMES_ALONE = (Column.URN, Column.CARDMARKET_ID, Column.TCGPLAYER_ID)


class _Memory(dict[str, Any]):
    """The results of a function so far; looking up a new text calls it."""

    def __init__(self, function: Callable[[str], Any]) -> None:
        super().__init__()
        self._function = function

    def __missing__(self, text: str) -> Any:
        value = self._function(text)
        if len(self) >= _REMEMBERED:
            self.clear()
        if len(text) <= _REMEMBERED_LENGTH:
            self[text] = value
        return value


class _WrongCell:
    """A cell of a column that breaks a rule."""

    def __init__(self, column: Column, value: str, wrong: Wrong) -> None:
        self._column, self._value, self._wrong = column, value, wrong

    @cached_property
    def problems(self) -> list[Problem]:
        """The problem of a row in which nothing else is wrong; rows with the same value share the list."""
        return [_explain(self._column, self._value, self._wrong)]


#: For each column of a layout, what parses its cells; for a cell that breaks a rule, it returns a _WrongCell.
_Parsers = Mapping[Column, Callable[[str], Any]]


@cache
def _parsers(layout: Layout) -> _Parsers:
    return {column: _parser(column) for column in layout.columns}


def _parser(column: Column) -> Callable[[str], Any]:
    strip, parse = _strip_of(column), column.spec.parse

    def parse_cell(cell: str) -> Any:
        value = strip(cell)
        try:
            return parse(value)
        except Wrong as wrong:
            # Without the frames in which it was raised.
            return _WrongCell(column, value, Wrong(wrong.cause, **wrong.facts))

    return parse_cell


def _find_wrong(values: list[Any]) -> list[int]:
    """The indices of the wrong cells."""
    return [at for at, value in enumerate(values) if type(value) is _WrongCell]


class _Distinct(NamedTuple):
    """The parsed values of a column whose values repeat."""

    #: The distinct ones, and for each row the index of its own.
    values: list[Any]
    indices: Indices

    def wrong(self) -> tuple[Indices, list[_WrongCell]]:
        """The rows whose cell breaks a rule, and the cells."""
        is_wrong = np.zeros(len(self.values), np.bool_)
        is_wrong[_find_wrong(self.values)] = True
        at = np.flatnonzero(is_wrong[self.indices])
        return at, [self.values[one] for one in self.indices[at].tolist()]

    def where(self, is_wanted: Callable[[Any], bool]) -> Mask:
        """For each row whether its value is wanted."""
        return np.array([*map(is_wanted, self.values)], np.bool_)[self.indices]

    def as_array(self, to: pa.DataType, wrong: int | str | None = None) -> pa.Array:
        """The value of each row; ``wrong`` for a wrong one."""
        values = [wrong if type(one) is _WrongCell else one for one in self.values]
        return pa.array(values, to).take(pa.array(self.indices))


class _Texts:
    """The cells of a column whose values hardly ever repeat."""

    def __init__(self, spec: Spec, cells: pa.StringArray, parse: Callable[[str], Any]) -> None:
        self._cells, self._parse = Texts(cells), parse
        self._is_free_text = spec.is_free_text
        self._suspects = union(*spec.suspects(self._cells)) if spec.suspects else np.empty(0, np.intp)
        self._values = [*map(parse, self._cells.at(self._suspects))]

    def wrong(self) -> tuple[Indices, list[_WrongCell]]:
        """The rows whose cell breaks a rule, and the cells."""
        wrong = _find_wrong(self._values)
        return self._suspects[wrong], [self._values[at] for at in wrong]

    @cached_property
    def valid(self) -> Texts:
        """The texts of the values. A cell that breaks a rule counts as an empty one, or else stays as it is."""
        cells, at, values = self._cells, self._suspects, self._values
        if self._is_free_text:
            cells = cells.trimmed()
            at = cells.guarded()
            values = [*map(self._parse, cells.at(at))]
        wrong = _find_wrong(values)
        right = np.delete(np.arange(len(values)), wrong)
        texts = ["" if values[one] is None else str(values[one]) for one in right]
        return cells.replaced(at[right], texts).without(at[wrong])


class Validator:
    """Validates the blocks of a file with one layout, by any thread, and remembers common values."""

    def __init__(self, layout: Layout = NEWEST) -> None:
        self._layout = layout
        self._parsers = {column: _Memory(parse).__getitem__ for column, parse in _parsers(layout).items()}
        self._fold = _Memory(lambda cell: fold(unguard(cell.strip()))).__getitem__

    def validate(self, block: Block) -> Validated:
        """Find the blank and the invalid records of ``block``."""
        return Validated(block, self._layout, self._parsers, self._fold)


class Validated:
    """The result for the records of a block. Rows and problems are made only when asked for."""

    def __init__(self, block: Block, layout: Layout, parsers: _Parsers, fold: Callable[[str], str]) -> None:
        self._block, self._layout, self._parsers, self._fold = block, layout, parsers, fold
        #: For each fit record whether it is wrong or blank, and whether more is wrong than its cells by themselves.
        self._is_wrong, self._is_odd = np.zeros((2, len(block.fit)), np.bool_)
        #: Column by column, the fit records with a wrong cell, and the cells.
        self._wrong_cells: list[tuple[Indices, list[_WrongCell]]] = []
        self._values: dict[Column, _Distinct] = {}
        self._texts: dict[Column, _Texts] = {}
        for column, cells in zip(layout.columns, block.columns, strict=True):
            if column.spec.suspects is None:
                values = [*map(parsers[column], cells.dictionary.to_pylist())]
                self._values[column] = _Distinct(values, cells.indices.to_numpy())
            else:
                self._texts[column] = _Texts(column.spec, cells, parsers[column])
            self._wrong_cells.append((self._values.get(column) or self._texts[column]).wrong())
            self._is_wrong[self._wrong_cells[-1][0]] = True
        self._is_create = self._values[Column.MODE].where(lambda value: value is Mode.CREATE)
        self._is_odd |= self._is_create & self._values[Column.QUANTITY].where(lambda value: value == 0)
        self._check_names()
        self._is_wrong |= self._is_odd
        wrong = self._unfit_and(self._is_wrong)
        blank = self._find_blank() if len(wrong) else wrong
        #: The invalid records, and the records that are not blank.
        self.invalid: Indices = np.setdiff1d(wrong, blank, assume_unique=True)
        self.filled: Indices = np.delete(np.arange(len(block)), blank)

    def _check_names(self) -> None:
        """Find the rows that name no item."""
        is_left = ~np.logical_or.reduce([self._texts[column].valid.is_filled for column in _NAMES_ALONE])
        if not is_left.any():
            return
        for part in (self._texts[column].valid for column in NAME_COLUMNS):
            self._is_odd |= is_left & ~part.is_filled
            errors = part.with_any(*ERROR_MARKS)
            errors = errors[[*map(is_error, part.at(errors))]]
            self._is_odd[errors] |= is_left[errors]

    def _unfit_and(self, is_wanted: Mask) -> Indices:
        """The unfit records, and the fit ones for which ``is_wanted`` is true, in order."""
        return np.sort(np.append(self._block.fit[is_wanted], [*self._block.unfit]).astype(np.intp))

    def _find_blank(self) -> Indices:
        block, layout = self._block, self._layout
        # A row with a mode is not blank.
        modes = block.columns[layout.columns.index(Column.MODE)]
        has_no_mode = where(modes, lambda cell: not _plain(cell))
        maybe = self._unfit_and(self._is_wrong & has_no_mode)
        return maybe[[not any(_values(cells, layout)) for cells in block.cells(maybe)]]

    def problems(self) -> dict[int, list[Problem]]:
        """All problems of each invalid record, by its line."""
        block, found = self._block, dict[int, list[Problem]]()
        for at, cells in self._wrong_cells:
            for record, cell in zip(block.fit[at].tolist(), cells, strict=True):
                found[record] = found[record] + cell.problems if record in found else cell.problems
        odd = np.intersect1d(self.invalid, self._unfit_and(self._is_odd), assume_unique=True)
        for record, one in zip(odd.tolist(), block.cells(odd), strict=True):
            found[record] = find_problems(one, self._layout, self._parsers) or []
        return dict(zip(block.lines[self.invalid].tolist(), map(found.__getitem__, self.invalid.tolist()), strict=True))

    def rows(self) -> pa.Table:
        """The fit records as rows, a table of ``rows.SCHEMA``."""
        columns = self._name_items() | {
            "line": pa.array(self._block.lines[self._block.fit].astype(np.int32)),
            "is_create": pa.array(self._is_create),
            "condition": self._values[Column.CONDITION].as_array(SCHEMA.field("condition").type, 0),
            "variants": self._values[Column.VARIANTS].as_array(SCHEMA.field("variants").type, ""),
            **{field.name: self._read(column, SCHEMA.field(field.name).type) for column, field in FIELDS.items()},
        }
        hidden = columns["hidden"]
        columns["hidden"] = pc.if_else(columns["is_create"], hidden.fill_null(False), hidden)
        return pa.table([columns[field.name] for field in SCHEMA], SCHEMA)

    def _read(self, column: Column, to: pa.DataType) -> pa.Array:
        """The values of a field's column; null if the file does not have it."""
        if column in self._texts:
            return self._texts[column].valid.or_null().cast(to)
        return self._values[column].as_array(to) if column in self._values else pa.nulls(len(self._is_wrong), to)

    def _name_items(self) -> dict[str, pa.Array]:
        """The columns that tell how each row names its item."""
        urns, cardmarket_ids, tcgplayer_ids = (self._texts[column].valid for column in _NAMES_ALONE)
        named_by = np.full(len(self._is_wrong), NamedBy.NAME, np.int8)
        ids = np.zeros(len(named_by), np.int64)
        # The first way that is given decides.
        for way, texts in ((NamedBy.TCGPLAYER_ID, tcgplayer_ids), (NamedBy.CARDMARKET_ID, cardmarket_ids)):
            at = np.flatnonzero(texts.is_filled)
            named_by[at], ids[at] = way, texts.array.take(pa.array(at)).cast(pa.int64()).to_numpy()
        named_by[urns.is_filled] = NamedBy.URN
        named_by[self._is_wrong] = NOT_VALID
        is_by_id = (named_by == NamedBy.CARDMARKET_ID) | (named_by == NamedBy.TCGPLAYER_ID)
        return {
            "named_by": pa.array(named_by),
            "urn": urns.or_null(),
            "external_id": pa.array(ids, mask=~is_by_id),
            "name_key": self._name_keys(named_by == NamedBy.NAME),
        }

    def _name_keys(self, is_wanted: Mask) -> pa.Array:
        at = np.flatnonzero(is_wanted)
        parts = [Texts(self._texts[column].valid.array.take(at)).folded(self._fold) for column in NAME_COLUMNS]
        keys = pc.binary_join_element_wise(*parts, NAME_KEY_SEPARATOR)
        return pc.replace_with_mask(pa.nulls(len(is_wanted), pa.string()), pa.array(is_wanted), keys)


def _values(cells: list[str], layout: Layout) -> Iterator[str]:
    """The values in the cells of a row, without white space and guards."""
    return (
        strip(cell) for strip, cell in zip(chain(map(_strip_of, layout.columns), repeat(_plain)), cells, strict=False)
    )


def _strip_of(column: Column) -> Callable[[str], str]:
    return str.strip if column.spec.is_free_text else _plain


def _plain(cell: str) -> str:
    """The value in a cell that is not free text, without its guard: programs write ids as ``="912954"``."""
    value = cell.strip() if cell.isascii() else trim(cell)
    return trim(unguard(value)) if value.startswith('="') else value


def find_problems(cells: list[str], layout: Layout = NEWEST, parsers: _Parsers | None = None) -> list[Problem] | None:
    """All problems of a row, in the order of its columns; None for a blank row."""
    if not any(_values(cells, layout)):
        return None
    problems = [*cells.problems] if isinstance(cells, BrokenCells) else []
    # If a value is missing or too many, or lines were swallowed, values may be in the wrong columns.
    if Cause.SWALLOWED_LINES in {problem.cause for problem in problems}:
        return problems
    if len(cells) != len(layout.columns):
        return [_miscounted(cells, layout), *problems]
    return _find_wrong_values(cells, layout, parsers or _parsers(layout), problems)


def _find_wrong_values(cells: list[str], layout: Layout, parsers: _Parsers, problems: list[Problem]) -> list[Problem]:
    """``problems`` and all other problems of a row that has a value in each column, in the order of the columns."""
    broken = {problem.column for problem in problems}
    has_controls = CONTROL.search("".join(cells))
    of_column = dict(zip(layout.columns, cells, strict=True))
    parsed: dict[Column, Any] = {}
    for column, cell in of_column.items():
        if column in broken:
            continue
        if has_controls and (control := CONTROL.search(cell)):
            problems.append(Cause.CONTROL_CHARACTER.problem(column, character=f"U+{ord(control[0]):04X}"))
            continue
        parsed[column] = value = parsers[column](cell)
        if type(value) is _WrongCell:
            problems += value.problems
    if parsed.get(Column.MODE) is Mode.CREATE and parsed.get(Column.QUANTITY) == 0:
        problems.append(Cause.QUANTITY_ZERO.problem(Column.QUANTITY))
    if not any(_plain(of_column[column]) for column in _NAMES_ALONE):
        problems += _find_wrong_names({column: _strip_of(column)(of_column[column]) for column in NAME_COLUMNS})
    order = layout.columns.index
    return sorted(problems, key=lambda problem: order(Column[problem.column])) if len(problems) > 1 else problems


def _explain(column: Column, value: str, wrong: Wrong) -> Problem:
    """The problem of an invalid ``value``: how it was damaged, if known, else the rule that it breaks."""
    if column.spec.is_free_text:
        return wrong.cause.problem(column, **wrong.facts)
    if is_error(value):
        return Cause.SPREADSHEET_ERROR.problem(column, value=value)
    seen = typed(value)
    if (character := describe_invisible(value)) and _is_right(column, seen):
        return Cause.INVISIBLE_CHARACTER.problem(column, value=seen, character=character)
    if not column.spec.is_number:
        return wrong.cause.problem(column, **wrong.facts)
    if is_shortened(value):
        return Cause.NUMBER_SHORTENED.problem(column, value=value)
    if is_date(value):
        return Cause.NUMBER_AS_DATE.problem(column, value=value)
    digits = plain_digits(seen)
    if digits and column is not Column.PRICE and _is_right(column, digits):
        return Cause.NUMBER_FORMATTED.problem(column, value=value, digits=digits)
    return wrong.cause.problem(column, **wrong.facts)


def without_invisible(column: Column, value: str) -> str | None:
    """``value`` without the characters in it that cannot be seen; None where that does not make it right."""
    seen = without_controls(value)
    seen = seen if column.spec.is_free_text else typed(seen)
    return seen if _is_right(column, seen) else None


def _is_right(column: Column, value: str) -> bool:
    try:
        column.spec.parse(value)
    except Wrong:
        return False
    return True


def _miscounted(cells: list[str], layout: Layout) -> Problem:
    """The problem of a row with too few or too many values."""
    columns = len(layout.columns)
    if extra := layout.find_extra(cells):
        value, letters = cells[extra[0]].strip(), column_letters(extra[0])
        return Cause.EXTRA_VALUE.problem(values=len(extra), value=value, letters=letters)
    if len(cells) == 1 and cells[0].count(",") >= columns - 1:
        return Cause.ROW_IN_QUOTES.problem()
    return Cause.COLUMN_COUNT.problem(values=len(cells), columns=columns + layout.ignored)


def _find_wrong_names(names: Mapping[Column, str]) -> list[Problem]:
    """The problems of GAME, SET and NAME if nothing else names the item."""
    if not any(names.values()):
        return [Cause.ITEM_NOT_NAMED.problem(Column.URN)]
    missing = [column for column, value in names.items() if not value]
    if missing:
        return [Cause.NAME_INCOMPLETE.problem(missing[0])]
    return [Cause.SPREADSHEET_ERROR.problem(column, value=value) for column, value in names.items() if is_error(value)]
