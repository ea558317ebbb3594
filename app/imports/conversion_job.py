"""The job that converts one foreign file, from its first row to its last."""

import logging
import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import astuple
from itertools import chain, islice
from time import monotonic
from typing import Any, BinaryIO

from psycopg import Error as DriverError
from sqlalchemy.exc import DBAPIError

from app.config import current_settings
from app.csvfile.errors import FileRejected
from app.csvfile.scan import scan
from app.extensions import db
from app.imports import conversions
from app.imports.foreign.convert import HEADER_LINE, Converted, convert
from app.imports.foreign.findings import Findings
from app.imports.foreign.mapping import Mapping, MappingInvalid
from app.imports.foreign.origins import CompanionWriter, FileKeys, Origins, Sinks
from app.imports.foreign.reading import text_of, text_reading
from app.imports.foreign.reasons import Outcome
from app.imports.foreign.shapes import Reading
from app.jobs import queue
from app.jobs.shutdown import is_shutdown_requested
from app.models import Conversion
from app.queries import ConversionKey
from app.queries.imports import conversion_transitions as transitions
from app.storage import current_storage
from app.storage.stored_file import open_stored

log = logging.getLogger(__name__)

#: The share of the work, in thousandths, that is done when a workbook is transcribed, and when all rows are read.
_TRANSCRIBED, _READ, _ALL = 300, 700, 1000
#: Seconds between two heartbeats.
_BEAT_SECONDS = 0.5
#: What is wrong with the file or its mapping, so that another attempt would not help.
_REFUSALS = (FileRejected, MappingInvalid)


class AttemptOver(Exception):
    """The conversion was cancelled, or given to another worker: this attempt writes nothing more."""


class ShuttingDown(Exception):
    """The worker is asked to stop; the conversion begins again on another."""


def run(
    seller_id: int, conversion_id: int, attempt: int, *, tell: Callable[[int], object] = lambda _done: None
) -> None:
    """Convert a file under one attempt; RQ calls this with nothing but ids. ``tell`` is told the thousandths done."""
    key = ConversionKey(seller_id, conversion_id)
    is_claimed = transitions.claim(key, attempt, worker=f"{socket.gethostname()}:{os.getppid()}")
    db.session.commit()
    fields = {"conversion": key, "attempt": attempt}
    if not is_claimed:
        log.info("conversion not claimed", extra=fields)
        return
    began = monotonic()
    pulse = _Pulse(key, attempt, tell)
    try:
        end = _convert(db.session.get_one(Conversion, tuple(key)), pulse)
    except Exception as error:
        if pulse.interruption is None and not isinstance(error, _REFUSALS):
            log.exception("conversion failed", extra=fields)
        end = _end(pulse, error)
    log.info("conversion ended: %s", end, extra={**fields, "seconds": round(monotonic() - began, 3)})
    conversions.start_wanted(key)
    queue.send_waiting_jobs()


class _Pulse:
    """The heartbeat of an attempt, which is also its fence and its progress."""

    def __init__(self, key: ConversionKey, attempt: int, tell: Callable[[int], object]) -> None:
        self.key = key
        self.attempt = attempt
        #: Why it was interrupted, if it was.
        self.interruption: AttemptOver | ShuttingDown | None = None
        #: Rows that were read.
        self.rows = 0
        self._tell = tell
        self._next = 0.0
        self._done = 0
        # Called by threads that read ahead, which have no context of the application.
        self._engine = db.engine

    def beat(self, done: int = 0) -> None:
        """Say that this attempt goes on, and how much is done. Raises AttemptOver and ShuttingDown."""
        self._done = max(self._done, done)
        if monotonic() < self._next:
            return
        if is_shutdown_requested():
            self.interruption = ShuttingDown()
            raise self.interruption
        with self._engine.begin() as connection:
            is_on = transitions.beat(connection, self.key, self.attempt, done=self._done)
        if not is_on:
            self.interruption = AttemptOver()
            raise self.interruption
        self._next = monotonic() + _BEAT_SECONDS
        self._tell(self._done)


