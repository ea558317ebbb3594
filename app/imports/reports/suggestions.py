"""Suggestions: for each problem of a row, what the seller probably meant and should write instead.

Nothing of this is stored. Suggestions are found when a page is shown, for the rows on it, with a bounded number of
catalog look-ups. One that cannot be found is left out; it never keeps a page from being shown.
"""

from __future__ import annotations

import logging
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import groupby, islice
from typing import NamedTuple

from app.csvfile.causes import Cause
from app.csvfile.columns import COLUMNS, HEADER, NAME_COLUMNS, Column
from app.csvfile.contract import (
    CONDITION_CODES,
    MAX_ID_DIGITS,
    MAX_PRICE,
    MAX_QUANTITY,
    MIN_PRICE,
    VARIANT_PATTERN,
    ItemName,
    Mode,
    NamedBy,
    in_pounds,
    name_key,
)
from app.csvfile.damage import plain_digits
from app.csvfile.lines import LineReader
from app.csvfile.parse import read_price
from app.csvfile.rows import Row, each_row
from app.csvfile.visible import describe_invisible, typed
from app.csvfile.write import csv_lines, in_pieces
from app.extensions import DATABASE_ERRORS, db
from app.imports.reports.similar_items import MAX_CHOICES, NearestItems, closest, likeness
from app.queries import items, items_by_set
from app.queries.imports.error_groups import ErrorKind
from app.queries.items import CatalogItem
from app.queries.items_by_set import NamedItem

log = logging.getLogger(__name__)

#: The beginning of a suggestion that is only similar to what is written.
_UNSURE = "Did you mean"

#: Minimum similarity of two grades, from 0 to 1: higher than for other words, because a wrong grade costs money.
_ALIKE_GRADES = 0.75


class Choice(NamedTuple):
    """A choice of a suggestion."""

    text: str
    #: The column to write it in.
    column: str
    #: What distinguishes it from the other choices.
    note: str = ""


class Suggestion(NamedTuple):
    """What to write instead: one of its choices, or, without choices, what else to do."""

    lead: str
    choices: tuple[Choice, ...] = ()

    @property
    def by_column(self) -> list[list[Choice]]:
        """Its choices: those for one column are alternatives, those for different columns belong together."""
        return [[*group] for _, group in groupby(self.choices, key=lambda choice: choice.column)]

    def parts(self, column: str) -> list[tuple[str, Choice]]:
        """Each choice, and what stands before it in a sentence about ``column``."""
        parts, of_column = [], self.by_column
        for number, group in enumerate(of_column, start=1):
            for place, choice in enumerate(group, start=1):
                word = ("or" if place == len(group) else "") if place > 1 else "and" if number == len(of_column) else ""
                joint = "" if number == place == 1 else f" {word} " if word else ", "
                # A name is one of three columns, so it is always named; what the lead has named is not.
                is_named = (choice.column != column or column == Column.NAME) and not self.lead.endswith(choice.column)
                named = f"{choice.column} " if is_named else ""
                parts.append((joint + named, choice))
        return parts

    @property
    def mark(self) -> str:
        """The punctuation mark at its end."""
        return "" if not self.choices else "?" if self.lead.startswith("Did") else "."

    def say(self, column: str) -> str:
        """The suggestion about ``column`` in a sentence, with its notes."""
        if not self.choices:
            return self.lead
        texts = [f"{joint}{text}{f' ({note})' if note else ''}" for joint, (text, _, note) in self.parts(column)]
        return f"{self.lead} {''.join(texts)}{self.mark}"


class RowProblem(NamedTuple):
    """A problem of one row, with the row's values."""

    kind: ErrorKind
    #: The row's values by column; empty if they cannot be assigned. Columns may be left out, such as those in which
    #: rows of one group differ.
    values: Mapping[str, str]

    @property
    def value(self) -> str:
        """The invalid value."""
        return self.values.get(self.kind.column, "")


