"""The catalog: finding the items that rows name, and loading new versions."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

import pyarrow as pa

from app.catalog_words import ITEM_WORDS
from app.csvfile.contract import ItemName, NamedBy
from app.queries import driver_cursor, fetch, fetch_one, fetch_value, fetch_values
from app.queries.copy_out import iter_batches

#: The stored numbers of the sources of external ids.
SOURCES = {NamedBy.CARDMARKET_ID: 1, NamedBy.TCGPLAYER_ID: 2}


class CatalogItem(NamedTuple):
    """The part of an item that an import needs."""

    id: int
    urn: str
    variants: frozenset[str]


def resolve(names: Iterable[ItemName]) -> dict[ItemName, list[CatalogItem]]:
    """The items that each of ``names`` can mean, ordered by URN; unknown names are left out.

    Runs at most one statement for each way of naming, however many names and items there are.
    """
    wanted: defaultdict[NamedBy, set[str | int]] = defaultdict(set)
    for named_by, name in names:
        wanted[named_by].add(name)
    found: defaultdict[ItemName, list[CatalogItem]] = defaultdict(list)
    for named_by, values in wanted.items():
        for row in fetch(lookup(named_by, f"i.id, i.urn, {VARIANTS}"), names=[*values]):
            found[named_by, row.key].append(CatalogItem(row.id, row.urn, split_variants(row.variants)))
    return found


@lru_cache(maxsize=10_000)
def split_variants(joined: str) -> frozenset[str]:
    """The variants of an item. Sets are shared: items have few different ones between them."""
    return frozenset(joined.split("|")) if joined else frozenset()


#: SQL: the variants of the item ``i``. Arrays are slow to read, and no variant contains the separator.
VARIANTS = "array_to_string(i.variants, '|') as variants"
#: SQL: the words of an item. A percent sign begins a parameter.
WORDS = ITEM_WORDS.replace("%", "%%")


def lookup(named_by: NamedBy, columns: str) -> str:
    """SQL: ``columns`` of the items ``i`` that each of the ``names`` can mean, by URN, and as ``key`` the name."""
    if named_by in SOURCES:
        return f"""
            select e.external_id as key, {columns} from external_ids e join items i on i.id = e.item_id
            where e.source = {SOURCES[named_by]} and e.external_id = any(%(names)b::bigint[]) order by i.urn
        """
    key = f"i.{_TREES[named_by].key}"
    return f"select {key} as key, {columns} from items i where {key} = any(%(names)b::text[]) order by i.urn"


def iter_items() -> Iterator[pa.RecordBatch]:
    """All items, ordered by ``id``: ``id``, ``urn``, and ``variants`` joined by ``|``."""
    return iter_batches(
        f"select id, urn, {VARIANTS} from items i order by id",
        {"id": pa.int32(), "urn": pa.string(), "variants": pa.string()},
    )


def iter_name_keys() -> Iterator[pa.RecordBatch]:
    """The ``name_key`` of all items, ordered by their ids."""
    return iter_batches("select name_key from items order by id", {"name_key": pa.string()})


def iter_external_ids(named_by: NamedBy) -> Iterator[pa.RecordBatch]:
    """All external ids of a source: ``external_id`` and ``item_id``, in no order."""
    return iter_batches(
        f"select external_id, item_id from external_ids where source = {SOURCES[named_by]}",
        {"external_id": pa.int64(), "item_id": pa.int32()},
    )


def count_names() -> dict[NamedBy, int]:
    """The number of different texts by which items are named, for each way to name them by a text."""
    query = (
        "select count(*) as urns, (select count(*) from (select distinct name_key from items) n) as names from items"
    )
    found = fetch_one(query)
    return {NamedBy.URN: found.urns, NamedBy.NAME: found.names}


class _Tree(NamedTuple):
    """Texts that name items read as paths: the URN, and the ``name_key`` of game, set and name."""

    key: str
    #: Each ends a step of the path; ASCII.
    separators: str


_TREES = {NamedBy.URN: _Tree("urn", ":/"), NamedBy.NAME: _Tree("name_key", "\x1f")}


def split_path(named_by: NamedBy, value: str) -> list[str]:
    """The steps of a URN or a ``name_key``, each with its separator."""
    separators = re.escape(_TREES[named_by].separators)
    return re.findall(f"[^{separators}]*[{separators}]|[^{separators}]+", value)


def goes_on(named_by: NamedBy, step: str) -> bool:
    """Whether further steps follow this one: it ends in a separator."""
    return step.endswith(tuple(_TREES[named_by].separators))


def list_steps(named_by: NamedBy, path: str, *, limit: int) -> list[str]:
    """The steps that lead on from ``path`` to items of the catalog, in order: games, sets of a game, names in a set.

    Each costs one index look-up, however many items follow it.
    """
    key, separators = _TREES[named_by]
    # A separator is the last character of the path and of every step but the last one.
    next_of = "left({0}, -1) || chr(ascii(right({0}, 1)) + 1)"
    is_within = f"{key} < {next_of.format('%(path)s')}" if path else "true"
    query = f"""
        with recursive found (path, number) as (
            (
                select %(path)s || substring(substr({key}, %(skip)s) from %(step)s), 1 from items
                where {key} >= %(path)s and {is_within} order by {key} limit 1
            )
            union all
            select
                (
                    select %(path)s || substring(substr({key}, %(skip)s) from %(step)s) from items
                    where {key} >= case
                            when right(found.path, 1) = any(%(separators)s) then {next_of.format("found.path")}
                            -- No text has this character in it, so nothing lies between.
                            else found.path || chr(1)
                        end and {is_within}
                    order by {key} limit 1
                ),
                number + 1
            from found where found.path is not null and number < %(limit)s
        )
        select substr(path, %(skip)s) from found where path is not null
    """
    step = f"[^{separators}]*[{separators}]?"
    return fetch_values(query, path=path, skip=len(path) + 1, step=step, separators=[*separators], limit=limit)


#: SQL: identifies this version of the catalog. Every change gives it another one, and no two databases have the same
#: one, not even if one is a copy of the other that has changed since: versions are counted, and ``xmin`` is the
#: transaction that counted.
VERSION = """(
    select concat_ws('-', s.system_identifier, d.oid) || '.' || concat_ws('-', c.version, c.xmin)
    from catalog c, pg_control_system() s, pg_database d where d.datname = current_database()
)"""


def version() -> str:
    """Identifies the version of the catalog, also among databases; may be part of a file's name."""
    return str(fetch_value(f"select {VERSION}") or "")


