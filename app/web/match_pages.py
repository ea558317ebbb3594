"""What the pages of “Match your file” show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Mapping as Map
from typing import Any, NamedTuple

from app.csvfile.columns import COLUMNS, Column
from app.csvfile.contract import CONDITION_CODES, Mode
from app.imports import conversions, mappings, match_flow
from app.imports.foreign import candidates, dictionary, recognised, words
from app.imports.foreign.block_converter import BlockConverter
from app.imports.foreign.bound import Bound
from app.imports.foreign.choices import fields_of, missing_of
from app.imports.foreign.encodings import ENCODINGS, decode
from app.imports.foreign.findings import Example, OpenQuestion, examples_of, repriced_of
from app.imports.foreign.guesses import split
from app.imports.foreign.mapping import LEAVE_OUT, Field, Joined, Kind, Mapping, Source, find_reasons, normal, positions
from app.imports.foreign.matching import LABELS, By
from app.imports.foreign.money import CURRENCIES, OWN_CURRENCY, Pricing, read_amount
from app.imports.foreign.preview import Word, prices_of, words_of
from app.imports.foreign.reading import Reading, blocks, text_reading
from app.imports.foreign.reasons import Candidate, of_many
from app.imports.foreign.sample import Sample, count_with_currency
from app.imports.foreign.sets import Sets
from app.imports.foreign.shapes import Unsure
from app.imports.match_flow import Step
from app.imports.reports import progress
from app.models import Conversion
from app.queries import items_by_set
from app.statuses import ConversionStatus
from app.storage import current_storage
from app.web.match_answers import CONSTANTS, FINISHES, mapping_of

_TITLES = {
    Step.READING: "How it is read",
    Step.COLUMNS: "Columns",
    Step.WORDS: "Words",
    Step.CARDS: "Cards",
    Step.MONEY: "Money",
    Step.PREVIEW: "Preview",
}
#: Rows shown of a file, questions on a page, cells of a column, and words of a kind.
_ROWS, _ON_PAGE, _CELLS, _WORDS = 6, 50, 3, 200
#: The rows that tell whether a column holds values.
_JUDGED = 1_000
#: The fields in the order of the select, under what they are about.
_GROUPS = {
    "Which card": (
        Field.NAME,
        Field.SET,
        Field.NUMBER,
        Field.SET_CODE,
        Field.GAME,
        Field.TITLE,
        Field.CARDMARKET_ID,
        Field.TCGPLAYER_ID,
        Field.URN,
    ),
    "Which copy": (
        Field.CONDITION,
        Field.LANGUAGE,
        Field.FINISH,
        Field.REVERSE,
        Field.FIRST_EDITION,
        Field.SIGNED,
        Field.ALTERED,
        Field.PLAYSET,
    ),
    "The offer": (
        Field.PRICE,
        Field.FOIL_PRICE,
        Field.CURRENCY,
        Field.QUANTITY,
        Field.FOIL_QUANTITY,
        Field.FOIL_PART,
        Field.HIDDEN,
        Field.SHOWN,
    ),
    "Your texts": (Field.COMMENT, Field.NOTES, Field.REFERENCE),
}
_MORE = {
    Field.TITLE: "title with set, number and name in it",
    Field.COMMENT: "comment for buyers",
    Field.NOTES: "private notes",
    Field.FOIL_QUANTITY: "quantity of foils, beside the quantity",
    Field.FINISH: "finish or edition (holo, reverse, foil)",
    Field.REFERENCE: "your reference (SKU)",
}
_URN = COLUMNS.index(Column.URN)
_LEFT_OUT = "Left out"
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
_SEPARATORS = {",": "comma", ";": "semicolon", "tab": "tab", "|": "vertical bar"}


class StepLink(NamedTuple):
    """A step in the list of them."""

    step: Step
    title: str
    #: How many things are to be decided there.
    open: int
    is_here: bool


class ColumnRow(NamedTuple):
    """A column of the file, and what it is taken for."""

    at: int
    name: str
    examples: tuple[str, ...]
    field: str
    #: The other fields that it is taken for.
    also: tuple[str, ...]
    why: str


class Shown(NamedTuple):
    """A row before and after."""

    outcome: str
    line: int
    #: The cells of the columns that are used.
    before: list[tuple[str, str]]
    #: Why it is no row of its own.
    sentence: str
    #: What it becomes: None if it becomes no row.
    after: Offered | None


class Offered(NamedTuple):
    """A row of the import format, for people."""

    is_update: bool
    item: str
    condition: str
    pence: int
    quantity: str
    variants: str
    texts: list[tuple[str, str]]


def label(to: Field) -> str:
    """What a field is called on pages."""
    text = _MORE.get(to) or LABELS[to]
    return text[0].upper() + text[1:]


def format_names() -> list[str]:
    """The formats that are recognised, for people."""
    return sorted({one.name for one in recognised.formats()}, key=str.casefold)


_UNCONVERTED = {
    ConversionStatus.DRAFT: "Not worked through yet",
    ConversionStatus.QUEUED: "Being worked through",
    ConversionStatus.RUNNING: "Being worked through",
    ConversionStatus.FAILED: "Could not be worked through",
}


class Unfinished(NamedTuple):
    """A file of which nothing was imported yet."""

    one: Conversion
    #: How far it is.
    state: str


def unfinished(seller_id: int) -> list[Unfinished]:
    """The seller's files of the last day of which nothing was imported yet, the latest first."""
    return [Unfinished(one, _state(one)) for one in conversions.list_unfinished(seller_id)]