def _convert(conversion: Conversion, pulse: _Pulse) -> str:
    """Convert the file and record it. Returns how it ended, for the log."""
    settings = current_settings()
    storage = current_storage()
    keys = conversions.files_of(conversion)
    reading, mapping = Reading.from_json(conversion.reading), Mapping.from_json(conversion.mapping)
    text_key, text_size, begin = conversion.storage_key, conversion.file_size, 0
    only, decides = conversions.find_taken(conversion), conversion.decides
    # The transaction ends here, because a transcript may take long; what was loaded stays readable.
    db.session.expunge(conversion)
    db.session.rollback()
    try:
        if not reading.is_text:
            with open_stored(storage, text_key, text_size, on_read=pulse.beat) as file:
                text_size = _transcribe(file, text_size, reading, keys.text, pulse)
            reading, text_key, begin = text_reading(reading), keys.text, _TRANSCRIBED
            pulse.beat(begin)

        def on_read(rows: int) -> None:
            if rows > settings.max_rows:
                raise FileRejected(f"The file has more than {settings.max_rows:,} rows. Split it into several files.")
            pulse.rows = rows
            pulse.beat(begin + (_READ - begin) * min(file.tell(), text_size) // max(text_size, 1))

        with open_stored(storage, text_key, text_size, on_read=pulse.beat) as file, ExitStack() as stack:
            blocks = convert(file, reading, mapping, conversion.seller_id, on_read=on_read, only=only)
            outcome = _write(blocks, keys, pulse, stack)
        outcome = outcome._replace(text_key=text_key, scan={**outcome.scan, "text_size": text_size, "decides": decides})
        is_on = transitions.finish(pulse.key, pulse.attempt, outcome)
        db.session.commit()
    except BaseException:
        db.session.rollback()
        _forget(keys)
        raise
    if not is_on:
        _forget(keys)
        raise AttemptOver
    return "converted"


def _write(blocks: Iterator[Converted], keys: FileKeys, pulse: _Pulse, stack: ExitStack) -> transitions.Outcome:
    """Store the converted file and its companions, all or none, and say what they hold."""
    settings, storage = current_settings(), current_storage()
    writers = {key: stack.enter_context(storage.create(key)) for key in keys[:-1]}
    spilled = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 - the stack closes it
    companions, findings = CompanionWriter(Sinks(*(writers[key] for key in keys[1:-1])), spilled), Findings()
    converted = writers[keys.converted]
    # Here the whole file is read. What it is refused for is no matter of the file that comes of it.
    first = [*islice(blocks, 1)]

    def pieces() -> Iterator[bytes]:
        converted.write(HEADER_LINE)
        yield HEADER_LINE
        for block in chain(first, blocks):
            companions.add(block)
            findings.add(block)
            converted.write(block.data)
            pulse.beat(_READ + (_ALL - _READ) * companions.rows // max(pulse.rows, 1))
            yield block.data

    try:
        workers = queue.count_workers_if_known() or 0
        found = scan(pieces(), max_rows=settings.max_rows, max_bytes=settings.max_upload_bytes, workers=workers)
        checked: dict[str, Any] = {
            "header": found.header,
            "size": found.batches[-1].end_byte,
            "invalid": found.invalid,
            "warnings": [warned._asdict() for warned in found.warnings],
            "batches": [astuple(plan) for plan in found.batches],
        }
    except FileRejected:
        # A file of which nothing is left is no mistake of ours: its seller sees why each row is left out.
        if companions.lines:
            raise
        checked = {}
    companions.finish()
    checked |= {"report_size": companions.report_size, "findings": findings.to_json()}
    for writer in writers.values():
        pulse.beat(_READ)
        writer.commit()
    if companions.lines:
        origins = Origins(storage.read, keys, lines=companions.lines, apart=0)
        firsts = [plan.first_line for plan in found.batches]
        checked["first_lines"] = [place.line for place in origins.find(firsts).values()]
    counts = companions.counts
    return transitions.Outcome(
        rows=companions.rows,
        converted=counts[Outcome.ROW],
        added=counts[Outcome.ADDED],
        left_out=counts[Outcome.LEFT_OUT],
        undecided=counts[Outcome.OPEN],
        lines=companions.lines,
        scan=checked,
        reasons=dict(companions.reasons),
        text_key="",
        head_size=companions.head_size,
    )


def _transcribe(file: BinaryIO, size: int, reading: Reading, key: str, pulse: _Pulse) -> int:
    """Store the text of a file of ``size`` bytes that is none itself. Returns its own size."""
    written = 0
    with current_storage().create(key) as writer:
        for piece in text_of(file, reading):
            written += len(piece)
            if written > current_settings().max_upload_bytes:
                raise FileRejected("The file is too large when it is unpacked. Split it into several files.")
            writer.write(piece)
            pulse.beat(_TRANSCRIBED * min(file.tell(), size) // max(size, 1))
        writer.commit()
    return written


def _forget(keys: FileKeys) -> None:
    """Delete what a failed attempt has stored; what cannot be deleted now, retention finds."""
    for key in keys:
        try:
            current_storage().delete(key)
        except OSError:
            log.warning("not deleted: %s", key, exc_info=True)


def _end(pulse: _Pulse, error: Exception) -> str:
    """Record that an attempt failed or was interrupted. Returns how it ended, for the log."""
    # Whoever called the heartbeat may have wrapped what it raised.
    match pulse.interruption or error:
        case AttemptOver():
            return "stale"
        case ShuttingDown():
            transitions.release(pulse.key, pulse.attempt)
            db.session.commit()
            return "shutdown"
    is_refused = isinstance(error, _REFUSALS)
    most = 1 if is_refused else current_settings().max_fruitless_attempts
    try:
        transitions.end_attempt(pulse.key, pulse.attempt, reason=_explain(error), max_fruitless_attempts=most)
        db.session.commit()
    except DBAPIError:
        # Its lease expires.
        db.session.rollback()
        log.warning("conversion not released", extra={"conversion": pulse.key}, exc_info=True)
    return "refused" if is_refused else "error"


def _explain(error: Exception) -> str:
    """The sentence for sellers about what ended an attempt."""
    match error:
        case FileRejected() | MappingInvalid():
            return str(error)
        case FileNotFoundError():
            return "The uploaded file is no longer in the storage."
        case OSError():
            return "The storage could not be used."
        case DBAPIError() | DriverError():
            return "The database could not be reached."
        case _:
            return "The conversion ran into an unexpected error."
