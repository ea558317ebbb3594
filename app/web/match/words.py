"""The step that asks what words in the file mean, and shows those that are decided."""

from collections import Counter
from collections.abc import Mapping as Map
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from app.csvfile.contract import CONDITION_CODES
from app.imports import conversions, match_flow
from app.imports.foreign import candidates, words
from app.imports.foreign.findings import OpenQuestion
from app.imports.foreign.mapping import LEAVE_OUT, Field, Kind, Mapping, Source, normal
from app.imports.foreign.preview import Word, words_of
from app.imports.foreign.sample import Sample
from app.imports.foreign.sets import IN_GAME, Sets
from app.imports.match_flow import Step
from app.models import Conversion
from app.web.filters import format_condition
from app.web.match.questions import FINISHES, paged, take_answers
from app.web.match.steps import mapping_of

_LEFT_OUT = "Left out"
#: Words of a kind that are shown, and sets that have the cards of an unknown one.
_WORDS, _HOMES = 200, 3
#: Cards of unknown sets that are looked up for a page.
_LOOKED_UP = 200
_TITLES = {
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
    Kind.PRICE.value: "The price, such as 4.99",
    Kind.QUANTITY.value: "Quantity",
}


class Hint(NamedTuple):
    """What helps to answer a question."""

    #: The likeliest answers: those that fit the cards of a set, and those that are spelled like the word.
    fitting: list[str]
    alike: list[str]
    #: The answer that is taken where all suggestions are accepted; empty: none.
    suggested: str = ""
    #: Why that fits, as a sentence.
    why: str = ""
    #: Some cards of a set.
    cards: Sequence[str] = ()


def context(one: Conversion, args: Map[str, str]) -> dict[str, Any]:
    """What the page shows."""
    mapping = mapping_of(one)
    asked = match_flow.of_step(match_flow.asked_in(one), Step.WORDS)
    page, pages = paged(asked, args)
    sets = Sets(mapping)
    decided = _decided(one, mapping)
    has_sets = Kind.SET.value in decided or any(question.kind in (Kind.SET, Kind.GAME) for question in page)
    return {
        "asked": page,
        "pages_at": pages,
        "hints": _hints(one, page, mapping, sets),
        "decided": decided,
        "confirm": mapping.sources.get(Field.CONDITION, Source()).confirm,
        "options_of": {
            Kind.CONDITION.value: {code: condition_name(code) for code in CONDITION_CODES},
            Kind.LANGUAGE.value: words.language_names(),
            Kind.FINISH.value: FINISHES,
            Kind.GAME.value: {game: game for game in sorted({known.game for known in sets.known})},
            "scale": {key: scale.name for key, scale in words.scales().items()},
        },
        "sets": sorted(f"{known.game} > {known.name}" for known in sets.known) if has_sets else [],
        "titles": _TITLES,
        "typed": _TYPED,
    }


def take(one: Conversion, form: Map[str, str]) -> Mapping:
    """The mapping with the answers in the form; its seller has seen what the words for conditions were taken for."""
    mapping = mapping_of(one)
    if source := mapping.sources.get(Field.CONDITION):
        mapping = mapping.with_source(Field.CONDITION, replace(source, confirm=""))
    return take_answers(mapping, form)


def condition_name(code: str) -> str:
    """What a condition is called on these pages."""
    return f"{format_condition(CONDITION_CODES[code])} ({code})"


def _hints(one: Conversion, page: Sequence[OpenQuestion], mapping: Mapping, sets: Sets) -> list[Hint]:
    of_sets = one.findings.get("cards", {})
    counted = {question.word: of_sets.get(question.word, {}) for question in page if question.kind == Kind.SET}
    # Each card is a search in the catalog.
    most = max(1, _LOOKED_UP // max(len(counted), 1))
    cards = [(word, card) for word, rows in counted.items() for card in [*rows][:most]]
    homes: dict[str, Counter[str]] = {word: Counter() for word in counted}
    for (word, card), found in zip(cards, candidates.find_homes([card for _, card in cards]), strict=True):
        homes[word].update({f"{home.game}{IN_GAME}{home.name}": counted[word][card] for home in found})
    return [
        _set_hint(counted[question.word], most, homes[question.word], sets.nearest(question.word))
        if question.kind == Kind.SET
        else _word_hint(question, mapping)
        for question in page
    ]


def _set_hint(cards: Map[str, int], most: int, homes: Counter[str], alike: list[str]) -> Hint:
    rows = sum([*cards.values()][:most])
    best, fitting = next(iter(homes.most_common(1)), ("", 0))
    which = "This row is a card" if rows == 1 else f"{fitting:,} of {rows:,} rows are cards"
    why = f"{which} of {best.rpartition(IN_GAME)[2]}." if best else ""
    fit = [home for home, _ in homes.most_common(_HOMES)]
    alike = [one for one in alike if one not in fit]
    return Hint(fit, alike, best if fitting == rows else "", why, [*cards])


def _word_hint(question: OpenQuestion, mapping: Mapping) -> Hint:
    alike = words.alike(Kind(question.kind), question.word, mapping.scale) if question.kind in set(Kind) else []
    return Hint([], alike, alike[0] if alike else "")


def _decided(one: Conversion, mapping: Mapping) -> dict[str, list[Word]]:
    """For each kind the words of the first rows that are decided, and what they become."""
    reading = conversions.reading_of(one)
    with match_flow.source_of(one) as file:
        found = words_of(Sample(file, reading), mapping, reading.columns)
    known = [word._replace(why=word.why or _why(word, mapping)) for word in found if word.becomes]
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


def _why(word: Word, mapping: Mapping) -> str:
    """Why a condition is decided as it is; empty if it goes without saying."""
    if word.kind is not Kind.CONDITION or word.becomes not in CONDITION_CODES:
        return ""
    if normal(word.word) in mapping.answers.get(Kind.CONDITION, {}):
        return "You decided this."
    return words.explain(word.word, CONDITION_CODES[word.becomes], mapping.scale)
