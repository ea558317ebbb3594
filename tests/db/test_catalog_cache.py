"""What workers know of the catalog: the same from a snapshot as from look-ups."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest
from flask import Flask
from sqlalchemy import text

from app import file_lock
from app.csvfile.columns import VALUES
from app.csvfile.contract import Condition, ItemName, Mode, NamedBy, name_key
from app.csvfile.rows import Row
from app.extensions import db
from app.imports.worker import catalog_cache, catalog_snapshot
from app.imports.worker.catalog_cache import LookedUpItems, is_missing, known_items, make
from app.imports.worker.catalog_index import hash_texts
from app.imports.worker.catalog_snapshot import HashesCollide, Snapshot
from app.imports.worker.resolved import KnownItems, find_items
from app.queries import items
from app.queries.items import CatalogItem, NewItem
from tests.reference import as_table

#: Lengths around those of words, spaces, quotes, separators and line breaks in CSV, and a name of several items.
NAMES = [
    "a",
    "é",
    "ba",
    "c" * 5,
    "d" * 6,
    "d" * 7,
    "d" * 8,
    "d" * 199,
    "x,y",
    'x"y',
    "x\ny",
    " ",
    "twin",
    "twin",
    "twin",
]


@pytest.fixture(autouse=True)
def home(app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A SLUICE_HOME without snapshots."""
    monkeypatch.setattr(catalog_cache, "_mapped", None)
    monkeypatch.setattr(catalog_cache, "_verified", "")
    settings = app.extensions["sluice_settings"]
    before = settings.sluice_home
    object.__setattr__(settings, "sluice_home", tmp_path)
    yield tmp_path
    object.__setattr__(settings, "sluice_home", before)


