"""Whether a seller has any listing at all, which every chunk of a check asks."""

from __future__ import annotations

from sqlalchemy import text

from app.extensions import db
from app.models import Seller
from app.queries.listings import listings
from tests.factories import make_items

_READ = "select seq_tup_read from pg_stat_xact_user_tables where relname = 'listings'"


def test_the_listings_of_others_are_not_read_for_it(seller: Seller, other_seller: Seller) -> None:
    make_items(1)
    seller_id, other_id = seller.id, other_seller.id
    db.session.execute(
        text(
            """
            insert into listings (seller_id, item_id, condition, variants, price, quantity, hidden, created_import_id,
                created_line)
            select :seller_id, id, 1, 'v' || n, 100, 1, false, 1, n from items, generate_series(1, 20000) n limit 20000
            """
        ),
        {"seller_id": other_id},
    )
    db.session.commit()
    # As if one seller had nearly all listings, which the planner then expects of every seller.
    db.session.execute(text("analyze listings"))
    db.session.execute(text("set local plan_cache_mode = force_generic_plan"))
    # What earlier transactions of this session have read may be counted with it for a second.
    before = db.session.scalar(text(_READ))
    assert not listings.exists_for(seller_id)
    assert listings.exists_for(other_id)
    assert db.session.scalar(text(_READ)) == before
