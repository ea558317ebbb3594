"""Searches the catalog for people: by the beginnings of words, by set, by URN and by the ids of other marketplaces."""

from typing import NamedTuple

from app.catalog_words import words_query
from app.csvfile.contract import NamedBy, name_key
from app.queries import fetch_as
from app.queries.items import SOURCES, WORDS
from app.queries.items_by_set import NamedSet


class ItemFilter(NamedTuple):
    """A filter for items; an empty value matches all."""

    #: Split by ``catalog_words``; each must begin a word of the item's game, set, name or number.
    words: tuple[str, ...] = ()
    #: The beginning of a URN. Items that match this, ``external_id`` or ``words`` are found: a text may be any of them.
    urn: str = ""
    #: Another marketplace's id of the item.
    external_id: int | None = None
    #: The game and the name of a set, which name it together.
    game: str = ""
    set_name: str = ""


#: The whole catalog.
ANY = ItemFilter()


class FoundItem(NamedTuple):
    """An item with all that people know it by."""

    id: int
    urn: str
    game: str
    set_name: str
    name: str
    number: str
    rarity: str
    variants: list[str]
    cardmarket_ids: list[int]
    tcgplayer_ids: list[int]


def find(wanted: ItemFilter, *, limit: int) -> list[FoundItem]:
    """The items that match, at most ``limit``.

    Items whose name is just the words come first, then sets in alphabetical order, each in the order of its numbers.
    If more than ``limit`` match, it is not said which of them are returned: to sort a million items takes too long.
    """
    if wanted == ANY:
        return []
    query = f"""
        with found as materialized (
            select * from items i where {" and ".join(_conditions(wanted))} limit %(limit)s
        )
        select
            id, urn, game, "set" as set_name, name, "number", rarity, variants,
            {_ids(NamedBy.CARDMARKET_ID)} as cardmarket_ids, {_ids(NamedBy.TCGPLAYER_ID)} as tcgplayer_ids
        from found
        order by
            split_part(name_key, chr(31), 3) <> %(name)s, game, "set",
            "number" !~ '^[0-9]', substring("number" from '[0-9]{{1,18}}')::bigint, "number", urn
    """
    # Each in the set has a name key that begins so; and no text contains the last of all characters.
    set_key, last = name_key(wanted.game, wanted.set_name, ""), chr(0x10FFFF)
    values = {"words": words_query(wanted.words), "name": " ".join(wanted.words), "behind_urn": wanted.urn + last}
    return fetch_as(FoundItem, query, wanted, **values, set_key=set_key, behind_set=set_key + last, limit=limit)


def _conditions(wanted: ItemFilter) -> list[str]:
    named = []
    if wanted.words:
        named.append(f"{WORDS} @@ %(words)s::tsquery")
    if wanted.urn:
        named.append("(urn >= %(urn)s and urn < %(behind_urn)s)")
    if wanted.external_id is not None:
        # As an array, so that the planner can combine it with an index of words.
        is_its = f"source in {(*SOURCES.values(),)} and external_id = %(external_id)s"
        named.append(f"id = any(array(select item_id from external_ids where {is_its}))")
    conditions = [f"({' or '.join(named)})"] if named else []
    if wanted.set_name:
        conditions.append("name_key >= %(set_key)s and name_key < %(behind_set)s")
    return conditions


def _ids(source: NamedBy) -> str:
    """SQL for: the ids of an item at a marketplace, in order."""
    return f"array(select external_id from external_ids where source = {SOURCES[source]} and item_id = id order by 1)"


def list_sets(*, limit: int) -> list[NamedSet]:
    """The first ``limit`` sets of the catalog, by game and name. Each costs one index look-up, however large it is."""
    query = """
        with recursive found (game, name, name_key, number) as (
            (select game, "set", name_key, 1 from items order by name_key limit 1)
            union all
            select next.*, found.number + 1 from found cross join lateral (
                select game, "set", name_key from items
                -- After all names in the set: its separator is followed by the next character.
                where name_key >= split_part(found.name_key, chr(31), 1) || chr(31)
                    || split_part(found.name_key, chr(31), 2) || chr(32)
                order by name_key limit 1
            ) next
            where found.number < %(limit)s
        )
        select game, name from found
    """
    return fetch_as(NamedSet, query, limit=limit)
