"""What distributing a database over a cluster would do, and why it is refused, from made facts."""

from __future__ import annotations

import pytest

from app.models import BY_SELLER, ON_ALL_NODES
from app.operators.cluster import Facts, plan
from app.queries.cluster import Extension, Node, Table

_SETTINGS = {
    "citus.node_connection_timeout": "5000",
    "citus.recover_2pc_interval": "5000",
    "lock_timeout": "30000",
    "wal_level": "logical",
}
_NODES = [Node(1, "one:5432", True, False, _SETTINGS), Node(2, "two:5432", False, True, _SETTINGS)]
_COPIED = [model.__tablename__ for model in ON_ALL_NODES]
_BY_SELLER = [model.__tablename__ for model in BY_SELLER]
_LOCAL = [Table(name, None, 0, 0, 0) for name in [*_COPIED, *_BY_SELLER]]
_DONE = [
    *(Table(name, "*", 1, 0, 0) for name in _COPIED),
    *(Table(name, "seller_id", 2, 0, 0) for name in _BY_SELLER),
]
_NEW = Facts(Extension(True, "13.2-1"), _NODES, _LOCAL, workers=0, lease_seconds=10)


def _but(at: int, **settings: str) -> list[Node]:
    """The nodes, one of them with other settings."""
    return [node._replace(settings={**_SETTINGS, **settings}) if n == at else node for n, node in enumerate(_NODES)]


def test_every_table_is_distributed_once_and_the_listings_first() -> None:
    todo = plan(_NEW)
    assert todo.refusals == []
    assert [step.statement for step in todo.steps] == [
        *(f"select create_reference_table('{name}')" for name in _COPIED),
        "select create_distributed_table('listings', 'seller_id')",
        *(
            f"select create_distributed_table('{name}', 'seller_id', colocate_with => 'listings')"
            for name in _BY_SELLER[1:]
        ),
    ]


def test_rows_are_deleted_from_the_coordinator_after_all_tables_are_distributed() -> None:
    tables = [table._replace(rows=1_000_000, size=200_000_000) for table in _LOCAL]
    steps = plan(_NEW._replace(tables=tables)).steps
    assert [step.statement.split("(")[0] for step in steps[len(tables) :]] == [
        "select truncate_local_data_after_distributing_table"
    ] * len(tables)
    assert "1,000,000 rows, 200.0 MB" in steps[0].sentence
    assert [steps[0].seconds, steps[len(_COPIED)].seconds] == [81, 11]


def test_what_was_done_is_not_done_again() -> None:
    assert plan(_NEW._replace(tables=_DONE)) == ([], [])
    # Workers are at work, and nothing is left to do.
    assert plan(_NEW._replace(tables=_DONE, workers=3)) == ([], [])
    broken_off = [*_DONE[:-1], _LOCAL[-1]]
    assert [step.subject for step in plan(_NEW._replace(tables=broken_off)).steps] == [_BY_SELLER[-1]]
    with_rest = [_DONE[0]._replace(size=8192), *_DONE[1:]]
    assert [step.subject for step in plan(_NEW._replace(tables=with_rest)).steps] == [_COPIED[0]]


def test_waits_are_limited_on_the_nodes() -> None:
    (step,) = plan(_NEW._replace(tables=_DONE, nodes=_but(1, lock_timeout="0"))).steps
    assert "alter role current_user in database %I set lock_timeout = 30000'" in step.statement
    # Sessions of the coordinator have the limit anyway.
    assert plan(_NEW._replace(tables=_DONE, nodes=_but(0, lock_timeout="0"))).steps == []


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (_NEW._replace(extension=Extension(False, None)), "not installed on this database server"),
        (_NEW._replace(extension=Extension(True, None)), "create extension citus"),
        (_NEW._replace(nodes=_NODES[1:]), "citus_set_coordinator_host"),
        (_NEW._replace(nodes=_NODES[:1]), "citus_add_node"),
        (_NEW._replace(nodes=[_NODES[0], _NODES[1]._replace(settings=None)]), "Node 2 (two:5432) does not answer"),
        (_NEW._replace(nodes=_but(0, **{"citus.recover_2pc_interval": "60000"})), "recover_2pc_interval"),
        (_NEW._replace(nodes=_but(0, **{"citus.recover_2pc_interval": "-1"})), "recover_2pc_interval"),
        (_NEW._replace(nodes=_but(0, **{"citus.node_connection_timeout": "30000"})), "'5000ms'"),
        (_NEW._replace(nodes=_but(1, wal_level="replica")), "wal_level of node 2 (two:5432)"),
        (_NEW._replace(tables=[]), "db upgrade"),
        (_NEW._replace(tables=[*_DONE[:-1], _DONE[-1]._replace(by="line")]), "undistribute_table"),
        (_NEW._replace(tables=[*_DONE[:-1], _DONE[-1]._replace(colocation=7)]), "undistribute_table"),
        (_NEW._replace(tables=[_DONE[0]._replace(by="id"), *_DONE[1:]]), "undistribute_table('items')"),
        (_NEW._replace(workers=1), "1 worker at work"),
    ],
)
def test_what_is_refused(facts: Facts, words: str) -> None:
    (refusal,) = plan(facts).refusals
    assert words in refusal
