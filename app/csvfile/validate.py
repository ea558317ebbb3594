"""Cells in, a row or its problems out: the rules of the contract that a row must keep by itself.

The same functions decide in both of two passes. The fast one goes column by column over many rows, because nearly every
row is right, and remembers the values that come again and again. The slow one takes a row in which that has found
something wrong, and collects all its problems.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import compress
from typing import Any, NamedTuple

from app.csvfile.causes import Cause, Problem
from app.csvfile.contract import (
    COLUMNS,
    CONDITION_CODES,
    FREE_TEXT,
    MAX_ID_DIGITS,
    MAX_PRICE,
    MAX_QUANTITY,
    MAX_TEXT_LENGTH,
    MAX_VARIANTS,
    MIN_PRICE,
    VARIANT_PATTERN,
    Column,
    Condition,
    ItemName,
    Mode,
    NamedBy,
    column_letters,
    fold,
    join_name_key,
)
from app.csvfile.damage import is_date, is_error, is_shortened, may_have_error, plain_digits
from app.csvfile.guard import unguard
from app.csvfile.reader import BrokenCells
from app.csvfile.visible import describe_invisible, trim, typed

#: Unicode category Cc without tab and the line breaks.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_SEPARATORS = re.compile(r"[\s_-]+")
_DIGITS = re.compile(r"[0-9]+")
#: A price as people and programs write it: sign, whole part, decimals, currency.
_POUNDS = re.compile(
    r"(£?)\s*([0-9]{1,3}(?:[, ][0-9]{3}){1,2}|[0-9]{1,7})(?:[.,]([0-9]{1,2}|0{4,}))?\s*(£|GBP|)", re.IGNORECASE
)

#: How many different values of a column are remembered before it starts afresh.
_REMEMBERED = 10_000

#: The places of the columns of free text.
_FREE_TEXT = frozenset(COLUMNS.index(column) for column in FREE_TEXT)

_NUMBERS = frozenset({Column.CARDMARKET_ID, Column.TCGPLAYER_ID, Column.PRICE, Column.QUANTITY})
_NAME_COLUMNS = (Column.GAME, Column.SET, Column.NAME)

#: A row that is right: it fills the place of one that has to be taken by itself, while the others go column by column.
_PLACEHOLDER = ["CREATE", "-", "", "", "", "", "", "NM", "1", "1", "", "", "", "", ""]


class Row(NamedTuple):
    """A row that is right in itself; whether its item and listing exist is for the database to say."""

    mode: Mode
    name: ItemName
    condition: Condition
    #: Sorted, joined by ``|``; empty when there are none.
    variants: str
    #: In pence.
    price: int
    quantity: int
    #: None: an UPDATE leaves it as it is.
    hidden: bool | None
    comment: str | None
    notes: str | None
    reference: str | None

    @property
    def values(self) -> tuple[int, int, str | None, str | None, str | None]:
        """What it says in any case: price, quantity, comment, notes and reference. HIDDEN an UPDATE may leave open."""
        return self.price, self.quantity, self.comment, self.notes, self.reference


class Rows(NamedTuple):
    """Rows that are right in themselves, column by column, as thousands of them are handled fastest; see ``Row``."""

    modes: list[Mode]
    names: list[ItemName]
    conditions: list[Condition]
    variants: list[str]
    prices: list[int]
    quantities: list[int]
    hidden: list[bool | None]
    comments: list[str | None]
    notes: list[str | None]
    references: list[str | None]

    @classmethod
    def none(cls) -> Rows:
        """No rows, to be added to."""
        return cls._make([] for _ in cls._fields)

    def extend(self, more: Rows) -> None:
        """Add ``more`` rows behind these."""
        columns: zip[tuple[list[Any], list[Any]]] = zip(self, more, strict=True)
        for column, values in columns:
            column.extend(values)

    def where(self, is_wanted: Sequence[bool]) -> Rows:
        """Those of the rows for which ``is_wanted`` is true."""
        return Rows._make(list(compress(column, is_wanted)) for column in self)

    def values(self) -> tuple[list[Any], ...]:
        """PRICE to REFERENCE: what the rows say of the listings themselves."""
        return self[4:]

    def each(self) -> Iterator[Row]:
        """The rows one by one."""
        return map(Row._make, zip(*self, strict=True))


class _Wrong(ValueError):
    """A cell breaks a rule; raised by the parse functions and collected by the slow pass."""

    def __init__(self, cause: Cause, **facts: Any) -> None:
        super().__init__(cause)
        self.cause = cause
        self.facts = facts


class _Remember(dict[str, Any]):
    """What ``parse`` made of each value so far; looking up a new value parses it. Raises what ``parse`` raises.

    ``strip`` takes away what does not belong to a value.
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


