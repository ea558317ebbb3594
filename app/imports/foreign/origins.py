"""The companions of a converted file: which row became its line n, and what the other rows came to.

Values in a converted file have no line breaks, so its line n is its row n - 1. All companions have entries of one size,
in the order of the file, so that a line's entry is found by one ranged read, and a row of the foreign file by halving:

- ``origins``: for each converted row, the row of the foreign file that it comes from.
- ``apart``: for each row of the foreign file that is no row of its own, what became of it.
- ``added``: which rows were added to which converted row, sorted by that.
- ``report``: a line of CSV for each row of the foreign file, with its outcome and the reason.
"""

import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import islice
from typing import IO, NamedTuple, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from app.imports.foreign.convert import Converted, as_lines, quoted
from app.imports.foreign.reasons import Outcome
from app.imports.foreign.spill import Spill

#: Reads that lie at most this many bytes apart are done together, up to _READ_BYTES.
_GAP_BYTES = 16 << 10
_READ_BYTES = 1 << 20
#: The rows added to so many converted lines are sorted together.
_ADDED_LINES = 1 << 16
#: Entries that a search reads at once, when it is near.
_NEAR = 256

#: The first line of reports.
REPORT_HEADER = b"LINE,OUTCOME,OUT_LINE,REASON\n"

_PLACE = [("line", "<i4"), ("start", "<i8"), ("length", "<i4")]
_ORIGIN = np.dtype(_PLACE)
_APART = np.dtype([*_PLACE, ("outcome", "i1"), ("out_line", "<i4")])
_ADDED = np.dtype([("out_line", "<i4"), *_PLACE])
#: ``added`` begins with the number of its entries.
_COUNT = np.dtype("<i8")


class FileKeys(NamedTuple):
    """The storage keys of what one attempt at a conversion writes."""

    converted: str
    origins: str
    apart: str
    added: str
    report: str
    #: The transcript, if the foreign file needs one.
    text: str


def keys_of(seller_id: int, public_id: uuid.UUID, attempt: int) -> FileKeys:
    """The keys of one attempt at the conversion with this public id."""
    endings = ("csv", "origins", "apart", "added", "report", "text")
    return FileKeys(*(f"{seller_id}/{public_id}-{attempt}.{ending}" for ending in endings))


class Place(NamedTuple):
    """Where a row of the foreign file stands: its first physical line, and its bytes in the text of the file."""

    line: int
    start: int
    length: int


class Apart(NamedTuple):
    """A row of the foreign file that is no row of its own."""

    place: Place
    outcome: Outcome
    #: The first converted line that it was added to, or 0.
    out_line: int


class Sink(Protocol):
    """What companions are written to."""

    def write(self, data: bytes, /) -> object:
        """Append ``data``."""


class Sinks(NamedTuple):
    """Where each companion is written to."""

    origins: Sink
    apart: Sink
    added: Sink
    report: Sink


