"""The speed of an import, the time left, what the workers do, and its whole timeline for a chart."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import zip_longest
from typing import NamedTuple

from app.humanize import counted, say_duration
from app.imports.reports.progress import ImportProgress
from app.jobs import queue
from app.queries.imports import throughput as recorded
from app.queries.imports.throughput import MOST_COUNTED, Recorded
from app.statuses import BatchStatus, ImportStatus

#: The speed is measured over the last few seconds, so that it follows what happens, and the estimate over a longer
#: time, so that it does not jump.
_SPEED_SECONDS = 5.0
_ESTIMATE_SECONDS = 30.0
#: A shorter time gives no speed.
_LEAST_SECONDS = 5.0
#: After this long without a row there is no estimate.
_STILL_SECONDS = 10.0
#: A worker writes a chunk some five times a second.
_SILENT_SECONDS = 5.0

#: A timeline with fewer columns shows nothing; one with more gets wider columns.
_LEAST_COLUMNS = 3
_MOST_COLUMNS = 60
#: The widths a column may have, in seconds: round numbers.
_WIDTHS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 4 * 3600, 12 * 3600, 86400)


class Sample(NamedTuple):
    """A chunk that was written."""

    #: In seconds since the import was created.
    at: float
    rows: int


class Pause(NamedTuple):
    """A pause of an import, in seconds since it was created."""

    begin: float
    end: float


@dataclass(frozen=True, slots=True)
class Timeline:
    """The chunks and pauses of an import until now, or until it was over. Times are in seconds since it was created."""

    #: Now, or when it was over.
    end: float
    #: When a worker first claimed a batch; None before that.
    started: float | None
    samples: Sequence[Sample]
    pauses: Sequence[Pause]

    @property
    def last_written_at(self) -> float | None:
        """When rows were last written."""
        return max((sample.at for sample in self.samples), default=None)

    @property
    def going_since(self) -> float | None:
        """Since when it has been running without a pause; None before it started."""
        if self.started is None:
            return None
        return max([self.started, *(pause.end for pause in self.pauses)])

    def speed(self, seconds: float) -> float | None:
        """Rows per second over the last ``seconds`` at most; None when it has not been running for long enough."""
        if self.going_since is None:
            return None
        window = min(seconds, self.end - self.going_since)
        if window < _LEAST_SECONDS:
            return None
        return sum(sample.rows for sample in self.samples if sample.at > self.end - window) / window

    @property
    def average(self) -> float | None:
        """Rows per second from its first row to its last, without the pauses; None when that time is too short."""
        last = self.last_written_at
        if self.started is None or last is None:
            return None
        seconds = self.without_pauses(last) - self.without_pauses(self.started)
        return sum(sample.rows for sample in self.samples) / seconds if seconds >= _LEAST_SECONDS else None

    def without_pauses(self, at: float) -> float:
        """How long it had been running, without pauses, at this time."""
        # The chart asks for every chunk, and few imports are ever paused.
        paused = sum(max(0.0, min(pause.end, at) - pause.begin) for pause in self.pauses) if self.pauses else 0.0
        return at - paused


class Column(NamedTuple):
    """An interval of the chart, which leaves the pauses out: they may be most of the time."""

    #: In seconds since the import was created, without pauses.
    begin: float
    end: float
    #: Rows per second.
    speed: float


class Work(NamedTuple):
    """What the workers are doing for an import."""

    #: Numbers of batches.
    running: int
    waiting: int
    #: The running batches whose worker has not responded for some seconds, and the longest of these times.
    silent: int
    silent_seconds: float
    #: Batches of others before the first waiting one; only queried while nothing runs. None: it waits after an error.
    before: int | None = None
    #: Whether any worker is known; only queried while nothing runs.
    has_workers: bool = True


@dataclass(frozen=True, slots=True)
class Pace:
    """Speed, time left and chart of an import, for pages."""

    #: In seconds since it was created, until now or until it was over.
    elapsed: float
    paused_seconds: float
    is_paused: bool
    #: Rows per second at this moment, and seconds until all are through; None where unknown.
    speed: int | None
    seconds_left: float | None
    #: Average rows per second.
    average: int | None
    #: Seconds since rows were last written; None before the first.
    quiet_seconds: float | None
    work: Work
    #: The chart; empty when there is too little to see.
    columns: list[Column]
    #: The positions of the pauses in the columns.
    pauses: list[float]

    @property
    def active_seconds(self) -> float:
        """How long it has not been paused."""
        return self.elapsed - self.paused_seconds

    @property
    def has_begun(self) -> bool:
        """Whether a worker has claimed a batch of it."""
        return self.quiet_seconds is not None or self.work.running > 0

    @property
    def peak(self) -> int:
        """The highest of the columns in rows per second."""
        return round(max((column.speed for column in self.columns), default=0))


def get(one: ImportProgress, record: Recorded) -> Pace:
    """Speed, time left and chart of the import ``one``, whose history is ``record``."""
    timeline = read_timeline(record, one.created_at, one.finished_at)
    work = _see_work(record)
    if one.status is ImportStatus.RUNNING and not one.is_pausing and work.waiting and not work.running:
        # Where it is not known, mostly there are some.
        has_workers = queue.count_workers_if_known() != 0
        work = work._replace(before=recorded.count_before(one.key), has_workers=has_workers)
    return describe(one, timeline, work)


def describe(one: ImportProgress, timeline: Timeline, work: Work) -> Pace:
    """``timeline`` and ``work`` of the import ``one`` as numbers for pages."""
    is_going = one.is_moving and not one.is_pausing
    speed = timeline.speed(_SPEED_SECONDS) if is_going else None
    last, average = timeline.last_written_at, timeline.average
    quiet = None if last is None else max(0.0, timeline.end - last)
    # There is no estimate for an import that stands still.
    moves = is_going and quiet is not None and quiet < _STILL_SECONDS
    recent = timeline.speed(_ESTIMATE_SECONDS) if moves else None
    return Pace(
        elapsed=timeline.end,
        paused_seconds=timeline.end - timeline.without_pauses(timeline.end),
        is_paused=one.status is ImportStatus.PAUSED,
        speed=None if speed is None else round(speed),
        seconds_left=one.not_processed / recent if recent else None,
        average=None if average is None else round(average),
        quiet_seconds=quiet,
        work=work,
        columns=draw_columns(timeline, is_over=one.finished_at is not None),
        pauses=[timeline.without_pauses(pause.begin) for pause in timeline.pauses],
    )


def read_timeline(record: Recorded, created_at: datetime, finished_at: datetime | None) -> Timeline:
    """The timeline in ``record``."""

    def since(moment: datetime) -> float:
        return max(0.0, (moment - created_at).total_seconds())

    end = since(finished_at or record.now)
    samples = []
    for batch in record.batches:
        if batch.started_at is None:
            continue
        begin = since(batch.started_at)
        numbers = iter(batch.pace)
        samples += [Sample(begin + tenths / 10, rows) for tenths, rows in zip(numbers, numbers, strict=True)]
    moments = [since(moment) for moment in record.pauses]
    return Timeline(
        end=end,
        started=min((since(batch.started_at) for batch in record.batches if batch.started_at), default=None),
        samples=samples,
        # A pause that has not ended lasts until now, or until the import was terminated.
        pauses=[
            Pause(begin, min(stop, end)) for begin, stop in zip_longest(moments[::2], moments[1::2], fillvalue=end)
        ],
    )


def draw_columns(timeline: Timeline, *, is_over: bool) -> list[Column]:
    """The columns of the chart, from left to right; empty when there is too little to show."""
    if not timeline.samples:
        return []
    length = timeline.without_pauses(timeline.end)
    width = next((width for width in _WIDTHS if length / width <= _MOST_COLUMNS), _WIDTHS[-1])
    rows: dict[int, int] = {}
    for sample in timeline.samples:
        column = int(timeline.without_pauses(min(sample.at, timeline.end)) / width)
        rows[column] = rows.get(column, 0) + sample.rows
    columns = []
    for number in range(int(length / width) + 1):
        begin, end = float(number * width), min(float((number + 1) * width), length)
        # The last column has only begun. While it is short, a single chunk would make it a peak, and none a trough.
        if end - begin >= width / (2 if is_over else 1) or (is_over and rows.get(number)):
            columns.append(Column(begin, end, rows.get(number, 0) / max(end - begin, width / 2)))
    return columns if len(columns) >= _LEAST_COLUMNS else []


def say_work(one: ImportProgress, work: Work) -> str:
    """What the workers are doing for the import ``one``, in a sentence or two; empty when it is over."""
    if one.status is ImportStatus.PAUSED:
        return "Nothing happens until you resume."
    return " ".join(_say_running(one, work)) if one.is_moving else ""


def _say_running(one: ImportProgress, work: Work) -> Iterable[str]:
    if one.is_pausing:
        yield f"Finishing {counted(work.running, 'batch', 'batches')}." if work.running else "All batches have stopped."
    elif work.running:
        waiting = f", {work.waiting:,} waiting" if work.waiting else ""
        yield f"{counted(work.running, 'batch', 'batches')} running{waiting}."
    elif not work.waiting:
        yield "All rows done. Finishing up."
    elif not work.has_workers:
        yield f"No workers are available right now. Your {one.noun} will start when one is."
    elif work.before is None:
        yield "Something went wrong. Trying again in a few seconds."
    elif work.before:
        count = f"more than {MOST_COUNTED:,}" if work.before >= MOST_COUNTED else f"{work.before:,}"
        verb = "batch of another import comes" if work.before == 1 else "batches of other imports come"
        yield f"Waiting for a worker: {count} {verb} first."
    else:
        yield "Next in the queue – starts as soon as a worker is free."
    if work.silent:
        who = "One worker has" if work.silent == 1 else f"{work.silent:,} workers have"
        silence = say_duration(work.silent_seconds)
        yield f"{who} not responded for {silence}. If that continues, the rows go to another worker."


def _see_work(record: Recorded) -> Work:
    running = [batch for batch in record.batches if batch.status == BatchStatus.RUNNING]
    silences = [(record.now - batch.heartbeat_at).total_seconds() for batch in running if batch.heartbeat_at]
    silences = [seconds for seconds in silences if seconds > _SILENT_SECONDS]
    waiting = sum(batch.status == BatchStatus.QUEUED for batch in record.batches)
    return Work(len(running), waiting, len(silences), max(silences, default=0.0))