def parse_mode(value: str) -> Mode:
    """CREATE or UPDATE, in any case."""
    if not value:
        raise _Wrong(Cause.MODE_MISSING)
    try:
        return Mode(value.upper())
    except ValueError:
        raise _Wrong(Cause.MODE_UNKNOWN, value=value) from None


def parse_condition(value: str) -> Condition:
    """A grade by code or name; spaces, underscores and hyphens are alike."""
    if not value:
        raise _Wrong(Cause.CONDITION_MISSING)
    name = _SEPARATORS.sub("_", value).upper()
    condition = CONDITION_CODES.get(name) or Condition.__members__.get(name)
    if condition is None:
        raise _Wrong(Cause.CONDITION_UNKNOWN, value=value)
    return condition


def parse_price(value: str) -> int:
    """A price in whole pence."""
    if not value:
        raise _Wrong(Cause.PRICE_MISSING)
    number = _whole(value)
    if number is None:
        match read_price(value):
            case (pence,):
                raise _Wrong(Cause.PRICE_IN_POUNDS, value=value, pence=pence)
            case pence, pounds:
                raise _Wrong(Cause.PRICE_UNCLEAR, value=value, pence=pence, pounds=pounds)
        raise _Wrong(Cause.PRICE_NOT_WHOLE, value=value)
    if not MIN_PRICE <= number <= MAX_PRICE:
        raise _Wrong(Cause.PRICE_OUT_OF_RANGE, value=value)
    return number


def read_price(value: str) -> tuple[int, ...]:
    """What a price that is not written in whole pence can mean, in pence: nothing, one thing, or two, the lower first.

    ``1.99`` and ``£2`` are pounds. ``199.0`` and ``1,299`` may be pence that a program or a spreadsheet has written.
    """
    found = _POUNDS.fullmatch(value)
    if not found:
        return ()
    sign, whole, decimals, currency = found.groups(default="")
    number = int(re.sub("[, ]", "", whole))
    pounds = number * 100 + int(decimals[:2].ljust(2, "0"))
    readings = (pounds,) if sign or currency or decimals.strip("0") else (number, pounds)
    return readings if readings[0] >= MIN_PRICE and readings[-1] <= MAX_PRICE else ()


def parse_quantity(value: str) -> int:
    """A whole number from 0; that a CREATE needs at least 1 is for the row to say."""
    if not value:
        raise _Wrong(Cause.QUANTITY_MISSING)
    number = _whole(value)
    if number is None:
        raise _Wrong(Cause.QUANTITY_NOT_WHOLE, value=value)
    if number > MAX_QUANTITY:
        raise _Wrong(Cause.QUANTITY_OUT_OF_RANGE, value=value)
    return number


def parse_variants(value: str) -> str:
    """The variants in lower case, sorted, each once, joined by ``|``."""
    if not value:
        return ""
    variants = {part.strip().lower() for part in value.split("|")}
    for variant in sorted(variants):
        if not VARIANT_PATTERN.fullmatch(variant):
            raise _Wrong(Cause.VARIANT_MALFORMED, value=variant)
    if len(variants) > MAX_VARIANTS:
        raise _Wrong(Cause.VARIANTS_TOO_MANY, count=len(variants))
    return "|".join(sorted(variants))