class NewItem(NamedTuple):
    """An item as a catalog file describes it."""

    urn: str
    game: str
    set_name: str
    name: str
    number: str
    rarity: str
    variants: list[str]
    name_key: str
    cardmarket_ids: list[int]
    tcgplayer_ids: list[int]


class Replaced(NamedTuple):
    """How many items a catalog file has, and how many of them were new."""

    items: int
    added: int


def replace(new_items: Iterable[NewItem]) -> Replaced:
    """Insert the items that are new and update the others in place, external ids included; nothing else changes."""
    with driver_cursor() as cursor:
        query = """
            create temporary table new_items (
                urn text collate "C", game text, "set" text, name text, number text, rarity text,
                variants text[], name_key text, cardmarket_ids bigint[], tcgplayer_ids bigint[]
            ) on commit drop
        """
        cursor.execute(query)
        with cursor.copy("copy new_items from stdin") as copy:
            copy.set_types(["text"] * 6 + ["text[]", "text", "int8[]", "int8[]"])
            for item in new_items:
                copy.write_row(item)
        # One loader at a time; imports can read meanwhile.
        cursor.execute("lock table items in share row exclusive mode")
        query = """
            insert into items (urn, game, "set", name, number, rarity, variants, name_key)
            select urn, game, "set", name, number, rarity, variants, name_key from new_items order by urn
            on conflict (urn) do update set
                game = excluded.game, "set" = excluded."set", name = excluded.name, number = excluded.number,
                rarity = excluded.rarity, variants = excluded.variants, name_key = excluded.name_key
            -- A row that was updated has a previous version: its xmax is set.
            returning xmax = 0
        """
        cursor.execute(query)
        are_new = [is_new for (is_new,) in cursor]
        # The statistics of the items are those of before. Where there were none, a nested loop would compare each item
        # with every line of the file.
        cursor.execute("set local enable_nestloop = off")
        query = """
            delete from external_ids
            where item_id in (select i.id from items i join new_items n on n.urn = i.urn)
        """
        cursor.execute(query)
        query = f"""
            insert into external_ids (source, external_id, item_id)
            select s.source, x.external_id, i.id
            from new_items n join items i on i.urn = n.urn
            cross join lateral (values
                ({SOURCES[NamedBy.CARDMARKET_ID]}, n.cardmarket_ids), ({SOURCES[NamedBy.TCGPLAYER_ID]}, n.tcgplayer_ids)
            ) as s (source, ids)
            cross join lateral unnest(s.ids) as x (external_id)
            order by 1, 2, 3
        """
        cursor.execute(query)
        cursor.execute("update catalog set version = version + 1")
    return Replaced(len(are_new), sum(are_new))


def is_empty() -> bool:
    """Whether the catalog has no items."""
    return fetch_value("select 1 from items limit 1") is None


def analyze() -> None:
    """Update the planner's statistics at once instead of after a minute."""
    with driver_cursor() as cursor:
        cursor.execute("analyze items, external_ids")
