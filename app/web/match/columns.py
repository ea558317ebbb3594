"""The step that says what each column is, and what stands for a missing one."""

import re
from collections.abc import Mapping as Map
from collections.abc import Sequence
from typing import Any, NamedTuple

from app.csvfile.contract import CONDITION_CODES
from app.imports import conversions, mappings, match_flow
from app.imports.foreign import words
from app.imports.foreign.choices import choose, fields_of, missing_of
from app.imports.foreign.mapping import Field, Joined, Mapping, MappingInvalid, Source, positions
from app.imports.foreign.matching import LABELS, By, Matcher
from app.imports.foreign.money import read_amount
from app.imports.foreign.sets import Sets
from app.models import Conversion
from app.queries import items_by_set
from app.web.match.steps import mapping_of

#: The fields that can have one value for the whole file.
CONSTANTS = (Field.CONDITION, Field.PRICE, Field.QUANTITY, Field.LANGUAGE, Field.GAME, Field.SET)
#: Cells of a column that are shown.
_CELLS = 3
#: The fields in the order of the select, under what they are about.
_GROUPS = {
    "Which card": "name set number set_code game title cardmarket_id tcgplayer_id urn",
    "Which copy": "condition language finish reverse first_edition signed altered playset",
    "The offer": "price foil_price currency quantity foil_quantity foil_part hidden shown",
    "Your texts": "comment notes reference",
}
_MORE = {
    Field.TITLE: "title with set, number and name in it",
    Field.COMMENT: "comment for buyers",
    Field.NOTES: "private notes",
    Field.FOIL_QUANTITY: "quantity of foils, beside the quantity",
    Field.FINISH: "finish or edition (holo, reverse, foil)",
    Field.REFERENCE: "your reference (SKU)",
}
#: What is said of a field that every row needs.
MISSING = {
    Field.NAME: "which card a row is: choose the name with its set or number, an ID, or a title",
    Field.CONDITION: "the condition: choose its column, or one condition for all rows below",
    Field.PRICE: "the price: choose its column, or one price for all rows below",
    Field.QUANTITY: "the quantity: choose its column, or one quantity for all rows below",
    Field.FOIL_QUANTITY: "how many copies are foils, as there is a price of foils: choose its column",
}
WHOLE = re.compile(r"[0-9]{1,6}")


class ColumnRow(NamedTuple):
    """A column of the file, and what it is taken for."""

    at: int
    name: str
    examples: tuple[str, ...]
    field: str
    #: The other fields that it is taken for.
    also: tuple[str, ...]
    why: str


def label(to: Field) -> str:
    """What a field is called on pages."""
    text = _MORE.get(to) or LABELS[to]
    return text[0].upper() + text[1:]


def context(one: Conversion, _args: Map[str, str]) -> dict[str, Any]:
    """What the page shows."""
    reading, mapping = conversions.reading_of(one), mapping_of(one)
    matching = match_flow.match(one.seller_id, one)
    taken = fields_of(mapping, reading.columns)
    rows: list[ColumnRow] = []
    for at, (name, fields, found) in enumerate(zip(reading.columns, taken, matching.columns, strict=True)):
        why = found.why if (fields[:1] == found.fields[:1] or not fields) else "You chose this."
        if found.by is By.FORMAT and fields:
            why = mapping.sources[fields[0]].confirm
        why = f"{why} {_first_of(mapping, fields, reading.columns)}".strip()
        field = fields[0].value if fields else ""
        also = tuple(label(to) for to in fields[1:])
        rows.append(ColumnRow(at, name, tuple(one[:40] for one in found.examples[:_CELLS]), field, also, why))
    missing, lost = missing_of(mapping), [label(to) for to in matching.lost if to not in mapping.sources]
    first = [row for row in rows if row.field or (row.why and row.examples)]
    return {
        "rows": first,
        "others": [row for row in rows if row not in first],
        "groups": {group: [(to, label(Field(to))) for to in fields.split()] for group, fields in _GROUPS.items()},
        "missing": [MISSING[to] for to in missing],
        "constants": {to.value: source.constant for to, source in mapping.sources.items() if source.constant},
        "currency": mapping.money.currency,
        "offered": [to.value for to in CONSTANTS if to is Field.PRICE or not mapping.sources.get(to, Source()).columns],
        "saved": [saved.name for saved in mappings.list_saved(one.seller_id) if saved.name != one.mapping_name],
        "conditions": CONDITION_CODES,
        "languages": words.language_names(),
        "games": sorted({known.game for known in items_by_set.list_sets()}),
        "lost": lost,
    }


def _first_of(mapping: Mapping, fields: Sequence[Field], columns: Sequence[str]) -> str:
    """Which of several columns counts, as a sentence; empty if the field has one column, or all of them count."""
    source = mapping.sources.get(fields[0]) if fields else None
    named = [one for one in source.columns if positions(columns, one)] if source else []
    if source is None or len(named) < 2 or source.joined is Joined.ALL:
        return ""
    return f"Of {', '.join(f'“{one}”' for one in named)}, the first that is not empty counts."


def take(one: Conversion, form: Map[str, str]) -> Mapping:
    """The mapping with what the form says. Raises MappingInvalid, FileRejected and OSError."""
    if form.get("saved"):
        return _take_saved(one, form["saved"])
    before, columns = mapping_of(one), conversions.reading_of(one).columns
    kept = fields_of(before, columns)
    chosen: list[Field | None] = []
    for at in range(len(columns)):
        value = form.get(f"c{at}")
        if value is None:
            chosen.append(kept[at][0] if kept[at] else None)
        elif value and value not in set(Field):
            raise MappingInvalid(f"There is no field “{value}”.")
        else:
            chosen.append(Field(value) if value else None)
    constants = {to: form[f"constant-{to}"].strip() for to in CONSTANTS if f"constant-{to}" in form}
    check_constants(constants)
    mapping = choose(before, columns, chosen, constants)
    with match_flow.source_of(one) as file:
        return Matcher(file, conversions.reading_of(one)).complete(mapping)


def _take_saved(one: Conversion, name: str) -> Mapping:
    """What a saved mapping says of the columns that the file has, and what is sure of the others."""
    saved = mappings.load(one.seller_id, name)
    with match_flow.source_of(one) as file:
        return Matcher(file, conversions.reading_of(one)).go_on_from(saved).mapping


def check_constants(constants: Map[Field, str]) -> None:
    """Raise MappingInvalid for a constant that its field cannot have."""
    condition, quantity = constants.get(Field.CONDITION), constants.get(Field.QUANTITY)
    if condition and condition not in CONDITION_CODES:
        raise MappingInvalid(f"“{condition}” is not a condition.")
    if quantity and not WHOLE.fullmatch(quantity):
        raise MappingInvalid(f"The quantity “{quantity}” is not a whole number.")
    if (price := constants.get(Field.PRICE)) and read_amount(price) is None:
        raise MappingInvalid(f"“{price}” is not a price.")
    if (game := constants.get(Field.GAME)) and Sets(Mapping()).games(game) is None:
        raise MappingInvalid(f"The catalog has no game “{game}”.")
