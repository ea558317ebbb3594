"""The catalog of the measured files: the real one if available, else an invented one."""

from __future__ import annotations

import csv
import gzip
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from app.catalog import HEADER
from app.csvfile.contract import name_key

#: Beside the checkout; not part of the product.
REAL = Path(__file__).resolve().parents[2] / "shared" / "catalog" / "pokemon.csv.gz"
#: Roughly the size of the real one.
INVENTED_ITEMS = 40_000

_ID_COLUMNS = ("cardmarket_ids", "tcgplayer_ids")
_SET_SIZE = 200
_FINISHES: tuple[list[str], ...] = (["normal"], ["normal", "reverse"], ["normal", "holo", "reverse"], ["holo"])
_LANGUAGES: tuple[list[str], ...] = ([], [], ["fr", "de"], ["fr", "de", "it", "es", "pt"])
_NAMES = "Alder Birch Cedar Dogwood Elm Fir Gorse Hazel Ivy Juniper Larch Maple Oak Pine Quince Rowan".split()


@dataclass(frozen=True, slots=True)
class Item:
    """The values by which a row can name an item; ambiguous ones are empty."""

    urn: str
    game: str
    set_name: str
    name: str
    cardmarket_id: str
    tcgplayer_id: str
    #: Sorted as in the catalog.
    variants: tuple[str, ...]


@dataclass(frozen=True)
class Catalog:
    """A catalog file and its contents."""

    path: Path
    #: Its description in the results.
    description: str
    items: list[Item]
    #: Cardmarket ids that name several items.
    ambiguous_ids: list[str]
    #: Names (game, set and name) that belong to several items.
    ambiguous_names: list[tuple[str, str, str]]


def provide(directory: Path) -> Catalog:
    """The real catalog, or an invented one of its size in ``directory``."""
    if REAL.exists():
        return read(REAL, "real trading cards")
    path = directory / "catalog.csv.gz"
    invent(path, INVENTED_ITEMS)
    return read(path, "invented items")


def invent(path: Path, count: int) -> None:
    """Write a catalog of ``count`` items, always the same; some share an id or a name with the previous item."""
    with gzip.open(path, "wt", encoding="utf-8", newline="", compresslevel=1) as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        for n in range(count):
            number = n % _SET_SIZE + 1
            set_number = n // _SET_SIZE + 1
            variants = [*_FINISHES[n % len(_FINISHES)], *_LANGUAGES[n // 7 % len(_LANGUAGES)], "signed"]
            # Some have the name of the previous item, as real cards do.
            like = n - 1 if n % 50 == 49 else n
            name = f"{_NAMES[like % len(_NAMES)]} {_NAMES[like // len(_NAMES) % len(_NAMES)]} {like % 190}"
            writer.writerow(
                (
                    f"urn:bench:cards:set/{set_number}/card/{number}",
                    "Cards",
                    f"Set {set_number}",
                    name,
                    number,
                    "Common",
                    "|".join(variants),
                    300_000 + (n - 1 if n % 40 == 39 else n),
                    9_000_000 + n if n % 3 else "",
                )
            )


def read(path: Path, description: str) -> Catalog:
    """Read a catalog file, which must be valid; twice, so that millions of items fit into memory."""
    names: Counter[int] = Counter()
    ids: Counter[tuple[str, str]] = Counter()
    for record in _records(path):
        names[_hash(record)] += 1
        ids.update((column, one) for column in _ID_COLUMNS for one in set(record[column].split("|")) if one)

    def own_id(record: dict[str, str], column: str) -> str:
        return next((one for one in record[column].split("|") if ids[column, one] == 1), "")

    items: list[Item] = []
    ambiguous_names: dict[int, tuple[str, str, str]] = {}
    known: dict[str, tuple[str, ...]] = {}
    for record in _records(path):
        whole_name = (record["game"], record["set"], record["name"])
        if names[_hash(record)] > 1:
            ambiguous_names[_hash(record)] = whole_name
            whole_name = ("", "", "")
        variants = known.setdefault(record["variants"], tuple(filter(None, record["variants"].split("|"))))
        cardmarket_id, tcgplayer_id = (own_id(record, column) for column in _ID_COLUMNS)
        items.append(Item(record["urn"], *whole_name, cardmarket_id, tcgplayer_id, variants))
    ambiguous_ids = [one for (column, one), count in ids.items() if count > 1 and column == _ID_COLUMNS[0]]
    described = f"{len(items):,} {description}"
    return Catalog(path, described, items, ambiguous_ids, list(ambiguous_names.values()))


def _records(path: Path) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _hash(record: dict[str, str]) -> int:
    return hash(name_key(record["game"], record["set"], record["name"]))
