"""The tables of states."""

from __future__ import annotations

from collections import Counter
from enum import StrEnum
from itertools import chain

import pytest

from app.statuses import (
    ACTIVE_BATCH_STATUSES,
    BATCH_TRANSITIONS,
    CONVERSION_TRANSITIONS,
    FINAL_IMPORT_STATUSES,
    FINISHED_DELIVERY_STATUSES,
    IMPORT_TRANSITIONS,
    LIVE_DELIVERY_STATUSES,
    LIVE_IMPORT_STATUSES,
    UNFINISHED_BATCH_STATUSES,
    BatchStatus,
    ConversionStatus,
    DeliveryStatus,
    ImportKind,
    ImportStatus,
    can_pause,
    can_reopen,
    can_resume,
    can_retry,
    can_terminate,
)


def test_every_status_is_in_its_table() -> None:
    assert set(IMPORT_TRANSITIONS) == set(ImportStatus)
    assert set(BATCH_TRANSITIONS) == set(BatchStatus)
    assert set(CONVERSION_TRANSITIONS) == set(ConversionStatus)


def test_what_is_over_is_over() -> None:
    assert {status for status, after in IMPORT_TRANSITIONS.items() if not after} == FINAL_IMPORT_STATUSES
    assert {status for status, after in BATCH_TRANSITIONS.items() if after} == UNFINISHED_BATCH_STATUSES


@pytest.mark.parametrize(
    ("statuses", "halves"),
    [
        (ImportStatus, (LIVE_IMPORT_STATUSES, FINAL_IMPORT_STATUSES)),
        (DeliveryStatus, (LIVE_DELIVERY_STATUSES, FINISHED_DELIVERY_STATUSES)),
    ],
)
def test_every_status_is_in_one_half_of_its_sets(
    statuses: type[StrEnum], halves: tuple[frozenset[StrEnum], frozenset[StrEnum]]
) -> None:
    assert Counter(chain(*halves)) == Counter(statuses)


def test_only_batches_that_can_move_are_active() -> None:
    assert UNFINISHED_BATCH_STATUSES - {BatchStatus.PAUSED} == ACTIVE_BATCH_STATUSES


@pytest.mark.parametrize("kind", ImportKind)
@pytest.mark.parametrize("status", ImportStatus)
def test_given_up_batches_are_tried_again_of_imports_that_run_or_failed(status: ImportStatus, kind: ImportKind) -> None:
    assert can_reopen(status, kind=kind) == (status in {"RUNNING", "FAILED"} and kind == "IMPORT")


@pytest.mark.parametrize("status", ImportStatus)
def test_rows_are_taken_up_of_imports_that_are_over(status: ImportStatus) -> None:
    assert can_retry(status, rows=1) == (status in {"COMPLETED", "FAILED", "TERMINATED"})
    assert not can_retry(status, rows=0)


@pytest.mark.parametrize("status", ImportStatus)
def test_buttons_are_offered_exactly_where_they_work(status: ImportStatus) -> None:
    assert can_pause(status, pausing=False) == (status == "RUNNING")
    assert not can_pause(status, pausing=True)
    assert can_resume(status) == (status == "PAUSED")
    assert can_terminate(status) == (status in {"RUNNING", "PAUSED"})
