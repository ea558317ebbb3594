"""Reads the forms of “Match your file”: what a seller has decided, as a mapping."""

import re
from collections.abc import Callable, Iterator
from collections.abc import Mapping as Map
from dataclasses import replace
from typing import NamedTuple

from app.csvfile.contract import CONDITION_CODES
from app.imports import conversions, mappings, match_flow
from app.imports.foreign import words
from app.imports.foreign.choices import choose, fields_of
from app.imports.foreign.encodings import ENCODINGS
from app.imports.foreign.mapping import LEAVE_OUT, Field, Kind, Mapping, MappingInvalid
from app.imports.foreign.matching import apply_saved, complete
from app.imports.foreign.money import CURRENCIES, read_amount
from app.imports.foreign.reading import Overrides, Reading
from app.imports.foreign.sets import Sets
from app.imports.match_flow import Step
from app.models import Conversion
from app.queries import items_by_set

#: The fields that can have one value for the whole file.
CONSTANTS = (Field.CONDITION, Field.PRICE, Field.QUANTITY, Field.LANGUAGE, Field.GAME, Field.SET)
#: What a finish can be, for people.
FINISHES = {
    words.NORMAL: "Normal (nothing special)",
    words.HOLO: "Holo",
    words.REVERSE: "Reverse holo",
    words.FOIL: "Foil, as the card has it",
    words.FIRST_EDITION: "1st edition",
    f"{words.FIRST_EDITION}|{words.HOLO}": "1st edition holo",
    words.UNLIMITED: "Unlimited",
    "shadowless": "Shadowless",
    words.SIGNED: "Signed",
}
_WHOLE = re.compile(r"[0-9]{1,6}")
_LINE = re.compile(r"[0-9]{1,7}")


class Answer(NamedTuple):
    """What a form says about a word."""

    kind: str
    word: str
    target: str


def mapping_of(one: Conversion) -> Mapping:
    """The mapping of a conversion; an empty one if it has none."""
    return conversions.mapping_of(one) or Mapping()


def overrides(form: Map[str, str], reading: Reading) -> Overrides:
    """How the form says that the file is read, which is read as ``reading`` now.

    Where the header is follows from the sheet and the separator, unless it was chosen together with them.
    """
    found = Overrides()
    if form.get("encoding") in ENCODINGS:
        found["encoding"] = form["encoding"]
    if separator := form.get("separator", ""):
        found["separator"] = "\t" if separator == "tab" else separator
    if sheet := form.get("sheet", ""):
        found["sheet"] = sheet
    if _LINE.fullmatch(form.get("header_line", "")):
        found["header_line"] = int(form["header_line"])
    is_other = found.get("sheet", "") != reading.sheet or found.get("separator", reading.separator) != reading.separator
    if is_other and found.get("header_line") == reading.header_line:
        del found["header_line"]
    return found


def take(step: Step, one: Conversion, form: Map[str, str]) -> Mapping:
    """The mapping with what the form of ``step`` says. Raises MappingInvalid, FileRejected and OSError."""
    before = mapping_of(one)
    if step is Step.COLUMNS and form.get("saved"):
        return _take_saved(one, form["saved"])
    if step is Step.COLUMNS:
        return _take_columns(one, before, form)
    if step is Step.MONEY:
        return _take_money(before, form)
    mapping = _confirmed(before) if step is Step.WORDS else before
    for answer in _answers(form):
        mapping = _take_answer(mapping, answer)
    return mapping


def _take_saved(one: Conversion, name: str) -> Mapping:
    """What a saved mapping says of the columns that the file has, and what is sure of the others."""
    saved = mappings.load(one.seller_id, name)
    with match_flow.source_of(one) as file:
        return apply_saved(file, conversions.reading_of(one), saved)


def _take_columns(one: Conversion, before: Mapping, form: Map[str, str]) -> Mapping:
    columns = conversions.reading_of(one).columns
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
    _check_constants(constants)
    mapping = choose(before, columns, chosen, constants)
    with match_flow.source_of(one) as file:
        return complete(file, conversions.reading_of(one), mapping)


