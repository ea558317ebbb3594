"""The tables of states."""

from __future__ import annotations

import pytest

from app.statuses import (
    BATCH_TRANSITIONS,
    FINAL_BATCH_STATUSES,
    FINAL_IMPORT_STATUSES,
    IMPORT_TRANSITIONS,
    BatchStatus,
    ImportStatus,
    can_pause,
    can_resume,
    can_terminate,
)


def test_every_status_is_in_its_table() -> None:
    assert set(IMPORT_TRANSITIONS) == set(ImportStatus)
    assert set(BATCH_TRANSITIONS) == set(BatchStatus)


def test_what_is_over_is_over() -> None:
    assert {ImportStatus.COMPLETED, ImportStatus.FAILED, ImportStatus.TERMINATED} == FINAL_IMPORT_STATUSES
    assert {BatchStatus.COMPLETED, BatchStatus.FAILED, BatchStatus.TERMINATED} == FINAL_BATCH_STATUSES


@pytest.mark.parametrize("status", ImportStatus)
def test_buttons_are_offered_exactly_where_they_work(status: ImportStatus) -> None:
    assert can_pause(status, pausing=False) == (status == "RUNNING")
    assert not can_pause(status, pausing=True)
    assert can_resume(status) == (status == "PAUSED")
    assert can_terminate(status) == (status in {"RUNNING", "PAUSED"})
