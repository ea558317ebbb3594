"""Looking for listings: whatever is asked for, and in whatever stretches, it is what looking at each of them finds."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from flask import Flask
from sqlalchemy import text

from app.csvfile.contract import Condition, fold, name_key
from app.extensions import db
from app.models import Item, Listing, Seller
from app.queries import items
from app.queries.items import NewItem
from app.queries.listings import search
from app.queries.listings.listings import ListingKey
from app.queries.listings.search import ANY, START, ListingFilter, Order, SortedKey, Stock, find_sorted, iter_windows
from tests.conftest import CLUSTER

GAMES = ["Straße", "Café Vantrelle"]
DAYS = [datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2, 3)]
NAMES = ["Snail Cavalry", "Snail", "ÉCLAIR", "Oak 12", "100% Pure_Gold", "名前"]


@pytest.fixture
def stock(app: Flask, seller: Seller, other_seller: Seller) -> list[Listing]:
    """Some hundred listings of the seller, in the order of their keys, and as many of another seller."""
    chance, values = random.Random(5), random.Random(6)
    new = []
    for n in range(1, 121):
        game, name = chance.choice(GAMES), chance.choice(NAMES)
        set_name = f"Set {n % 7}"
        urn = f"urn:{'a' if n % 3 else 'b'}:{n:03}"
        new.append(NewItem(urn, game, set_name, name, f"SV-{n}", "", [], name_key(game, set_name, name), [], []))
    items.replace(new)
    ids = db.session.scalars(db.select(Item.id).order_by(Item.id)).all()
    for owner in (seller, other_seller):
        for item_id in ids:
            # Some items are not offered at all, and for a long stretch none.
            for condition in chance.sample(range(1, 7), chance.choice((0, 1, 2, 4)) if not 40 < item_id < 80 else 0):
                for variants in chance.sample(["", "de", "de|reverse", "normal"], chance.choice((1, 2))):
                    db.session.add(
                        Listing(
                            seller_id=owner.id,
                            item_id=item_id,
                            condition=condition,
                            variants=variants,
                            price=values.randrange(1, 5),
                            quantity=values.choice((0, 1, 3, 4)),
                            hidden=chance.random() < 0.2,
                            reference=values.choice((None, "SHELF-17-A")),
                            created_import_id=1,
                            created_line=2,
                            updated_at=DAYS[values.randrange(3)],
                        )
                    )
    db.session.commit()
    mine = db.select(Listing).where(Listing.seller_id == seller.id)
    return list(db.session.scalars(mine.order_by(Listing.item_id, Listing.condition, Listing.variants)))


FILTERS = [
    ANY,
    ListingFilter(words=("snail",)),
    ListingFilter(words=("snail", "caf")),
    ListingFilter(words=("éclair",)),
    ListingFilter(words=("strasse", "set 3")),
    ListingFilter(words=("100%", "e_g")),
    ListingFilter(words=("sv-11",)),
    ListingFilter(words=("名",)),
    ListingFilter(words=("nowhere",)),
    ListingFilter(urn="urn:b:006"),
    ListingFilter(urn="urn:b:0"),
    ListingFilter(urn="urn:"),
    ListingFilter(urn="urn:%"),
    ListingFilter(urn="urn:a:", words=("oak",)),
    ListingFilter(condition=Condition.GOOD),
    ListingFilter(condition=Condition.POOR),
    ListingFilter(hidden=True),
    ListingFilter(hidden=False),
    ListingFilter(hidden=True, condition=Condition.MINT),
    ListingFilter(hidden=False, condition=Condition.MINT, words=("set",)),
    ListingFilter(hidden=True, words=("snail",), urn="urn:a"),
    ListingFilter(hidden=False, urn="urn:b", condition=Condition.PLAYED),
    ListingFilter(condition=Condition.POOR, words=("set",)),
    ListingFilter(stock=Stock.OUT),
    ListingFilter(stock=Stock.LOW, words=("set",)),
    ListingFilter(stock=Stock.IN, hidden=True),
    ListingFilter(changed_since=DAYS[1]),
    ListingFilter(changed_since=DAYS[2], own_text="f-17-a", condition=Condition.GOOD),
    ListingFilter(own_text="shelf", urn="urn:b"),
]


QUANTITIES = {Stock.OUT: {0}, Stock.LOW: {1, 2, 3}, Stock.IN: {1, 2, 3, 4}}


def key(listing: Listing) -> ListingKey:
    return (listing.item_id, listing.condition, listing.variants)


def expected(stock: list[Listing], wanted: ListingFilter) -> list[ListingKey]:
    """The expected result, decided one listing at a time."""
    catalog = {item.id: item for item in db.session.scalars(db.select(Item))}

    def is_wanted(listing: Listing) -> bool:
        item = catalog[listing.item_id]
        texts = [fold(one) for one in (item.game, item.set_name, item.name, item.number)]
        return (
            all(any(word in one for one in texts) for word in wanted.words)
            and item.urn.startswith(wanted.urn)
            and wanted.condition in (None, listing.condition)
            and wanted.hidden in (None, listing.hidden)
            and (wanted.stock is None or listing.quantity in QUANTITIES[wanted.stock])
            and (wanted.changed_since is None or listing.updated_at >= wanted.changed_since)
            and wanted.own_text in (listing.reference or "").lower()
        )

    return [key(listing) for listing in stock if is_wanted(listing)]


@pytest.fixture(params=["short stretches", "few matches", "as they are"])
def stretches(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits so low that all of them are met, or those that there are."""
    limits = {
        "short stretches": {"_FIRST_LISTINGS": 2, "_MOST_LISTINGS": 5, "_FIRST_ITEMS": 1, "_MOST_ITEMS": 6},
        "few matches": {"_FIRST_LISTINGS": 3, "_MOST_LISTINGS": 4, "_MOST_MATCHES": 2},
        "as they are": {},
    }[request.param]
    for name, value in limits.items():
        monkeypatch.setattr(search, name, value)