def suggest(problems: Iterable[RowProblem]) -> list[Suggestion | None]:
    """A suggestion for each problem, or None. The first problems get the first of the limited catalog look-ups."""
    problems = [*problems]
    try:
        # If a look-up fails here, the page's own transaction goes on.
        with db.session.begin_nested():
            # Invisible characters were not meant.
            meant = [
                RowProblem(problem.kind, {column: typed(value) for column, value in problem.values.items()})
                for problem in problems
            ]
            catalog = _Catalog(meant)
            return [
                _suggest_one(one, catalog) or _type_again(problem) for problem, one in zip(problems, meant, strict=True)
            ]
    except DATABASE_ERRORS:
        log.exception("no suggestions from the catalog")
        return [None] * len(problems)


@lru_cache(maxsize=20_000)
def sure_value(kind: ErrorKind, value: str, *, pounds: bool | None = None) -> str | None:
    """What a wrong value certainly means, from the value alone; None if that is not certain.

    ``pounds`` decides for a price that may be pence or pounds.
    """
    values = {kind.column: typed(value)}
    by_value = _BY_VALUE.get(kind.cause)
    found = by_value(RowProblem(kind, values)) if by_value else _type_again(RowProblem(kind, {kind.column: value}))
    if found is None or found.lead == _UNSURE:
        return None
    if len(found.choices) == 1:
        return found.choices[0].text
    return found.choices[pounds].text if pounds is not None and len(found.choices) == 2 else None


def _suggest_one(problem: RowProblem, catalog: _Catalog) -> Suggestion | None:
    if not problem.values:
        return None
    by_value = _BY_VALUE.get(problem.kind.cause)
    if by_value:
        return by_value(problem)
    by_catalog = _BY_CATALOG.get(problem.kind.cause)
    return by_catalog(problem, catalog) if by_catalog else None


def _type_again(problem: RowProblem) -> Suggestion | None:
    """What to type for values that look right."""
    values = {column: problem.values.get(column, "") for column in problem.kind.columns}
    wrong = (Choice(typed(value), column) for column, value in values.items() if describe_invisible(value))
    return _suggest("Delete it and type", wrong)


# From the value alone -------------------------------------------------------------------------------------------------


def _suggest(lead: str, choices: Iterable[Choice]) -> Suggestion | None:
    """A suggestion, if there is any choice."""
    choices = tuple(choices)
    return Suggestion(lead, choices) if choices else None


def _did_you_mean(problem: RowProblem, texts: Iterable[str]) -> Suggestion | None:
    return _suggest(_UNSURE, (Choice(text, problem.kind.column) for text in texts))


def _enter(problem: RowProblem, text: object) -> Suggestion:
    return Suggestion("Enter", (Choice(str(text), problem.kind.column),))


_MODES = {
    **dict.fromkeys(("ADD", "NEW", "INSERT"), Mode.CREATE),
    **dict.fromkeys(("EDIT", "CHANGE", "MODIFY"), Mode.UPDATE),
}


def _mode(problem: RowProblem) -> Suggestion | None:
    value = problem.value.upper()
    return _did_you_mean(problem, [_MODES[value]] if value in _MODES else closest(value, [*Mode], 1))


def _condition(problem: RowProblem) -> Suggestion | None:
    value = re.sub(r"[\s_-]+", "_", problem.value).strip("_").upper()
    names = {code: grade.name for code, grade in CONDITION_CODES.items()}
    alike = closest(value, [*names, *names.values()], 2, at_least=_ALIKE_GRADES)
    # A grade whose code and name are equally similar is offered once.
    return _did_you_mean(problem, dict.fromkeys(names.get(name, name) for name in alike))


def _pence(problem: RowProblem) -> Suggestion | None:
    readings = read_price(problem.value)
    if len(readings) == 1:
        return Suggestion("In pence, that is", (Choice(str(readings[0]), problem.kind.column),))
    return _suggest("Enter", (Choice(str(pence), problem.kind.column, f"for {in_pounds(pence)}") for pence in readings))


def _price(problem: RowProblem) -> Suggestion | None:
    found = re.fullmatch(r"([0-9]{1,9}) ?(?:p|pence)?", _plain(problem.value), re.IGNORECASE)
    return _enter(problem, int(found[1])) if found and MIN_PRICE <= int(found[1]) <= MAX_PRICE else None


def _digits(problem: RowProblem) -> Suggestion | None:
    digits = plain_digits(problem.value)
    return _enter(problem, digits) if digits else None


