"""Matches the columns of a foreign file to fields: by saved mappings, the format, names, contents, spelling last.

What is not sure stays empty. Each match says why it was made.
"""

from collections.abc import Callable, Iterable, Sequence
from collections.abc import Mapping as Map
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from enum import StrEnum
from typing import BinaryIO

from app.csvfile.contract import NamedBy
from app.imports.foreign import dictionary, words
from app.imports.foreign import sample as samples
from app.imports.foreign.mapping import (
    Field,
    FilterTest,
    How,
    Joined,
    Mapping,
    Money,
    RowFilter,
    Source,
    find_reasons,
    normal,
    plain,
    positions,
)
from app.imports.foreign.money import currency_in, guess_currency, guess_decimal
from app.imports.foreign.recognised import Format, recognise
from app.imports.foreign.sample import TESTS, Sample
from app.imports.foreign.sets import Sets
from app.imports.foreign.shapes import Reading

#: Minimum share of cells that look right, for a column that is called like a field, and for one that is not.
_NAMED, _UNNAMED = 0.5, 0.9
#: Minimum share of ids that the catalog has under the row's name, and of names that it has.
_TRUSTED = 0.6
#: Minimum likeness of a misspelt header.
_ALIKE = 0.85
#: Minimum share of a saved mapping's columns that a file must have, for the others to be asked.
_KNOWN = 0.5
_SHOWN = 3

_IDS = {Field.CARDMARKET_ID: NamedBy.CARDMARKET_ID, Field.TCGPLAYER_ID: NamedBy.TCGPLAYER_ID}
#: Texts may take several columns.
_TEXTS = (Field.COMMENT, Field.NOTES)
#: What makes a field needless where no column is called like it.
_INSTEAD = {Field.SET: Field.SET_CODE, Field.NAME: Field.TITLE}
#: A column that holds games in some tools, and anything in others.
_CATEGORY = "category"
_UNITS = ("cents", "pence", "cent")


#: What a column of single prices is called, beside one of a line's.
_OF_ONE = {"each", "unit", "single", "ea", "stuckpreis", "stuck"}
#: What a quantity is called in which foils are not counted.
_NO_FOIL = {"reg", "regular", "normal", "nonfoil", "non"}
#: What fields are called in sentences.
LABELS = {one: one.value for one in Field} | {
    Field.URN: "URN",
    Field.CARDMARKET_ID: "Cardmarket ID",
    Field.TCGPLAYER_ID: "TCGplayer product ID",
    Field.SET_CODE: "code of the set",
    Field.NUMBER: "card number",
    Field.REVERSE: "flag for reverse holos",
    Field.FIRST_EDITION: "flag for first editions",
    Field.SIGNED: "flag for signed cards",
    Field.ALTERED: "flag for altered cards",
    Field.PLAYSET: "flag for playsets",
    Field.FOIL_QUANTITY: "quantity of foils",
    Field.FOIL_PART: "number of foils among the quantity",
    Field.FOIL_PRICE: "price of foils",
    Field.HIDDEN: "flag for hidden listings",
    Field.SHOWN: "flag for listings that buyers see",
}


class By(StrEnum):
    """How a match was made."""

    SAVED = "saved"
    FORMAT = "format"
    NAME = "name"
    CONTENTS = "contents"
    SPELLING = "spelling"


@dataclass(frozen=True)
class ColumnMatch:
    """What a column was taken for."""

    column: str
    fields: tuple[Field, ...] = ()
    by: By | None = None
    #: For the seller: why it was taken for that, or why not.
    why: str = ""
    examples: tuple[str, ...] = ()


@dataclass(frozen=True)
class Matching:
    """How a file is mapped as far as that is sure, with what each of its columns was taken for."""

    mapping: Mapping
    columns: tuple[ColumnMatch, ...]
    format: Format | None = None
    #: The fields that a saved mapping takes from columns which the file does not have.
    lost: tuple[Field, ...] = ()


