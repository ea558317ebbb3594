"""The questions of a step, page by page, and the answers in its form."""

import re
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Mapping as Map
from dataclasses import replace

from app.csvfile.contract import CONDITION_CODES
from app.http.form_fields import is_on
from app.http.query_filter import read_page
from app.imports.foreign import words
from app.imports.foreign.choices import choose, fields_of
from app.imports.foreign.findings import OpenQuestion
from app.imports.foreign.mapping import LEAVE_OUT, Field, Kind, Mapping, MappingInvalid
from app.imports.foreign.money import read_amount
from app.imports.foreign.sets import Sets
from app.queries import items_by_set
from app.web.match.columns import WHOLE, check_constants

#: How alike a set must be to what was typed to be meant.
_NEAR = 0.75
#: Questions on a page.
_ON_PAGE = 50
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


class AnswersRefused(MappingInvalid):
    """Some answers are wrong, and none is taken; ``wrong`` says by kind and word what, the message of the first."""

    def __init__(self, wrong: Map[tuple[str, str], str]) -> None:
        super().__init__(next(iter(wrong.values())))
        self.wrong = wrong


def paged(asked: Sequence[OpenQuestion], args: Map[str, str]) -> tuple[list[OpenQuestion], dict[str, int]]:
    """Those on the page that the address asks for, and where that is."""
    count = max(1, -(-len(asked) // _ON_PAGE))
    number = min(read_page(args), count)
    begin = (number - 1) * _ON_PAGE
    return list(asked[begin : begin + _ON_PAGE]), {"number": number, "count": count, "before": begin}


def take_answers(mapping: Mapping, form: Map[str, str]) -> Mapping:
    """The mapping with the answers in the form. Raises AnswersRefused."""
    wrong: dict[tuple[str, str], str] = {}
    for kind, word, target in _answers(form):
        try:
            mapping = _take_answer(mapping, kind, word, target)
        except MappingInvalid as refused:
            wrong[kind, word] = str(refused)
    if wrong:
        raise AnswersRefused(wrong)
    return mapping


def _answers(form: Map[str, str]) -> Iterator[tuple[str, str, str]]:
    """The answers in a form: for each number a kind, a word, and a choice, or a text that counts before it.

    With ``accept`` what was suggested counts where nothing was chosen.
    """
    for name in form:
        if not re.fullmatch(r"kind-[0-9]{1,5}", name):
            continue
        at = name.removeprefix("kind-")
        target = form.get(f"other-{at}", "").strip() or form.get(f"answer-{at}", "")
        if not target and is_on(form, "accept"):
            target = form.get(f"near-{at}", "")
        if target:
            yield form[name], form.get(f"word-{at}", ""), target


def _take_answer(mapping: Mapping, kind: str, word: str, target: str) -> Mapping:
    if kind == "scale":
        if target in words.scales():
            return replace(mapping, scale=target)
        # The seller says what only this word means, by no tool's scale.
        kind = Kind.CONDITION
    if kind == "condition-missing":
        check_constants({Field.CONDITION: target})
        return choose(mapping, mapping.columns, _chosen(mapping), {Field.CONDITION: target})
    if kind not in set(Kind):
        raise MappingInvalid(f"There is nothing to decide about “{word}”.")
    if target != LEAVE_OUT:
        is_right, sentence = _CHECKS[Kind(kind)]
        if not is_right(target, word):
            near = Sets(mapping).nearest(target, _NEAR)[:1] if kind == Kind.SET else []
            raise MappingInvalid(" ".join([sentence.format(target), *(f"Did you mean “{one}”?" for one in near)]))
    return mapping.answer(Kind(kind), word, target)


def _chosen(mapping: Mapping) -> list[Field | None]:
    return [one[0] if one else None for one in fields_of(mapping, mapping.columns)]


def _is_set(target: str, word: str) -> bool:
    return bool(Sets(Mapping().answer(Kind.SET, word, target)).find(word).sets)


def _is_game(target: str, _word: str) -> bool:
    return Sets(Mapping()).games(target) is not None


#: What a word of each kind can become, and what is said of anything else.
_CHECKS: dict[Kind, tuple[Callable[[str, str], object], str]] = {
    Kind.SET: (_is_set, "The catalog has no set “{}”."),
    Kind.GAME: (_is_game, "The catalog has no game “{}”."),
    Kind.CONDITION: (lambda target, _word: target in CONDITION_CODES, "“{}” is not a condition."),
    Kind.LANGUAGE: (lambda target, _word: target in words.language_names(), "“{}” is not a language."),
    Kind.FINISH: (lambda target, _word: target in FINISHES, "“{}” is not a finish."),
    Kind.ITEM: (
        lambda target, _word: items_by_set.find_by_urns([target]),
        "The catalog has no item {}. Copy its URN from the catalog search.",
    ),
    Kind.PRICE: (lambda target, _word: read_amount(target), "“{}” is not a price."),
    Kind.QUANTITY: (lambda target, _word: WHOLE.fullmatch(target), "“{}” is not a whole number."),
}
