"""The catalog as other tools name its items: set by set, and by ids, with what people call them."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from typing import Any, NamedTuple

from app.csvfile.contract import NAME_KEY_SEPARATOR, NamedBy, fold
from app.queries import driver_cursor
from app.queries.items import SOURCES


class NamedSet(NamedTuple):
    """A set of a game, as the catalog spells them."""

    game: str
    name: str


class NamedItem(NamedTuple):
    """An item with all that it is called."""

    id: int
    urn: str
    game: str
    set_name: str
    name: str
    number: str
    rarity: str
    variants: frozenset[str]


_ITEM = """i.id, i.urn, i.game, i."set", i.name, i.number, i.rarity, array_to_string(i.variants, '|')"""
_NEXT = chr(ord(NAME_KEY_SEPARATOR) + 1)


def list_sets() -> list[NamedSet]:
    """All sets of all games."""
    with driver_cursor() as cursor:
        cursor.execute('select distinct game, "set" from items order by 1, 2')
        return [NamedSet(*row) for row in cursor]


def find_in_sets(sets: Collection[NamedSet]) -> list[tuple[NamedSet, NamedItem]]:
    """The items of each of the sets."""
    if not sets:
        return []
    paths = {f"{fold(one.game)}{NAME_KEY_SEPARATOR}{fold(one.name)}": one for one in sets}
    with driver_cursor() as cursor:
        cursor.execute(
            f"""
            select k.path, {_ITEM} from unnest(%(paths)b::text[]) as k (path)
            cross join lateral (
                select * from items
                where name_key >= k.path || %(separator)s and name_key < k.path || %(next)s offset 0
            ) i
            """,
            {"paths": [*paths], "separator": NAME_KEY_SEPARATOR, "next": _NEXT},
        )
        return [(paths[path], _item(*row)) for path, *row in cursor.fetchall()]


def find_by_ids(named_by: NamedBy, ids: Collection[int]) -> list[tuple[int, NamedItem]]:
    """The items with each of the ids of a source."""
    with driver_cursor() as cursor:
        cursor.execute(
            f"""
            select e.external_id, {_ITEM} from external_ids e join items i on i.id = e.item_id
            where e.source = %(source)s and e.external_id = any(%(ids)b::bigint[]) order by i.urn
            """,
            {"source": SOURCES[named_by], "ids": [*ids]},
        )
        return [(external_id, _item(*row)) for external_id, *row in cursor.fetchall()]


def find_by_urns(urns: Collection[str]) -> list[NamedItem]:
    """The items with these URNs."""
    with driver_cursor() as cursor:
        cursor.execute(f"select {_ITEM} from items i where i.urn = any(%(urns)b::text[])", {"urns": [*urns]})
        return [_item(*row) for row in cursor.fetchall()]


def _item(*row: Any) -> NamedItem:
    *values, variants = row
    return NamedItem._make([*values, _variants(variants)])


@lru_cache(maxsize=10_000)
def _variants(joined: str) -> frozenset[str]:
    """Sets are shared: items have few different ones between them."""
    return frozenset(filter(None, joined.split("|")))