def _state(one: Conversion) -> str:
    if one.status != ConversionStatus.CONVERTED:
        return _UNCONVERTED[ConversionStatus(one.status)]
    count = one.undecided
    return f"{count:,} {'row is' if count == 1 else 'rows are'} open" if count else "Ready to check or import"


def steps(one: Conversion, here: Step) -> list[StepLink]:
    """The steps with what is open in each."""
    asked = match_flow.asked_in(one)
    counts = {step: len(match_flow.of_step(asked, step)) for step in Step}
    counts[Step.COLUMNS] = len(missing_of(mapping_of(one)))
    counts[Step.READING] = 0
    return [StepLink(step, _TITLES[step], counts[step], step is here) for step in Step]


def format_of(one: Conversion) -> str:
    """The name of the format that a file was recognised as, or empty."""
    known = recognised.find(mapping_of(one).format)
    return known.name if known else ""


def reading_sentence(reading: Reading) -> str:
    """How a file is read, in a sentence."""
    if reading.sheets:
        how = f"Sheet “{reading.sheet}” of a workbook"
    else:
        name = next((name for sign, name in _SEPARATORS.items() if sign == _sign(reading)), reading.separator)
        how = f"{ENCODINGS[reading.encoding].partition(' (')[0]}, separated by {name}"
    header = f"header in line {reading.header_line}" if reading.header_line else "no header"
    return f"{how}, {header}, {len(reading.columns)} columns"


def _sign(reading: Reading) -> str:
    return "tab" if reading.separator == "\t" else reading.separator


# The steps ------------------------------------------------------------------------------------------------------------


_DOUBTS = {
    Unsure.HEADER: "No line is sure to have the names of the columns.",
    Unsure.SEPARATOR: "No separator was found.",
    Unsure.ENCODING: "The encoding is the most common one that fits: look for strange letters.",
    Unsure.SHEET: "Several sheets look like stock.",
}


def _doubt(reading: Reading, doubt: Unsure) -> str:
    taken = f" Line {reading.header_line} was taken." if doubt is Unsure.HEADER and reading.header_line else ""
    return _DOUBTS[doubt] + taken


def _reading(one: Conversion, _args: Map[str, str]) -> dict[str, Any]:
    reading = conversions.reading_of(one)
    with match_flow.source_of(one) as file:
        block = next(blocks(file, reading), None)
    rows: list[tuple[int, list[str]]] = []
    if block:
        cells = block.cells.slice(0, _ROWS)
        rows = [(int(block.lines[at]), [str(column[at]) for column in cells.columns]) for at in range(cells.num_rows)]
    return {
        "reading": reading,
        "rows": rows,
        "encodings": ENCODINGS,
        "separators": _SEPARATORS,
        "separator": _sign(reading),
        "doubts": [_doubt(reading, Unsure(doubt)) for doubt in reading.unsure],
        "header_lines": range(1, max(10, reading.header_line) + 1),
    }


