"""Looking for listings: whatever is asked for, and in whatever stretches, it is what looking at each of them finds."""

from __future__ import annotations

import random
from collections.abc import Iterator

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
from app.queries.listings.search import ANY, START, Filter, iter_windows

GAMES = ["Straße", "Café Vantrelle"]
NAMES = ["Snail Cavalry", "Snail", "ÉCLAIR", "Oak 12", "100% Pure_Gold", "名前"]


@pytest.fixture
def stock(app: Flask, seller: Seller, other_seller: Seller) -> list[Listing]:
    """Some hundred listings of the seller, in the order of their keys, and as many of another seller."""
    chance = random.Random(5)
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
                            price=1,
                            quantity=1,
                            hidden=chance.random() < 0.2,
                            created_import_id=1,
                            created_line=2,
                        )
                    )
    db.session.commit()
    mine = db.select(Listing).where(Listing.seller_id == seller.id)
    return list(db.session.scalars(mine.order_by(Listing.item_id, Listing.condition, Listing.variants)))


FILTERS = [
    ANY,
    Filter(words=("snail",)),
    Filter(words=("snail", "caf")),
    Filter(words=("éclair",)),
    Filter(words=("strasse", "set 3")),
    Filter(words=("100%", "e_g")),
    Filter(words=("sv-11",)),
    Filter(words=("名",)),
    Filter(words=("nowhere",)),
    Filter(urn="urn:b:006"),
    Filter(urn="urn:b:0"),
    Filter(urn="urn:"),
    Filter(urn="urn:%"),
    Filter(urn="urn:a:", words=("oak",)),
    Filter(condition=Condition.GOOD),
    Filter(condition=Condition.POOR),
    Filter(hidden=True),
    Filter(hidden=False),
    Filter(hidden=True, condition=Condition.MINT),
    Filter(hidden=False, condition=Condition.MINT, words=("set",)),
    Filter(hidden=True, words=("snail",), urn="urn:a"),
    Filter(hidden=False, urn="urn:b", condition=Condition.PLAYED),
    Filter(condition=Condition.POOR, words=("set",)),
]


def key(listing: Listing) -> ListingKey:
    return (listing.item_id, listing.condition, listing.variants)


def expected(stock: list[Listing], wanted: Filter) -> list[ListingKey]:
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


def walk(seller: Seller, wanted: Filter, most: int, after: ListingKey = START) -> Iterator[list[ListingKey]]:
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
@pytest.mark.parametrize("wanted", FILTERS, ids=str)
def test_every_search_finds_what_looking_at_each_listing_finds(
    seller: Seller, stock: list[Listing], wanted: Filter
) -> None:
    right = expected(stock, wanted)
    for most in (1, 3, 1_000):
        assert [one for found in walk(seller, wanted, most) for one in found] == right
    # It continues from any position, whether there is a listing or not.
    for after in (key(stock[50]), search.behind_item(60), search.behind_item(2**31)):
        found = [one for found in walk(seller, wanted, 2, after) for one in found]
        assert found == [one for one in right if one > after]


def test_the_examples_find_something_and_nothing(seller: Seller, stock: list[Listing]) -> None:
    found = [len(expected(stock, wanted)) for wanted in FILTERS]
    assert found[0] == len(stock) > 150
    assert [wanted for wanted, count in zip(FILTERS, found, strict=True) if not count] == [
        Filter(words=("nowhere",)),
        Filter(urn="urn:%"),
        Filter(condition=Condition.POOR),
        Filter(condition=Condition.POOR, words=("set",)),
    ]


def test_without_listings_there_is_nothing_to_look_through(app: Flask, seller: Seller) -> None:
    for wanted in FILTERS:
        assert list(iter_windows(seller.id, wanted, after=START, most=9)) == [([], None)]


def test_a_stretch_goes_no_further_than_it_may_however_little_is_found(
    seller: Seller, stock: list[Listing], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "_FIRST_LISTINGS", 20)
    for wanted in (Filter(hidden=False, words=("nowhere",)), Filter(words=("nowhere",))):
        first = next(iter_windows(seller.id, wanted, after=START, most=5))
        assert first == ([], key(stock[19]))


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


# Hiding ---------------------------------------------------------------------------------------------------------------


def snapshot(listing: Listing) -> dict[str, object]:
    db.session.refresh(listing)
    return {column.name: getattr(listing, column.name) for column in Listing.__table__.columns}


def test_hiding_changes_nothing_else(seller: Seller, stock: list[Listing]) -> None:
    one = next(listing for listing in stock if not listing.hidden)
    before = snapshot(one)
    assert search.set_hidden(seller.id, key(one), hidden=True)
    db.session.commit()
    after = snapshot(one)
    assert {name for name in before if before[name] != after[name]} == {"hidden", "updated_at"}
    # Again is no change.
    assert search.set_hidden(seller.id, key(one), hidden=True)
    db.session.commit()
    assert snapshot(one) == after


def test_only_a_listing_of_ones_own_can_be_hidden(seller: Seller, other_seller: Seller, stock: list[Listing]) -> None:
    mine = {key(one) for one in stock}
    others = db.session.scalars(db.select(Listing).where(Listing.seller_id == other_seller.id))
    theirs = next(one for one in others if key(one) not in mine)
    before = snapshot(theirs)
    assert not search.set_hidden(seller.id, key(theirs), hidden=not theirs.hidden)
    db.session.commit()
    assert snapshot(theirs) == before
