"""Parses cells: a function for each kind of value, which takes a trimmed text.

Each raises Wrong, with the cause and the facts of its sentence, for a text that breaks the rule.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from app.csvfile.causes import Cause
from app.csvfile.contract import (
    CONDITION_CODES,
    MAX_ID_DIGITS,
    MAX_PRICE,
    MAX_QUANTITY,
    MAX_VARIANTS,
    MIN_PRICE,
    VARIANT_PATTERN,
    Condition,
    Mode,
)
from app.csvfile.damage import ERROR_MARKS, is_error
from app.csvfile.guard import unguard

if TYPE_CHECKING:
    from app.csvfile.texts import Indices, Texts

_SEPARATORS = re.compile(r"[\s_-]+")
_DIGITS = re.compile(r"[0-9]+")
#: The usual ways to write a price: sign, whole part, decimals, currency.
_POUNDS = re.compile(
    r"(£?)\s*([0-9]{1,3}(?:[, ][0-9]{3}){1,2}|[0-9]{1,7})(?:[.,]([0-9]{1,2}|0{4,}))?\s*(£|GBP|)", re.IGNORECASE
)


class Wrong(ValueError):
    """A cell breaks a rule. The parse functions raise nothing else."""

    def __init__(self, cause: Cause, **facts: Any) -> None:
        super().__init__(cause)
        self.cause = cause
        self.facts = facts


def parse_mode(value: str) -> Mode:
    """CREATE or UPDATE, in any case."""
    if not value:
        raise Wrong(Cause.MODE_MISSING)
    try:
        return Mode(value.upper())
    except ValueError:
        raise Wrong(Cause.MODE_UNKNOWN, value=value) from None


def parse_condition(value: str) -> Condition:
    """A grade by code or name; spaces, underscores and hyphens are alike."""
    if not value:
        raise Wrong(Cause.CONDITION_MISSING)
    name = _SEPARATORS.sub("_", value).upper()
    condition = CONDITION_CODES.get(name) or Condition.__members__.get(name)
    if condition is None:
        raise Wrong(Cause.CONDITION_UNKNOWN, value=value)
    return condition


def parse_price(value: str) -> int:
    """A price in whole pence."""
    if not value:
        raise Wrong(Cause.PRICE_MISSING)
    number = _whole(value)
    if number is None:
        match read_price(value):
            case (pence,):
                raise Wrong(Cause.PRICE_IN_POUNDS, value=value, pence=pence)
            case pence, pounds:
                raise Wrong(Cause.PRICE_UNCLEAR, value=value, pence=pence, pounds=pounds)
        raise Wrong(Cause.PRICE_NOT_WHOLE, value=value)
    if not MIN_PRICE <= number <= MAX_PRICE:
        raise Wrong(Cause.PRICE_OUT_OF_RANGE, value=value)
    return number


def read_price(value: str) -> tuple[int, ...]:
    """The possible meanings, in pence, of a price that is not in whole pence: none, one, or two, the lower first.

    ``1.99`` and ``£2`` are pounds. ``199.0`` and ``1,299`` may be pence, written by a program or a spreadsheet.
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
    """A whole number from 0. That a CREATE needs at least 1 is checked with the row."""
    if not value:
        raise Wrong(Cause.QUANTITY_MISSING)
    number = _whole(value)
    if number is None:
        raise Wrong(Cause.QUANTITY_NOT_WHOLE, value=value)
    if number > MAX_QUANTITY:
        raise Wrong(Cause.QUANTITY_OUT_OF_RANGE, value=value)
    return number


def parse_variants(value: str) -> str:
    """The variants in lower case, sorted, without repeats, joined by ``|``."""
    if not value:
        return ""
    variants = {part.strip().lower() for part in value.split("|")}
    for variant in sorted(variants):
        if not VARIANT_PATTERN.fullmatch(variant):
            raise Wrong(Cause.VARIANT_MALFORMED, value=variant)
    if len(variants) > MAX_VARIANTS:
        raise Wrong(Cause.VARIANTS_TOO_MANY, count=len(variants))
    return "|".join(sorted(variants))


def parse_hidden(value: str) -> bool | None:
    """True or false in any case; None when empty."""
    if not value:
        return None
    try:
        return {"true": True, "false": False}[value.lower()]
    except KeyError:
        raise Wrong(Cause.HIDDEN_UNKNOWN, value=value) from None


def parse_id(value: str) -> int | None:
    """An external id; None when empty. Leading zeros do not change the number, but count as digits."""
    if not value:
        return None
    if len(value) > MAX_ID_DIGITS or not _DIGITS.fullmatch(value):
        raise Wrong(Cause.ID_NOT_DIGITS, value=value)
    return int(value)


def parse_urn(value: str) -> str:
    """A URN. Only the catalog tells whether it exists."""
    if is_error(value):
        raise Wrong(Cause.SPREADSHEET_ERROR, value=value)
    return value


def parse_text(limit: int) -> Callable[[str], str | None]:
    """A parser of free text of at most ``limit`` characters, which removes its guard; None when empty."""

    def parse(value: str) -> str | None:
        value = unguard(value)
        if len(value) > limit:
            raise Wrong(Cause.TEXT_TOO_LONG, count=len(value), limit=limit)
        return value or None

    return parse


def _whole(value: str) -> int | None:
    if not _DIGITS.fullmatch(value):
        return None
    # Python refuses to convert thousands of digits; ten already exceed every limit.
    return int(value.lstrip("0")[:10] or "0")


# Many cells at once -----------------------------------------------------------------------------------------------
#
# Cells whose values hardly ever repeat are not parsed one by one. Those that are certainly right, and are read as they
# are, need no parsing; these functions find the others, in several sets, from the texts of a whole column. White space
# and guards around free texts do not make them suspect.


def suspect_prices(cells: Texts) -> Sequence[Indices]:
    """The cells that may be wrong for ``parse_price``: not those with one digit less than the highest price."""
    digits = len(str(MAX_PRICE)) - 1
    return cells.empty(), cells.not_digits(), cells.longer_than(digits), cells.beginning_with("0")


def suspect_ids(cells: Texts) -> Sequence[Indices]:
    """The cells that may be wrong for ``parse_id``."""
    return cells.not_digits(), cells.longer_than(MAX_ID_DIGITS)


def suspect_urns(cells: Texts) -> Sequence[Indices]:
    """The cells that may be wrong for ``parse_urn``."""
    return cells.with_any(*ERROR_MARKS), *suspect_names(cells)


def suspect_names(cells: Texts) -> Sequence[Indices]:
    """The cells with a guard or with invisible characters around the value."""
    return cells.at_odds(), cells.guarded()


def suspect_free_names(_: Texts) -> Sequence[Indices]:
    """None: a name that is free text is always right."""
    return ()


def suspect_texts(limit: int) -> Callable[[Texts], Sequence[Indices]]:
    """Finds the cells that may be wrong for ``parse_text`` with this limit."""
    return lambda cells: (cells.longer_than(limit),)