def _check_constants(constants: Map[Field, str]) -> None:
    condition, quantity = constants.get(Field.CONDITION), constants.get(Field.QUANTITY)
    if condition and condition not in CONDITION_CODES:
        raise MappingInvalid(f"“{condition}” is not a condition.")
    if quantity and not _WHOLE.fullmatch(quantity):
        raise MappingInvalid(f"The quantity “{quantity}” is not a whole number.")
    if (price := constants.get(Field.PRICE)) and read_amount(price) is None:
        raise MappingInvalid(f"“{price}” is not a price.")
    if (game := constants.get(Field.GAME)) and Sets(items_by_set.list_sets(), Mapping()).games(game) is None:
        raise MappingInvalid(f"The catalog has no game “{game}”.")


def _take_money(before: Mapping, form: Map[str, str]) -> Mapping:
    currency, decimal = form.get("currency", before.money.currency), form.get("decimal", before.money.decimal)
    if currency and currency not in CURRENCIES:
        raise MappingInvalid(f"There is no currency “{currency}”.")
    if decimal not in ("", ".", ","):
        raise MappingInvalid("The decimal sign is a point or a comma.")
    is_minor = form.get("unit", "minor" if before.money.minor else "major") == "minor"
    mapping = replace(before, money=replace(before.money, currency=currency, decimal=decimal, minor=is_minor))
    named = {name.removeprefix("rate-"): value.strip() for name, value in form.items() if name.startswith("rate-")}
    return mapping.with_rates({code: rate.replace(",", ".") for code, rate in named.items() if rate})


def _answers(form: Map[str, str]) -> Iterator[Answer]:
    """The answers in a form: for each number a kind, a word, and a choice, or a text that counts before it."""
    for name in form:
        if not re.fullmatch(r"kind-[0-9]{1,5}", name):
            continue
        at = name.removeprefix("kind-")
        target = form.get(f"other-{at}", "").strip() or form.get(f"answer-{at}", "")
        if target:
            yield Answer(form[name], form.get(f"word-{at}", ""), target)


def _confirmed(mapping: Mapping) -> Mapping:
    """The mapping whose words for conditions its seller has looked at."""
    source = mapping.sources.get(Field.CONDITION)
    return mapping.with_source(Field.CONDITION, replace(source, confirm="")) if source else mapping


def _take_answer(mapping: Mapping, answer: Answer) -> Mapping:
    kind, word, target = answer
    if kind == "scale":
        if target in words.scales():
            return replace(mapping, scale=target)
        # The seller says what only this word means, by no tool's scale.
        kind = Kind.CONDITION
    if kind == "condition-missing":
        _check_constants({Field.CONDITION: target})
        return choose(mapping, mapping.columns, _chosen(mapping), {Field.CONDITION: target})
    if kind not in set(Kind):
        raise MappingInvalid(f"There is nothing to decide about “{word}”.")
    if target != LEAVE_OUT:
        is_right, sentence = _CHECKS[Kind(kind)]
        if not is_right(target, word):
            raise MappingInvalid(sentence.format(target))
    return mapping.answer(Kind(kind), word, target)


def _chosen(mapping: Mapping) -> list[Field | None]:
    return [one[0] if one else None for one in fields_of(mapping, mapping.columns)]


def _is_set(target: str, word: str) -> bool:
    return bool(Sets(items_by_set.list_sets(), Mapping().answer(Kind.SET, word, target)).find(word).sets)


def _is_game(target: str, _word: str) -> bool:
    return Sets(items_by_set.list_sets(), Mapping()).games(target) is not None


#: What a word of each kind can become, and what is said of anything else.
_CHECKS: dict[Kind, tuple[Callable[[str, str], object], str]] = {
    Kind.SET: (_is_set, "The catalog has no set “{}”. Choose one of its sets."),
    Kind.GAME: (_is_game, "The catalog has no game “{}”."),
    Kind.CONDITION: (lambda target, _word: target in CONDITION_CODES, "“{}” is not a condition."),
    Kind.LANGUAGE: (lambda target, _word: target in words.language_names(), "“{}” is not a language."),
    Kind.FINISH: (lambda target, _word: target in FINISHES, "“{}” is not a finish."),
    Kind.ITEM: (
        lambda target, _word: items_by_set.find_by_urns([target]),
        "The catalog has no item {}. Copy its URN from the catalog search.",
    ),
    Kind.PRICE: (lambda target, _word: read_amount(target), "“{}” is not a price."),
    Kind.QUANTITY: (lambda target, _word: _WHOLE.fullmatch(target), "“{}” is not a whole number."),
}