def _columns(one: Conversion, _args: Map[str, str]) -> dict[str, Any]:
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
        "groups": {group: [(to.value, label(to)) for to in fields] for group, fields in _GROUPS.items()},
        "missing": [_MISSING[to] for to in missing],
        "constants": {to.value: source.constant for to, source in mapping.sources.items() if source.constant},
        "currency": mapping.money.currency,
        "offered": [to.value for to in CONSTANTS if to is Field.PRICE or not _has_columns(mapping, to)],
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


def _has_columns(mapping: Mapping, to: Field) -> bool:
    source = mapping.sources.get(to)
    return bool(source and source.columns)


_MISSING = {
    Field.NAME: "which card a row is: choose the name with its set or number, an ID, or a title",
    Field.CONDITION: "the condition: choose its column, or one condition for all rows below",
    Field.PRICE: "the price: choose its column, or one price for all rows below",
    Field.QUANTITY: "the quantity: choose its column, or one quantity for all rows below",
    Field.FOIL_QUANTITY: "how many copies are foils, as there is a price of foils: choose its column",
}


def _words(one: Conversion, args: Map[str, str]) -> dict[str, Any]:
    mapping = mapping_of(one)
    asked = match_flow.of_step(match_flow.asked_in(one), Step.WORDS)
    page, pages = _page(asked, args)
    sets = items_by_set.list_sets()
    finder = Sets(sets, mapping)
    decided = _decided(one, mapping)
    has_sets = Kind.SET.value in decided or any(question.kind in (Kind.SET, Kind.GAME) for question in page)
    return {
        "asked": page,
        "pages_at": pages,
        "nearest": [_nearest(question, mapping, finder) for question in page],
        "decided": decided,
        "confirm": mapping.sources.get(Field.CONDITION, Source()).confirm,
        "options_of": {
            Kind.CONDITION.value: {code: _condition_name(code) for code in CONDITION_CODES},
            Kind.LANGUAGE.value: words.language_names(),
            Kind.FINISH.value: FINISHES,
            Kind.GAME.value: {game: game for game in sorted({known.game for known in sets})},
            "scale": {key: scale.name for key, scale in words.scales().items()},
        },
        "sets": sorted(f"{known.game} > {known.name}" for known in sets) if has_sets else [],
        "titles": _KINDS,
        "typed": _TYPED,
    }


def _nearest(question: OpenQuestion, mapping: Mapping, sets: Sets) -> list[str]:
    """The answers that are spelled like the word of a question, the likest first."""
    if question.kind == Kind.SET:
        return sets.nearest(question.word)
    return words.alike(Kind(question.kind), question.word, mapping.scale) if question.kind in set(Kind) else []


_KINDS = {
    "scale": "Scale of conditions",
    "condition-missing": "No condition",
    Kind.CONDITION.value: "Conditions",
    Kind.LANGUAGE.value: "Languages",
    Kind.FINISH.value: "Finishes",
    Kind.GAME.value: "Games",
    Kind.SET.value: "Sets",
    Kind.ITEM.value: "Cards",
    Kind.PRICE.value: "Prices",
    Kind.QUANTITY.value: "Quantities",
}
#: What is typed in place of a word; for the others there is a list.
_TYPED = {
    Kind.SET.value: "Another set",
    Kind.ITEM.value: "urn:… of another card",
    Kind.PRICE.value: "Price, as your file has it",
    Kind.QUANTITY.value: "Quantity",
}


def _condition_name(code: str) -> str:
    return f"{CONDITION_CODES[code].name.replace('_', ' ').capitalize()} ({code})"


def _decided(one: Conversion, mapping: Mapping) -> dict[str, list[Word]]:
    """For each kind the words of the first rows that are decided, and what they become."""
    reading = conversions.reading_of(one)
    with match_flow.source_of(one) as file:
        found = words_of(Sample(file, reading), mapping, reading.columns)
    known = [word for word in found if word.becomes]
    known += [
        word._replace(becomes=_LEFT_OUT)
        for word in found
        if mapping.answers.get(word.kind, {}).get(normal(word.word)) == LEAVE_OUT
    ]
    known += [
        Word(kind, word, 0, _LEFT_OUT if target == LEAVE_OUT else target)
        for kind in (Kind.ITEM, Kind.PRICE, Kind.QUANTITY)
        for word, target in mapping.answers.get(kind, {}).items()
    ]
    return {kind.value: some for kind in Kind if (some := [word for word in known if word.kind is kind][:_WORDS])}