def parse_hidden(value: str) -> bool | None:
    """True or false in any case; None when empty."""
    if not value:
        return None
    try:
        return {"true": True, "false": False}[value.lower()]
    except KeyError:
        raise _Wrong(Cause.HIDDEN_UNKNOWN, value=value) from None


def parse_id(value: str) -> int | None:
    """An external id; None when empty. Leading zeros do not count as part of the number, but as digits."""
    if not value:
        return None
    if len(value) > MAX_ID_DIGITS or not _DIGITS.fullmatch(value):
        raise _Wrong(Cause.ID_NOT_DIGITS, value=value)
    return int(value)


def parse_urn(value: str) -> str:
    """A URN, of which only the catalog knows whether it is one."""
    if is_error(value):
        raise _Wrong(Cause.SPREADSHEET_ERROR, value=value)
    return value


def parse_text(value: str) -> str | None:
    """Free text, without what guards it from spreadsheets; None when empty."""
    value = unguard(value)
    if len(value) > MAX_TEXT_LENGTH:
        raise _Wrong(Cause.TEXT_TOO_LONG, count=len(value))
    return value or None


def _whole(value: str) -> int | None:
    if not _DIGITS.fullmatch(value):
        return None
    # Python refuses to convert thousands of digits; ten are already beyond every limit.
    return int(value.lstrip("0")[:10] or "0")


class _Checked(NamedTuple):
    """The columns of a block once each of their values is known to be right or wrong."""

    # Parsed, because values that come again and again are only looked up:
    modes: list[Mode]
    conditions: list[Condition]
    variants: list[str]
    prices: list[int]
    quantities: list[int]
    hidden: list[bool | None]
    # As they stand in the file:
    urns: Sequence[str]
    games: Sequence[str]
    sets: Sequence[str]
    names: Sequence[str]
    cardmarket_ids: Sequence[str]
    tcgplayer_ids: Sequence[str]
    comments: Sequence[str]
    notes: Sequence[str]
    references: Sequence[str]


class Validated:
    """What the rows of a block have come to, made as far as it is asked for: the upload check only counts."""

    def __init__(self, cells: list[list[str]], make: Callable[[list[bool]], Rows], apart: set[int]) -> None:
        self._cells = cells
        self._make = make
        self._apart = apart
        #: The places of the rows that are blank, and of those that are wrong.
        self.blank = {at for at in apart if not any(_values(cells[at]))}
        self.wrong = apart - self.blank

    def is_right(self) -> list[bool]:
        """For each row whether it is right."""
        return [at not in self._apart for at in range(len(self._cells))]

    def rows(self) -> Rows:
        """Those that are right."""
        return self._make(self.is_right())

    def problems(self) -> dict[int, list[Problem]]:
        """All the problems of each row that is wrong, by its place."""
        return {at: find_problems(self._cells[at]) or [] for at in sorted(self.wrong)}


def _read_texts(cells: Sequence[str]) -> list[str | None]:
    """What ``parse_text`` makes of cells that are right."""
    texts = [cell.strip() or None for cell in cells]
    # Most files have none that is guarded.
    if '="' in "".join(cells):
        return [text and (unguard(text) or None) for text in texts]
    return texts


