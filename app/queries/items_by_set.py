"""The catalog as other tools name its items: set by set, and by ids, with what people call them."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

from app.csvfile.contract import NAME_KEY_SEPARATOR, NamedBy, fold
from app.queries import fetch, fetch_as
from app.queries.items import VARIANTS, WORDS, lookup, split_variants


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


_ITEM = f"""i.id, i.urn, i.game, i."set" as set_name, i.name, i.number, i.rarity, {VARIANTS}"""
_NEXT = chr(ord(NAME_KEY_SEPARATOR) + 1)


def list_sets() -> list[NamedSet]:
    """All sets of all games."""
    return fetch_as(NamedSet, 'select distinct game, "set" as name from items order by 1, 2')


def find_in_sets(sets: Collection[NamedSet]) -> list[tuple[NamedSet, NamedItem]]:
    """The items of each of the sets."""
    if not sets:
        return []
    paths = {f"{fold(one.game)}{NAME_KEY_SEPARATOR}{fold(one.name)}": one for one in sets}
    query = f"""
        select k.path, {_ITEM} from unnest(%(paths)b::text[]) as k (path)
        cross join lateral (
            select * from items
            where name_key >= k.path || %(separator)s and name_key < k.path || %(next)s offset 0
        ) i
    """
    rows = fetch(query, paths=[*paths], separator=NAME_KEY_SEPARATOR, next=_NEXT)
    return [(paths[row.path], _item(row)) for row in rows]


def find_named(queries: Sequence[str], *, limit: int) -> list[tuple[int, NamedItem]]:
    """The items with the words of each query (``catalog_words.words_query``), at most ``limit``, with its position."""
    query = f"""
        select k.at, {_ITEM} from unnest(%(queries)b::text[]) with ordinality as k (query, at)
        cross join lateral (select * from items where {WORDS} @@ k.query::tsquery limit %(limit)s) i
    """
    return [(row.at - 1, _item(row)) for row in fetch(query, queries=[*queries], limit=limit)]


def find_by_ids(named_by: NamedBy, ids: Collection[int]) -> list[tuple[int, NamedItem]]:
    """The items with each of the ids of a source."""
    return [(row.key, _item(row)) for row in fetch(lookup(named_by, _ITEM), names=[*ids])]


def find_by_urns(urns: Collection[str]) -> list[NamedItem]:
    """The items with these URNs."""
    return [_item(row) for row in fetch(lookup(NamedBy.URN, _ITEM), names=[*urns])]


def describe(named_by: NamedBy, values: Collection[str]) -> dict[str, list[NamedItem]]:
    """The items with each of the URNs or ``name_key``s, ordered by URN."""
    found: defaultdict[str, list[NamedItem]] = defaultdict(list)
    for row in fetch(lookup(named_by, _ITEM), names=[*values]):
        found[row.key].append(_item(row))
    return found


def _item(row: Any) -> NamedItem:
    of_row = NamedItem(*(getattr(row, name) for name in NamedItem._fields))
    return of_row._replace(variants=split_variants(row.variants))