class Matcher:
    """Matches the columns of a file that was read as ``reading``, by its first rows and the catalog.

    It finds for each field its source, and for each column what it is taken for, each stage only what is still free.

    1. What a saved mapping says, or else a recognised format.
    2. Columns that are called like a field in the dictionary, without those that the catalog or other columns speak
       against.
    3. Columns whose cells look like a field.
    4. Columns whose names are misspelt.
    5. How the cells are read: the number of copies in front of conditions, the scale of conditions, and money.
    """

    def __init__(self, source: BinaryIO, reading: Reading) -> None:
        self._sample, self._columns = Sample(source, reading), reading.columns
        self._sets = Sets(Mapping())
        self._sources: dict[Field, Source] = {}
        self._taken: dict[int, ColumnMatch] = {}
        self._refused = dict.fromkeys(find_reasons(self._columns).values(), "It tells which failed row this is.")

    def match(self, saved: Sequence[Mapping] = ()) -> Matching:
        """What is sure of the file; ``saved`` are the seller's mappings."""
        found, known = recognise(self._columns), self._find_saved(saved)
        # Other tools have some of the same columns.
        if known and found and known.format != found.key:
            known = known if not known.format and self._has_all(known) else None
        if known:
            if self._has_all(known):
                self._take(known.sources, By.SAVED, "Remembered from an earlier file.")
                return self._matching(known)
            return self.go_on_from(known)
        mapping = found.mapping if found else Mapping(filters=self._filters())
        if found:
            self._take(mapping.sources, By.FORMAT, f"It has this name in the {found.name}.")
            self._hold(mapping, found.unused)
        self._by_names()
        return self._matching(self._guess_reading(mapping), found)

    def complete(self, mapping: Mapping) -> Mapping:
        """The mapping with its scale, the way to read conditions, and money, as far as the cells tell."""
        self._sources = dict(mapping.sources)
        return self._matching(self._guess_reading(mapping)).mapping

    # 1. Saved mappings and formats.

    def _find_saved(self, saved: Sequence[Mapping]) -> Mapping | None:
        """The saved mapping of whose columns the file has most: all, or else at least half of them."""
        best = max(saved, key=self._share_of, default=None)
        return best if best and self._share_of(best) >= _KNOWN else None

    def _share_of(self, mapping: Mapping) -> float:
        used = mapping.used
        return sum(bool(positions(self._columns, name)) for name in used) / len(used) if used else 0.0

    def _has_all(self, mapping: Mapping) -> bool:
        return self._share_of(mapping) == 1

    def go_on_from(self, known: Mapping) -> Matching:
        """What a saved mapping of other columns says of those that the file has, with what is sure of the others."""
        self._take(known.sources, By.SAVED, "Remembered from an earlier file.")
        self._by_names()
        lost = tuple(to for to in known.sources if to not in self._sources)
        return replace(self._matching(self._guess_reading(known)), lost=lost)

    def _hold(self, mapping: Mapping, unused: Sequence[str]) -> None:
        """Match none of the columns that decide for a mapping which rows are left out, or that are ``unused``.

        Nor a title beside the name.
        """
        held = positions(self._columns, *unused, *(name for one in mapping.filters for name in one.columns))
        if Field.NAME in self._sources:
            held += [at for at, column in enumerate(self._columns) if _field(column, ()) is Field.TITLE]
        self._refused = dict.fromkeys(held, "") | self._refused

    def _take(self, sources: Map[Field, Source], by: By, why: str) -> None:
        for to, source in sources.items():
            there = tuple(name for name in source.columns if positions(self._columns, name))
            if there or source.constant:
                self._sources[to] = replace(source, columns=there)
            for at in positions(self._columns, *there):
                self._add(at, to, by, f"{why} {source.confirm}".rstrip())

    def _add(self, at: int, to: Field, by: By, why: str) -> None:
        before = self._taken.get(at)
        fields = (*before.fields, to) if before else (to,)
        self._taken[at] = ColumnMatch(self._columns[at], fields, by, why, self._examples(at))

    def _examples(self, at: int) -> tuple[str, ...]:
        return tuple(self._sample.cells(at)[:_SHOWN])

    # 2. to 4. Names, contents, spelling.

    def _by_names(self) -> None:
        """Match by the dictionary, then by contents, then by spelling, each only what is not matched yet."""
        named: dict[Field, list[int]] = {}
        for at, column in enumerate(self._columns):
            if at not in self._taken | self._refused and (to := _field(column, self._sample.cells(at))):
                named.setdefault(to, []).append(at)
        for to, places in named.items():
            if to not in self._sources:
                self._take_named(to, places)
        self._judge_foils()
        self._distrust_ids()
        self._name_of_title()
        self._by_contents()
        self._by_spelling()

    def _take_named(self, to: Field, places: list[int]) -> None:
        fitting = [at for at in places if self._fits(at, to, _NAMED)]
        for at in set(places) - set(fitting):
            self._refused[at] = f"It is called like the {LABELS[to]}, but its cells do not look like one."
        # One that has values before one that has none.
        fitting.sort(key=lambda at: not self._sample.values(at))
        chosen = fitting if to in _TEXTS else self._first(to, fitting)
        if chosen:
            columns = tuple(self._columns[at] for at in chosen)
            self._sources[to] = Source(columns, joined=Joined.ALL if to in _TEXTS else Joined.FIRST)
        for at in chosen:
            self._add(at, to, By.NAME, f"A usual heading for the {LABELS[to]}.")

    def _first(self, to: Field, fitting: list[int]) -> list[int]:
        """The column of several that are called like a field; none if they say different prices or quantities."""
        filled = [at for at in fitting if self._sample.values(at)]
        if to not in (Field.PRICE, Field.QUANTITY) or len(filled) < 2:
            return fitting[:1]
        single = [at for at in filled if set(plain(self._columns[at]).split()) & _OF_ONE]
        if len(single) == 1:
            return single
        if all(self._sample.values(at) == self._sample.values(filled[0]) for at in filled):
            return filled[:1]
        for at in filled:
            self._refused[at] = f"Several columns may be the {LABELS[to]}. Choose one."
        return []

    def _judge_foils(self) -> None:
        """Take no quantities of foils where nothing tells whether the foils are among the quantity or beside it."""
        counts, foils = self._places(Field.QUANTITY), self._places(Field.FOIL_QUANTITY)
        if not foils:
            self._refuse(Field.FOIL_PRICE, "No column tells how many copies are foils.")
        elif (
            counts
            and self._named_places(Field.FOIL_QUANTITY)
            and not set(plain(self._columns[counts[0]]).split()) & _NO_FOIL
        ):
            pairs = [pair for pair in self._sample.pairs(counts[0], foils[0]) if all(map(str.isdigit, pair))]
            if not any(int(foil) > int(count) for count, foil in pairs):
                why = f"Choose whether “{self._columns[foils[0]]}” counts copies beside this quantity or among it."
                self._refuse(Field.QUANTITY, why)
                self._refuse(Field.FOIL_QUANTITY, "Choose whether it counts copies beside the quantity or among it.")

    def _refuse(self, to: Field, why: str) -> None:
        """Take no column for a field, unless a saved mapping or a format has it."""
        for at in self._named_places(to):
            del self._taken[at]
            self._sources.pop(to, None)
            self._refused[at] = why

    def _name_of_title(self) -> None:
        """Where set and title are apart, the title is the name."""
        places = self._named_places(Field.TITLE)
        if places and Field.SET in self._sources and Field.NAME not in self._sources:
            self._sources[Field.NAME] = self._sources.pop(Field.TITLE)
            for at in places:
                self._taken[at] = replace(self._taken[at], fields=(Field.NAME,))

    def _fits(self, at: int, to: Field, share: float) -> bool:
        """Whether the cells of a column look like a field; an empty column looks like any."""
        if not self._sample.values(at):
            return True
        if to is Field.GAME and normal(self._columns[at]) == _CATEGORY:
            return self._sample.share(at, lambda cell: self._sets.games(cell) is not None) >= share
        if to is Field.COMMENT:
            # What a shop's page says of a product is no comment on the copy.
            return self._sample.share(at, samples.has_markup) < share
        return to not in TESTS or self._sample.share(at, TESTS[to]) >= share

    def _distrust_ids(self) -> None:
        """Take no ids that are other cards in the catalog, or that it does not know: TCGplayer's SKUs are such.

        In a format it is certain what they are, so that it may not know them.
        """
        for to in _IDS:
            for at in self._places(to):
                if not self._sample.values(at):
                    continue
                known, agreeing = self._judge_ids(at, to)
                if agreeing is None and at in self._taken and self._taken[at].by is By.FORMAT:
                    continue
                share = known if agreeing is None else agreeing
                if share < _TRUSTED:
                    self._sources.pop(to, None)
                    self._taken.pop(at, None)
                    self._refused[at] = f"Only {share:.0%} of its ids are in the catalog with the name of their row."

    def _judge_ids(self, at: int, to: Field) -> samples.IdShares:
        names = self._places(Field.NAME)
        return samples.judge_ids(self._sample, at, _IDS[to], names[0] if names else None)

    def _share_of_ids(self, at: int, to: Field) -> float:
        known, agreeing = self._judge_ids(at, to)
        return known if agreeing is None else known * agreeing

    def _places(self, to: Field) -> list[int]:
        source = self._sources.get(to)
        return positions(self._columns, *source.columns) if source else []

    def _named_places(self, to: Field) -> list[int]:
        """Those of its columns that were taken for a field by their name in the dictionary."""
        return [at for at in self._places(to) if at in self._taken and self._taken[at].by is By.NAME]

    def _by_contents(self) -> None:
        tests: dict[Field, Callable[[int], float]] = {
            Field.CONDITION: lambda at: self._sample.share(at, samples.is_condition) * self._has_letters(at),
            Field.SET: lambda at: self._sample.share(at, lambda cell: bool(self._sets.find(cell).sets)),
            Field.CARDMARKET_ID: lambda at: self._share_of_ids(at, Field.CARDMARKET_ID),
            Field.PRICE: lambda at: self._sample.share(at, samples.has_currency),
            Field.LANGUAGE: lambda at: self._sample.share(at, samples.is_language) * self._has_letters(at),
            Field.NAME: lambda at: self._has_letters(at) and samples.share_of_names(self._sample, at),
        }
        for to, test in tests.items():
            if to in self._sources or _INSTEAD.get(to) in self._sources:
                continue
            found = [
                at
                for at, column in enumerate(self._columns)
                if at not in self._taken
                and at not in self._refused
                and not dictionary.look_alikes(to.value).find(column)
                and test(at) >= (_TRUSTED if to is Field.NAME else _UNNAMED)
            ]
            if len(found) == 1:
                self._sources[to] = Source((self._columns[found[0]],))
                self._add(found[0], to, By.CONTENTS, f"Its cells look like the {LABELS[to]}.")

    def _has_letters(self, at: int) -> bool:
        return all(samples.is_name(cell) for cell in self._sample.cells(at))

    def _by_spelling(self) -> None:
        for at, column in enumerate(self._columns):
            if at in self._taken or at in self._refused or dictionary.is_known(column) or not self._sample.values(at):
                continue
            to = _nearest(column)
            if to and to in TESTS and to not in self._sources and self._fits(at, to, _UNNAMED):
                self._sources[to] = Source((column,))
                self._add(at, to, By.SPELLING, f"Close to a usual heading for the {LABELS[to]}.")

    # 5. How the cells are read, and which rows are left out.

    def _filters(self) -> tuple[RowFilter, ...]:
        """Leave out graded cards and proxies, by flags that are called so."""
        flags = {"graded": ("graded", "isgraded"), "proxy": ("proxy", "isproxy")}
        columns = {why: tuple(one for one in self._columns if normal(one) in names) for why, names in flags.items()}
        return tuple(RowFilter(names, FilterTest.IS_TRUE, why) for why, names in columns.items() if names)

    def _guess_reading(self, mapping: Mapping) -> Mapping:
        """The mapping with its scale and money, as far as the cells tell; the sources get what else they tell."""
        self._take_counts()
        scale = self._guess_scale(mapping.scale)
        return replace(mapping, scale=scale, money=self._guess_money(mapping.money))

    def _guess_scale(self, told: str) -> str:
        """The scale of conditions, if it is not ``told``; their source gets the way they are read, and any doubt."""
        cells = [words.without_count(cell) for at in self._places(Field.CONDITION) for cell in self._sample.cells(at)]
        scale = told or words.guess_scale([cell for cell in cells if not words.is_grade(cell)])
        condition = self._sources.get(Field.CONDITION)
        if condition and condition.how is How.PLAIN and _needs_grammar(cells, scale):
            self._sources[Field.CONDITION] = replace(condition, how=How.GRAMMAR)
            scale = scale or _grammar_scale(cells)
        if scale != told and (doubt := _doubt(cells, scale)):
            self._sources[Field.CONDITION] = replace(self._sources[Field.CONDITION], confirm=doubt)
        return scale

    def _take_counts(self) -> None:
        """Take the numbers in front of conditions (“2xGood”) for the quantity where no column is called so."""
        if Field.QUANTITY in self._sources or any(_field(one, ()) is Field.QUANTITY for one in self._columns):
            return
        for at in self._places(Field.CONDITION):
            if self._sample.share(at, lambda cell: cell != words.without_count(cell)) >= _UNNAMED:
                self._sources[Field.QUANTITY] = Source((self._columns[at],))
                self._add(at, Field.QUANTITY, By.CONTENTS, "Its cells are conditions with the number of copies before.")

    def _guess_money(self, money: Money) -> Money:
        places = [*self._places(Field.PRICE), *self._places(Field.FOIL_PRICE)]
        if not places:
            return money
        headers = [self._columns[at] for at in places] + [one for one in self._columns if "Currency=" in one]
        cells = [cell for at in places for cell in self._sample.cells(at)]
        told = next(filter(None, map(currency_in, headers)), "")
        beside = self._places(Field.CURRENCY)
        is_sure = bool(told) or samples.share_with_currency(self._sample, places) >= _NAMED
        # A cell's own currency says nothing of the others where each row tells its currency.
        is_beside = samples.share_with_currency(self._sample, places, beside) >= _NAMED
        told = told or ("" if is_beside and not is_sure else guess_currency(cells))
        is_minor = any(normal(one).endswith(_UNITS) for one in headers)
        return replace(
            money,
            currency=told if is_sure and told and money.is_guess else money.currency or told,
            is_guess=(money.is_guess or bool(told and not money.currency)) and not (is_sure and told),
            decimal=money.decimal or guess_decimal(cells),
            minor=money.minor or is_minor,
        )

    def _matching(self, mapping: Mapping, found: Format | None = None) -> Matching:
        columns = tuple(
            self._taken.get(at) or ColumnMatch(column, why=self._refused.get(at, ""), examples=self._examples(at))
            for at, column in enumerate(self._columns)
        )
        return Matching(replace(mapping, columns=self._columns, sources=dict(self._sources)), columns, found)