def _cards(one: Conversion, args: Map[str, str]) -> dict[str, Any]:
    asked = match_flow.of_step(match_flow.asked_in(one), Step.CARDS)
    page, pages = _page(asked, args)
    finder = Sets(items_by_set.list_sets(), mapping_of(one))
    page = [each._replace(candidates=_add_alike(each, finder)) for each in page]
    found = (one.scan or {}).get("findings", {})
    return {"asked": page, "pages_at": pages, "count": len(asked), "kinds": found.get("kinds", 0)}


def _add_alike(question: OpenQuestion, sets: Sets) -> tuple[Candidate, ...]:
    """The candidates of a question, or where these do not have its name, too, those that do or are spelled like it."""
    if question.candidates and question.slug != "item-disagrees":
        return question.candidates
    alike = candidates.find(question.word) or candidates.find_alike(question.word, sets)
    return (*question.candidates, *(one for one in alike if one not in question.candidates))


def _page(asked: Sequence[OpenQuestion], args: Map[str, str]) -> tuple[list[OpenQuestion], dict[str, int]]:
    number = int(args["page"]) if args.get("page", "").isdigit() and len(args["page"]) < 5 else 1
    count = max(1, -(-len(asked) // _ON_PAGE))
    number = min(max(number, 1), count)
    begin = (number - 1) * _ON_PAGE
    return list(asked[begin : begin + _ON_PAGE]), {"number": number, "count": count, "before": begin}


class PriceRow(NamedTuple):
    """A cell with a price, and what it comes to."""

    cell: str
    pence: int | None
    why: str


def _money(one: Conversion, _args: Map[str, str]) -> dict[str, Any]:
    reading, mapping = conversions.reading_of(one), mapping_of(one)
    bound, pricing = Bound(mapping, reading.columns), Pricing(mapping)
    places = [*bound.places.get(Field.PRICE, ()), *bound.places.get(Field.FOIL_PRICE, ())]
    currency = bound.places.get(Field.CURRENCY, [])
    with match_flow.source_of(one) as file:
        sample = Sample(file, reading)
        # The price of a graded card or of one that is sold out is nobody's.
        sample.keep(BlockConverter(bound).for_sale)
        pairs = [pair for at in places for pair in sample.pairs(at, currency[0] if currency else None)]
        telling, of_prices = count_with_currency(sample, places, currency)
    if constant := mapping.sources.get(Field.PRICE, Source()).constant:
        pairs.append((constant, ""))
    prices = [price for cell, code in pairs if (price := _price(pricing, words.cleaned(cell), code))]
    asked = match_flow.of_step(match_flow.asked_in(one), Step.MONEY)
    codes = {question.word for question in asked if question.kind == "rate"} | {*mapping.money.rates}
    codes |= {amount.currency for cell, _ in pairs if (amount := read_amount(cell))} | {mapping.money.currency}
    foreign = sorted(codes - {"", OWN_CURRENCY})
    is_told = bool(currency) or any((amount := read_amount(cell)) and amount.currency for cell, _ in pairs)
    return {
        "money": mapping.money,
        "currencies": CURRENCIES,
        "is_told": is_told,
        "lacking": [code for code in foreign if code not in mapping.money.rates],
        "rates": {code: mapping.money.rates.get(code, "") for code in foreign},
        "prices": prices[:8],
        "range": prices_of(sample, mapping, reading.columns),
        "asked": asked,
        "has_prices": bool(pairs),
        "judged": sample.rows,
        "telling": telling,
        "of_prices": of_prices,
    }


def _price(pricing: Pricing, cell: str, code: str) -> PriceRow | None:
    """What a cell comes to; None if it says nothing or 0."""
    price = pricing.price([cell], code)
    if isinstance(price, int):
        return PriceRow(f"{cell} {code}".strip(), price, "")
    return None if price.slug == "price-missing" else PriceRow(f"{cell} {code}".strip(), None, price.sentence)


CONTEXTS: dict[Step, Callable[[Conversion, Map[str, str]], dict[str, Any]]] = {
    Step.READING: _reading,
    Step.COLUMNS: _columns,
    Step.WORDS: _words,
    Step.CARDS: _cards,
    Step.MONEY: _money,
}


# The preview ----------------------------------------------------------------------------------------------------------


def preview(one: Conversion) -> dict[str, Any]:
    """What a conversion came to."""
    asked = match_flow.asked_in(one)
    mapping = mapping_of(one)
    findings = (one.scan or {}).get("findings", {})
    is_done = one.status == ConversionStatus.CONVERTED
    used = conversions.find_import(one) if one.used_at else None
    bound = Bound(mapping, mapping.columns)
    return {
        "is_done": is_done,
        "format": format_of(one),
        "reading": reading_sentence(conversions.reading_of(one)),
        "to_decide": [
            (step, _TITLES[step], len(questions), questions[0].sentence)
            for step in (Step.WORDS, Step.CARDS, Step.MONEY)
            if (questions := match_flow.of_step(asked, step))
        ],
        "others": [
            (question, None if one.used_at else _DOORS.get(question.slug))
            for question in asked
            if one.used_at or _is_other(question)
        ][:20],
        "missing": [_MISSING[to] for to in missing_of(mapping)],
        "rates": mapping.money.rates,
        "unused": _unused(one, mapping) if is_done and not one.used_at and not one.source_removed_at else [],
        "confirm": [
            (label(to), [mapping.columns[at] for at in bound.places[to]], source.confirm)
            for to, source in mapping.sources.items()
            if source.confirm
        ],
        "left_out": _left_out(one, asked) if is_done else [],
        "repriced": repriced_of(findings) if is_done else 0,
        "examples": _examples(one, examples_of(findings)) if is_done else [],
        "saved": [saved.name for saved in mappings.list_saved(one.seller_id)],
        "used_by": progress.get(one.seller_id, used.public_id) if used else None,
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


def _examples(one: Conversion, examples: Sequence[Example]) -> list[Shown]:
    """The rows of every kind, as far as the file is still there."""
    if one.source_removed_at is not None or one.text_key is None:
        return []
    reading = text_reading(conversions.reading_of(one))
    mapping = mapping_of(one)
    used = {at for at, fields in enumerate(fields_of(mapping, reading.columns)) if fields} | _deciding(mapping, reading)
    urns = {example.cells[_URN] for example in examples if example.cells}
    found = items_by_set.find_by_urns(urns)
    items = {item.urn: f"{item.name}, {item.set_name} {item.number}".strip() for item in found}
    shown: list[Shown] = []
    for example in examples:
        cells = _cells(b"".join(_range(one.text_key, example.start, example.start + example.length)), reading)
        before = [
            (name, cell)
            for at, (name, cell) in enumerate(zip(reading.columns, cells, strict=False))
            if cell.strip() and (at in used or not used)
        ]
        after = _offered(dict(zip(COLUMNS, example.cells, strict=True)), items) if example.cells else None
        shown.append(Shown(example.outcome.word, example.line, before, example.sentence, after))
    return shown


def _offered(row: Map[str, str], items: Map[str, str]) -> Offered:
    texts = [(name, row[name]) for name in (Column.HIDDEN, Column.COMMENT, Column.NOTES, Column.REFERENCE) if row[name]]
    return Offered(
        row[Column.MODE] == Mode.UPDATE,
        items.get(row[Column.URN], row[Column.URN]),
        _condition_name(row[Column.CONDITION]),
        int(row[Column.PRICE]),
        row[Column.QUANTITY],
        row[Column.VARIANTS].replace("|", ", "),
        [(name.lower(), text) for name, text in texts],
    )


def _range(key: str, begin: int, end: int) -> list[bytes]:
    return [current_storage().read(key, begin, end)] if end > begin else []


def _cells(data: bytes, reading: Reading) -> list[str]:
    rows = split(decode(data, reading.encoding), reading.separator, reading.quote)
    return list(rows[0].cells) if rows else []
