"""Writes files as sellers upload them, the same for the same seed, and knows the expected outcomes of their rows.

PostgreSQL's COPY can read every row: rows with too few columns or broken quotation marks would abort the expert's
script, which imports the same files for comparison.
"""

from __future__ import annotations

import csv
import random
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import accumulate, combinations
from pathlib import Path
from typing import NamedTuple

from app.csvfile.causes import Code
from app.csvfile.columns import COLUMNS, Column
from app.csvfile.contract import CONDITION_CODES, Condition, Mode
from bench.catalog import Catalog, Item

#: The share of failing rows in an ordinary file.
USUAL_FAILING = 0.015

_AT = {column: place for place, column in enumerate(Column)}
_NAMING = (Column.URN, Column.GAME, Column.SET, Column.NAME, Column.CARDMARKET_ID, Column.TCGPLAYER_ID)
#: Maximum number of variants in a row.
_MOST_VARIANTS = 3
_PRICES = (25, 50, 99, 150, 499, 1299)
_QUANTITIES = (1, 1, 1, 2, 3, 4, 10)
_HIDDEN = ("", "", "false", "true")
_FOREIGN = "cardmarketId,quantity,name,set,condition,language,isReverseHolo,isSigned,price,comment,location".split(",")
_LANGUAGES = {"de": "German", "fr": "French", "it": "Italian", "es": "Spanish", "pt": "Portuguese"}
_COMMENTS = ('Pack fresh, "sleeved" since opening', "Played twice; small whitening, see photo", "", "", "")

Cells = list[str]


class Key(NamedTuple):
    """A listing key."""

    item: Item
    condition: Condition
    #: In the order of the catalog.
    variants: tuple[str, ...]


@dataclass(frozen=True)
class File:
    """A file and its expected result when it is imported for the first time."""

    path: Path
    rows: int
    #: Number of failing rows by code.
    failing: dict[Code, int]

    @property
    def failed(self) -> int:
        """Number of failing rows."""
        return sum(self.failing.values())

    @property
    def invalid(self) -> int:
        """Number of rows that the upload check finds invalid."""
        return self.failing.get(Code.INVALID, 0)


def write(
    path: Path,
    catalog: Catalog,
    rows: int,
    *,
    seed: int,
    mode: Mode = Mode.CREATE,
    failing: float = USUAL_FAILING,
) -> File:
    """Write a file of ``rows`` rows, of which about the share ``failing`` fails.

    The same seed and number of rows give the same keys in the same order, whatever the other arguments.
    """
    counts: Counter[Code] = Counter()
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for cells, code in _rows(catalog, rows, seed, mode, failing):
            writer.writerow(cells)
            if code is not None:
                counts[code] += 1
    return File(path, rows, dict(counts))


class Mixed(NamedTuple):
    """A file of UPDATE and CREATE rows in random order, its two halves, and the file to import before."""

    there: File
    updates: File
    creates: File
    all: File


def write_mixed(directory: Path, catalog: Catalog, rows: int, *, seed: int) -> Mixed:
    """Half of ``rows`` change every listing of ``there``; the other half are CREATE rows, two in five for one of these.

    The halves have their rows in the order of the whole file.
    """
    chance = random.Random(f"{seed} mixed")
    half = rows // 2
    existing = half * 2 // 5
    made = [cells for cells, _ in _rows(catalog, 2 * half - existing, seed, Mode.CREATE, 0)]
    there = made[:half]
    price = _AT[Column.PRICE]
    updates = [[Mode.UPDATE.value, *cells[1:price], str(int(cells[price]) + 1), *cells[price + 1 :]] for cells in there]
    mixed = [*updates, *made[half:], *chance.sample(there, existing)]
    chance.shuffle(mixed)

    def save(name: str, rows: list[Cells], failing: int = 0) -> File:
        path = directory / f"mixed-{name}.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            writer.writerows(rows)
        return File(path, len(rows), {Code.CONFLICT: failing} if failing else {})

    of_mode = {mode: [cells for cells in mixed if cells[0] == mode] for mode in Mode}
    return Mixed(
        save("there", there),
        save("updates", of_mode[Mode.UPDATE]),
        save("creates", of_mode[Mode.CREATE], existing),
        save("all", mixed, existing),
    )


