"""What a row says beside its item: whether it is for sale, the condition, and what becomes the variants."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from app.csvfile.contract import CONDITION_CODES, Condition
from app.imports.foreign import words
from app.imports.foreign.mapping import LEAVE_OUT, Field, FilterTest, How, Kind, Mapping, RowFilter, normal
from app.imports.foreign.numbers import is_latin
from app.imports.foreign.reasons import NOT_MARKED, NOT_NORMAL, Reason, ask, reason
from app.imports.foreign.sets import native_languages
from app.imports.foreign.words import FIRST_EDITION, FOIL, HOLO, NORMAL, REVERSE, SIGNED, UNLIMITED
from app.queries.items_by_set import NamedItem

#: The fields that are flags, and what each says of the finish.
_FLAGS = {
    Field.REVERSE: REVERSE,
    Field.FIRST_EDITION: FIRST_EDITION,
    Field.SIGNED: SIGNED,
    Field.PLAYSET: "",
    Field.ALTERED: "",
}
#: The fields that are read here.
TRAIT_FIELDS = (Field.CONDITION, Field.LANGUAGE, Field.FINISH, *_FLAGS, Field.HIDDEN, Field.SHOWN)
#: In the order in which one is taken where nothing is said of the finish.
_FINISHES = (NORMAL, HOLO, REVERSE, FOIL)
#: Languages of printings whose names are not in Latin letters.
_OTHER_SCRIPTS = frozenset({"ja", "ko", "zh-hans", "zh-hant", "th", "id"})


@dataclass
class Traits:
    """What some cells say."""

    condition: Condition | None = None
    #: Keys of ``data/finishes.toml``.
    finishes: frozenset[str] = frozenset()
    #: A code of ``data/languages.toml``; empty: not told.
    language: str = ""
    is_altered: bool = False
    #: Whether buyers do not see the listing; None: not told.
    is_hidden: bool | None = None
    #: Why the row is left out.
    left_out: Reason | None = None
    #: Why it is open.
    open: Reason | None = None

    def ask(self, why: Reason) -> None:
        """Leave the row open; the first reason counts."""
        self.open = self.open or why

    def add(self, finishes: Iterable[str] = (), languages: Iterable[str] = ()) -> None:
        """Add what a cell says of finish and language; the first language counts."""
        self.finishes |= {*finishes}
        self.language = self.language or next(iter(languages), "")


class TraitReader:
    """Reads cells by the rules of a mapping."""

    def __init__(self, mapping: Mapping) -> None:
        self._mapping = mapping
        self._hows = {to: source.how for to, source in mapping.sources.items()}
        condition = mapping.sources.get(Field.CONDITION)
        #: A code of ours, whatever the scale of the file is.
        self._condition = CONDITION_CODES.get(condition.constant) if condition else None
        self._answers = {kind: mapping.answers.get(kind, {}) for kind in Kind}

    def read(self, values: dict[Field, str], filtered: Sequence[Sequence[str]], finish: str = "") -> Traits:
        """What the cells of a row say: those of its fields, and for each row filter those of its columns.

        ``finish``: what is said of the finish besides.
        """
        for row_filter, cells in zip(self._mapping.filters, filtered, strict=True):
            if _matches(row_filter, cells):
                return Traits(left_out=reason(row_filter.reason))
        found = Traits()
        self._read_condition(values.get(Field.CONDITION, ""), found)
        self._read_finish(values.get(Field.FINISH, ""), found)
        self._read_language(values.get(Field.LANGUAGE, ""), found)
        flags = [to for to in _FLAGS if self._flag(values.get(to, ""), to, found)]
        found.add(filter(None, [finish, *(_FLAGS[to] for to in flags)]))
        found.is_altered = Field.ALTERED in flags
        found.is_hidden = self._hidden(values, found)
        return found

    def _read_condition(self, cell: str, found: Traits) -> None:
        word = words.without_count(cell)
        if not word and self._condition:
            found.condition = self._condition
        elif not word:
            found.ask(ask("condition-missing", "condition-missing", ""))
        elif words.is_grade(word):
            found.left_out = reason("graded")
        elif words.is_unopened(word):
            found.left_out = reason("sealed")
        elif answer := self._answers[Kind.CONDITION].get(normal(word)):
            self._answered_condition(answer, word, found)
        else:
            self._judge_condition(word, found)

    def _answered_condition(self, answer: str, word: str, found: Traits) -> None:
        if answer == LEAVE_OUT:
            found.left_out = reason("answered", word=word)
            return
        if self._hows.get(Field.CONDITION) == How.GRAMMAR:
            parsed = words.parse_printing(word, self._mapping.scale)
            found.add(parsed.finishes, parsed.languages)
        found.condition = CONDITION_CODES.get(answer)
        if found.condition is None:
            found.ask(ask("condition-unknown", Kind.CONDITION, word))

    def _judge_condition(self, word: str, found: Traits) -> None:
        found.condition = words.scale(self._mapping.scale).grades.get(normal(word))
        if found.condition:
            return
        if not self._mapping.scale and words.depends_on_scale(word):
            found.ask(ask("condition-scale", "scale", word))
            return
        if self._hows.get(Field.CONDITION) == How.GRAMMAR:
            parsed = words.parse_printing(word, self._mapping.scale)
            if len(set(parsed.conditions)) == 1 and not parsed.unknown:
                found.condition = parsed.conditions[0]
                found.add(parsed.finishes, parsed.languages)
                return
        found.ask(ask("condition-unknown", Kind.CONDITION, word))

    def _read_finish(self, word: str, found: Traits) -> None:
        if not word:
            return
        if answer := self._answers[Kind.FINISH].get(normal(word)):
            if answer == LEAVE_OUT:
                found.left_out = reason("answered", word=word)
            found.add(answer.split("|"))
        elif self._hows.get(Field.FINISH) == How.SEARCH:
            found.add(words.parse_printing(word, in_title=True).finishes)
        elif not (parsed := words.parse_printing(word)).unknown:
            found.add(parsed.finishes)
        elif words.is_flag(word):
            found.add([FOIL if words.is_yes(word) else NORMAL])
        else:
            found.ask(ask("finish-unknown", Kind.FINISH, word))

    def _read_language(self, word: str, found: Traits) -> None:
        if not word:
            return
        if self._hows.get(Field.LANGUAGE) == How.SEARCH:
            found.add(languages=words.languages_in(word))
            return
        code = self._answers[Kind.LANGUAGE].get(normal(word)) or words.language(word)
        if code == LEAVE_OUT:
            found.left_out = reason("answered", word=word)
        elif code is None:
            found.ask(ask("language-unknown", Kind.LANGUAGE, word))
        else:
            found.add(languages=[code])

    def _flag(self, word: str, to: Field, found: Traits) -> bool:
        if not word or words.is_flag(word):
            return words.is_yes(word)
        if normal(word) == normal(to.value):
            return True
        found.ask(ask("finish-unknown", Kind.FINISH, word))
        return False

    def _hidden(self, values: dict[Field, str], found: Traits) -> bool | None:
        if hidden := values.get(Field.HIDDEN):
            return self._flag(hidden, Field.HIDDEN, found)
        if shown := values.get(Field.SHOWN):
            return normal(shown) not in ("active", "published", "shown") and not words.is_yes(shown)
        return None


def _matches(row_filter: RowFilter, cells: Sequence[str]) -> bool:
    """Whether a filter leaves a row with these cells out."""
    wanted = tuple(map(normal, row_filter.words))
    filled = [normal(cell) for cell in cells if cell]
    match row_filter.match:
        case FilterTest.IS:
            return any(cell in wanted for cell in filled)
        case FilterTest.IS_NOT:
            return any(cell not in wanted for cell in filled)
        case FilterTest.BEGINS:
            return any(cell.startswith(wanted) for cell in filled)
        case FilterTest.IS_TRUE:
            return any(map(words.is_yes, cells))
        case FilterTest.IS_EMPTY:
            return not filled


class Special(NamedTuple):
    """What is special about a listing's cards: the variants, or why they are open."""

    variants: str = ""
    open: Reason | None = None
    #: What its seller should know of it.
    remark: Reason | None = None


