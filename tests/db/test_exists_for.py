"""What every chunk asks of a seller's listings, and finds in the first of them: whether there is any at all."""

from __future__ import annotations

from sqlalchemy import text

from app.extensions import db
from app.models import Seller
from app.queries.listings import listings
from tests.factories import make_items

_READ = text("select seq_tup_read + idx_tup_fetch from pg_stat_xact_user_tables where relname = 'listings'")
_MAKE = text(
    """
    insert into listings (seller_id, item_id, condition, variants, price, quantity, hidden, created_import_id,
        created_line)
    select :seller_id, id, 1, 'v' || n, 100, 1, false, 1, n
    from items, generate_series(cast(:first as int), cast(:last as int)) n
    """
)
_FEW = 10


def make_listings(seller_id: int, first: int, last: int) -> None:
    db.session.execute(_MAKE, {"seller_id": seller_id, "first": first, "last": last})


def test_the_listings_of_others_are_not_read_for_it(seller: Seller, other_seller: Seller) -> None:
    make_items(1)
    seller_id, other_id = seller.id, other_seller.id
    make_listings(other_id, 1, 20_000)
    db.session.commit()
    # As if one seller had nearly all listings, which the planner then expects of every seller.
    db.session.execute(text("analyze listings"))
    db.session.execute(text("set local plan_cache_mode = force_generic_plan"))
    # What earlier transactions of this session have read may be counted with it for a second.
    before = db.session.scalar(_READ)
    assert not listings.exists_for(seller_id)
    assert listings.exists_for(other_id)
    assert db.session.scalar(_READ) <= before + _FEW


def test_no_plan_outlives_the_size_of_the_table_for_which_it_was_made(seller: Seller) -> None:
    make_items(1)
    seller_id = seller.id

    def ask() -> None:
        assert listings.exists_for(seller_id)
        with listings.in_place(seller_id):
            pass

    make_listings(seller_id, 1, 3)
    db.session.execute(text("analyze listings"))
    # The driver prepares a statement that comes again and again, and the server then keeps its plan.
    for _ in range(12):
        ask()
    make_listings(seller_id, 4, 20_000)
    before = db.session.scalar(_READ)
    ask()
    assert db.session.scalar(_READ) <= before + _FEW