class Validator:
    """Validates rows, many at a time, and remembers common values; not for several threads at once."""

    def __init__(self, width: int = len(COLUMNS)) -> None:
        """``width`` is the number of columns in the header, the empty ones without a name at its end included."""
        self._width = width
        self._modes = _Remember(parse_mode)
        self._conditions = _Remember(parse_condition)
        self._prices = _Remember(parse_price)
        self._quantities = _Remember(parse_quantity)
        self._variants = _Remember(parse_variants)
        self._hidden = _Remember(parse_hidden)
        self._folded = _Remember(fold, lambda cell: unguard(cell.strip()))

    def validate(self, rows: list[list[str]], has_controls: bool) -> Validated:
        """Sort out of ``rows``, each given by its cells, those that are blank or wrong, and parse the others.

        ``has_controls`` is false when it is known that no cell has a control character in it.
        """
        if not rows:
            return Validated(rows, lambda _: Rows.none(), set())
        if self._width > len(COLUMNS):
            rows = [self._without_empty_columns(cells) for cells in rows]
        apart = _unfit(rows, has_controls)
        if apart:
            columns = zip(*(_PLACEHOLDER if at in apart else cells for at, cells in enumerate(rows)), strict=True)
        else:
            columns = zip(*rows, strict=True)
        checked = self._check(columns, apart)
        return Validated(rows, partial(self._make, checked), apart)

    def _without_empty_columns(self, cells: list[str]) -> list[str]:
        """The values of a row but for those in the columns without a name, if all of these are empty."""
        if len(cells) > self._width or any(map(trim, cells[len(COLUMNS) :])):
            return cells
        kept = cells[: len(COLUMNS)]
        return BrokenCells(kept, cells.problems) if isinstance(cells, BrokenCells) else kept

    def _check(self, columns: Iterable[tuple[str, ...]], wrong: set[int]) -> _Checked:
        """Check all values in ``columns``; the places of those that break a rule are added to ``wrong``."""
        (
            modes,
            urns,
            games,
            sets,
            names,
            cardmarket_ids,
            tcgplayer_ids,
            conditions,
            prices,
            quantities,
            variants,
            hidden,
            comments,
            notes,
            references,
        ) = columns
        urns, games, sets = map(_trimmed, (urns, games, sets))
        cardmarket_ids, tcgplayer_ids = map(_trimmed, (cardmarket_ids, tcgplayer_ids))
        checked = _Checked(
            _parse_column(self._modes.__getitem__, modes, wrong),
            _parse_column(self._conditions.__getitem__, conditions, wrong),
            _parse_column(self._variants.__getitem__, variants, wrong),
            _parse_column(self._prices.__getitem__, prices, wrong),
            _parse_column(self._quantities.__getitem__, quantities, wrong),
            _parse_column(self._hidden.__getitem__, hidden, wrong),
            *(urns, games, sets, names, cardmarket_ids, tcgplayer_ids, comments, notes, references),
        )
        for ids in (cardmarket_ids, tcgplayer_ids):
            digits = "".join(ids)
            if digits and not (digits.isascii() and digits.isdigit() and max(map(len, ids)) <= MAX_ID_DIGITS):
                _parse_column(lambda cell: parse_id(cell.strip()), ids, wrong)
        for texts in (comments, notes, references):
            if max(map(len, texts)) > MAX_TEXT_LENGTH:
                _parse_column(lambda cell: parse_text(cell.strip()), texts, wrong)
        if not all(checked.quantities):
            pairs = enumerate(zip(checked.modes, checked.quantities, strict=True))
            wrong.update(at for at, pair in pairs if pair == (Mode.CREATE, 0))
        if may_have_error("".join(urns)):
            _parse_column(lambda cell: parse_urn(cell.strip()), urns, wrong)
        may_be_error = any(map(may_have_error, map("".join, (games, sets, names))))
        for at, (urn, cardmarket_id, tcgplayer_id) in enumerate(zip(urns, cardmarket_ids, tcgplayer_ids, strict=True)):
            if urn.strip() or cardmarket_id.strip() or tcgplayer_id.strip():
                continue
            parts = games[at].strip(), sets[at].strip(), names[at].strip()
            if not all(parts) or (may_be_error and any(map(is_error, parts))):
                wrong.add(at)
        return checked

    def _make(self, checked: _Checked, is_right: list[bool]) -> Rows:
        """The rows that are right."""
        if not all(is_right):
            checked = _Checked._make(list(compress(column, is_right)) for column in checked)
        item_names: list[ItemName] = [
            (NamedBy.URN, urn)
            if urn
            else (NamedBy.CARDMARKET_ID, int(cardmarket_id))
            if cardmarket_id
            else (NamedBy.TCGPLAYER_ID, int(tcgplayer_id))
            if tcgplayer_id
            else (NamedBy.NAME, join_name_key(self._folded[game], self._folded[set_name], self._folded[name]))
            for urn, cardmarket_id, tcgplayer_id, game, set_name, name in zip(
                map(str.strip, checked.urns),
                map(str.strip, checked.cardmarket_ids),
                map(str.strip, checked.tcgplayer_ids),
                checked.games,
                checked.sets,
                checked.names,
                strict=True,
            )
        ]
        modes_and_hidden = zip(checked.modes, checked.hidden, strict=True)
        return Rows(
            checked.modes,
            item_names,
            checked.conditions,
            checked.variants,
            checked.prices,
            checked.quantities,
            [bool(flag) if mode is Mode.CREATE else flag for mode, flag in modes_and_hidden],
            *(_read_texts(texts) for texts in (checked.comments, checked.notes, checked.references)),
        )


