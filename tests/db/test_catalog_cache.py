"""What workers know of the catalog, and when they no longer do."""

from __future__ import annotations

import pyarrow as pa
import pytest
from sqlalchemy import text

from app.csvfile.columns import VALUES
from app.csvfile.contract import Condition, ItemName, Mode, NamedBy, name_key
from app.csvfile.rows import Row
from app.extensions import db
from app.imports.worker import catalog_cache
from app.imports.worker.catalog_cache import KnownItems
from app.models import ExternalId, Item
from app.queries import items
from app.queries.items import CatalogItem
from tests.factories import make_items
from tests.reference import as_table


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog_cache, "_kept", catalog_cache.KnownItems(None, {}))
    monkeypatch.setattr(catalog_cache, "_LOOK_SECONDS", 0.0)


def table(names: list[ItemName]) -> pa.Table:
    """Rows that name items by ``names``, and are otherwise alike."""
    alike = Condition.MINT, "", False, (None,) * len(VALUES)
    return as_table(Row(line, Mode.CREATE, name, *alike) for line, name in enumerate(names, start=2))


def found_by(known: KnownItems, names: list[ItemName]) -> dict[ItemName, list[CatalogItem]]:
    """What each of ``names`` means, by all that ``known`` tells."""
    ids, counts, variant_sets = known.resolve(table(names))
    found = {name: [*known.candidates(name)] for name in names}
    assert counts.tolist() == [len(found[name]) for name in names]
    for name, item_id, variant_set in zip(names, ids.tolist(), variant_sets.tolist(), strict=True):
        if len(found[name]) == 1:
            assert found[name] == [known.item(item_id)]
            assert known.variant_sets[variant_set] == known.item(item_id).variants
        else:
            assert (item_id, variant_set) == (0, -1)
    return found


@pytest.fixture
def lookups(monkeypatch: pytest.MonkeyPatch) -> list[set[ItemName]]:
    """Which names were asked of the database."""
    asked: list[set[ItemName]] = []
    resolve = items.resolve
    monkeypatch.setattr(items, "resolve", lambda names: asked.append(set(names)) or resolve(names))
    return asked


def names() -> list[ItemName]:
    """Every name of the test items, one that names two of them, and one that names none."""
    make_items(3)
    first = db.session.execute(text("select min(id) from items")).scalar_one()
    db.session.add(ExternalId(source=1, external_id=2, item_id=first))
    db.session.commit()
    found: list[ItemName] = [(NamedBy.CARDMARKET_ID, 404)]
    for item in db.session.query(Item):
        found += [(NamedBy.URN, item.urn), (NamedBy.NAME, name_key(item.game, item.set_name, item.name))]
    for one in db.session.query(ExternalId):
        found.append((NamedBy.CARDMARKET_ID if one.source == 1 else NamedBy.TCGPLAYER_ID, one.external_id))
    db.session.commit()
    return found


def test_what_is_kept_is_what_would_be_looked_up(app, lookups: list[set[ItemName]]) -> None:
    wanted = names()
    looked_up = found_by(catalog_cache.known_items(items.version()), wanted)
    assert set().union(*lookups) == set(wanted)
    lookups.clear()
    assert catalog_cache.keep()
    kept = found_by(catalog_cache.known_items(items.version()), wanted)
    assert lookups == [{(NamedBy.CARDMARKET_ID, 404)}]
    assert kept == looked_up
    assert len(kept[NamedBy.CARDMARKET_ID, 404]) == 0
    assert len(kept[NamedBy.CARDMARKET_ID, 2]) == 2


def test_another_version_of_the_catalog_is_not_taken_for_the_one_that_is_kept(
    app, lookups: list[set[ItemName]]
) -> None:
    wanted = names()
    assert catalog_cache.keep()
    assert not catalog_cache.keep()
    db.session.execute(text("update items set variants = '{changed}'"))
    db.session.execute(text("update catalog set version = version + 1"))
    db.session.commit()
    found = found_by(catalog_cache.known_items(items.version()), wanted)
    assert {item.variants for candidates in found.values() for item in candidates} == {frozenset({"changed"})}
    assert catalog_cache.keep()


def test_a_large_catalog_is_looked_up_instead_of_kept(
    app, lookups: list[set[ItemName]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog_cache, "_MAX_ITEMS_KEPT", 2)
    wanted = names()
    catalog_cache.keep()
    known = catalog_cache.known_items(items.version())
    assert found_by(known, wanted) == found_by(known, wanted)
    assert sum(map(len, lookups)) == len(set(wanted))
