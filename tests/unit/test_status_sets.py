"""The statuses in SQL are those of the enums, and no statement spells one out itself."""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum
from itertools import chain
from pathlib import Path

import pytest

from app import models, queries
from app.queries import status_sets
from app.statuses import (
    BatchStatus,
    Channel,
    ConversionStatus,
    DeliveryStatus,
    EmailOnEnd,
    ImportKind,
    ImportStatus,
    RetriedRows,
    SwitchedOff,
    TokenScope,
    sql_list,
)

ENUMS: list[type[StrEnum]] = [
    BatchStatus,
    Channel,
    ConversionStatus,
    DeliveryStatus,
    EmailOnEnd,
    ImportKind,
    ImportStatus,
    RetriedRows,
    SwitchedOff,
    TokenScope,
]
_LITERAL = re.compile("'({})'".format("|".join(sorted(set(chain(*ENUMS))))))
_MODULES = [*Path(queries.__file__).parent.rglob("*.py"), Path(models.__file__)]


def names(sql: str) -> set[str]:
    """The statuses that a literal or a list names."""
    return set(re.findall(r"'([^']*)'", sql))


@pytest.mark.parametrize(
    ("sql", "statuses"),
    [
        (status_sets.LIVE_IMPORTS, {"RUNNING", "PAUSED"}),
        (status_sets.CAN_REOPEN, {"RUNNING", "FAILED", "IMPORT", "REMAINING", "WRITTEN"}),
        (status_sets.UNFINISHED_BATCHES, {"QUEUED", "RUNNING", "PAUSED"}),
        (status_sets.ACTIVE_BATCHES, {"QUEUED", "RUNNING"}),
        (status_sets.GIVEN_UP, {"FAILED"}),
        (status_sets.ACTIVE_CONVERSIONS, {"QUEUED", "RUNNING"}),
        (status_sets.FINISHED_DELIVERIES, {"DELIVERED", "GIVEN_UP"}),
    ],
)
def test_a_set_in_sql_is_the_one_that_is_meant(sql: str, statuses: set[str]) -> None:
    assert names(sql) == statuses


def test_every_status_in_sql_is_one_of_an_enum() -> None:
    fragments: Iterable[str] = (value for name, value in vars(status_sets).items() if name.isupper() and "'" in value)
    assert names(" ".join(fragments)) <= set(chain(*ENUMS))


def test_a_list_has_the_order_of_its_enum_so_that_the_planner_knows_the_condition_of_an_index() -> None:
    assert sql_list(frozenset({BatchStatus.RUNNING, BatchStatus.QUEUED})) == "('QUEUED', 'RUNNING')"


def test_no_statement_spells_a_status_out() -> None:
    found = [(path.stem, line) for path in _MODULES for line in path.read_text().splitlines() if _LITERAL.search(line)]
    assert not found, "take the fragment from app.queries.status_sets instead"