def _unfit(rows: list[list[str]], has_controls: bool) -> set[int]:
    """The places of the rows that cannot be cut into columns as they are, or have a control character."""
    if set(map(len, rows)) == {len(COLUMNS)} and set(map(type, rows)) == {list} and not has_controls:
        return set()
    return {
        at
        for at, cells in enumerate(rows)
        if len(cells) != len(COLUMNS) or type(cells) is BrokenCells or any(map(_CONTROL.search, cells))
    }


def _values(cells: list[str]) -> list[str]:
    """The cells of a row without what does not belong to their values."""
    return [cell.strip() if at in _FREE_TEXT else _plain(cell) for at, cell in enumerate(cells)]


def _trimmed(cells: tuple[str, ...]) -> tuple[str, ...]:
    """The cells of a column that is no free text, with at most white space around their values."""
    together = "".join(cells)
    return cells if together.isascii() and '="' not in together else tuple(map(_plain, cells))


def _plain(cell: str) -> str:
    """The value in a cell that is no free text; programs write ids as formulas that are only a text: ``="912954"``."""
    value = trim(cell)
    return trim(unguard(value)) if value.startswith('="') else value


def _parse_column(parse: Callable[[str], Any], cells: Iterable[str], wrong: set[int]) -> list[Any]:
    """What ``parse`` makes of each cell; where it raises, None, and the place is added to ``wrong``."""
    try:
        return [*map(parse, cells)]
    except _Wrong:
        values: list[Any] = []
        for at, cell in enumerate(cells):
            try:
                values.append(parse(cell))
            except _Wrong:
                values.append(None)
                wrong.add(at)
        return values


def find_problems(cells: list[str]) -> list[Problem] | None:
    """All that is wrong with a row, in the order of its columns; None for a blank row."""
    values = _values(cells)
    if not any(values):
        return None
    problems = [*cells.problems] if isinstance(cells, BrokenCells) else []
    # With a value missing or too many, or lines swallowed, no value can be trusted to stand in its column.
    if Cause.SWALLOWED_LINES in {problem.cause for problem in problems}:
        return problems
    if len(cells) != len(COLUMNS):
        return [_miscounted(cells), *problems]
    return _find_wrong_values(cells, values, problems)


