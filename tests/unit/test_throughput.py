"""Speed, time left, the columns of the chart and its drawing, from a recorded timeline."""

from __future__ import annotations

import re
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from app.imports.reports.progress import ImportProgress
from app.imports.reports.throughput import (
    Column,
    Pause,
    Sample,
    Timeline,
    Work,
    describe,
    draw_columns,
    read_timeline,
    say_work,
)
from app.queries import ImportKey
from app.queries.imports.throughput import MOST_COUNTED, Recorded, RecordedBatch
from app.statuses import ImportKind, ImportStatus
from app.web import chart

BEGAN = datetime(2026, 3, 1, 12, tzinfo=UTC)
RUNNING = ImportProgress(
    key=ImportKey(1, 1),
    public_id=uuid.UUID(int=1),
    file_name="stock.csv",
    file_size=1,
    header="",
    kind=ImportKind.IMPORT,
    status=ImportStatus.RUNNING,
    is_pausing=False,
    total=10_000,
    created=4_000,
    updated=0,
    unchanged=0,
    failed=0,
    invalid=0,
    retry_of=None,
    idempotency_key=None,
    created_at=BEGAN,
    started_at=BEGAN,
    updated_at=BEGAN,
    finished_at=None,
)
IDLE = Work(0, 0, 0, 0.0)


def timeline(
    end: float, *samples: tuple[float, int], started: float | None = 0.0, pauses: tuple[Pause, ...] = ()
) -> Timeline:
    return Timeline(end, started, [Sample(*sample) for sample in samples], pauses)


def steady(seconds: int, rows: int = 100, *, begin: int = 0) -> list[tuple[float, int]]:
    """This many rows in the middle of each second."""
    return [(second + 0.5, rows) for second in range(begin, seconds)]


def test_the_speed_is_that_of_the_last_seconds() -> None:
    samples = [*steady(50, 100), *steady(60, 400, begin=50)]
    assert timeline(60, *samples).speed(5) == 400
    assert describe(RUNNING, timeline(60, *samples), IDLE).speed == 400


@pytest.mark.parametrize("end", [0.0, 2.0, 4.9])
def test_nothing_is_said_of_the_first_seconds(end: float) -> None:
    shown = describe(RUNNING, timeline(end, (0.1, 5_000)), IDLE)
    assert (shown.speed, shown.seconds_left, shown.average) == (None, None, None)


def test_nothing_is_said_before_a_worker_has_begun() -> None:
    shown = describe(RUNNING, timeline(60, started=None), IDLE)
    assert (shown.speed, shown.seconds_left, shown.average, shown.quiet_seconds) == (None, None, None, None)


def test_the_time_left_follows_a_longer_time_than_the_speed() -> None:
    # 25 of the last 30 seconds at 100 rows, the last 5 at none.
    shown = describe(RUNNING, timeline(60, *steady(55)), IDLE)
    assert shown.speed == 0
    assert shown.seconds_left == pytest.approx(6_000 / (2_500 / 30))


def test_of_what_stands_still_nobody_can_tell_when_it_arrives() -> None:
    shown = describe(RUNNING, timeline(100, *steady(10)), IDLE)
    assert (shown.speed, shown.seconds_left, shown.quiet_seconds) == (0, None, 90.5)


def test_a_pause_slows_nothing_down() -> None:
    # 10 s at work, 100 s paused, 6 s at work.
    told = timeline(116, *steady(10), *steady(116, begin=110), pauses=(Pause(10, 110),))
    shown = describe(RUNNING, told, IDLE)
    assert (shown.speed, shown.seconds_left, shown.paused_seconds) == (100, 60, 100)
    assert shown.average == pytest.approx(100, rel=0.05)


@pytest.mark.parametrize("change", [{"is_pausing": True}, {"status": ImportStatus.PAUSED}])
def test_what_is_stopping_or_stopped_has_no_speed(change: dict[str, object]) -> None:
    shown = describe(replace(RUNNING, **change), timeline(60, *steady(60)), IDLE)
    assert (shown.speed, shown.seconds_left) == (None, None)


def test_the_record_of_batches_is_read_as_seconds_since_the_import_was_created() -> None:
    def at(seconds: float) -> datetime:
        return BEGAN + timedelta(seconds=seconds)

    def recorded(status: str, started_at: datetime | None, pace: list[int]) -> RecordedBatch:
        return RecordedBatch(1, 2, status, 900, 0, 0, BEGAN, None, started_at, at(19), pace)

    record = Recorded(
        at(50),
        [at(20), at(30), at(45)],
        [
            recorded("RUNNING", at(2), [5, 100, 170, 200]),
            recorded("RUNNING", at(3), [10, 300]),
            recorded("QUEUED", None, []),
        ],
    )
    told = read_timeline(record, BEGAN, None)
    assert (told.end, told.started, told.last_written_at) == (50, 2, 19)
    assert told.samples == [Sample(2.5, 100), Sample(19, 200), Sample(4, 300)]
    # The one that has not ended lasts until now, or until the import was terminated.
    assert told.pauses == [Pause(20, 30), Pause(45, 50)]
    assert read_timeline(record, BEGAN, at(47)).pauses == [Pause(20, 30), Pause(45, 47)]


