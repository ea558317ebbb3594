"""The files that the trials import: rows of every kind, whose outcome does not depend on the order of the batches."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from app.csvfile.contract import Condition
from tests.factories import csv_bytes, row

ITEMS = 400
STARTING_LISTINGS = 5_000
#: Sorted as they are listed.
_VARIANTS = ["", "normal", "reverse", "de", "de|normal", "de|reverse", "normal|reverse", "de|normal|reverse"]

#: URN, condition and variants, in the format of the factories.
Key = tuple[str, str, str]


@dataclass(frozen=True)
class File:
    """A file, and which of its outcomes are not determined."""

    data: bytes
    #: Listings that several CREATE rows name: any one of these rows creates it, and the others fail.
    repeated: frozenset[Key] = frozenset()
    repeated_lines: frozenset[int] = frozenset()


def all_keys(chance: random.Random) -> list[tuple[int, str, str]]:
    """Every possible listing, shuffled."""
    keys = [(item, grade.name, kind) for item in range(1, ITEMS + 1) for grade in Condition for kind in _VARIANTS]
    chance.shuffle(keys)
    return keys


def _row(mode: str, key: tuple[int, str, str], n: int, **more: object) -> dict[str, str]:
    item, grade, kind = key
    name = {"urn": f"urn:test:{item}"}
    if n % 7 == 0:
        name = {"urn": "", "cardmarket_id": str(item)}
    elif n % 11 == 0:
        name = {"urn": "", "game": "game", "set": "SET", "name": f"name  {item}"}
    values = {"price": n + 1, "quantity": n % 90 + 1, "comment": f"row {n}", "reference": f"R{n}", **name, **more}
    return row(mode=mode, condition=grade, variants=kind, **values)


def starting_file() -> File:
    """The listings that every seller has before a trial."""
    keys = all_keys(random.Random(1))[:STARTING_LISTINGS]
    return File(csv_bytes(_row("CREATE", key, n) for n, key in enumerate(keys)))


def trial_file(share: float = 1) -> File:
    """About 25,000 rows of every kind, or a share of them, for a seller with the initial listings."""
    keys = all_keys(random.Random(1))
    chance = random.Random(2)
    old, fresh, twice, never = (
        keys[start : start + int(count * share)]
        for start, count in ((0, 4_000), (STARTING_LISTINGS, 11_000), (16_000, 600), (17_000, 1_000))
    )
    kinds: list[tuple[str, tuple[int, str, str], dict[str, object]]] = []
    kinds += [("CREATE", key, {}) for key in fresh]
    # Several rows for one listing, far apart: the highest line must win.
    kinds += [
        ("UPDATE", chance.choice(old), {"hidden": chance.choice(["", "", "true", "false"])})
        for _ in range(int(9_000 * share))
    ]
    kinds += [("CREATE", key, {}) for key in twice for _ in range(3)]
    kinds += [("UPDATE", key, {}) for key in never]
    kinds += [("CREATE", key, {}) for key in old[:700]]
    kinds += [("CREATE", key, {"price": "1.99"}) for key in never[:500]]
    kinds += [("CREATE", key, {"condition": "fine", "quantity": "0"}) for key in never[:400]]
    kinds += [("UPDATE", key, {"urn": "urn:test:none"}) for key in never[:500]]
    kinds += [("CREATE", key, {"variants": "golden"}) for key in never[:300]]
    chance.shuffle(kinds)
    rows = []
    for n, (mode, key, more) in enumerate(kinds):
        condition, variants = more.pop("condition", key[1]), more.pop("variants", key[2])
        if n % 50 == 0:
            more["notes"] = 'over "two"\nlines'
        rows.append(_row(mode, (key[0], str(condition), str(variants)), n, **more))
    names = {(f"urn:test:{item}", grade, kind) for item, grade, kind in twice}
    lines = _lines(rows)
    wanted = set(twice)
    places = {lines[n] for n, (_, key, _) in enumerate(kinds) if key in wanted}
    return File(csv_bytes(rows), frozenset(names), frozenset(places))


def _lines(rows: Iterable[dict[str, str]]) -> list[int]:
    """The physical line on which each row begins."""
    lines = []
    line = 2
    for one in rows:
        lines.append(line)
        line += 1 + sum(value.count("\n") for value in one.values())
    return lines


def small_file(rows: int = 6_000) -> File:
    """A file that is imported in a moment: new listings and a few errors, for a seller without listings."""
    keys = all_keys(random.Random(1))[:rows]
    return File(
        csv_bytes(_row("CREATE", key, n, **({"price": "£2"} if n % 40 == 0 else {})) for n, key in enumerate(keys))
    )


class Opposed(NamedTuple):
    """Two files that name the same listings, and for each listing the values in either of them."""

    files: tuple[File, File]
    listings: dict[Key, set[tuple[str, ...]]]


def opposed_files() -> Opposed:
    """Two files, in each of which every batch touches the same listings, every other one in the opposite order.

    Both update the initial listings, and both create the same new ones.
    """
    keys = all_keys(random.Random(1))
    old, fresh = sorted(keys[:4_400]), sorted(keys[17_000:19_000])
    files = []
    listings: dict[Key, set[tuple[str, ...]]] = {}
    for half in (0, 1):
        wanted = []
        for batch in range(4):
            updates = [("UPDATE", key) for key in old] + [
                ("CREATE", key) for key in fresh[batch * 500 : (batch + 1) * 500]
            ]
            # A batch has 5,000 rows and a round fewer, so the cuts wander through the pattern.
            wanted += reversed(updates) if (batch + half) % 2 else updates
        rows = [_row(mode, key, half + 2 * n) for n, (mode, key) in enumerate(wanted)]
        files.append(File(csv_bytes(rows)))
        for (_, (item, grade, kind)), values in zip(wanted, rows, strict=True):
            listings.setdefault((f"urn:test:{item}", grade, kind), set()).add(_values(values))
    return Opposed((files[0], files[1]), listings)


def _values(one: dict[str, str]) -> tuple[str, ...]:
    """The values of a listing after the row ``one``."""
    return (one["PRICE"], one["QUANTITY"], one["HIDDEN"] or "false", one["COMMENT"], one["NOTES"], one["REFERENCE"])