def write_every_kind(path: Path, earlier: File, catalog: Catalog, *, seed: int) -> None:
    """Write rows of every kind for a seller who has imported ``earlier``, and as many.

    They are updates with and without effect, existing and new listings, rows that contradict another row about a
    listing, and rows that fail for every cause.
    """
    chance = random.Random(f"{seed} every kind")
    fresh = (cells for cells, _ in _rows(catalog, earlier.rows, seed + 1, Mode.CREATE, 0.1))
    written: list[Cells] = []
    with earlier.path.open(encoding="utf-8", newline="") as old, path.open("w", encoding="utf-8", newline="") as file:
        reader, writer = csv.reader(old), csv.writer(file, lineterminator="\n")
        writer.writerow(next(reader))
        for cells in reader:
            written.append(_any_kind(cells, fresh, written, chance))
            writer.writerow(written[-1])


def _any_kind(cells: Cells, fresh: Iterator[Cells], written: list[Cells], chance: random.Random) -> Cells:
    draw = chance.random()
    if draw < 0.1:
        return cells
    if draw < 0.45:
        return next(fresh)
    if draw < 0.6 and written:
        mode = chance.choice([Mode.CREATE, Mode.UPDATE])
        cells = chance.choice(written)
    else:
        mode = Mode.UPDATE
    changed = {Column.MODE: mode.value}
    if chance.random() < 0.5:
        changed |= {Column.PRICE: str(chance.choice(_PRICES)), Column.HIDDEN: chance.choice(_HIDDEN)}
    return [changed.get(column, cell) for column, cell in zip(Column, cells, strict=True)]


def write_foreign(path: Path, catalog: Catalog, rows: int, *, seed: int) -> None:
    """Write a stock list of TCG PowerTools; of rows for one listing the prices are equal."""
    chance = random.Random(f"{seed} foreign")
    items = [item for item in catalog.items if item.cardmarket_id and item.name]
    codes = list(CONDITION_CODES)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_FOREIGN)
        for _ in range(rows):
            at = chance.randrange(len(items))
            item = items[at]
            languages = [name for code, name in _LANGUAGES.items() if code in item.variants]
            writer.writerow(
                (
                    item.cardmarket_id,
                    chance.choice(_QUANTITIES),
                    item.name,
                    item.set_name,
                    chance.choice(codes),
                    # Cards from Japan are in no other language.
                    chance.choice(["English", *languages]) if item.name.isascii() else "",
                    "true" if "reverse" in item.variants and chance.random() < 0.4 else "",
                    "true" if "signed" in item.variants and chance.random() < 0.02 else "",
                    f"{_PRICES[at % len(_PRICES)] / 100:.2f}",
                    chance.choice(_COMMENTS),
                    f"Box {chance.randint(1, 400)}" if chance.random() < 0.5 else "",
                )
            )


def sample_keys(catalog: Catalog, count: int, *, seed: int) -> Iterator[Key]:
    """``count`` different keys in a random order."""
    ends = list(accumulate(len(Condition) * len(_choices(item.variants)) for item in catalog.items))
    if count > ends[-1]:
        raise ValueError(f"The catalog has only {ends[-1]:,} different listings, and {count:,} are wanted.")
    conditions = list(Condition)
    for place in random.Random(f"{seed} keys").sample(range(ends[-1]), count):
        at = bisect_right(ends, place)
        item = catalog.items[at]
        choice, condition = divmod(place - (ends[at - 1] if at else 0), len(conditions))
        yield Key(item, conditions[condition], _choices(item.variants)[choice])


@cache
def _choices(variants: tuple[str, ...]) -> list[tuple[str, ...]]:
    """The sets of variants that a row can name."""
    return [chosen for size in range(_MOST_VARIANTS + 1) for chosen in combinations(variants, size)]