def _quantity(problem: RowProblem) -> Suggestion | None:
    value = _plain(problem.value).replace(" ", "")
    if re.fullmatch(r"[0-9]{1,3}(?:[,.][0-9]{3})+", value):
        value = re.sub("[,.]", "", value)
    found = re.fullmatch(r"[x×]?([0-9]{1,7})(?:[.,]0+)?[x×]?", value, re.IGNORECASE)
    return _enter(problem, int(found[1])) if found and 1 <= int(found[1]) <= MAX_QUANTITY else None


_HIDDEN = {
    **dict.fromkeys(("yes", "y", "1", "on", "hidden", "hide", "t"), "true"),
    **dict.fromkeys(("no", "n", "0", "off", "visible", "show", "f"), "false"),
    # What spreadsheets in other languages write.
    **dict.fromkeys(("wahr", "vrai", "vero", "verdadero", "verdadeiro", "waar", "prawda"), "true"),
    **dict.fromkeys(("falsch", "faux", "falso", "onwaar", "fałsz"), "false"),
}


def _hidden(problem: RowProblem) -> Suggestion | None:
    value = problem.value.lower()
    return (
        _enter(problem, _HIDDEN[value])
        if value in _HIDDEN
        else _did_you_mean(problem, closest(value, ("true", "false"), 1))
    )


def _id(problem: RowProblem) -> Suggestion | None:
    value = _plain(problem.value)
    found = re.fullmatch(r"[^0-9]*([0-9][0-9 ]*)(?:\.0+|[^0-9.,]*)", value)
    digits = found[1].replace(" ", "") if found and not re.search("[0-9]e", value, re.IGNORECASE) else ""
    if 1 <= len(digits) <= MAX_ID_DIGITS:
        return _enter(problem, digits)
    return _leave_empty(problem)


def _leave_empty(problem: RowProblem) -> Suggestion | None:
    """An id can be left empty if the row names its item in another way."""
    if problem.kind.column not in _OTHER_SITE or not (others := _named_otherwise(problem)):
        return None
    return Suggestion(f"Leave it empty – the item is already identified by {_columns_of(others[0])}.")


def _variants(problem: RowProblem) -> Suggestion | None:
    parts = [re.sub(r"[\s_]+", "-", part.strip().lower()) for part in re.split(r"[|,;/]", problem.value)]
    parts = [part for part in parts if part]
    return _enter(problem, "|".join(parts)) if parts and all(map(VARIANT_PATTERN.fullmatch, parts)) else None


def _nothing_to_end(problem: RowProblem) -> Suggestion | None:
    is_end = re.fullmatch("0+", problem.values.get(Column.QUANTITY, ""))
    return Suggestion("There is no listing to end – leave the row out.") if is_end else None


_BY_VALUE: dict[Cause, Callable[[RowProblem], Suggestion | None]] = {
    Cause.MODE_UNKNOWN: _mode,
    Cause.CONDITION_UNKNOWN: _condition,
    Cause.PRICE_IN_POUNDS: _pence,
    Cause.PRICE_UNCLEAR: _pence,
    Cause.PRICE_NOT_WHOLE: _price,
    Cause.NUMBER_FORMATTED: _digits,
    Cause.NUMBER_SHORTENED: _leave_empty,
    Cause.NUMBER_AS_DATE: _leave_empty,
    Cause.SPREADSHEET_ERROR: _leave_empty,
    Cause.QUANTITY_NOT_WHOLE: _quantity,
    Cause.HIDDEN_UNKNOWN: _hidden,
    Cause.ID_NOT_DIGITS: _id,
    Cause.VARIANT_MALFORMED: _variants,
    Cause.LISTING_NOT_FOUND: _nothing_to_end,
}


# From the catalog -----------------------------------------------------------------------------------------------------


