"""Catalog files: loaded whole or not at all."""

from __future__ import annotations

import gzip
import random
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import text

from app import catalog
from app.catalog import HEADER, CatalogRejected
from app.csvfile.contract import NamedBy
from app.demo import DEMO_CATALOG
from app.extensions import db
from app.queries import items

ONE = "urn:x:1,Game,Set,Name,1,Rare,normal|holo,11|12,21"


def write(path: Path, *lines: str, header: str = ",".join(HEADER)) -> Path:
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


def state() -> list[tuple[object, ...]]:
    """Everything in the catalog but the items' internal ids."""
    rows = db.session.execute(
        text(
            """
            select i.urn, i.game, i."set", i.name, i.number, i.rarity, i.variants, i.name_key,
                   array(select (source, external_id) from external_ids where item_id = i.id order by 1)::text
            from items i order by i.urn
            """
        )
    )
    found = [tuple(row) for row in rows]
    db.session.rollback()
    return found


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_is_loaded_plain_or_packed(app: Flask, tmp_path: Path, packed: bool) -> None:
    path = write(tmp_path / "catalog.csv", ONE)
    if packed:
        path = tmp_path / "catalog.csv.gz"
        path.write_bytes(gzip.compress((tmp_path / "catalog.csv").read_bytes()))
    assert catalog.load(path) == (1, 1)
    ((urn, game, _, _, _, _, variants, _, ids),) = state()
    assert (urn, game, variants) == ("urn:x:1", "Game", ["normal", "holo"])
    assert ids == '{"(1,11)","(1,12)","(2,21)"}'


def test_loading_again_updates_in_place_and_removes_nothing(app: Flask, tmp_path: Path) -> None:
    catalog.load(write(tmp_path / "a.csv", ONE, "urn:x:2,Game,Set,Other,2,,,,"))
    before = dict(db.session.execute(text("select urn, id from items")).all())
    assert catalog.load(
        write(tmp_path / "b.csv", "urn:x:1,Game,Set,New name,1,,reverse,13,", "urn:x:3,G,S,N,,,,,")
    ) == (2, 1)
    after = dict(db.session.execute(text("select urn, id from items")).all())
    assert {urn: after[urn] for urn in before} == before
    assert [row[3] for row in state()] == ["New name", "Other", "N"]
    assert state()[0][8] == '{"(1,13)"}'


def test_an_id_may_name_several_items(app: Flask, tmp_path: Path) -> None:
    catalog.load(write(tmp_path / "a.csv", "urn:x:1,G,S,A,,,,7,", "urn:x:2,G,S,B,,,,7,7"))
    found = items.resolve([(NamedBy.CARDMARKET_ID, 7), (NamedBy.TCGPLAYER_ID, 7), (NamedBy.CARDMARKET_ID, 8)])
    assert {name: [item.urn for item in candidates] for name, candidates in found.items()} == {
        (NamedBy.CARDMARKET_ID, 7): ["urn:x:1", "urn:x:2"],
        (NamedBy.TCGPLAYER_ID, 7): ["urn:x:2"],
    }


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([ONE, ONE], "Line 3 has the URN urn:x:1 again, which line 2 has"),
        ([ONE, "urn:x:2,G,S"], "Line 3 has 3 values"),
        (['urn:x:0,"G\nG",S,N,,,,,', "urn:x:2,,S,N,,,,,"], "Line 4 has no game"),
        ([",G,S,N,,,,,"], "Line 2 has no urn"),
        ([ONE, "urn:x:2,G,S,,,,,,"], "Line 3 has no name"),
        ([ONE, f"urn:x:2,G,S,{'N' * 201},,,,,"], "Line 3 has 201 characters in name, 200 are allowed"),
        (["urn:x:2,G,S,N,,,Not Good,,"], "Line 2 has “Not Good” in variants"),
        (["urn:x:2,G,S,N,,,,12x,"], "Line 2 has “12x” in cardmarket_ids"),
        (["urn:x:2,G,S,N,,,,,1234567890123456789"], "in tcgplayer_ids"),
        ([ONE, '"urn:x:2"x,G,S,N,,,,,'], "Line 3 is not proper CSV"),
        ([ONE, '"urn:x:2,G,S,N,,,,,'], "is not proper CSV"),
        ([], "no items"),
    ],
)
def test_a_bad_file_is_told_by_its_line_and_changes_nothing(
    app: Flask, tmp_path: Path, lines: list[str], words: str
) -> None:
    catalog.load(write(tmp_path / "good.csv", "urn:x:1,Game,Set,As it was,1,,,9,"))
    before = state()
    with pytest.raises(CatalogRejected, match=words.replace("(", r"\(")):
        catalog.load(write(tmp_path / "bad.csv", *lines))
    assert state() == before


def test_other_kinds_of_files_are_refused(app: Flask, tmp_path: Path) -> None:
    with pytest.raises(CatalogRejected, match="Line 1 is not the header"):
        catalog.load(write(tmp_path / "a.csv", ONE, header="urn,game"))
    with pytest.raises(CatalogRejected, match="There is no file"):
        catalog.load(tmp_path / "none.csv")
    with pytest.raises(CatalogRejected, match="cannot be read: Is a directory"):
        catalog.load(tmp_path)
    (tmp_path / "latin.csv").write_bytes(",".join(HEADER).encode() + b"\nurn:\xe9")
    with pytest.raises(CatalogRejected, match="not UTF-8"):
        catalog.load(tmp_path / "latin.csv")
    for content in (b"not gzip", gzip.compress(b"x" * 10_000)[:-20]):
        (tmp_path / "broken.csv.gz").write_bytes(content)
        with pytest.raises(CatalogRejected, match="gzip"):
            catalog.load(tmp_path / "broken.csv.gz")


def test_the_longest_values_fit_into_the_indexes(app: Flask, tmp_path: Path) -> None:
    # Characters of four bytes each, without a pattern that could be compressed.
    chance = random.Random(1)
    urn, game, set_name, name = ("".join(chr(chance.randrange(0x20000, 0x2A000)) for _ in range(200)) for _ in range(4))
    assert catalog.load(write(tmp_path / "long.csv", f"{urn},{game},{set_name},{name},,,,,")) == (1, 1)


def test_the_demo_catalog_is_loaded_whole(app: Flask) -> None:
    assert catalog.load(DEMO_CATALOG) == (358, 358)