def _rows(catalog: Catalog, count: int, seed: int, mode: Mode, failing: float) -> Iterator[tuple[Cells, Code | None]]:
    chance = random.Random(f"{seed} rows {mode} {failing}")
    codes = {condition: code for code, condition in CONDITION_CODES.items()}
    last_right: Cells | None = None
    for n, key in enumerate(sample_keys(catalog, count, seed=seed)):
        condition = codes[key.condition]
        if chance.random() < 0.2:
            condition = key.condition.name.replace("_", " ").title()
        values: dict[Column, str] = {
            Column.MODE: mode.value,
            **_name(key.item, chance.random()),
            Column.CONDITION: condition,
            Column.PRICE: str(chance.choice(_PRICES) if chance.random() < 0.95 else chance.randint(1_500, 90_000)),
            Column.QUANTITY: str(chance.choice(_QUANTITIES)),
            Column.VARIANTS: "|".join(key.variants),
            Column.HIDDEN: chance.choice(_HIDDEN),
            Column.COMMENT: chance.choice(_COMMENTS),
            Column.NOTES: f"Box {chance.randint(1, 400)}" if chance.random() < 0.5 else "",
            Column.REFERENCE: f"SKU-{seed}-{n:07}",
        }
        cells = [values.get(column, "") for column in Column]
        if chance.random() < failing:
            yield cells, _spoil(cells, catalog, chance, last_right if mode is Mode.CREATE else None)
        else:
            yield cells, None
            last_right = cells


def _name(item: Item, draw: float) -> dict[Column, str]:
    """The columns that name ``item``, in one of its possible ways, chosen by ``draw``."""
    if draw < 0.31 and item.cardmarket_id:
        return {Column.CARDMARKET_ID: item.cardmarket_id}
    if 0.31 <= draw < 0.55 and item.tcgplayer_id:
        return {Column.TCGPLAYER_ID: item.tcgplayer_id}
    if 0.55 <= draw < 0.72 and item.name:
        return {Column.GAME: item.game, Column.SET: item.set_name, Column.NAME: item.name}
    return {Column.URN: item.urn}


# --- Rows that fail --------------------------------------------------------------------------------------------------


def _spoil(cells: Cells, catalog: Catalog, chance: random.Random, earlier: Cells | None) -> Code:
    """Turn a row into a failing one; ``earlier`` is a valid row to repeat, if a repetition fails."""
    draw = chance.random()
    if draw < 0.62:
        column, value = chance.choice(_INVALID)
        cells[_AT[column]] = value
        return Code.INVALID
    if draw < 0.77:
        chance.choice(_NOT_FOUND)(cells, chance)
        return Code.NOT_FOUND
    return _clash(cells, catalog, chance, earlier)


_INVALID: list[tuple[Column, str]] = [
    (Column.MODE, "UPSERT"),
    (Column.CONDITION, "Gem Mint"),
    (Column.CONDITION, ""),
    (Column.PRICE, "1.99"),
    (Column.PRICE, "£2"),
    (Column.PRICE, "-5"),
    (Column.QUANTITY, "1.5"),
    (Column.QUANTITY, "9999999"),
    (Column.HIDDEN, "yes"),
    (Column.VARIANTS, "a b|c!"),
    (Column.COMMENT, "x" * 300),
]


def _rename(cells: Cells, **names: str) -> None:
    for column in _NAMING:
        cells[_AT[column]] = names.get(column, "")


def _unknown_urn(cells: Cells, chance: random.Random) -> None:
    _rename(cells, URN=f"urn:bench:none/{chance.randint(1, 999_999)}")


def _unknown_id(cells: Cells, chance: random.Random) -> None:
    _rename(cells, CARDMARKET_ID=str(10**12 + chance.randint(1, 999_999)))


def _unknown_variant(cells: Cells, chance: random.Random) -> None:
    cells[_AT[Column.VARIANTS]] = f"not-a-variant-{chance.randint(1, 9)}"


_NOT_FOUND: list[Callable[[Cells, random.Random], None]] = [_unknown_urn, _unknown_id, _unknown_variant]


def _clash(cells: Cells, catalog: Catalog, chance: random.Random, earlier: Cells | None) -> Code:
    """Name several items at once, or create a listing that an earlier row has created."""
    draw = chance.random()
    if draw < 0.4 and catalog.ambiguous_ids:
        _rename(cells, CARDMARKET_ID=chance.choice(catalog.ambiguous_ids))
    elif draw < 0.8 and catalog.ambiguous_names:
        game, set_name, name = chance.choice(catalog.ambiguous_names)
        _rename(cells, GAME=game, SET=set_name, NAME=name)
    elif earlier is not None:
        for column in (*_NAMING, Column.CONDITION, Column.VARIANTS):
            cells[_AT[column]] = earlier[_AT[column]]
    else:
        _unknown_urn(cells, chance)
        return Code.NOT_FOUND
    return Code.CONFLICT
