"""The last step: what would be imported, and what would not."""

from collections.abc import Iterator, Sequence
from collections.abc import Mapping as Map
from typing import Any, NamedTuple

from app.csvfile.columns import COLUMNS, VALUES, Column
from app.csvfile.contract import CONDITION_CODES, Mode, in_pounds
from app.imports import conversions, mappings, match_flow
from app.imports.foreign import dictionary, recognised, words
from app.imports.foreign.bound import Bound
from app.imports.foreign.choices import fields_of, missing_of
from app.imports.foreign.encodings import decode
from app.imports.foreign.findings import Example, OpenQuestion, examples_of
from app.imports.foreign.guesses import split
from app.imports.foreign.mapping import Mapping, find_reasons, positions
from app.imports.foreign.reading import blocks, text_reading
from app.imports.foreign.reasons import of_many
from app.imports.foreign.shapes import Reading
from app.imports.match_flow import Step
from app.imports.reports import progress
from app.models import Conversion
from app.queries import items_by_set
from app.queries.items_by_set import NamedItem
from app.queries.listings import listings
from app.queries.listings.listings import ListingKey, StoredListing
from app.statuses import ConversionStatus
from app.storage import current_storage
from app.web.match import reading
from app.web.match.columns import MISSING, label
from app.web.match.steps import TITLES, format_of, mapping_of
from app.web.match.words import condition_name

#: The rows that tell whether a column holds values.
_JUDGED = 1_000
#: Where what is asked in no step is mended: the step, where on its page, and what to do there.
_DOORS = {
    "price-missing": (Step.COLUMNS, "constant-price", "Choose its column, or give a price for rows without one"),
    "quantity-missing": (Step.COLUMNS, "constant-quantity", "Choose its column, or give one quantity for all rows"),
    "item-missing": (Step.COLUMNS, "columns-heading", "Say what names the card"),
    "price-fraction": (Step.MONEY, "unit", "Say whether prices are in pence or cents"),
    "price-too-low": (Step.MONEY, "currency", "See how prices are read"),
    "price-too-high": (Step.MONEY, "currency", "See how prices are read"),
    "language-not-there": (Step.WORDS, "decided", "Choose another language, or leave such rows out"),
    "finish-not-there": (Step.WORDS, "decided", "Choose another finish, or leave such rows out"),
}


class Offered(NamedTuple):
    """A row of the import format, for people."""

    #: Whether it is new, or what it changes.
    change: str
    item: str
    condition: str
    pence: int
    quantity: str
    variants: str
    texts: list[tuple[str, str]]


def context(one: Conversion) -> dict[str, Any]:
    """What a conversion came to."""
    asked = match_flow.asked_in(one)
    mapping = mapping_of(one)
    is_done = one.status == ConversionStatus.CONVERTED
    findings = one.findings if is_done else {}
    used = conversions.find_import(one) if one.used_at else None
    used_by = progress.get(one.seller_id, used.public_id) if used else None
    bound = Bound(mapping, mapping.columns)
    return {
        "is_done": is_done,
        "format": format_of(one),
        "reading": reading.sentence(conversions.reading_of(one)),
        "to_decide": [
            (step, TITLES[step], len(questions), questions[0].sentence)
            for step in (Step.WORDS, Step.CARDS, Step.MONEY)
            if (questions := match_flow.of_step(asked, step))
        ],
        "others": [
            (question, None if one.used_at else _DOORS.get(question.slug))
            for question in asked
            if one.used_at or _is_other(question)
        ][:20],
        "missing": [MISSING[to] for to in missing_of(mapping)],
        "rates": mapping.money.rates,
        "unused": _unused(one, mapping) if is_done and not one.used_at and not one.source_removed_at else [],
        "confirm": [
            (label(to), [mapping.columns[at] for at in bound.places[to]], source.confirm)
            for to, source in mapping.sources.items()
            if source.confirm
        ],
        "left_out": _left_out(one, asked) if is_done else [],
        "repriced": findings.get("repriced", 0),
        "sold_out": findings.get("sold_out", 0),
        "finishes": findings.get("finishes", {}),
        "examples": [*_examples(one, examples_of(findings))] if is_done else [],
        "saved": [saved.name for saved in mappings.list_saved(one.seller_id)],
        "used_by": used_by,
        "is_imported": used_by is not None and not used_by.is_check,
        "undecidable": conversions.explain_undecidable(one) if one.used_at and one.undecided else None,
        "decides": conversions.find_import_decided(one),
        "name": one.mapping_name or format_of(one) or one.file_name.rpartition(".")[0] or one.file_name,
        "remembers": is_done and not one.used_at and match_flow.is_own(one),
    }


def _is_other(question: OpenQuestion) -> bool:
    return not any(match_flow.of_step([question], step) for step in (Step.WORDS, Step.CARDS, Step.MONEY))


