"""Cells in, a row or its problems out: the rules of the contract that a row must keep by itself.

The same functions decide in both of two passes. The fast one takes a row that is right, which nearly every row is, and
remembers the values that come again and again. The slow one takes a row that is wrong and collects all its problems.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from app.csvfile.contract import (
    COLUMNS,
    CONDITION_CODES,
    MAX_ID_DIGITS,
    MAX_PRICE,
    MAX_QUANTITY,
    MAX_TEXT_LENGTH,
    MAX_VARIANTS,
    MIN_PRICE,
    VARIANT_PATTERN,
    Cause,
    Column,
    Condition,
    Mode,
    NamedBy,
    Problem,
    grade_list,
    name_key,
    quoted,
)
from app.csvfile.reader import BrokenCells

#: Unicode category Cc without tab and the line breaks.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_SEPARATORS = re.compile(r"[\s_-]+")
_DIGITS = re.compile(r"[0-9]+")
#: A price as people write it: pounds, with or without the sign, and up to two decimals.
_POUNDS = re.compile(r"£?\s*([0-9]{1,7})(?:[.,]([0-9]{1,2}))?\s*(?:£|GBP|)", re.IGNORECASE)

#: How many different values of a column are remembered before it starts afresh.
_REMEMBERED = 10_000


class Row(NamedTuple):
    """A row that is right in itself; whether its item and listing exist is for the database to say."""

    mode: Mode
    named_by: NamedBy
    #: The URN, the external id as a number, or the ``name_key``.
    name: str | int
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


class _Wrong(ValueError):
    """A cell breaks a rule; raised by the parse functions and collected by the slow pass."""

    def __init__(self, cause: Cause, **facts: object) -> None:
        super().__init__(cause)
        self.cause = cause
        self.facts = facts


class _Remember(dict[str, Any]):
    """What ``parse`` made of each value so far; looking up a new value parses it."""

    def __init__(self, parse: Callable[[str], Any]) -> None:
        super().__init__()
        self._parse = parse

    def __missing__(self, raw: str) -> Any:
        value = self._parse(raw.strip())
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
        raise _Wrong(Cause.MODE_UNKNOWN, value=quoted(value)) from None


def parse_condition(value: str) -> Condition:
    """A grade by code or name; spaces, underscores and hyphens are alike."""
    if not value:
        raise _Wrong(Cause.CONDITION_MISSING, grades=grade_list())
    name = _SEPARATORS.sub("_", value).upper()
    condition = CONDITION_CODES.get(name) or Condition.__members__.get(name)
    if condition is None:
        raise _Wrong(Cause.CONDITION_UNKNOWN, value=quoted(value), grades=grade_list())
    return condition


def parse_price(value: str) -> int:
    """A price in whole pence."""
    if not value:
        raise _Wrong(Cause.PRICE_MISSING)
    number = _whole(value)
    if number is None:
        pounds = _POUNDS.fullmatch(value)
        pence = int(pounds[1]) * 100 + int((pounds[2] or "").ljust(2, "0")) if pounds else 0
        if MIN_PRICE <= pence <= MAX_PRICE:
            raise _Wrong(Cause.PRICE_IN_POUNDS, value=quoted(value), pence=pence)
        raise _Wrong(Cause.PRICE_NOT_WHOLE, value=quoted(value))
    if not MIN_PRICE <= number <= MAX_PRICE:
        raise _Wrong(Cause.PRICE_OUT_OF_RANGE, value=quoted(value))
    return number


def parse_quantity(value: str) -> int:
    """A whole number from 0; that a CREATE needs at least 1 is for the row to say."""
    if not value:
        raise _Wrong(Cause.QUANTITY_MISSING)
    number = _whole(value)
    if number is None:
        raise _Wrong(Cause.QUANTITY_NOT_WHOLE, value=quoted(value))
    if number > MAX_QUANTITY:
        raise _Wrong(Cause.QUANTITY_OUT_OF_RANGE, value=quoted(value))
    return number


def parse_variants(value: str) -> str:
    """The variants in lower case, sorted, each once, joined by ``|``."""
    if not value:
        return ""
    variants = {part.strip().lower() for part in value.split("|")}
    for variant in sorted(variants):
        if not VARIANT_PATTERN.fullmatch(variant):
            raise _Wrong(Cause.VARIANT_MALFORMED, value=quoted(variant) if variant else "an empty variant")
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
        raise _Wrong(Cause.HIDDEN_UNKNOWN, value=quoted(value)) from None


def parse_id(value: str) -> int | None:
    """An external id; None when empty. Leading zeros do not count as part of the number, but as digits."""
    if not value:
        return None
    if len(value) > MAX_ID_DIGITS or not _DIGITS.fullmatch(value):
        raise _Wrong(Cause.ID_NOT_DIGITS, value=quoted(value))
    return int(value)


def parse_text(value: str) -> str | None:
    """Free text; None when empty."""
    if len(value) > MAX_TEXT_LENGTH:
        raise _Wrong(Cause.TEXT_TOO_LONG, count=len(value))
    return value or None


def _whole(value: str) -> int | None:
    if not _DIGITS.fullmatch(value):
        return None
    # Python refuses to convert thousands of digits; ten are already beyond every limit.
    return int(value.lstrip("0")[:10] or "0")


class Validator:
    """Validates rows one after the other, remembering common values; not for several threads at once."""

    def __init__(self) -> None:
        self._modes = _Remember(parse_mode)
        self._conditions = _Remember(parse_condition)
        self._prices = _Remember(parse_price)
        self._quantities = _Remember(parse_quantity)
        self._variants = _Remember(parse_variants)
        self._hidden = _Remember(parse_hidden)

    def validate(self, cells: list[str], has_controls: bool) -> Row | list[Problem] | None:
        """The row that ``cells`` make, or all their problems, or None for a blank row.

        ``has_controls`` is false when it is known that no cell has a control character in it.
        """
        if type(cells) is BrokenCells or (has_controls and _CONTROL.search("\n".join(cells))):
            return find_problems(cells)
        try:
            (
                mode_cell,
                urn,
                game,
                set_name,
                name,
                cardmarket_id,
                tcgplayer_id,
                condition,
                price,
                quantity,
                variants,
                hidden,
                comment,
                notes,
                reference,
            ) = cells
            mode: Mode = self._modes[mode_cell]
            by_cardmarket = parse_id(cardmarket_id.strip()) if cardmarket_id else None
            by_tcgplayer = parse_id(tcgplayer_id.strip()) if tcgplayer_id else None
            key: str | int
            if urn and (key := urn.strip()):
                named_by = NamedBy.URN
            elif by_cardmarket is not None:
                named_by, key = NamedBy.CARDMARKET_ID, by_cardmarket
            elif by_tcgplayer is not None:
                named_by, key = NamedBy.TCGPLAYER_ID, by_tcgplayer
            else:
                named_by, key = NamedBy.NAME, _whole_name(game.strip(), set_name.strip(), name.strip())
            amount: int = self._quantities[quantity]
            is_hidden: bool | None = self._hidden[hidden]
            if mode is Mode.CREATE:
                if not amount:
                    raise _Wrong(Cause.QUANTITY_ZERO)
                is_hidden = bool(is_hidden)
            # The same as Row(...) at half the price: this runs for every row of every file, twice.
            return tuple.__new__(
                Row,
                (
                    mode,
                    named_by,
                    key,
                    self._conditions[condition],
                    self._variants[variants],
                    self._prices[price],
                    amount,
                    is_hidden,
                    parse_text(comment.strip()) if comment else None,
                    parse_text(notes.strip()) if notes else None,
                    parse_text(reference.strip()) if reference else None,
                ),
            )
        except ValueError:
            problems = find_problems(cells)
            if problems == []:
                raise
            return problems


def find_problems(cells: list[str]) -> list[Problem] | None:
    """All that is wrong with a row, in the order of its columns; None for a blank row."""
    values = [cell.strip() for cell in cells]
    if not any(values):
        return None
    problems = [*cells.problems] if isinstance(cells, BrokenCells) else []
    if len(cells) != len(COLUMNS):
        count = f"{len(cells)} value" if len(cells) == 1 else f"{len(cells)} values"
        # With a value missing or too many, no value can be trusted to stand in its column.
        return [Cause.COLUMN_COUNT.problem(count=count), *problems]
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
            problems.append(wrong.cause.problem(column, **wrong.facts))
    if parsed.get(Column.MODE) is Mode.CREATE and parsed.get(Column.QUANTITY) == 0:
        problems.append(Cause.QUANTITY_ZERO.problem(Column.QUANTITY))
    of = dict(zip(COLUMNS, values, strict=True))
    if not (of["URN"] or of["CARDMARKET_ID"] or of["TCGPLAYER_ID"]):
        try:
            _whole_name(of["GAME"], of["SET"], of["NAME"])
        except _Wrong as wrong:
            problems.append(wrong.cause.problem(str(wrong.facts["at"])))
    return sorted(problems, key=lambda problem: COLUMNS.index(problem.column))


def _whole_name(game: str, set_name: str, name: str) -> str:
    if game and set_name and name:
        return name_key(game, set_name, name)
    if not (game or set_name or name):
        raise _Wrong(Cause.ITEM_NOT_NAMED, at=Column.URN)
    raise _Wrong(Cause.NAME_INCOMPLETE, at=Column.GAME if not game else Column.SET if not set_name else Column.NAME)


_PARSERS: dict[str, Callable[[str], Any]] = {
    Column.MODE: parse_mode,
    Column.URN: str,
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