def _field(column: str, cells: Iterable[str]) -> Field | None:
    """The field that a column's name stands for."""
    found = dictionary.fields().find(column)
    if found is None:
        return None
    if found == "finish" and "rev" in normal(column):
        return Field.REVERSE if all(map(words.is_flag, cells)) else Field.FINISH
    return Field(found) if found in set(Field) else None


def _nearest(column: str) -> Field | None:
    """The field whose name a column's is a misspelling of."""
    wanted = normal(column)
    alike = ((SequenceMatcher(None, wanted, normalised).ratio(), word) for normalised, word in dictionary.spellings())
    likeness, word = max(alike)
    return _field(word, ()) if likeness >= _ALIKE else None


def _doubt(cells: Sequence[str], scale: str) -> str:
    """What was taken for granted of words that mean other grades elsewhere; empty: nothing."""
    known = words.scale(scale)
    found = [cell for cell in cells if words.depends_on_scale(cell) and normal(cell) in known.grades]
    told = [f"“{one}” is {known.grades[normal(one)].name.capitalize().replace('_', ' ')}" for one in found[:_SHOWN]]
    if not told:
        return ""
    return f"Its words are those of {known.name}, where {', '.join(told)}. If you mean another grade, say so in Words."


def _needs_grammar(cells: Sequence[str], scale: str) -> bool:
    grades = words.scale(scale).grades
    others = [cell for cell in cells if normal(cell) not in grades and not words.is_grade(cell)]
    return any(_has_more(cell, key) for cell in others for key in ([scale] if scale else words.scales()))


def _has_more(cell: str, scale: str) -> bool:
    parsed = words.parse_printing(cell, scale)
    return len(parsed.conditions) == 1 and bool(parsed.finishes or parsed.languages) and not parsed.unknown


def _grammar_scale(cells: Sequence[str]) -> str:
    """The only scale by which all cells can be read as a grammar, or empty."""
    fitting = [
        key for key in words.scales() if all(len(words.parse_printing(cell, key).conditions) == 1 for cell in cells)
    ]
    return fitting[0] if len(fitting) == 1 else ""