@pytest.fixture
def names(home: Path) -> list[ItemName]:
    """A catalog, with every name in it, and for each way to name an item some that mean none."""
    items.replace(
        NewItem(
            f"urn:{name}:{'z' * (n % 9)}:{9 - n}",
            "Game",
            "Set",
            name,
            "",
            "",
            [["normal"], ["normal", "holo"], []][n % 3],
            name_key("Game", "Set", name),
            [10**17 + n // 2, 1],
            [n] if n else [],
        )
        for n, name in enumerate(NAMES)
    )
    db.session.commit()
    rows = db.session.execute(text("select urn, name_key from items")).all()
    ids = db.session.execute(text("select source, external_id from external_ids")).all()
    found: list[ItemName] = [(NamedBy.URN, urn) for urn, _ in rows] + [(NamedBy.NAME, key) for _, key in rows]
    found += [(NamedBy.CARDMARKET_ID if source == 1 else NamedBy.TCGPLAYER_ID, one) for source, one in ids]
    found += [(NamedBy.CARDMARKET_ID, 404), (NamedBy.TCGPLAYER_ID, 0), (NamedBy.TCGPLAYER_ID, 1), (NamedBy.URN, "x")]
    found += [(NamedBy.NAME, name_key("Game", "Set", name)) for name in ("", "e", "d" * 9, "d" * 198, "Twin")]
    return found


def table(names: list[ItemName]) -> pa.Table:
    """Rows that name items by ``names``, and are otherwise alike."""
    alike = Condition.MINT, "", False, (None,) * len(VALUES)
    return as_table(Row(line, Mode.CREATE, name, *alike) for line, name in enumerate(names, start=2))


def all_of(known: KnownItems, names: list[ItemName]) -> dict[ItemName, list[CatalogItem]]:
    """What each of ``names`` means, by all that ``known`` tells."""
    ids, counts, variant_sets = known.resolve(table(names))
    found = {name: [*items] for name, items in zip(names, known.candidates(table(names)), strict=True)}
    assert counts.tolist() == [len(found[name]) for name in names]
    for name, item_id, variant_set in zip(names, ids.tolist(), variant_sets.tolist(), strict=True):
        if len(found[name]) == 1:
            (item,) = found[name]
            assert (item.id, item.variants) == (item_id, known.variant_sets[variant_set])
        else:
            assert (item_id, variant_set) == (0, -1)
    return found


def mapped() -> Snapshot:
    known = known_items(items.version())
    assert isinstance(known, Snapshot)
    return known


def test_a_snapshot_has_what_would_be_looked_up(names: list[ItemName]) -> None:
    looked_up = all_of(known_items(items.version()), names)
    assert looked_up == {name: items.resolve([name]).get(name, []) for name in names}
    assert {len(found) for found in looked_up.values()} == {0, 1, 2, 3, len(NAMES)}
    make()
    assert all_of(mapped(), names) == looked_up
    # Rows that all use the same way, and part of a larger table.
    for way in NamedBy:
        some = [name for name in names if name[0] is way]
        assert all_of(mapped(), some) == {name: looked_up[name] for name in some}
        ids = mapped().resolve(table(names + some)[len(names) :]).item_ids
        assert ids.tolist() == mapped().resolve(table(some)).item_ids.tolist()


def test_an_empty_catalog_has_a_snapshot_too(home: Path) -> None:
    make()
    wanted: list[ItemName] = [(NamedBy.URN, "urn:test:1"), (NamedBy.CARDMARKET_ID, 1), (NamedBy.NAME, "a\x1fb\x1fc")]
    assert all_of(mapped(), wanted) == {name: [] for name in wanted}


def test_names_with_the_same_hash_are_told_apart(names: list[ItemName], monkeypatch: pytest.MonkeyPatch) -> None:
    make()
    urns = [name for name in names if name[0] is NamedBy.URN]
    the_first = hash_texts(pa.array([urns[0][1]]), mapped()._seed)
    monkeypatch.setattr(catalog_snapshot, "hash_texts", lambda texts, seed: the_first.repeat(len(texts)))
    assert mapped().resolve(table(urns)).counts.tolist() == [1] + [0] * (len(urns) - 1)
    # Inside of the catalog another seed helps.
    with pytest.raises(HashesCollide):
        make()


def test_a_changed_catalog_has_a_snapshot_of_its_own(names: list[ItemName], home: Path) -> None:
    assert is_missing()
    make()
    assert not is_missing()
    before = items.version()
    running = known_items(before)
    db.session.execute(text("update items set variants = '{changed}'"))
    db.session.execute(text("update catalog set version = version + 1"))
    db.session.commit()
    assert is_missing()
    now = all_of(known_items(items.version()), names)
    assert {item.variants for candidates in now.values() for item in candidates} == {frozenset({"changed"})}
    make()
    assert not is_missing()
    assert all_of(mapped(), names) == now
    assert [path.name for path in (home / "catalog").glob("*.*")] == [f"{items.version()}.arrow"]
    # A batch keeps the catalog with which it has begun.
    assert all_of(running, names) != now


def cut(data: bytes) -> bytes:
    return data[:-1000]


def lengthen(data: bytes) -> bytes:
    return data + data[-16:]


def change(data: bytes) -> bytes:
    return data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 1]) + data[len(data) // 2 + 1 :]


@pytest.mark.parametrize("damage", [cut, lengthen, change, lambda data: b"", lambda data: b"\0" * len(data)])
def test_a_damaged_snapshot_is_made_again(names: list[ItemName], home: Path, damage: Callable[[bytes], bytes]) -> None:
    make()
    (path,) = (home / "catalog").glob("*.arrow")
    path.write_bytes(damage(path.read_bytes()))
    assert is_missing()
    assert isinstance(known_items(items.version()), LookedUpItems)
    make()
    assert not is_missing()
    assert all_of(mapped(), names) == all_of(LookedUpItems(), names)


def test_a_snapshot_of_another_catalog_is_not_believed(names: list[ItemName], home: Path) -> None:
    make()
    (path,) = (home / "catalog").glob("*.arrow")
    db.session.execute(text("update catalog set version = version + 1"))
    db.session.commit()
    path.rename(path.with_name(f"{items.version()}.arrow"))
    assert isinstance(known_items(items.version()), LookedUpItems)
    assert is_missing()


@contextmanager
def limited_files() -> Iterator[None]:
    """No file can have more than 4,096 bytes."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_without_room_rows_are_looked_up(names: list[ItemName], home: Path) -> None:
    with limited_files(), pytest.raises(OSError, match="File too large"):
        make()
    assert is_missing()
    assert isinstance(known_items(items.version()), LookedUpItems)
    assert [*(home / "catalog").glob("*.*")] == []


def test_a_snapshot_is_made_by_one_process(home: Path) -> None:
    (home / "catalog").mkdir()
    lock = file_lock.take(home / "catalog" / "lock")
    assert lock is not None
    make()
    assert is_missing()
    os.close(lock)
    make()
    assert not is_missing()


def test_what_is_left_of_others_goes(names: list[ItemName], home: Path) -> None:
    make()
    foreign, old, part = (home / "catalog" / name for name in ("1-2.3-4.arrow", "1-2.3-5.arrow", "x.9.part"))
    for path in (foreign, old, part):
        path.touch()
    os.utime(old, (0, 0))
    make()
    assert foreign.exists()
    assert not old.exists()
    assert not part.exists()


# As many as fit into one number, and more.
@pytest.mark.parametrize("count", [62, 130])
def test_however_many_variants_rows_name_each_is_one_of_its_item(home: Path, count: int) -> None:
    variants = [f"v{n}" for n in range(count)]
    has = {"urn:all": variants, "urn:even": variants[::2], "urn:none": []}
    items.replace(NewItem(urn, "Game", "Set", urn, "", "", own, urn, [], []) for urn, own in has.items())
    db.session.commit()
    make()
    wanted = ["", *variants, *(f"{one}|{two}" for one, two in pairwise(sorted(variants)))]
    rows = [(urn, one) for urn in [*has, "urn:unknown"] for one in wanted]
    table = as_table(
        Row(line, Mode.CREATE, (NamedBy.URN, urn), Condition.MINT, one, False, (None,) * len(VALUES))
        for line, (urn, one) in enumerate(rows)
    )
    for known in (mapped(), LookedUpItems()):
        right, wrong = find_items(table, known)
        expected = [
            line
            for line, (urn, one) in enumerate(rows)
            if urn in has and {*filter(None, one.split("|"))} <= {*has[urn]}
        ]
        assert right["line"].to_pylist() == expected
        assert [*wrong] == sorted({*range(len(rows))} - {*expected})
