"""Distributes the database over a cluster, and tells how it lies there; see docs/scaling.md.

What is to be done, and why it may not be, is decided from facts alone (``plan``).
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from app.config import current_settings
from app.database import LOCK_TIMEOUT_SECONDS
from app.extensions import db
from app.humanize import counted
from app.queries import cluster, operations
from app.queries.cluster import Extension, Node, Shard, Table

#: Workers that have reported within this many seconds are at work.
_AT_WORK_SECONDS = 60.0
#: Bytes of a table, with its indexes, that are distributed in a second, and copied to every node; see docs/scaling.md.
_DISTRIBUTED, _COPIED = 20_000_000, 2_500_000
#: Longest time in which a commit that a node's failure has interrupted may be invisible, in milliseconds.
_RECOVERY_MS = 10_000
_SHARDS_SHOWN, _SELLERS_SHOWN = 10, 5

_NO_EXTENSION = {
    False: "The extension Citus is not installed on this database server. Install it there, and on every node.",
    True: "The extension Citus is not installed in this database: run “create extension citus” in it, on every node.",
}


class Facts(NamedTuple):
    """What ``plan`` goes by."""

    extension: Extension
    nodes: list[Node]
    tables: list[Table]
    #: The workers that are at work.
    workers: int
    lease_seconds: float


class Step(NamedTuple):
    """A statement that distributes something; each is committed by itself."""

    #: What it is about, and what becomes of it.
    subject: str
    sentence: str
    statement: str
    #: About how many seconds it takes; None where that does not depend on the size.
    seconds: int | None = None


class Plan(NamedTuple):
    """What is left to do, and why it is refused."""

    refusals: list[str]
    steps: list[Step]


def look() -> Facts:
    """Collect the facts. Raises what the database raises."""
    extension = cluster.get_extension()
    facts = Facts(
        extension,
        cluster.list_nodes() if extension.version else [],
        cluster.list_tables(extension),
        sum(worker.silent_seconds < _AT_WORK_SECONDS for worker in operations.list_workers()),
        current_settings().lease_seconds,
    )
    db.session.rollback()
    return facts


def plan(facts: Facts) -> Plan:
    """What is left to do, in order. Where anything refuses it, nothing should be done."""
    if facts.extension.version is None:
        return Plan([_NO_EXTENSION[facts.extension.is_available]], [])
    steps = [*_plan_nodes(facts), *_plan_tables(facts.tables)]
    return Plan([*_refuse_nodes(facts), *_refuse_tables(facts, bool(steps))], steps)


def distribute(todo: Plan) -> Iterator[Step]:
    """Do what is left to do: each step before it is given. Commits."""
    for step in todo.steps:
        cluster.execute(step.statement)
        db.session.commit()
        yield step


def distribute_new() -> None:
    """Distribute the tables that migrations have added to a database that is distributed. Commits."""
    tables = cluster.list_tables(cluster.get_extension())
    if any(table.name == cluster.FIRST and not table.is_local for table in tables):
        for step in _plan_tables(tables):
            cluster.execute(step.statement)
            db.session.commit()
    db.session.rollback()


def _plan_nodes(facts: Facts) -> Iterator[Step]:
    limit = str(LOCK_TIMEOUT_SECONDS * 1000)
    if any(node.settings and node.settings["lock_timeout"] != limit for node in facts.nodes if not node.is_coordinator):
        yield Step(
            "nodes",
            f"statements wait for a lock for {LOCK_TIMEOUT_SECONDS} seconds at most, as on the coordinator",
            cluster.limit_waits(LOCK_TIMEOUT_SECONDS),
        )


def _plan_tables(tables: list[Table]) -> Iterator[Step]:
    for table in (table for table in tables if table.is_local):
        what = "distribute it by seller" if table.is_by_seller else "copy it to every node"
        what += f" ({table.rows:,} rows, {say_size(table.size)})"
        seconds = 1 + table.size // (_DISTRIBUTED if table.is_by_seller else _COPIED)
        yield Step(table.name, what, cluster.distribute(table), seconds)
    # After all of them: nothing that is still local refers to a table whose local rows are deleted.
    for table in tables:
        if table.size:
            yield Step(table.name, "delete what it has left on the coordinator", cluster.forget_local(table.name))


def _refuse_nodes(facts: Facts) -> Iterator[str]:
    if not any(node.is_coordinator for node in facts.nodes):
        yield "The coordinator has no address: run “select citus_set_coordinator_host('its host', 5432)” on it."
    if not any(node.holds_shards for node in facts.nodes):
        yield "There is no node: run “select citus_add_node('its host', 5432)” on the coordinator for each."
    for node in facts.nodes:
        if node.settings is None:
            yield f"Node {node.id} ({node.address}) does not answer."
            continue
        if node.holds_shards and node.settings["wal_level"] != "logical":
            yield _set(node, "wal_level", "logical", "no shard can be moved from it while sellers work", "Restart it.")
        if node.is_coordinator:
            yield from _refuse_coordinator(node, node.settings, facts.lease_seconds)


def _refuse_coordinator(node: Node, settings: Mapping[str, str], lease_seconds: float) -> Iterator[str]:
    again = "Then run “select pg_reload_conf()”."
    if not 0 < int(settings["citus.recover_2pc_interval"]) <= _RECOVERY_MS:
        why = "rows that are counted may not be seen for a minute after a node has failed"
        yield _set(node, "citus.recover_2pc_interval", "5s", why, again)
    if int(settings["citus.node_connection_timeout"]) > lease_seconds * 500:
        why = "workers would wait for a node that is cut off for longer than half their lease"
        yield _set(node, "citus.node_connection_timeout", f"{int(lease_seconds * 500)}ms", why, again)


def _set(node: Node, name: str, value: str, why: str, then: str) -> str:
    remedy = f"Run “alter system set {name} = '{value}'” there. {then}"
    return f"{name} of node {node.id} ({node.address}) is not as it must be: {why}. {remedy}"


def _refuse_tables(facts: Facts, has_steps: bool) -> Iterator[str]:
    if not facts.tables:
        yield "The database has no tables yet: run “flask --app wsgi db upgrade” first."
    first = next((table for table in facts.tables if table.name == cluster.FIRST), None)
    for table in facts.tables:
        if table.is_local:
            continue
        is_apart = table.is_by_seller and first is not None and table.colocation != first.colocation
        if table.by != ("seller_id" if table.is_by_seller else "*") or is_apart:
            yield (
                f"{table.name} is distributed in another way than Sluice needs. Bring it back with "
                f"“select undistribute_table('{table.name}')”, and run this again."
            )
    if facts.workers and has_steps:
        yield (
            f"{counted(facts.workers, 'worker')} at work. Stop worker.py on every host first: no chunk can be written "
            "to a table while it is distributed. Batches go on where they stopped."
        )


class LargeShard(NamedTuple):
    """A shard of the listings, with its largest sellers: their addresses and numbers of listings."""

    shard: Shard
    sellers: list[tuple[str, int]]


def list_large_shards(nodes: list[Node]) -> list[LargeShard]:
    """The largest shards of the listings on those of ``nodes`` that answer."""
    answering = {node.address for node in nodes if node.settings is not None}
    shards = [shard for shard in cluster.list_shards() if shard.node in answering][:_SHARDS_SHOWN]
    sellers = cluster.find_sellers([shard.id for shard in shards], per_shard=_SELLERS_SHOWN)
    found = []
    for shard in shards:
        counted_listings = [
            (email, cluster.count_listings(seller_id)) for seller_id, email in sellers.get(shard.id, [])
        ]
        found.append(LargeShard(shard, sorted(counted_listings, key=lambda one: -one[1])))
    db.session.rollback()
    return found


def say_size(size: int) -> str:
    """A number of bytes, in words."""
    return f"{size / 1e6:,.1f} MB" if size < 1e9 else f"{size / 1e9:,.1f} GB"