class CompanionWriter:
    """Writes the companions of a converted file while it is converted, and counts.

    ``spilled`` is a temporary file for the rows that were added to others, until all are known.
    """

    def __init__(self, sinks: Sinks, spilled: IO[bytes]) -> None:
        self._sinks = sinks
        self._added = Spill(spilled, _ADDED)
        #: Rows of the foreign file by outcome.
        self.counts: Counter[Outcome] = Counter()
        #: Rows that were left out or are open, by the slug of the reason.
        self.reasons: Counter[str] = Counter()
        #: Rows of the converted file.
        self.lines = 0
        #: The byte of the text at which the first row begins.
        self.head_size = 0
        #: The bytes of the report.
        self.report_size = 0
        self._report(REPORT_HEADER)

    @property
    def rows(self) -> int:
        """Rows of the foreign file so far."""
        return self.counts.total()

    def add(self, block: Converted) -> None:
        """Write what became of some rows. Blocks come in the order of the file."""
        if not len(block.lines):
            return
        if not self.rows:
            self.head_size = int(block.starts[0])
        self._sinks.origins.write(_places(block, block.from_rows, _ORIGIN).tobytes())
        self.lines += len(block.from_rows)
        self._write_apart(block)
        added = _places(block, block.added_rows, _ADDED)
        added["out_line"] = block.added_lines
        self._added.add(added, block.added_lines // _ADDED_LINES)
        counts = np.bincount(block.outcomes, minlength=len(Outcome)).tolist()
        self.counts.update(dict(zip(Outcome, counts, strict=True)))
        self._count_reasons(block)
        self._report(_report(block))

    def _report(self, data: bytes) -> None:
        self.report_size += len(data)
        self._sinks.report.write(data)

    def finish(self) -> None:
        """Write what is only known at the end."""
        self._sinks.added.write(np.array([len(self._added)], _COUNT).tobytes())
        for added in self._added.parts():
            # They are in the order of the file.
            self._sinks.added.write(added[np.argsort(added["out_line"], kind="stable")].tobytes())

    def _write_apart(self, block: Converted) -> None:
        others = np.flatnonzero(block.outcomes != Outcome.ROW)
        apart = _places(block, others, _APART)
        apart["outcome"] = block.outcomes[others]
        # Backwards, so that the first line stays.
        out_lines = np.zeros(len(block.lines), np.int32)
        out_lines[block.added_rows[::-1]] = block.added_lines[::-1]
        apart["out_line"] = out_lines[others]
        self._sinks.apart.write(apart.tobytes())

    def _count_reasons(self, block: Converted) -> None:
        is_apart = (block.outcomes == Outcome.LEFT_OUT) | (block.outcomes == Outcome.OPEN)
        for at, count in enumerate(np.bincount(block.reason_at[is_apart] + 1, minlength=1)[1:]):
            if count:
                self.reasons[block.reasons[at].slug] += int(count)


def _places(block: Converted, at: NDArray[np.integer], kind: np.dtype[np.void]) -> NDArray[np.void]:
    entries = np.zeros(len(at), kind)
    entries["line"], entries["start"], entries["length"] = block.lines[at], block.starts[at], block.lengths[at]
    return entries


def _report(block: Converted) -> bytes:
    """The lines of the report for some rows."""
    outcomes = pa.array([outcome.word for outcome in Outcome]).take(pa.array(block.outcomes))
    # Quoted once for all rows that have it.
    sentences = quoted(pa.array(["", *(reason.sentence for reason in block.reasons)]))
    lines = pa.array(block.lines).cast(pa.string())
    return as_lines(lines, outcomes, _out_lines(block), sentences.take(pa.array(block.reason_at + 1)))


def _out_lines(block: Converted) -> pa.Array:
    """The converted lines that each row became or was added to, as reports write them."""
    out = np.concatenate([np.arange(len(block.from_rows), dtype=np.int32) + block.first_line, block.added_lines])
    rows = np.concatenate([block.from_rows, block.added_rows])
    counts = np.bincount(rows, minlength=len(block.lines))
    if counts.max(initial=0) <= 1:
        at = np.full(len(counts), -1)
        at[rows] = np.arange(len(rows))
        return pc.fill_null(pa.array(out).cast(pa.string()).take(pa.array(at, mask=at < 0)), "")
    order = np.lexsort((out, rows))
    ends = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
    return pc.binary_join(pa.ListArray.from_arrays(pa.array(ends), pa.array(out[order]).cast(pa.string())), "|")


#: Reads the bytes ``start`` to ``end`` of the file with this key. Raises OSError.
Read = Callable[[str, int, int], bytes]


class _Entries:
    """The ``count`` entries of a companion, from its byte ``offset`` on; they are sorted by their first field."""

    def __init__(self, read: Read, key: str, kind: np.dtype[np.void], count: int, offset: int = 0) -> None:
        self.count = count
        self._read, self._key, self._kind, self._offset = read, key, kind, offset
        self._most = _READ_BYTES // kind.itemsize

    def slice(self, start: int, end: int) -> NDArray[np.void]:
        """Those from ``start`` up to ``end``, as far as there are any."""
        end = min(end, self.count)
        if start >= end:
            return np.empty(0, self._kind)
        first, last = (self._offset + at * self._kind.itemsize for at in (start, end))
        return np.frombuffer(self._read(self._key, first, last), self._kind)

    def parts(self, start: int, end: int, most: int | None = None) -> Iterator[NDArray[np.void]]:
        """The same, at most so many at a time."""
        step = most or self._most
        for at in range(start, end, step):
            yield self.slice(at, min(at + step, end))

    def at(self, numbers: NDArray[np.integer]) -> NDArray[np.void]:
        """Those with these numbers, which are sorted; near ones are read together."""
        found = [np.empty(0, self._kind)]
        for group in np.split(numbers, np.flatnonzero(np.diff(numbers) * self._kind.itemsize > _GAP_BYTES) + 1):
            while len(group):
                part, group = group[group < group[0] + self._most], group[group >= group[0] + self._most]
                found.append(self.slice(int(part[0]), int(part[-1]) + 1)[part - part[0]])
        return np.concatenate(found)

    def halve(self, value: int) -> int:
        """The number of the first whose first field is not less than ``value``."""
        name = (self._kind.names or ("",))[0]
        low, high = 0, self.count
        while high - low > _NEAR:
            middle = (low + high) // 2
            if self.slice(middle, middle + 1)[name][0] < value:
                low = middle + 1
            else:
                high = middle
        return low + int(np.searchsorted(self.slice(low, high)[name], value))


class Origins:
    """Reads the companions of a converted file with ``lines`` rows, ``apart`` of whose foreign file's are apart."""

    def __init__(self, read: Read, keys: FileKeys, *, lines: int, apart: int) -> None:
        self._read, self._keys = read, keys
        self._origins = _Entries(read, keys.origins, _ORIGIN, lines)
        self._apart = _Entries(read, keys.apart, _APART, apart)

    def find(self, out_lines: Iterable[int]) -> dict[int, Place]:
        """The row that each of these converted lines comes from; lines that the file does not have are left out."""
        wanted = np.unique(np.array([line for line in out_lines if 2 <= line < self._origins.count + 2], np.int64))
        entries = self._origins.at(wanted - 2)
        return {line: Place(*entry) for line, entry in zip(wanted.tolist(), entries.tolist(), strict=True)}

    def iter_places(self, first: int, last: int) -> Iterator[Place]:
        """The rows that the converted lines from ``first`` to ``last`` come from."""
        for entries in self._origins.parts(first - 2, last - 1):
            yield from map(Place._make, entries.tolist())

    def find_out_lines(self, first: int, last: int) -> tuple[int, int] | None:
        """The first and the last converted line that come from the foreign file's lines ``first`` to ``last``.

        None if there are none. A row's lines are those from its first one to the next row's.
        """
        begin, end = self._origins.halve(first), self._origins.halve(last + 1)
        return (begin + 2, end + 1) if begin < end else None

    def find_apart(self, line: int) -> Apart | None:
        """The row that begins on this line of the foreign file, if it is apart."""
        at = self._apart.halve(line)
        found = self._apart.slice(at, at + 1)
        return _apart(found[0]) if len(found) and found[0]["line"] == line else None

    def iter_apart(self) -> Iterator[Apart]:
        """All rows of the foreign file that are apart, in its order."""
        for part in self._apart.parts(0, self._apart.count):
            yield from map(_apart, part)

    def find_left(self) -> NDArray[np.int64]:
        """The lines of the rows of the foreign file that are left out or open."""
        parts = self._apart.parts(0, self._apart.count)
        left = [part["line"][part["outcome"] != Outcome.ADDED] for part in parts]
        return np.concatenate([np.empty(0, np.int64), *left])

    def find_added(self, out_lines: Collection[int]) -> dict[int, list[Place]]:
        """The rows that were added to each of these converted lines; those without any are left out."""
        (count,) = np.frombuffer(self._read(self._keys.added, 0, _COUNT.itemsize), _COUNT).tolist()
        entries = _Entries(self._read, self._keys.added, _ADDED, count, offset=_COUNT.itemsize)
        added: dict[int, list[Place]] = {}
        for out_line in sorted(set(out_lines)) if count else ():
            for near in entries.parts(entries.halve(out_line), count, _NEAR):
                same = [Place(*place) for to, *place in near.tolist() if to == out_line]
                if same:
                    added.setdefault(out_line, []).extend(same)
                if len(same) < len(near):
                    break
        return added

    def write_part(self, out_lines: Iterable[int], origins: Sink, added: Sink) -> int:
        """Write the companions of a file with only these converted lines, in this order. Returns their number."""
        count = 0
        all_added = []
        waiting = iter(out_lines)
        while some := [*islice(waiting, _READ_BYTES // _ORIGIN.itemsize)]:
            places, others = self.find(some), self.find_added(some)
            origins.write(np.array([places[line] for line in some], _ORIGIN).tobytes())
            all_added += [(count + 2 + at, *place) for at, line in enumerate(some) for place in others.get(line, ())]
            count += len(some)
        added.write(np.array([len(all_added)], _COUNT).tobytes() + np.array(all_added, _ADDED).tobytes())
        return count


def _apart(entry: np.void) -> Apart:
    line, start, length, outcome, out_line = entry.tolist()
    return Apart(Place(line, start, length), Outcome(outcome), out_line)


def iter_texts(read: Read, key: str, places: Collection[Place]) -> Iterator[bytes]:
    """The bytes of each row in the text of the foreign file, in the order given; near ones are read together."""
    waiting: list[Place] = []
    for place in places:
        if waiting and not _fits(waiting, place):
            yield from _read_texts(read, key, waiting)
            waiting = []
        waiting.append(place)
    if waiting:
        yield from _read_texts(read, key, waiting)


def _fits(waiting: list[Place], place: Place) -> bool:
    """Whether a row can be read together with those that wait."""
    first, last = waiting[0], waiting[-1]
    end = last.start + last.length
    return first.start <= place.start <= end + _GAP_BYTES and place.start + place.length - first.start <= _READ_BYTES


def _read_texts(read: Read, key: str, places: list[Place]) -> Iterator[bytes]:
    start = places[0].start
    end = max(place.start + place.length for place in places)
    data = read(key, start, end) if end > start else b""
    yield from (data[place.start - start : place.start - start + place.length] for place in places)