def _unused(one: Conversion, mapping: Mapping) -> list[str]:
    """The columns that nothing is made of, although most of their cells in the first rows hold values.

    Those that are known to be no field, such as a rarity, are none of them.
    """
    reading = conversions.reading_of(one)
    with match_flow.source_of(one) as file:
        block = next(blocks(file, reading), None)
    if block is None:
        return []
    known = recognised.find(mapping.format)
    used = _deciding(mapping, reading) | {*find_reasons(reading.columns).values()}
    used |= {at for name in (known.unused if known else ()) for at in positions(reading.columns, name)}
    return [
        name
        for at, (name, fields) in enumerate(zip(reading.columns, fields_of(mapping, reading.columns), strict=True))
        if not fields
        and at not in used
        and (dictionary.fields().find(name) or not dictionary.is_known(name))
        and _is_filled([words.cleaned(str(cell)) for cell in block.cells.column(at).slice(0, _JUDGED)])
    ]


def _deciding(mapping: Mapping, reading: Reading) -> set[int]:
    """Where the columns stand that are no field, and yet decide something."""
    named = [name for row_filter in mapping.filters for name in row_filter.columns]
    if above := mapping.parents:
        named += [above.parent, above.key, above.id, above.kind]
    return {at for name in named for at in positions(reading.columns, name)}


def _is_filled(cells: Sequence[str]) -> bool:
    """Whether most cells of a column hold values, and not all of them a 0 or a no."""
    filled = [cell for cell in cells if cell]
    return 2 * len(filled) > len(cells) and any(words.is_yes(cell) or not words.is_flag(cell) for cell in filled)


def _left_out(one: Conversion, asked: Sequence[OpenQuestion]) -> list[tuple[str, int]]:
    """Why rows are left out, with the number of rows, most first."""
    is_open = {question.slug for question in asked} | {"irregular"}
    reasons = sorted(one.reasons.items(), key=lambda pair: -pair[1])
    return [(of_many(slug), rows) for slug, rows in reasons if slug not in is_open]


def _examples(
    one: Conversion, examples: Sequence[Example]
) -> Iterator[tuple[Example, list[tuple[str, str]], Offered | None]]:
    """The rows of every kind, as far as the file is still there: the cells that are used, and what they become."""
    if one.source_removed_at is not None or one.text_key is None:
        return
    reading = text_reading(conversions.reading_of(one))
    mapping = mapping_of(one)
    used = {at for at, fields in enumerate(fields_of(mapping, reading.columns)) if fields} | _deciding(mapping, reading)
    rows = [dict(zip(COLUMNS, example.cells, strict=False)) for example in examples]
    items = {item.urn: item for item in items_by_set.find_by_urns({row[Column.URN] for row in rows if row})}
    keys = [_key(row, items) for row in rows]
    had = {} if one.used_at else listings.find(one.seller_id, {key for key in keys if key})
    for example, row, key in zip(examples, rows, keys, strict=True):
        cells = _read_cells(one.text_key, example, reading)
        before = [
            (name, cell)
            for at, (name, cell) in enumerate(zip(reading.columns, cells, strict=False))
            if cell.strip() and (at in used or not used)
        ]
        after = _offered(row, items.get(row[Column.URN]), had.get(key) if key else None) if row else None
        yield example, before, after


def _key(row: Map[str, str], items: Map[str, NamedItem]) -> ListingKey | None:
    item = items.get(row[Column.URN]) if row else None
    return (item.id, CONDITION_CODES[row[Column.CONDITION]].value, row[Column.VARIANTS]) if item else None


def _offered(row: Map[str, str], item: NamedItem | None, listing: StoredListing | None) -> Offered:
    texts = [(name, row[name]) for name in (Column.HIDDEN, Column.COMMENT, Column.NOTES, Column.REFERENCE) if row[name]]
    return Offered(
        _say_change(row, listing) if row[Column.MODE] == Mode.UPDATE else "New listing",
        f"{item.name}, {item.set_name} {item.number}".strip() if item else row[Column.URN],
        condition_name(row[Column.CONDITION]),
        int(row[Column.PRICE]),
        row[Column.QUANTITY],
        row[Column.VARIANTS].replace("|", ", "),
        [(name.lower(), text) for name, text in texts],
    )


def _say_change(row: Map[str, str], listing: StoredListing | None) -> str:
    """What an UPDATE changes; ``listing``: as it is now, if the row was not imported since."""
    if listing is None:
        return "Update of a listing you have"
    now = {column: "" if value is None else str(value) for column, value in zip(VALUES, listing.values, strict=True)}
    if all(row[column] == text for column, text in now.items()) and row[Column.HIDDEN] in (
        "",
        str(listing.hidden).lower(),
    ):
        return "You have it already: nothing changes"
    has = f"{in_pounds(int(now[Column.PRICE]))} and a quantity of {now[Column.QUANTITY]}"
    return f"Changes a listing you have, now with {has}"


def _read_cells(key: str, example: Example, reading: Reading) -> Sequence[str]:
    data = current_storage().read(key, example.start, example.start + example.length) if example.length else b""
    rows = split(decode(data, reading.encoding), reading.separator, reading.quote)
    return rows[0].cells if rows else ()
