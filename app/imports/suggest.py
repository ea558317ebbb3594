"""What sellers probably meant: for what is wrong in a row, what to write instead.

Nothing of this is stored. It is found when a page is looked at, for what stands on it, and with a bounded number of
looks into the catalog. A suggestion that cannot be made is left out; it never keeps a page from being shown.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

import psycopg
from sqlalchemy.exc import SQLAlchemyError

from app.csvfile.contract import (
    COLUMNS,
    CONDITION_CODES,
    MAX_ID_DIGITS,
    MAX_QUANTITY,
    VARIANT_PATTERN,
    Cause,
    Column,
    ItemName,
    Mode,
    NamedBy,
    name_key,
)
from app.csvfile.validate import Row, Validator, pounds_to_pence
from app.extensions import db
from app.queries import items
from app.queries.error_groups import Kind
from app.queries.items import CatalogItem, ItemDescription

log = logging.getLogger(__name__)

#: Steps of names that are compared with what the catalog has there, on one page. Each costs a statement and some
#: hundred comparisons, one or two milliseconds together.
_MAX_STEPS = 24
#: A step is compared with so many at most.
_MAX_COMPARED = 500
#: Most choices in one suggestion.
_MAX_CHOICES = 5
#: How alike two words must be, from 0 to 1. A grade that is wrongly suggested costs a seller money.
_ALIKE, _ALIKE_GRADES = 0.6, 0.75


class Choice(NamedTuple):
    """One thing to write."""

    text: str
    #: Where to write it.
    column: str
    #: What tells it from the others.
    note: str = ""


class Suggestion(NamedTuple):
    """What to write instead: one thing, or one of several."""

    lead: str
    choices: tuple[Choice, ...]


class Case(NamedTuple):
    """Something that is wrong in one row."""

    kind: Kind
    #: The row's values by their columns; empty when they cannot be told.
    values: Mapping[str, str]

    @property
    def value(self) -> str:
        """What stands in the column that is wrong."""
        return self.values.get(self.kind.column, "")


def suggest(cases: Iterable[Case]) -> list[Suggestion | None]:
    """For each case what could be meant, or None. The first ones have the first right to looks into the catalog."""
    cases = [*cases]
    try:
        # Should the catalog fail here, the page's own transaction goes on.
        with db.session.begin_nested():
            catalog = _Catalog(cases)
            return [_suggest_one(case, catalog) if case.values else None for case in cases]
    except (SQLAlchemyError, psycopg.Error):
        log.exception("no suggestions from the catalog")
        return [None] * len(cases)


def _suggest_one(case: Case, catalog: _Catalog) -> Suggestion | None:
    by_value = _BY_VALUE.get(case.kind.cause)
    if by_value:
        return by_value(case)
    by_catalog = _BY_CATALOG.get(case.kind.cause)
    return by_catalog(case, catalog) if by_catalog else None


# From the value alone -------------------------------------------------------------------------------------------------


def _did_you_mean(case: Case, texts: Iterable[str]) -> Suggestion | None:
    choices = tuple(Choice(text, case.kind.column) for text in texts)
    return Suggestion("Did you mean", choices) if choices else None


def _write(case: Case, text: object) -> Suggestion:
    return Suggestion("Write", (Choice(str(text), case.kind.column),))


_MODES = {
    **dict.fromkeys(("ADD", "NEW", "INSERT"), Mode.CREATE),
    **dict.fromkeys(("EDIT", "CHANGE", "MODIFY"), Mode.UPDATE),
}


def _mode(case: Case) -> Suggestion | None:
    value = case.value.upper()
    return _did_you_mean(case, [_MODES[value]] if value in _MODES else _closest(value, [*Mode], 1))


def _condition(case: Case) -> Suggestion | None:
    value = re.sub(r"[\s_-]+", "_", case.value).strip("_").upper()
    names = {code: grade.name for code, grade in CONDITION_CODES.items()}
    alike = _closest(value, [*names, *names.values()], 2, at_least=_ALIKE_GRADES)
    # Of a code and a name that are equally alike, a grade is taken once.
    return _did_you_mean(case, dict.fromkeys(names.get(name, name) for name in alike))


def _pence(case: Case) -> Suggestion | None:
    pence = pounds_to_pence(case.value)
    return Suggestion("That is pounds: write", (Choice(str(pence), case.kind.column),)) if pence else None


def _quantity(case: Case) -> Suggestion | None:
    value = case.value.replace(" ", "")
    if re.fullmatch(r"[0-9]{1,3}(?:[,.][0-9]{3})+", value):
        value = re.sub("[,.]", "", value)
    found = re.fullmatch(r"[x×]?([0-9]{1,7})(?:[.,]0+)?[x×]?", value, re.IGNORECASE)
    return _write(case, int(found[1])) if found and 1 <= int(found[1]) <= MAX_QUANTITY else None


_HIDDEN = {
    **dict.fromkeys(("yes", "y", "1", "on", "hidden", "hide", "t"), "true"),
    **dict.fromkeys(("no", "n", "0", "off", "visible", "show", "f"), "false"),
}


def _hidden(case: Case) -> Suggestion | None:
    value = case.value.lower()
    return (
        _write(case, _HIDDEN[value]) if value in _HIDDEN else _did_you_mean(case, _closest(value, ("true", "false"), 1))
    )


def _id(case: Case) -> Suggestion | None:
    found = re.fullmatch(r"[^0-9]*([0-9][0-9 ]*)(?:\.0+|[^0-9.,]*)", case.value)
    digits = found[1].replace(" ", "") if found and not re.search("[0-9]e", case.value, re.IGNORECASE) else ""
    return _write(case, digits) if 1 <= len(digits) <= MAX_ID_DIGITS else None


def _variants(case: Case) -> Suggestion | None:
    parts = [re.sub(r"[\s_]+", "-", part.strip().lower()) for part in re.split(r"[|,;/]", case.value)]
    parts = [part for part in parts if part]
    return _write(case, "|".join(parts)) if parts and all(map(VARIANT_PATTERN.fullmatch, parts)) else None


_BY_VALUE: dict[Cause, Callable[[Case], Suggestion | None]] = {
    Cause.MODE_UNKNOWN: _mode,
    Cause.CONDITION_UNKNOWN: _condition,
    Cause.PRICE_IN_POUNDS: _pence,
    Cause.QUANTITY_NOT_WHOLE: _quantity,
    Cause.HIDDEN_UNKNOWN: _hidden,
    Cause.ID_NOT_DIGITS: _id,
    Cause.VARIANT_MALFORMED: _variants,
}


# From the catalog -----------------------------------------------------------------------------------------------------


class _Catalog:
    """What the catalog has for the rows of one page."""

    def __init__(self, cases: Sequence[Case]) -> None:
        self._steps: dict[tuple[NamedBy, str], list[str]] = {}
        self._compared: dict[tuple[NamedBy, str], list[str]] = {}
        wanted = [case for case in cases if case.kind.cause in _BY_CATALOG and case.values]
        self._rows = dict(zip(map(_cells, wanted), _validate([_cells(case) for case in wanted]), strict=True))
        resolved = (Cause.ITEM_AMBIGUOUS, Cause.VARIANT_NOT_FOUND)
        rows = [(case, self.row(case)) for case in wanted if case.kind.cause in resolved]
        self._items = items.resolve({row.name for _, row in rows if row}) if rows else {}
        urns = {
            item.urn
            for case, row in rows
            if row and case.kind.cause is Cause.ITEM_AMBIGUOUS
            for item in self._items.get(row.name, ())[:_MAX_CHOICES]
        }
        self._described = items.describe(NamedBy.URN, urns) if urns else {}

    def row(self, case: Case) -> Row | None:
        """What the row asks for; None when it is not right in itself."""
        return self._rows.get(_cells(case))

    def items_of(self, name: ItemName) -> Sequence[CatalogItem]:
        """The items that a name can mean."""
        return self._items.get(name, ())

    def describe(self, urn: str) -> ItemDescription | None:
        """An item that an ambiguous name can mean."""
        found = self._described.get(urn)
        return found[0] if found else None

    def find_nearest(self, named_by: NamedBy, wanted: str) -> list[ItemDescription]:
        """The items whose URN or ``name_key`` is most like ``wanted``, the most alike first."""
        nearest = self._nearest(named_by, wanted)
        found = items.describe(named_by, nearest) if nearest else {}
        return [item for value in nearest for item in found.get(value, ())]

    def _nearest(self, named_by: NamedBy, wanted: str) -> list[str]:
        """Goes along the steps of ``wanted`` and takes the most similar one where the catalog has no such step."""
        *inner, last = items.split_path(named_by, wanted) or [""]
        path = ""
        for step in inner:
            alike = self._alike_steps(named_by, path, step, 1)
            if not alike:
                return []
            path += alike[0]
        return [path + step for step in self._alike_steps(named_by, path, last, _MAX_CHOICES)]

    def _alike_steps(self, named_by: NamedBy, path: str, step: str, limit: int) -> list[str]:
        known = self._steps.get((named_by, path))
        if known is None:
            if len(self._steps) >= _MAX_STEPS:
                return []
            known = self._steps[named_by, path] = items.list_steps(named_by, path, limit=_MAX_COMPARED)
        if step in known:
            return [step]
        compared = (named_by, path + step)
        if step.isdecimal():
            # Numbers that look alike are those of other cards; only zeros in front mean nothing.
            return [one for one in known if one.isdecimal() and int(one) == int(step)]
        if compared not in self._compared:
            if len(self._compared) >= _MAX_STEPS:
                return []
            self._compared[compared] = _closest(step, known, limit)
        return self._compared[compared]


def _not_found(case: Case, catalog: _Catalog) -> Suggestion | None:
    if case.kind.column == Column.URN:
        found = catalog.find_nearest(NamedBy.URN, case.value)
        choices = tuple(Choice(item.urn, Column.URN, _tell(item)) for item in found)
        return Suggestion("Did you mean", choices) if choices else None
    if case.kind.column != Column.NAME:
        # The digits of an id say nothing about the ids near it.
        return None
    game, set_name, name = (case.values.get(column, "") for column in (Column.GAME, Column.SET, Column.NAME))
    found = catalog.find_nearest(NamedBy.NAME, name_key(game, set_name, name))
    # Only what is to be changed is to be written: a set that is misspelt, or the name in a set that is right.
    by_column = {
        Column.GAME: [item.game for item in found if name_key(item.game, "", "") != name_key(game, "", "")],
        Column.SET: [item.set_name for item in found if name_key("", item.set_name, "") != name_key("", set_name, "")],
        Column.NAME: [item.name for item in found if name_key("", "", item.name) != name_key("", "", name)],
    }
    choices = tuple(Choice(text, column) for column, texts in by_column.items() for text in dict.fromkeys(texts))
    return Suggestion("Did you mean", choices[:_MAX_CHOICES]) if choices else None


def _ambiguous(case: Case, catalog: _Catalog) -> Suggestion | None:
    row = catalog.row(case)
    found = [catalog.describe(item.urn) for item in catalog.items_of(row.name)[:_MAX_CHOICES]] if row else []
    choices = tuple(Choice(item.urn, Column.URN, _tell(item)) for item in found if item)
    return Suggestion("Write one of these in URN", choices) if choices else None


def _unknown_variant(case: Case, catalog: _Catalog) -> Suggestion | None:
    row = catalog.row(case)
    found = catalog.items_of(row.name) if row else ()
    if not row or len(found) != 1 or not found[0].variants:
        return None
    own = found[0].variants
    unknown = [variant for variant in row.variants.split("|") if variant not in own]
    nearest = sorted(own, key=lambda variant: (-max(_likeness(variant, one) for one in unknown), variant))
    return Suggestion("The item has", tuple(Choice(variant, case.kind.column) for variant in nearest[:_MAX_CHOICES]))


_BY_CATALOG: dict[Cause, Callable[[Case, _Catalog], Suggestion | None]] = {
    Cause.ITEM_NOT_FOUND: _not_found,
    Cause.ITEM_AMBIGUOUS: _ambiguous,
    Cause.VARIANT_NOT_FOUND: _unknown_variant,
}


def _tell(item: ItemDescription) -> str:
    """What people know an item by."""
    number = f"number {item.number}" if item.number else ""
    return ", ".join(part for part in (item.name, item.set_name, number, item.rarity) if part)


def _cells(case: Case) -> tuple[str, ...]:
    return tuple(case.values.get(column, "") for column in COLUMNS)


def _validate(rows: list[tuple[str, ...]]) -> list[Row | None]:
    validated = Validator().validate([[*cells] for cells in rows], has_controls=True)
    right = validated.rows().each()
    return [next(right) if is_right else None for is_right in validated.is_right()]


def _closest(word: str, known: Iterable[str], limit: int, *, at_least: float = _ALIKE) -> list[str]:
    """Those of ``known`` that are most like ``word``, at most so many, and none that is much less so than the first."""
    matcher = SequenceMatcher(autojunk=False)
    folded = word.casefold()
    matcher.set_seq2(folded)
    alike: list[tuple[float, str]] = []
    for one in known:
        matcher.set_seq1(one.casefold())
        # The first two are quick to say that it cannot be much.
        if matcher.real_quick_ratio() >= at_least and matcher.quick_ratio() >= at_least:
            ratio = matcher.ratio()
            if ratio >= at_least:
                alike.append((ratio, one))
    alike.sort(key=lambda found: (-found[0], found[1]))
    return [one for ratio, one in alike[:limit] if ratio >= alike[0][0] - 0.1]


def _likeness(one: str, other: str) -> float:
    return SequenceMatcher(None, one, other, autojunk=False).ratio()