def test_every_row_is_in_one_column() -> None:
    told = timeline(59.4, *steady(59, 123))
    columns = draw_columns(told, is_over=True)
    assert sum(column.speed * (column.end - column.begin) for column in columns) == pytest.approx(59 * 123)
    assert all(before.end == after.begin for before, after in zip(columns, columns[1:], strict=False))


@pytest.mark.parametrize(("seconds", "width"), [(10, 1), (60, 1), (61, 2), (600, 10), (7_000, 120), (10**7, 86_400)])
def test_a_long_life_has_wider_columns_and_not_more(seconds: int, width: int) -> None:
    step = max(1, seconds // 500)
    columns = draw_columns(timeline(seconds, *((at, 10) for at in range(0, seconds, step))), is_over=True)
    assert columns[0] == Column(0, width, columns[0].speed)
    assert 3 <= len(columns) <= 120


def test_the_column_that_has_only_begun_is_not_drawn_yet() -> None:
    told = timeline(10.3, *steady(10), (10.1, 5_000))
    assert [column.speed for column in draw_columns(told, is_over=False)] == [100] * 10
    assert [column.speed for column in draw_columns(told, is_over=True)] == [100] * 10 + [10_000]


@pytest.mark.parametrize("told", [timeline(100), timeline(2, (0.5, 10), (1.5, 10))])
def test_where_there_is_too_little_to_see_there_is_no_chart(told: Timeline) -> None:
    shown = describe(RUNNING, told, IDLE)
    assert shown.columns == []
    assert chart.draw(shown) is None


def test_the_chart_shows_the_speed_and_gives_a_pause_no_time_of_its_own() -> None:
    told = timeline(20, *steady(5, 80), *steady(20, 40, begin=15), pauses=(Pause(5, 15),))
    drawn = chart.draw(describe(RUNNING, told, IDLE))
    assert drawn is not None
    # The 10 seconds that it was not paused are 600 units wide, 80 rows a second 100 high.
    assert drawn.line == "M0 100V0H300V50H600"
    assert drawn.area == f"{drawn.line}V100Z"
    assert (drawn.pauses, drawn.pause_width) == ([297], 6)
    assert drawn.top == 80
    assert drawn.words == "Speed over 10 s: at most 80 rows per second, 63 on average; paused once, for 10 s."


def test_a_chart_is_small_and_made_of_numbers() -> None:
    samples = [(second / 3, 1 + second % 977) for second in range(10_000)]
    drawn = chart.draw(describe(RUNNING, timeline(3_400, *samples), IDLE))
    assert drawn is not None
    assert re.fullmatch(r"M[\d.]+ 100([HV][\d.]+)+", drawn.line)
    assert len(drawn.line) < 1_500
    assert max(float(y) for y in re.findall(r"V([\d.]+)", drawn.line)) <= 100


@pytest.mark.parametrize(
    ("change", "work", "words"),
    [
        ({}, Work(1, 0, 0, 0), "1 batch running."),
        ({}, Work(3, 40, 0, 0), "3 batches running, 40 waiting."),
        ({}, Work(0, 5, 0, 0, before=0), "Next in the queue – starts as soon as a worker is free."),
        ({}, Work(0, 5, 0, 0, before=1), "Waiting for a worker: 1 batch of another import comes first."),
        ({}, Work(0, 5, 0, 0, before=12), "Waiting for a worker: 12 batches of other imports come first."),
        (
            {},
            Work(0, 5, 0, 0, before=MOST_COUNTED),
            "Waiting for a worker: more than 1,000 batches of other imports come first.",
        ),
        ({}, Work(0, 5, 0, 0), "Something went wrong. Trying again in a few seconds."),
        (
            {},
            Work(0, 5, 0, 0, before=0, has_workers=False),
            "No workers are available right now. Your import will start when one is.",
        ),
        ({}, IDLE, "All rows done. Finishing up."),
        (
            {},
            Work(2, 0, 1, 8.2),
            "2 batches running. One worker has not responded for 8 s. If that continues, the rows go to another "
            "worker.",
        ),
        ({"is_pausing": True}, Work(2, 3, 0, 0), "Finishing 2 batches."),
        ({"is_pausing": True}, IDLE, "All batches have stopped."),
        ({"status": ImportStatus.PAUSED}, IDLE, "Nothing happens until you resume."),
        ({"status": ImportStatus.COMPLETED}, IDLE, ""),
    ],
)
def test_what_the_workers_do_is_told_in_words(change: dict[str, object], work: Work, words: str) -> None:
    assert say_work(replace(RUNNING, **change), work) == words
