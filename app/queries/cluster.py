"""A cluster of PostgreSQL by the extension Citus: what its nodes answer, and on which of them a table lies."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from app.models import BY_SELLER, ON_ALL_NODES
from app.queries import driver_cursor, fetch, fetch_as, fetch_value, fetch_values

_BY_SELLER = [model.__tablename__ for model in BY_SELLER]
_ON_ALL_NODES = [model.__tablename__ for model in ON_ALL_NODES]
#: The table that the others of BY_SELLER lie beside: a seller's rows of all of them are on one node.
FIRST = _BY_SELLER[0]
#: The settings of nodes that are looked at; times in milliseconds.
SETTINGS = ("citus.node_connection_timeout", "citus.recover_2pc_interval", "lock_timeout", "wal_level")


class Extension(NamedTuple):
    """Whether the server has Citus at all, and its version in this database; None if it is not installed."""

    is_available: bool
    version: str | None


class Node(NamedTuple):
    """A PostgreSQL server of the cluster."""

    id: int
    #: Host and port.
    address: str
    is_coordinator: bool
    holds_shards: bool
    #: Those of SETTINGS that it has, in sessions of the coordinator; None if it does not answer.
    settings: Mapping[str, str] | None


class Table(NamedTuple):
    """A table, and where it lies."""

    name: str
    #: What its rows are distributed by; ``*`` for a table of which every node has a copy, None for a local one.
    by: str | None
    #: The tables with the same number lie beside each other.
    colocation: int
    #: About how many rows it has on the coordinator, and bytes with its indexes. Distributed, none should be left.
    rows: int
    size: int

    @property
    def is_local(self) -> bool:
        """Whether it lies on the coordinator alone."""
        return self.by is None

    @property
    def is_by_seller(self) -> bool:
        """Whether it should be distributed by seller, and not copied to all nodes."""
        return self.name in _BY_SELLER


class Shard(NamedTuple):
    """A part of the listings."""

    id: int
    #: The address of its node.
    node: str
    #: In bytes, with its indexes.
    size: int


def get_extension() -> Extension:
    """Whether Citus is here."""
    query = """
        select exists (select from pg_available_extensions where name = 'citus') as is_available,
            (select extversion from pg_extension where extname = 'citus') as version
    """
    return fetch_as(Extension, query)[0]


def list_nodes() -> list[Node]:
    """The nodes, the coordinator first. Needs the extension."""
    settings = f"{{{','.join(SETTINGS)}}}"
    query = """
        select n.nodeid as id, n.nodename || ':' || n.nodeport as address, n.groupid = 0 as is_coordinator,
            n.shouldhaveshards as holds_shards, case when a.success then a.result::json end as settings
        from pg_dist_node n left join run_command_on_all_nodes(%(asked)s) a using (nodeid)
        where n.isactive and n.noderole = 'primary' order by n.groupid
    """
    asked = f"select json_object_agg(name, setting) from pg_settings where name = any('{settings}')"
    return fetch_as(Node, query, asked=asked)


def find_silent() -> list[Node]:
    """The nodes that do not answer; none where there is no cluster."""
    if get_extension().version is None:
        return []
    return [node for node in list_nodes() if node.settings is None]


def find_beside(seller_id: int) -> set[int]:
    """The sellers whose listings are on the same node as this one's, who is among them."""
    if get_extension().version is None:
        return {seller_id}
    query = f"""
        select s.id from sellers s
        join pg_dist_placement p on p.shardid = get_shard_id_for_distribution_column('{FIRST}', s.id)
        where p.groupid = (
            select groupid from pg_dist_placement
            where shardid = get_shard_id_for_distribution_column('{FIRST}', %(seller_id)s))
    """
    return {*fetch_values(query, seller_id=seller_id)}


def list_tables(extension: Extension) -> list[Table]:
    """The tables that a cluster distributes, in the order in which it does."""
    place = "null as by, 0 as colocation"
    if extension.version is not None:
        place = """
            (select case when d.partmethod = 'h' then column_to_column_name(c.oid, d.partkey)
                when d.repmodel = 't' then '*' end from pg_dist_partition d where d.logicalrelid = c.oid) as by,
            (select colocationid from pg_dist_partition d where d.logicalrelid = c.oid) as colocation
        """
    query = f"""
        select t.name, {place}, greatest(c.reltuples, 0)::bigint as rows,
            case when pg_relation_size(c.oid) > 0 then pg_total_relation_size(c.oid) else 0 end as size
        from unnest(%(names)s::text[]) with ordinality as t (name, place)
        join pg_class c on c.oid = to_regclass(t.name) order by t.place
    """
    return fetch_as(Table, query, names=[*_ON_ALL_NODES, *_BY_SELLER])


def distribute(table: Table) -> str:
    """SQL: distribute a table by seller, or copy it to every node and keep it alike there."""
    if not table.is_by_seller:
        return f"select create_reference_table('{table.name}')"
    beside = "" if table.name == FIRST else f", colocate_with => '{FIRST}'"
    return f"select create_distributed_table('{table.name}', 'seller_id'{beside})"


def forget_local(table: str) -> str:
    """SQL: delete the rows that a distributed table has left on the coordinator, where nobody sees them."""
    return f"select truncate_local_data_after_distributing_table('{table}')"


def limit_waits(seconds: int) -> str:
    """SQL: limit how long a statement of this user waits for a lock, also on the nodes, where no session sets it."""
    alter = f"alter role current_user in database %I set lock_timeout = {seconds * 1000}"
    return f"do $$ begin execute format('{alter}', current_database()); end $$"


def execute(statement: str) -> None:
    """Do one of the above."""
    driver_cursor().execute(statement.encode())


def list_shards() -> list[Shard]:
    """The shards of the listings, the largest first; those of a node that does not answer have no size."""
    query = """
        select shardid as id, nodename || ':' || nodeport as node, coalesce(shard_size, 0) as size from citus_shards
        where table_name = to_regclass(%(first)s) order by 3 desc, 1
    """
    return fetch_as(Shard, query, first=FIRST)


def find_sellers(shards: Collection[int], *, per_shard: int) -> dict[int, list[tuple[int, str]]]:
    """The sellers in these shards whose imports have created the most listings: their ids and email addresses."""
    query = """
        select shard, (array_agg(id order by created desc))[:%(limit)s] as ids,
            (array_agg(email order by created desc))[:%(limit)s] as emails
        from (
            select s.id, s.email, get_shard_id_for_distribution_column(%(first)s, s.id) as shard,
                (select coalesce(sum(b.created), 0) from batches b where b.seller_id = s.id) as created
            from sellers s offset 0
        ) s
        where shard = any(%(shards)s::bigint[]) group by 1
    """
    rows = fetch(query, first=FIRST, shards=[*shards], limit=per_shard)
    return {row.shard: list(zip(row.ids, row.emails, strict=True)) for row in rows}


def count_listings(seller_id: int) -> int:
    """The number of a seller's listings."""
    query = "select count(*) from listings where seller_id = %(seller_id)s"
    return int(fetch_value(query, seller_id=seller_id))