class _Catalog:
    """The catalog's entries for the rows of one page."""

    def __init__(self, problems: Sequence[RowProblem]) -> None:
        self.nearest = NearestItems()
        wanted = [problem for problem in problems if problem.kind.cause is Cause.VARIANT_NOT_FOUND and problem.values]
        self._rows = dict(zip(map(_cells, wanted), _validate([_cells(problem) for problem in wanted]), strict=True))
        to_tell = {name for problem in problems for name in _possible_names(problem)}
        names = to_tell | {row.name for row in self._rows.values() if row}
        self._items = items.resolve(names) if names else {}
        urns = {item.urn for name in to_tell for item in self.items_of(name)}
        self._described = items_by_set.describe(NamedBy.URN, urns) if urns else {}

    def row(self, problem: RowProblem) -> Row | None:
        """The parsed row; None if it is invalid."""
        return self._rows.get(_cells(problem))

    def items_of(self, name: ItemName) -> Sequence[CatalogItem]:
        """The items that a name can mean."""
        return self._items.get(name, ())

    def to_choose(self, name: ItemName, problem: RowProblem) -> tuple[Choice, ...]:
        """The items that a name can mean; those that have the variants of the row come first."""
        wanted = {part.strip().lower() for part in problem.values.get(Column.VARIANTS, "").split("|")} - {""}
        fitting = sorted(self.items_of(name), key=lambda item: (len(wanted - item.variants), item.urn))
        return tuple(
            Choice(item.urn, Column.URN, f"{tell_item(described)}{variants}")
            for item in fitting[:MAX_CHOICES]
            for variants in [f"; variants: {', '.join(sorted(item.variants))}" if item.variants else ""]
            for described in self._described.get(item.urn, ())
        )


def _possible_names(problem: RowProblem) -> list[ItemName]:
    """Other possible names of the item of a row whose own name for it is ambiguous or unknown."""
    if problem.kind.cause is Cause.ITEM_AMBIGUOUS:
        name = _named(problem.values, NamedBy[problem.kind.column])
        return [name] if name else []
    if problem.kind.cause is Cause.ITEM_NOT_FOUND:
        return [*_named_otherwise(problem), *_named_at_other_site(problem)]
    return []


def _named(values: Mapping[str, str], by: NamedBy) -> ItemName | None:
    """The name of a row's item in one of the ways; None if it is missing or invalid."""
    if by is NamedBy.NAME:
        texts = [values.get(column, "") for column in NAME_COLUMNS]
        return (by, name_key(*texts)) if all(texts) else None
    value = values.get(by.name, "")
    if by is NamedBy.URN:
        return (by, value) if value else None
    return (by, int(value)) if re.fullmatch(f"[0-9]{{1,{MAX_ID_DIGITS}}}", value) else None


def _named_otherwise(problem: RowProblem) -> list[ItemName]:
    """The other names of the item beside the column with the problem, in the order in which they would decide."""
    names = (_named(problem.values, by) for by in NamedBy if by.name != problem.kind.column)
    return [name for name in names if name]


_OTHER_SITE: dict[str, NamedBy] = {
    Column.CARDMARKET_ID: NamedBy.TCGPLAYER_ID,
    Column.TCGPLAYER_ID: NamedBy.CARDMARKET_ID,
}


def _named_at_other_site(problem: RowProblem) -> list[ItemName]:
    """The id of a row, read as an id of the other site."""
    other = _OTHER_SITE.get(problem.kind.column)
    name = _named({other.name: problem.value}, other) if other else None
    return [name] if name else []


def _columns_of(name: ItemName) -> str:
    return "GAME, SET and NAME" if name[0] is NamedBy.NAME else name[0].name


def _not_found(problem: RowProblem, catalog: _Catalog) -> Suggestion | None:
    for name in _named_otherwise(problem):
        if choices := catalog.to_choose(name, problem):
            which = "this item" if len(choices) == 1 else "one of these items"
            return Suggestion(f"Going by {_columns_of(name)}, it is {which}. Enter in URN", choices)
    if problem.kind.column == Column.URN:
        found = catalog.nearest.find(NamedBy.URN, problem.value)
        return _suggest(_UNSURE, (Choice(item.urn, Column.URN, tell_item(item)) for item in found))
    if problem.kind.column == Column.NAME:
        return _unknown_name(problem, catalog)
    # Similar ids do not belong to similar items.
    for name in _named_at_other_site(problem):
        if choices := catalog.to_choose(name, problem):
            return Suggestion(f"If the number is a {_columns_of(name)}, enter in URN", choices)
    return None


