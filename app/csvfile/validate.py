"""Validates rows against the contract, as far as a row alone decides.

The parse functions of the columns decide in both passes. The fast pass goes column by column over many rows, because
nearly every row is valid, and remembers values that repeat often. The slow pass takes a row that the fast one has found
invalid, and collects all its problems.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, compress, repeat
from typing import Any, NamedTuple, TypeVar

from app.csvfile.causes import Cause, Problem
from app.csvfile.columns import NEWEST, VALUES, Column, Layout, Needed, Values
from app.csvfile.contract import Condition, ItemName, Mode, NamedBy, column_letters, fold, join_name_key
from app.csvfile.damage import is_date, is_error, is_shortened, may_have_error, plain_digits
from app.csvfile.guard import unguard
from app.csvfile.parse import Wrong
from app.csvfile.reader import BrokenCells
from app.csvfile.visible import describe_invisible, trim, typed

_Value = TypeVar("_Value")

#: Unicode category Cc without tab and the line breaks.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")

#: Maximum number of different values of a column that are remembered before all are forgotten.
_REMEMBERED = 10_000

_NAME_COLUMNS = (Column.GAME, Column.SET, Column.NAME)


class Row(NamedTuple):
    """A valid row; whether its item and listing exist is for the database to decide."""

    mode: Mode
    name: ItemName
    condition: Condition
    #: Sorted, joined by ``|``; empty if there are none.
    variants: str
    #: None: an UPDATE leaves it unchanged.
    hidden: bool | None
    #: Its values, in the order of ``columns.VALUES``; None for a column that its file does not have.
    values: Values


class Rows(NamedTuple):
    """Valid rows, column by column, which is the fastest way to handle thousands; see ``Row``."""

    modes: list[Mode]
    names: list[ItemName]
    conditions: list[Condition]
    variants: list[str]
    hidden: list[bool | None]
    #: A list for each of ``columns.VALUES``.
    values: tuple[list[Any], ...]

    @classmethod
    def none(cls) -> Rows:
        """No rows, to be added to."""
        return cls([], [], [], [], [], tuple([] for _ in VALUES))

    def _columns(self) -> Iterator[list[Any]]:
        yield from (self.modes, self.names, self.conditions, self.variants, self.hidden)
        yield from self.values

    def _each_column(self, change: Callable[[list[Any]], list[Any]]) -> Rows:
        modes, names, conditions, variants, hidden, *values = map(change, self._columns())
        return Rows(modes, names, conditions, variants, hidden, tuple(values))

    def extend(self, more: Rows) -> None:
        """Append ``more`` rows."""
        for column, values in zip(self._columns(), more._columns(), strict=True):
            column.extend(values)

    def cut(self, count: int) -> Rows:
        """Remove and return the first ``count`` rows."""
        return self._each_column(lambda column: cut(column, count))

    def where(self, is_wanted: Sequence[bool]) -> Rows:
        """The rows for which ``is_wanted`` is true."""
        return self._each_column(lambda column: list(compress(column, is_wanted)))

    def each(self) -> Iterator[Row]:
        """The rows one by one."""
        values = zip(*self.values, strict=True)
        own = self.modes, self.names, self.conditions, self.variants, self.hidden
        return map(Row._make, zip(*own, values, strict=True))


def cut(values: list[_Value], count: int) -> list[_Value]:
    """Remove and return the first ``count`` of ``values``."""
    taken = values[:count]
    del values[:count]
    return taken


class _Remember(dict[str, Any]):
    """The results of ``parse`` so far; looking up a new value parses it. Raises what ``parse`` raises.

    ``strip`` removes what does not belong to a value.
    """

    def __init__(self, parse: Callable[[str], Any], strip: Callable[[str], str] | None = None) -> None:
        super().__init__()
        self._parse = parse
        self._strip = strip or _plain

    def __missing__(self, raw: str) -> Any:
        value = self._parse(self._strip(raw))
        if len(self) >= _REMEMBERED:
            self.clear()
        self[raw] = value
        return value


#: The columns of a block after each value was found to be valid or not: parsed in columns whose values repeat often,
#: and otherwise as in the file.
_Checked = dict[Column, Sequence[Any]]


class Validated:
    """The result for the rows of a block, computed only as far as it is used: the upload check only counts."""

    def __init__(
        self, cells: list[list[str]], layout: Layout, make: Callable[[list[bool]], Rows], apart: set[int]
    ) -> None:
        self._cells = cells
        self._layout = layout
        self._make = make
        self._apart = apart
        #: The indices of the blank and of the invalid rows.
        self.blank = {at for at in apart if not any(_values(cells[at], layout))}
        self.wrong = apart - self.blank

    def is_right(self) -> list[bool]:
        """For each row whether it is valid."""
        return [at not in self._apart for at in range(len(self._cells))]

    def rows(self) -> Rows:
        """The valid rows."""
        return self._make(self.is_right())

    def problems(self) -> dict[int, list[Problem]]:
        """All problems of each invalid row, by its index."""
        return {at: find_problems(self._cells[at], self._layout) or [] for at in sorted(self.wrong)}


class Validator:
    """Validates rows of one layout, many at a time, and remembers common values. Not thread-safe."""

    def __init__(self, layout: Layout = NEWEST) -> None:
        self._layout = layout
        self._remembered = {
            column: _Remember(column.spec.parse) for column in layout.columns if column.spec.bulk is None
        }
        self._folded = _Remember(fold, lambda cell: unguard(cell.strip()))
        #: A valid row, which stands in for a row that has to be validated separately while the others go column by
        #: column.
        self._placeholder = [
            "" if column.spec.needed is Needed.OPTIONAL else column.spec.examples[0] for column in layout.columns
        ]

    def validate(self, rows: list[list[str]], has_controls: bool) -> Validated:
        """Find the blank and the invalid ones among ``rows``, each given by its cells, and parse the others.

        ``has_controls`` is false if no cell is known to contain a control character.
        """
        layout = self._layout
        if not rows:
            return Validated(rows, layout, lambda _: Rows.none(), set())
        if layout.width > len(layout.columns):
            rows = [self._own_values(cells) for cells in rows]
        apart = _unfit(rows, layout, has_controls)
        if apart:
            columns = zip(*(self._placeholder if at in apart else cells for at, cells in enumerate(rows)), strict=True)
        else:
            columns = zip(*rows, strict=True)
        checked = self._check(dict(zip(layout.columns, columns, strict=True)), apart)
        return Validated(rows, layout, partial(self._make, checked), apart)

    def _own_values(self, cells: list[str]) -> list[str]:
        """The values of a row without those in ignored columns and in unnamed ones, if all of the latter are empty."""
        layout = self._layout
        if len(cells) > layout.width or layout.find_extra(cells):
            return cells
        kept = cells[: len(layout.columns)]
        return BrokenCells(kept, cells.problems) if isinstance(cells, BrokenCells) else kept

    def _check(self, columns: Mapping[Column, tuple[str, ...]], wrong: set[int]) -> _Checked:
        """Check all values in ``columns``, and add the indices of those that break a rule to ``wrong``."""
        checked: _Checked = {}
        for column, cells in columns.items():
            spec = column.spec
            if spec.bulk is None:
                checked[column] = _parse_column(self._remembered[column].__getitem__, cells, wrong)
                continue
            trimmed = cells if spec.is_free_text else _trimmed(cells)
            if not spec.bulk.are_right(trimmed):
                _parse_column(partial(_parse_stripped, spec.parse), trimmed, wrong)
            checked[column] = trimmed
        quantities = checked[Column.QUANTITY]
        if not all(quantities):
            pairs = enumerate(zip(checked[Column.MODE], quantities, strict=True))
            wrong.update(at for at, pair in pairs if pair == (Mode.CREATE, 0))
        self._check_names(checked, wrong)
        return checked

    def _check_names(self, checked: _Checked, wrong: set[int]) -> None:
        """Add to ``wrong`` the indices of rows that name no item."""
        names = [checked[column] for column in _NAME_COLUMNS]
        may_be_error = any(map(may_have_error, map("".join, names)))
        ids = zip(*(checked[column] for column in _NAMES_ALONE), strict=True)
        for at, (urn, cardmarket_id, tcgplayer_id) in enumerate(ids):
            if urn.strip() or cardmarket_id.strip() or tcgplayer_id.strip():
                continue
            parts = [column[at].strip() for column in names]
            if not all(parts) or (may_be_error and any(map(is_error, parts))):
                wrong.add(at)

    def _make(self, checked: _Checked, is_right: list[bool]) -> Rows:
        """The valid rows."""
        if not all(is_right):
            checked = {column: list(compress(cells, is_right)) for column, cells in checked.items()}
        item_names: list[ItemName] = [
            (NamedBy.URN, urn)
            if urn
            else (NamedBy.CARDMARKET_ID, int(cardmarket_id))
            if cardmarket_id
            else (NamedBy.TCGPLAYER_ID, int(tcgplayer_id))
            if tcgplayer_id
            else (NamedBy.NAME, join_name_key(self._folded[game], self._folded[set_name], self._folded[name]))
            for urn, cardmarket_id, tcgplayer_id, game, set_name, name in zip(
                *(map(str.strip, checked[column]) for column in _NAMES_ALONE),
                *(checked[column] for column in _NAME_COLUMNS),
                strict=True,
            )
        ]
        modes = list(checked[Column.MODE])
        return Rows(
            modes,
            item_names,
            list(checked[Column.CONDITION]),
            list(checked[Column.VARIANTS]),
            [
                bool(flag) if mode is Mode.CREATE else flag
                for mode, flag in zip(modes, checked[Column.HIDDEN], strict=True)
            ],
            tuple(_read(column, checked, len(modes)) for column in VALUES),
        )


#: The columns that name an item by themselves, in the order in which they decide.
_NAMES_ALONE = (Column.URN, Column.CARDMARKET_ID, Column.TCGPLAYER_ID)


def _read(column: Column, checked: _Checked, count: int) -> list[Any]:
    """The values of a column in ``count`` valid rows; all None if their file does not have it."""
    if column not in checked:
        return [None] * count
    bulk = column.spec.bulk
    return bulk.read(checked[column]) if bulk and bulk.read else list(checked[column])


def _parse_stripped(parse: Callable[[str], Any], cell: str) -> Any:
    return parse(cell.strip())


def _unfit(rows: list[list[str]], layout: Layout, has_controls: bool) -> set[int]:
    """The indices of the rows that cannot be assigned to columns, or that have a control character."""
    count = len(layout.columns)
    if set(map(len, rows)) == {count} and set(map(type, rows)) == {list} and not has_controls:
        return set()
    return {
        at
        for at, cells in enumerate(rows)
        if len(cells) != count or type(cells) is BrokenCells or any(map(_CONTROL.search, cells))
    }


def _values(cells: list[str], layout: Layout) -> list[str]:
    """The values in the cells of a row, without white space and guards."""
    free_text = [column.spec.is_free_text for column in layout.columns]
    strips = (str.strip if is_free_text else _plain for is_free_text in free_text)
    return [strip(cell) for strip, cell in zip(chain(strips, repeat(_plain)), cells, strict=False)]


def _trimmed(cells: tuple[str, ...]) -> tuple[str, ...]:
    """The values of a column that is not free text, with at most white space around them."""
    together = "".join(cells)
    return cells if together.isascii() and '="' not in together else tuple(map(_plain, cells))


def _plain(cell: str) -> str:
    """The value in a cell that is not free text, without its guard: programs write ids as ``="912954"``."""
    value = trim(cell)
    return trim(unguard(value)) if value.startswith('="') else value


def _parse_column(parse: Callable[[str], Any], cells: Iterable[str], wrong: set[int]) -> list[Any]:
    """The results of ``parse`` for all cells. If it raises, the result is None, and the index is added to ``wrong``."""
    try:
        return [*map(parse, cells)]
    except Wrong:
        values: list[Any] = []
        for at, cell in enumerate(cells):
            try:
                values.append(parse(cell))
            except Wrong:
                values.append(None)
                wrong.add(at)
        return values


def find_problems(cells: list[str], layout: Layout = NEWEST) -> list[Problem] | None:
    """All problems of a row, in the order of its columns; None for a blank row."""
    values = _values(cells, layout)
    if not any(values):
        return None
    problems = [*cells.problems] if isinstance(cells, BrokenCells) else []
    # If a value is missing or too many, or lines were swallowed, values may be in the wrong columns.
    if Cause.SWALLOWED_LINES in {problem.cause for problem in problems}:
        return problems
    if len(cells) != len(layout.columns):
        return [_miscounted(cells, layout), *problems]
    return _find_wrong_values(cells, dict(zip(layout.columns, values, strict=True)), problems)


def _find_wrong_values(cells: list[str], values: dict[Column, str], problems: list[Problem]) -> list[Problem]:
    """``problems`` and all other problems of a row that has a value in each column, in the order of the columns."""
    broken = {problem.column for problem in problems}
    parsed: dict[Column, Any] = {}
    for cell, (column, value) in zip(cells, values.items(), strict=True):
        if column in broken:
            continue
        if control := _CONTROL.search(cell):
            problems.append(Cause.CONTROL_CHARACTER.problem(column, character=f"U+{ord(control[0]):04X}"))
            continue
        try:
            parsed[column] = column.spec.parse(value)
        except Wrong as wrong:
            problems.append(_explain(column, value, wrong))
    if parsed.get(Column.MODE) is Mode.CREATE and parsed.get(Column.QUANTITY) == 0:
        problems.append(Cause.QUANTITY_ZERO.problem(Column.QUANTITY))
    if not any(values[column] for column in _NAMES_ALONE):
        problems += _find_wrong_names({column: values[column] for column in _NAME_COLUMNS})
    order = [*values]
    return sorted(problems, key=lambda problem: order.index(Column[problem.column]))


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
