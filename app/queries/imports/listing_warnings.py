"""Probable mistakes in the changes that rows make to listings: counted by the chunks, and summed for the page.

As with ``error_groups``, each batch counts its own rows, so that no transaction waits for another.
"""

from collections.abc import Collection
from enum import StrEnum
from typing import NamedTuple

from app.queries import BatchKey, ImportKey, execute, fetch_as

#: A price that changes by more per cent than this is probably a mistake.
STRIKING_PERCENT = 80


class Kind(StrEnum):
    """What is probably wrong."""

    #: The price changes by much.
    PRICE_MOVES = "price-moves"
    #: The quantity becomes 0.
    SOLD_OUT = "sold-out"


class Counted(NamedTuple):
    """The rows with one kind of probable mistake, and the gravest of them: the first of those that change by most."""

    kind: Kind
    rows: int
    #: That of the gravest row, and the price or the quantity of its listing before and after it.
    line: int
    before: int
    after: int


#: The columns that tell the gravest row.
_ONE = ("first_line", "before", "after")
#: SQL: by which factor a value goes up or down; the same for all that become 0.
_FACTOR = "greatest({0}.before, {0}.after)::float8 / greatest(least({0}.before, {0}.after), 1)"


def add(batch: BatchKey, found: Collection[Counted]) -> None:
    """Count rows of ``batch``, which processes its lines in order: those counted before stand further up."""
    is_graver = f"{_FACTOR.format('excluded')} > {_FACTOR.format('listing_warnings')}"
    graver = (f"{name} = case when {is_graver} then excluded.{name} else listing_warnings.{name} end" for name in _ONE)
    query = f"""
        insert into listing_warnings (seller_id, import_id, number, kind, rows, first_line, before, after)
        values (%(seller_id)s, %(import_id)s, %(number)s, %(kind)s, %(rows)s, %(line)s, %(before)s, %(after)s)
        on conflict (seller_id, import_id, number, kind)
        do update set rows = listing_warnings.rows + excluded.rows, {", ".join(graver)}
    """
    for counted in found:
        execute(query, batch, **counted._asdict())


def list_all(key: ImportKey) -> list[Counted]:
    """The counts of an import by kind."""
    query = f"""
        select distinct on (kind) kind, sum(rows) over (partition by kind) as rows, first_line as line, before, after
        from listing_warnings where seller_id = %(seller_id)s and import_id = %(import_id)s
        order by kind, {_FACTOR.format("listing_warnings")} desc, first_line
    """
    found = fetch_as(Counted, query, key)
    return [counted._replace(kind=Kind(counted.kind)) for counted in found]