def _unknown_name(problem: RowProblem, catalog: _Catalog) -> Suggestion | None:
    game, set_name, name = (problem.values.get(column, "") for column in NAME_COLUMNS)
    found = catalog.nearest.find(NamedBy.NAME, name_key(game, set_name, name))
    if not any(name_key("", "", item.name) == name_key("", "", name) for item in found):
        # A name that exists in another set says more than a similar name in this set.
        elsewhere = _other_sets(problem, catalog)
        if elsewhere:
            return elsewhere
    # Offer only what has to change: the misspelt set, or the name in a set that is right.
    by_column = {
        Column.GAME: [item.game for item in found if name_key(item.game, "", "") != name_key(game, "", "")],
        Column.SET: [item.set_name for item in found if name_key("", item.set_name, "") != name_key("", set_name, "")],
        Column.NAME: [item.name for item in found if name_key("", "", item.name) != name_key("", "", name)],
    }
    choices = (Choice(text, column) for column, texts in by_column.items() for text in dict.fromkeys(texts))
    return _suggest(_UNSURE, islice(choices, MAX_CHOICES))


def _other_sets(problem: RowProblem, catalog: _Catalog) -> Suggestion | None:
    """The sets that have an item of this name, if the row's set has none or the row names no set."""
    game, set_name, name = (problem.values.get(column, "") for column in NAME_COLUMNS)
    if not game or not name:
        return None
    found = catalog.nearest.find_in_other_sets(name_key(game, set_name, name))
    by_set: dict[str, NamedItem] = {}
    for item in found:
        by_set.setdefault(item.set_name, item)
    choices = (Choice(text, Column.SET, tell_item(item)) for text, item in by_set.items())
    which = f"{len(by_set)} sets, such as these" if len(by_set) > MAX_CHOICES else "these sets"
    return _suggest(f"The name is in {which}. Enter in SET", islice(choices, MAX_CHOICES))


def _ambiguous(problem: RowProblem, catalog: _Catalog) -> Suggestion | None:
    choices = (choice for name in _possible_names(problem) for choice in catalog.to_choose(name, problem))
    return _suggest("Enter one of these in URN", choices)


def _unknown_variant(problem: RowProblem, catalog: _Catalog) -> Suggestion | None:
    row = catalog.row(problem)
    found = catalog.items_of(row.name) if row else ()
    if not row or len(found) != 1 or not found[0].variants:
        return None
    own = found[0].variants
    unknown = [variant for variant in row.variants.split("|") if variant not in own]
    nearest = sorted(own, key=lambda variant: (-max(likeness(variant, one) for one in unknown), variant))
    return Suggestion("The item has", tuple(Choice(variant, problem.kind.column) for variant in nearest[:MAX_CHOICES]))


def _missing_set(problem: RowProblem, catalog: _Catalog) -> Suggestion | None:
    return _other_sets(problem, catalog) if problem.kind.column == Column.SET else None


_BY_CATALOG: dict[Cause, Callable[[RowProblem, _Catalog], Suggestion | None]] = {
    Cause.ITEM_NOT_FOUND: _not_found,
    Cause.ITEM_AMBIGUOUS: _ambiguous,
    Cause.VARIANT_NOT_FOUND: _unknown_variant,
    Cause.NAME_INCOMPLETE: _missing_set,
}


def tell_item(item: NamedItem) -> str:
    """The name of an item for people."""
    number = f"number {item.number}" if item.number else ""
    return ", ".join(part for part in (item.name, item.set_name, number, item.rarity) if part)


def _plain(text: str) -> str:
    """``text`` with its full-width digits and letters replaced by the usual ones."""
    return unicodedata.normalize("NFKC", text)


def _cells(problem: RowProblem) -> tuple[str, ...]:
    return tuple(problem.values.get(column, "") for column in COLUMNS)


def _validate(rows: list[tuple[str, ...]]) -> list[Row | None]:
    reader = LineReader(in_pieces(csv_lines(rows)), header=HEADER, offset=0, line=2)
    return [next(each_row(reader.take(1).rows), None) for _ in rows]