def walk(seller: Seller, wanted: ListingFilter, most: int, after: ListingKey = START) -> Iterator[list[ListingKey]]:
    """What each stretch has found; each goes further than the one before."""
    reached = after
    for stretch in iter_windows(seller.id, wanted, after=after, most=most):
        assert len(stretch.found) <= most
        assert stretch.found == sorted(stretch.found)
        if stretch.reached is not None:
            assert stretch.reached > reached
            assert all(reached < one <= stretch.reached for one in stretch.found)
            reached = stretch.reached
        yield stretch.found


@pytest.mark.usefixtures("stretches")
def test_every_search_finds_what_looking_at_each_listing_finds(seller: Seller, stock: list[Listing]) -> None:
    for wanted in FILTERS:
        right = expected(stock, wanted)
        for most in (1, 3, 1_000):
            assert [one for found in walk(seller, wanted, most) for one in found] == right, wanted
        # It continues from any position, whether there is a listing or not.
        for after in (key(stock[50]), search.behind_item(60), search.behind_item(2**31)):
            found = [one for found in walk(seller, wanted, 2, after) for one in found]
            assert found == [one for one in right if one > after], wanted


@pytest.mark.parametrize("order", [order for order in Order if order])
def test_other_orders_find_the_same(seller: Seller, stock: list[Listing], order: Order) -> None:
    values = {
        Order.CHEAPEST: lambda one: one.price,
        Order.DEAREST: lambda one: -one.price,
        Order.FEWEST: lambda one: one.quantity,
        Order.NEWEST: lambda one: -one.updated_at.timestamp(),
    }
    right = [key(one) for one in sorted(stock, key=lambda one: (values[order](one), key(one)))]
    for wanted in FILTERS:
        wanted_keys = set(expected(stock, wanted))
        found: list[SortedKey] = []
        while more := find_sorted(seller.id, wanted, order, after=found[-1] if found else None, limit=37):
            found += more
        assert [one.key for one in found] == [one for one in right if one in wanted_keys], wanted


def test_the_examples_find_something_and_nothing(seller: Seller, stock: list[Listing]) -> None:
    found = [len(expected(stock, wanted)) for wanted in FILTERS]
    assert found[0] == len(stock) > 150
    assert [wanted for wanted, count in zip(FILTERS, found, strict=True) if not count] == [
        ListingFilter(words=("nowhere",)),
        ListingFilter(urn="urn:%"),
        ListingFilter(condition=Condition.POOR),
        ListingFilter(condition=Condition.POOR, words=("set",)),
    ]


def test_without_listings_there_is_nothing_to_look_through(app: Flask, seller: Seller) -> None:
    for wanted in FILTERS:
        assert list(iter_windows(seller.id, wanted, after=START, most=9)) == [([], None)]


def test_a_stretch_goes_no_further_than_it_may_however_little_is_found(
    seller: Seller, stock: list[Listing], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "_FIRST_LISTINGS", 20)
    for wanted in (ListingFilter(hidden=False, words=("nowhere",)), ListingFilter(words=("nowhere",))):
        first = next(iter_windows(seller.id, wanted, after=START, most=5))
        assert first == ([], key(stock[19]))


def test_the_items_of_a_range_are_looked_up_once_however_many_listings_they_have(
    seller: Seller, stock: list[Listing], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "_FIRST_LISTINGS", 2)
    monkeypatch.setattr(search, "_MOST_LISTINGS", 5)
    ranges: list[tuple[int, int]] = []
    look_up = search._items_between

    def note(wanted: ListingFilter, first: int, last: int) -> list[int]:
        ranges.append((first, last))
        return look_up(wanted, first, last)

    monkeypatch.setattr(search, "_items_between", note)
    assert len([*walk(seller, ListingFilter(words=("set",)), 5)]) > 10
    assert len(ranges) == 1


@pytest.mark.skipif(bool(CLUSTER), reason="What a session sets does not reach the nodes of a cluster.")
def test_hidden_listings_are_found_by_an_index_of_their_own(seller: Seller, stock: list[Listing]) -> None:
    # So that the plan does not depend on when PostgreSQL last analysed the table by itself.
    db.session.execute(text("analyze listings"))
    db.session.execute(text("set local enable_seqscan = off"))
    plan = db.session.scalars(
        text(
            """
            explain select item_id, condition, variants from listings where seller_id = :seller and hidden
            and (item_id, condition, variants) > (0, 0, '') order by item_id, condition, variants limit 51
            """
        ),
        {"seller": seller.id},
    ).all()
    assert "ix__listings__hidden" in "\n".join(plan)