def choose(items: Sequence[NamedItem], traits: Traits) -> NamedItem | None:
    """The only one of several items that has the finish a row names; None if not just one has."""
    wanted = {HOLO, REVERSE} if traits.finishes & {FOIL, HOLO} else set()
    wanted |= {FOIL, REVERSE} & traits.finishes
    fitting = [one for one in items if wanted & one.variants]
    return fitting[0] if wanted and len(fitting) == 1 else None


def special(item: NamedItem, extras: frozenset[str], traits: Traits) -> Special:
    """The variants of an item's listing. The finish is always written out; the item's own language is none."""
    finishes = traits.finishes | extras
    named = f"{item.name} ({item.set_name} {item.number})"
    finish = _finish(item.variants & set(_FINISHES), finishes)
    if finish is None:
        word = next(one for one in (REVERSE, HOLO, FOIL) if one in finishes)
        return Special(open=ask("finish-not-there", Kind.FINISH, word, item=named))
    chosen, remark = {finish} - {""}, None
    for one in sorted(finishes - {NORMAL, FOIL, HOLO, REVERSE}):
        names = words.load("finishes")["variants"].get(one, [one])
        there = next((name for name in names if name in item.variants), None)
        if there is None and one == UNLIMITED:
            remark = reason(NOT_MARKED)
        elif there is None:
            return Special(open=ask("finish-not-there", Kind.FINISH, one, item=named))
        chosen |= {there} if there else set()
    if traits.language:
        if traits.language in item.variants:
            chosen.add(traits.language)
        elif traits.language not in _native(item):
            name = words.language_names().get(traits.language, traits.language)
            kind = "language-not-there"
            return Special(open=ask(kind, kind, traits.language, item=named, language=name))
    is_said = finish in ("", NORMAL) or finishes & {FOIL, HOLO, REVERSE}
    return Special("|".join(sorted(chosen)), remark=remark if is_said else reason(NOT_NORMAL, finish=finish))


def _finish(own: frozenset[str], finishes: frozenset[str]) -> str | None:
    """The finish that is written out: empty if the catalog lists none, None if the item does not have it."""
    if REVERSE in finishes:
        return REVERSE if REVERSE in own else None
    if finishes & {FOIL, HOLO}:
        order = [HOLO, REVERSE]
        if HOLO not in finishes:
            # The foil of a card that has normal and reverse copies is the reverse, unless the catalog has plain foils.
            order = [FOIL, *(reversed(order) if {NORMAL, REVERSE} <= own else order)]
        return next((one for one in order if one in own), None if own else "")
    return next((one for one in _FINISHES if one in own), "")


def _native(item: NamedItem) -> frozenset[str]:
    return native_languages(item.game) | (frozenset() if is_latin(item.name) else _OTHER_SCRIPTS)