def _find_wrong_values(cells: list[str], values: list[str], problems: list[Problem]) -> list[Problem]:
    """``problems`` and all others of a row that has a value in each column, in the order of the columns."""
    broken = {problem.column for problem in problems}
    parsed: dict[str, Any] = {}
    for column, cell, value in zip(COLUMNS, cells, values, strict=True):
        if column in broken:
            continue
        if control := _CONTROL.search(cell):
            problems.append(Cause.CONTROL_CHARACTER.problem(column, character=f"U+{ord(control[0]):04X}"))
            continue
        try:
            parsed[column] = _PARSERS[column](value)
        except _Wrong as wrong:
            problems.append(_explain(column, value, wrong))
    if parsed.get(Column.MODE) is Mode.CREATE and parsed.get(Column.QUANTITY) == 0:
        problems.append(Cause.QUANTITY_ZERO.problem(Column.QUANTITY))
    of = dict(zip(COLUMNS, values, strict=True))
    if not (of["URN"] or of["CARDMARKET_ID"] or of["TCGPLAYER_ID"]):
        problems += _find_wrong_names({column: of[column] for column in _NAME_COLUMNS})
    return sorted(problems, key=lambda problem: COLUMNS.index(problem.column))


def _explain(column: str, value: str, wrong: _Wrong) -> Problem:
    """The problem of a ``value`` that is ``wrong``: how it came to be so, where that can be told, says more."""
    if column in FREE_TEXT:
        return wrong.cause.problem(column, **wrong.facts)
    if is_error(value):
        return Cause.SPREADSHEET_ERROR.problem(column, value=value)
    seen = typed(value)
    if (character := describe_invisible(value)) and _is_right(column, seen):
        return Cause.INVISIBLE_CHARACTER.problem(column, value=seen, character=character)
    if column in _NUMBERS and is_shortened(value):
        return Cause.NUMBER_SHORTENED.problem(column, value=value)
    if column in _NUMBERS and is_date(value):
        return Cause.NUMBER_AS_DATE.problem(column, value=value)
    digits = plain_digits(seen)
    if digits and column in _NUMBERS and column != Column.PRICE and _is_right(column, digits):
        return Cause.NUMBER_FORMATTED.problem(column, value=value, digits=digits)
    return wrong.cause.problem(column, **wrong.facts)


def _is_right(column: str, value: str) -> bool:
    try:
        _PARSERS[column](value)
    except _Wrong:
        return False
    return True


def _miscounted(cells: list[str]) -> Problem:
    """What is wrong with a row that has another number of values than there are columns."""
    extra = [at for at, cell in enumerate(cells) if at >= len(COLUMNS) and trim(cell)]
    if extra:
        value, letters = cells[extra[0]].strip(), column_letters(extra[0])
        return Cause.EXTRA_VALUE.problem(values=len(extra), value=value, letters=letters)
    if len(cells) == 1 and cells[0].count(",") >= len(COLUMNS) - 1:
        return Cause.ROW_IN_QUOTES.problem()
    return Cause.COLUMN_COUNT.problem(values=len(cells), columns=len(COLUMNS))


def _find_wrong_names(names: Mapping[Column, str]) -> list[Problem]:
    """What is wrong with GAME, SET and NAME where nothing else names the item."""
    if not any(names.values()):
        return [Cause.ITEM_NOT_NAMED.problem(Column.URN)]
    missing = [column for column, value in names.items() if not value]
    if missing:
        return [Cause.NAME_INCOMPLETE.problem(missing[0])]
    return [Cause.SPREADSHEET_ERROR.problem(column, value=value) for column, value in names.items() if is_error(value)]


_PARSERS: dict[str, Callable[[str], Any]] = {
    Column.MODE: parse_mode,
    Column.URN: parse_urn,
    Column.GAME: str,
    Column.SET: str,
    Column.NAME: str,
    Column.CARDMARKET_ID: parse_id,
    Column.TCGPLAYER_ID: parse_id,
    Column.CONDITION: parse_condition,
    Column.PRICE: parse_price,
    Column.QUANTITY: parse_quantity,
    Column.VARIANTS: parse_variants,
    Column.HIDDEN: parse_hidden,
    Column.COMMENT: parse_text,
    Column.NOTES: parse_text,
    Column.REFERENCE: parse_text,
}
