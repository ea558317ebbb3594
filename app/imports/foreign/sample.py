"""The distinct values in the first rows of a file, and what share of them looks like what a field holds."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import BinaryIO, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from app.csvfile.contract import NamedBy
from app.csvfile.rows import whole
from app.imports.foreign import candidates, words
from app.imports.foreign.mapping import Field, normal
from app.imports.foreign.money import read_amount
from app.imports.foreign.numbers import comparable, is_id, is_number, names_agree
from app.imports.foreign.reading import blocks
from app.imports.foreign.shapes import Reading
from app.queries import items_by_set

#: Distinct values of a column that are looked at.
_VALUES = 1_000
#: Those that are looked up in the catalog, each with a search.
_NAMES = 20
_MARKUP = re.compile(r"</?[a-z][^<>]*>", re.IGNORECASE)
_WHOLE = re.compile(r"x?\s*-?[0-9]{1,6}(?:[.,]0+)?\s*x?")

#: Values with the numbers of their rows, the most frequent first.
Values = Sequence[tuple[str, int]]


class Sample:
    """The first block of a file."""

    def __init__(self, source: BinaryIO, reading: Reading) -> None:
        block = next(blocks(source, reading), None)
        # Totals, remarks and damaged rows say nothing of what columns hold.
        is_row = [at not in block.notes for at in range(len(block))] if block else []
        nothing = pa.schema([(name, pa.string()) for name in reading.columns]).empty_table()
        self._cells = block.cells.filter(pa.array(is_row)) if block else nothing
        #: How many rows it has.
        self.rows = len(block) if block else 0
        self._values: dict[int, Values] = {}

    def keep(self, passes: Callable[[pa.Table], NDArray[np.bool_]]) -> None:
        """Forget the rows that do not pass."""
        self._cells, self._values = self._cells.filter(pa.array(passes(self._cells))), {}

    def values(self, at: int) -> Values:
        """The distinct values of a column that say something."""
        if at not in self._values:
            counted = pc.value_counts(whole(self._cells.column(at))).to_pylist()
            cleaned = ((words.cleaned(one["values"] or ""), one["counts"]) for one in counted)
            found = sorted(((value, count) for value, count in cleaned if value), key=lambda one: -one[1])
            self._values[at] = found[:_VALUES]
        return self._values[at]

    def cells(self, at: int) -> list[str]:
        """The distinct values of a column."""
        return [value for value, _ in self.values(at)]

    def pairs(self, at: int, other: int | None, *, most: int | None = _VALUES) -> list[tuple[str, str]]:
        """The values of two columns in the same rows, of the first ``most``; the second empty without a column."""
        first = self._cells.column(at).slice(0, most).to_pylist()
        second = self._cells.column(other).slice(0, most).to_pylist() if other is not None else [""] * len(first)
        return [*{(one.strip(), two.strip()): None for one, two in zip(first, second, strict=True) if one.strip()}]

    def share(self, at: int, test: Callable[[str], bool]) -> float:
        """The share of the filled cells of a column that pass a test; 0 without any."""
        values = self.values(at)
        total = sum(count for _, count in values)
        return sum(count for value, count in values if test(value)) / total if total else 0.0


def is_condition(cell: str) -> bool:
    """Whether some scale has the word, alone or with a finish behind it."""
    cell = words.without_count(cell)
    if words.is_grade(cell) or words.is_unopened(cell):
        return True
    return any(
        normal(cell) in one.grades or words.parse_printing(cell, key).conditions for key, one in words.scales().items()
    )


def is_finish(cell: str) -> bool:
    """Whether all words of a cell are those of finishes, or it is a flag."""
    return words.is_flag(cell) or not words.parse_printing(cell).unknown


def is_quantity(cell: str) -> bool:
    """Whether a cell is a whole number, as far as quantities go."""
    return bool(_WHOLE.fullmatch(cell))


def is_price(cell: str) -> bool:
    """Whether a cell is an amount of money."""
    return read_amount(cell) is not None


def has_currency(cell: str) -> bool:
    """Whether a cell is an amount of money that tells its currency."""
    amount = read_amount(cell)
    return bool(amount and amount.currency)


def has_markup(cell: str) -> bool:
    """Whether a cell is a piece of a web page."""
    return bool(_MARKUP.search(cell))


def is_language(cell: str) -> bool:
    """Whether a cell is a language."""
    return words.language(cell) is not None


def is_name(cell: str) -> bool:
    """Whether a cell has letters, so that it can be a name."""
    return any(letter.isalpha() for letter in cell)


#: What the cells of a field look like; fields without one may hold anything.
TESTS: Mapping[Field, Callable[[str], bool]] = {
    Field.CARDMARKET_ID: is_id,
    Field.TCGPLAYER_ID: is_id,
    Field.NUMBER: is_number,
    Field.NAME: is_name,
    Field.TITLE: is_name,
    Field.CONDITION: is_condition,
    Field.LANGUAGE: is_language,
    Field.FINISH: is_finish,
    Field.REVERSE: words.is_flag,
    Field.FIRST_EDITION: is_finish,
    Field.SIGNED: is_finish,
    Field.ALTERED: words.is_flag,
    Field.PLAYSET: words.is_flag,
    Field.PRICE: is_price,
    Field.QUANTITY: is_quantity,
    Field.FOIL_QUANTITY: is_quantity,
    Field.FOIL_PART: is_quantity,
    Field.FOIL_PRICE: is_price,
}


def share_of_names(sample: Sample, at: int) -> float:
    """The share of the most frequent cells of a column that are names of cards in the catalog."""
    cells = sample.cells(at)[:_NAMES]
    return sum(bool(candidates.find(cell)) for cell in cells) / len(cells) if cells else 0.0


def count_with_currency(sample: Sample, places: Collection[int], beside: Collection[int] = ()) -> tuple[int, int]:
    """The number of prices in some columns that tell a currency, or have it in the column ``beside``; and of all."""
    prices = [one for at in places for one in sample.values(at)]
    own = sum(count for cell, count in prices if has_currency(cell))
    filled = sum(count for at in beside for _, count in sample.values(at))
    total = sum(count for _, count in prices)
    return min(max(own, filled), total), total


def share_with_currency(sample: Sample, places: Collection[int], beside: Collection[int] = ()) -> float:
    """The share of them; 0 without any prices."""
    telling, total = count_with_currency(sample, places, beside)
    return telling / (total or 1)


class IdShares(NamedTuple):
    """What the catalog says of the ids in a column."""

    #: The share of them that it has.
    known: float
    #: The share of these under whose name the row has them; None where there are no names to compare.
    agreeing: float | None


def judge_ids(sample: Sample, at: int, named_by: NamedBy, name_at: int | None) -> IdShares:
    """What the catalog says of the ids in a column, with the names in another one."""
    pairs = [(int(one), name) for one, name in sample.pairs(at, name_at) if is_id(one)]
    names: dict[int, list[str]] = {}
    for external_id, item in items_by_set.find_by_ids(named_by, {one for one, _ in pairs}):
        names.setdefault(external_id, []).append(item.name)
    known = [(name, names[one]) for one, name in pairs if one in names]
    compared = [
        any(names_agree(name, own) for own in several)
        for name, several in known
        if all(comparable(name, own) for own in several)
    ]
    return IdShares(len(known) / max(len(pairs), 1), sum(compared) / len(compared) if compared else None)
