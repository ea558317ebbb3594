"""What workers know of the catalog, and when they no longer do."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from app.csvfile.contract import ItemName, NamedBy, name_key
from app.extensions import db
from app.imports.worker import catalog_cache
from app.models import ExternalId, Item
from app.queries import items
from tests.factories import make_items


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog_cache, "_kept", catalog_cache.KnownItems(None, {}))
    monkeypatch.setattr(catalog_cache, "_LOOK_SECONDS", 0.0)


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
    looked_up = catalog_cache.known_items(items.version()).resolve(wanted)
    assert lookups == [set(wanted)]
    assert catalog_cache.keep()
    kept = catalog_cache.known_items(items.version()).resolve(wanted)
    assert lookups[1:] == [{(NamedBy.CARDMARKET_ID, 404)}]
    assert [*map(tuple, kept)] == [*map(tuple, looked_up)]
    assert len(kept[0]) == 0
    assert len(kept[wanted.index((NamedBy.CARDMARKET_ID, 2))]) == 2


def test_another_version_of_the_catalog_is_not_taken_for_the_one_that_is_kept(
    app, lookups: list[set[ItemName]]
) -> None:
    wanted = names()
    assert catalog_cache.keep()
    assert not catalog_cache.keep()
    db.session.execute(text("update items set variants = '{changed}'"))
    db.session.execute(text("update catalog set version = version + 1"))
    db.session.commit()
    found = catalog_cache.known_items(items.version()).resolve(wanted)
    assert {item.variants for candidates in found for item in candidates} == {frozenset({"changed"})}
    assert catalog_cache.keep()


def test_a_large_catalog_is_looked_up_instead_of_kept(
    app, lookups: list[set[ItemName]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog_cache, "_MAX_ITEMS_KEPT", 2)
    wanted = names()
    catalog_cache.keep()
    known = catalog_cache.known_items(items.version())
    known.resolve(wanted)
    known.resolve(wanted)
    assert lookups == [set(wanted)]
