"""What the words and prices in the first rows of a file become by a mapping, to be looked at before it is converted."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from app.csvfile.contract import GRADE_CODES
from app.imports.foreign import words
from app.imports.foreign.bound import Bound
from app.imports.foreign.mapping import Field, How, Kind, Mapping
from app.imports.foreign.money import Pricing
from app.imports.foreign.reasons import Reason
from app.imports.foreign.sample import Sample, Values
from app.imports.foreign.sets import Sets
from app.imports.foreign.traits import TraitReader, Traits

#: The kinds of words that are shown, each of which is called like its field.
_KINDS = (Kind.CONDITION, Kind.FINISH, Kind.LANGUAGE, Kind.GAME, Kind.SET)
#: Prices that are shown from the highest down: a factor of 100 is seen there.
_HIGHEST = 3


class Word(NamedTuple):
    """A word of a closed kind, in the first rows."""

    kind: Kind
    word: str
    #: The number of its rows.
    rows: int
    #: What it becomes, for the seller; empty if that is open.
    becomes: str
    #: Why it is that, or why its rows are left out or open.
    why: str = ""


class Price(NamedTuple):
    """A price as it is in the file, and in pence."""

    text: str
    pence: int


class Prices(NamedTuple):
    """The prices in the first rows that can be read: the lowest, the median, and the highest ones, highest first."""

    lowest: Price
    median: Price
    highest: tuple[Price, ...]


def words_of(sample: Sample, mapping: Mapping, columns: Sequence[str]) -> list[Word]:
    """Every distinct word of a closed kind with what it becomes, the most frequent first in each kind."""
    # Whether rows are for sale is not a matter of a word.
    bound, reader = Bound(mapping, columns), TraitReader(replace(mapping, filters=()))
    sets = Sets(mapping)
    found: list[Word] = []
    for kind in _KINDS:
        to = Field(kind)
        is_search = to in mapping.sources and mapping.sources[to].how is How.SEARCH
        for at in () if is_search else bound.places.get(to, ()):
            for word, count in _counted(kind, sample.values(at)):
                if kind in (Kind.SET, Kind.GAME):
                    found.append(_of_catalog(kind, word, count, mapping, sets))
                else:
                    found.append(_of_traits(kind, word, count, reader.read({to: word}, [])))
    return found


def _counted(kind: Kind, values: Values) -> Values:
    """The words with their rows, whatever number of copies stands in front of a condition."""
    if kind is not Kind.CONDITION:
        return values
    found: Counter[str] = Counter()
    for word, count in values:
        found[words.without_count(word)] += count
    return found.most_common()


def _of_traits(kind: Kind, word: str, count: int, traits: Traits) -> Word:
    asked = traits.open if traits.open and traits.open.slug != "condition-missing" else None
    if why := traits.left_out or asked:
        return Word(kind, word, count, "", why.sentence)
    # One that stands for all rows is no part of other words.
    condition = GRADE_CODES[traits.condition] if traits.condition and kind is Kind.CONDITION else ""
    return Word(kind, word, count, ", ".join(filter(None, (condition, *sorted(traits.finishes), traits.language))))


def _of_catalog(kind: Kind, word: str, count: int, mapping: Mapping, sets: Sets) -> Word:
    if kind is Kind.GAME:
        games = sets.games(word)
        if sets.is_game_left_out(word):
            return Word(kind, word, count, "", "You decided to leave out these rows.")
        why = "" if games else f"The catalog has no game “{word}”."
        return Word(kind, word, count, ", ".join(sorted(games or ())), why)
    found = sets.find(word, in_path=mapping.sources[Field.SET].how is How.PATH)
    if found.is_left_out:
        return Word(kind, word, count, "", "You decided to leave out these rows.")
    names = sorted({one.name for one in found.sets})
    if names:
        why = found.remark.sentence if found.remark else ""
        return Word(kind, word, count, ", ".join([*names, *sorted(found.extras)]), why)
    return Word(kind, word, count, "", f"The catalog has no set “{word}”.")


def prices_of(sample: Sample, mapping: Mapping, columns: Sequence[str]) -> Prices | None:
    """The prices in the first rows; None if none can be read."""
    found = sorted(_readable(sample, mapping, Bound(mapping, columns)), key=lambda one: one.pence)
    if not found:
        return None
    return Prices(found[0], found[len(found) // 2], tuple(found[: -_HIGHEST - 1 : -1]))


def _readable(sample: Sample, mapping: Mapping, bound: Bound) -> Iterator[Price]:
    pricing = Pricing(mapping)
    currency = next(iter(bound.places.get(Field.CURRENCY, ())), None)
    for at in (*bound.places.get(Field.PRICE, ()), *bound.places.get(Field.FOIL_PRICE, ())):
        for text, code in sample.pairs(at, currency, most=None):
            pence = pricing.price([text], code)
            if not isinstance(pence, Reason):
                yield Price(text, pence)
