"""Applies answers to failed rows, some thousand rows in each transaction, and finds out what has become of the rows.

A small answer is applied at once; a worker goes on with a large one where it stopped. One is applied after the other,
in the order in which they were given.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import zip_longest
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from flask import Flask, current_app
from numpy.typing import NDArray

from app import audit
from app.audit import Action
from app.csvfile.causes import Cause, Problem
from app.csvfile.cells import split_records, why_not_one_record
from app.csvfile.columns import Layout
from app.csvfile.contract import MAX_RECORD_BYTES
from app.csvfile.header import layout_of
from app.csvfile.lines import LineReader
from app.csvfile.texts import Mask
from app.csvfile.write import csv_lines
from app.extensions import db
from app.humanize import counted
from app.imports.errors import TransitionRefused
from app.imports.fixes import answers, listed, slices
from app.imports.fixes.answers import REASON, SINCE, Answer, Changed, NewAnswer, Rule
from app.imports.fixes.slices import Slice
from app.imports.worker.catalog_cache import LookedUpItems, known_items
from app.imports.worker.chunk import judge
from app.imports.worker.resolved import KnownItems, find_items
from app.imports.worker.targets import PreviewedListings
from app.jobs import queue
from app.models import Import
from app.queries import ImportKey, items
from app.queries.imports import corrections, lookups, row_errors
from app.queries.imports.corrections import GivenAnswer, Standing, Wanted
from app.queries.imports.error_groups import ErrorKind
from app.queries.listings.listings import DIGEST_FORMAT, Run
from app.statuses import FINAL_IMPORT_STATUSES, CorrectionState

log = logging.getLogger(__name__)

#: Rows in one transaction; the first of a request are fewer, so that it ends in time.
_ROWS, _FIRST_ROWS = 50_000, 2_000
#: A request goes on this long before it leaves the rest to a worker.
_REQUEST_SECONDS = 0.2
#: An answer that has not moved for this long is sent to a worker again.
_STUCK_SECONDS = 10.0

#: What the audit log says of answers that change no value of a group.
_TOLD = {
    Rule.LEAVE_OUT: "left out",
    Rule.LEAVE_REST: "all others left out",
    Rule.CELLS: "single rows",
    Rule.RECHECK: "checked again",
}
#: In place of the number of an answer: the wrong values are being counted.
_COUNTING_VALUES = 0
#: The facts of problems that are lines.
_LINES = frozenset({"line", "opened", "closed"})
#: The answer for rows that were edited one by one.
_BY_HAND = NewAnswer(Rule.CELLS)


class Busy(TransitionRefused):
    """The wrong values are still being counted, or another answer is being applied."""

    def __init__(self) -> None:
        super().__init__("Another answer is still being applied to its rows. Wait until it is done, then try again.")


class NotOneRow(Exception):
    """A text that a seller has written in place of a row is no row, or several; the message says which."""


def survey(key: ImportKey) -> Standing:
    """Make sure that the values of the open rows are counted, or being counted. Commits."""
    standing = corrections.get(key)
    if standing.is_surveyed or standing.answering is not None:
        return standing
    standing = corrections.lock(key)
    if not standing.is_surveyed and standing.answering is None:
        corrections.forget_values(key)
        corrections.save(key, _begin(standing, _COUNTING_VALUES))
    db.session.commit()
    return go_on(key)


def give(one: Import, answer: NewAnswer) -> Standing:
    """Apply an answer to the rows of its group, as far as that is quick; a worker does the rest. Commits.

    It waits while another answer is being applied. Raises Busy while values are being counted, and TransitionRefused if
    the failed rows of the import cannot be corrected, or too many wait that were added to listings.
    """
    key, standing = _lock(one)
    if answer.rule is Rule.ADD:
        return give_cells(one, listed.add_up(key, one.header, answer.cause), answer)
    standing = _record(one, standing, answer)
    corrections.save(key, standing if standing.answering else _begin(standing, standing.answers))
    db.session.commit()
    return go_on(key)


def in_order(typed: Iterable[NewAnswer], pressed: Iterable[NewAnswer]) -> list[NewAnswer]:
    """The answers of one page, ordered so that a button changes no row that another of them brings into its group.

    What is wrong with a row hides what the catalog and the listings say of it, so answers about these come first.
    """
    pressed = [*pressed]
    kinds = {(answer.cause, answer.column) for answer in pressed}

    def place(answer: NewAnswer) -> tuple[int, bool, int]:
        cause = Cause.by_slug(answer.cause)
        # The last causes are looked for last.
        return _HIDDEN_BY.get(cause, 0), (answer.cause, answer.column) in kinds, [*Cause].index(cause)

    return sorted([*typed, *pressed], key=place, reverse=True)


#: By how many kinds of mistakes these are hidden.
_HIDDEN_BY = {
    Cause.ITEM_NOT_FOUND: 1,
    Cause.ITEM_AMBIGUOUS: 1,
    Cause.VARIANT_NOT_FOUND: 2,
    Cause.LISTING_NOT_FOUND: 3,
    Cause.LISTING_EXISTS: 3,
    Cause.LISTING_REPEATED: 3,
}


def check_cells(one: Import, edited: Mapping[int, str | Mapping[str, str]]) -> None:
    """Raise what ``give_cells`` would raise now."""
    _edit_rows(_lock(one)[0], one.header, edited)
    db.session.rollback()


def give_cells(one: Import, edited: Mapping[int, str | Mapping[str, str]], answer: NewAnswer = _BY_HAND) -> Standing:
    """Put the cells of single rows, or their whole texts, in place of what they have, by line. Commits.

    Rows that are not there, or that an import has taken up, are left as they are. An answer that is being applied
    leaves these rows alone from then on. Raises Busy while values are being counted, NotOneRow, and TransitionRefused
    if the failed rows of the import cannot be corrected.
    """
    key, standing = _lock(one)
    return _apply_at_once(one, standing, answer, _edit_rows(key, one.header, edited))


def foresee(key: ImportKey, asked: Sequence[tuple[int, NewAnswer]]) -> dict[int, Cause]:
    """What the catalog or the seller's listings would say of failed rows, each on a line, after an answer.

    The first problem by the place in ``asked``, where there is one. Nothing is changed.
    """
    header = lookups.get_source(key).header
    rows = slices.of_lines(key, {line for line, _ in asked}, layout_of(header))
    at_line = {line: at for at, line in enumerate(rows.lines.tolist())}
    texts: dict[int, str] = {}
    for place, (line, answer) in enumerate(asked):
        if line in at_line:
            some = rows.take(np.array([at_line[line]]))
            changed = _without_long(answers.apply(answer, some, layout_of(header)))
            texts.update((place, text) for text in changed.texts.to_pylist())
    at = np.array([at_line[asked[place][0]] for place in texts], np.intp)
    some = rows._replace(lines=rows.lines[at], reason_at=rows.reason_at[at])
    problems = _Work(key, header, LookedUpItems()).judge(some, pa.array(texts.values(), pa.string()))
    # Of several answers for one row only one is given, so none repeats another.
    behind = _HIDDEN_BY.keys() - {Cause.LISTING_REPEATED}
    places = [*texts]
    return {places[at]: one.cause for at, each in problems.items() for one in each[:1] if one.cause in behind}


def leave_out(one: Import, lines: Collection[int], reason: str) -> Standing:
    """Leave single open rows out. Commits. Raises what ``give_cells`` raises but for NotOneRow."""
    key, standing = _lock(one)
    rows = slices.of_lines(key, lines, layout_of(one.header)).open()
    answer = NewAnswer(Rule.LEAVE_OUT, cells={REASON: reason})
    return _apply_at_once(one, standing, answer, Changed(rows, rows.texts))


def take_back(one: Import, number: int = 0, *, lines: Collection[int] = ()) -> Standing:
    """Make the rows that an answer was the last one for as they were uploaded, unless they are taken up. Commits.

    The same for single rows by their ``lines``. Raises Busy.
    """
    key = ImportKey.of(one)
    standing = corrections.lock(key)
    if standing.answering is not None:
        db.session.rollback()
        raise Busy
    rows = corrections.take_back(key, number, lines)
    if rows:
        standing = standing.without(rows)
        corrections.save(key, standing._replace(version=standing.version + 1, is_surveyed=False))
        what = "" if lines else f"{_say_what(corrections.get_answer(key, number))}: "
        taken_back = f"{what}{counted(sum(rows.values()), 'row')}"
        audit.record(Action.TAKE_BACK, one.seller_id, one.public_id, detail=taken_back)
    db.session.commit()
    return survey(key)


def go_on(key: ImportKey) -> Standing:
    """Apply the answer that is being applied for some time, and send the rest to a worker. Commits."""
    ends_at = time.monotonic() + _REQUEST_SECONDS
    read = partial(_read, key, limit=_FIRST_ROWS)
    while (standing := _step(key, read, LookedUpItems())).answering is not None:
        if time.monotonic() > ends_at:
            queue.send_fix(key)
            break
    return standing


def run(seller_id: int, import_id: int) -> None:
    """The job: apply the answer that is being applied to the end."""
    key = ImportKey(seller_id, import_id)
    known = known_items(items.version())
    with ThreadPoolExecutor(1) as pool:
        read = _Ahead(key, pool).read
        while _step(key, read, known).answering is not None:
            pass


def go_on_with_all() -> None:
    """Send the answers that no worker goes on with to the workers again."""
    for key in corrections.find_stuck(older_than_seconds=_STUCK_SECONDS):
        queue.send_fix(key)


def _lock(one: Import) -> tuple[ImportKey, Standing]:
    """How far the failed rows are corrected, which nobody else changes. Raises Busy and TransitionRefused."""
    if one.status not in FINAL_IMPORT_STATUSES:
        raise TransitionRefused("This import has not finished yet, so its failed rows cannot be corrected now.")
    if one.is_check:
        raise TransitionRefused("This is a check only. Correct its file, or import it and correct what fails.")
    if one.errors_removed_at is not None:
        raise TransitionRefused("The failed rows of this import have been deleted.")
    key = ImportKey.of(one)
    if corrections.has_old_retry(key):
        raise TransitionRefused("All failed rows of this import have been retried already.")
    standing = corrections.lock(key)
    if standing.answering == _COUNTING_VALUES:
        db.session.rollback()
        raise Busy
    return key, standing


def _record(one: Import, standing: Standing, answer: NewAnswer) -> Standing:
    """Record an answer, and return the numbers with it."""
    number, actor = standing.answers + 1, audit.current_actor()
    fields = {**answer._asdict(), "cells": dict(answer.cells), "actor": actor.name, "actor_id": actor.seller_id}
    corrections.add_answer(ImportKey.of(one), number, **fields)
    audit.record(Action.CORRECT, one.seller_id, one.public_id, detail=_say_what(answer))
    return standing._replace(answers=number, version=standing.version + 1)


def _apply_at_once(one: Import, standing: Standing, answer: NewAnswer, changed: Changed) -> Standing:
    """Record an answer, and write what it makes of these rows. Commits."""
    key = ImportKey.of(one)
    standing = _record(one, standing, answer)
    standing = _Work(key, one.header, LookedUpItems()).write(standing, answer.rule, changed, standing.answers)
    corrections.save(key, standing)
    db.session.commit()
    return standing


def _say_what(answer: Answer) -> str:
    """An answer as the audit log names it: what it does, the group that it is for, and a reason of the seller's own."""
    cause = Cause.by_slug(answer.cause).title if answer.cause else ""
    reason = answer.cells.get(REASON, "")
    what = (_TOLD.get(Rule(answer.rule), ""), f"{cause} {answer.column}".strip(), "" if reason == cause else reason)
    return ", ".join(filter(None, what))


def _begin(standing: Standing, number: int) -> Standing:
    return standing._replace(answering=number, cursor_line=0, rows_done=0)


class _Next(NamedTuple):
    """The next open rows of the answer that is being applied, and what it makes of them."""

    #: Where the answer stood: its number, the cursor, and the version of the corrections.
    place: tuple[int | None, int, int]
    header: str
    #: None: the wrong values are being counted.
    answer: GivenAnswer | None
    #: Up to which line they are read; None: to the end.
    bound: int | None
    rows: Slice
    changed: Changed


def _place_of(standing: Standing) -> tuple[int | None, int, int]:
    return standing.answering, standing.cursor_line, standing.version


def _read(key: ImportKey, standing: Standing, *, limit: int) -> _Next:
    """Read the next rows, some of at most ``limit`` failed ones; nothing is written."""
    header = lookups.get_source(key).header
    number, after = standing.answering, standing.cursor_line
    answer = corrections.get_answer(key, number) if number else None
    wanted = _find_bounds(key, answer) if answer else Wanted()
    bound = corrections.find_bound(key, wanted, after_line=after, rows=limit)
    with_facts = answer is not None and answer.rule == Rule.DROP_VARIANTS
    here = wanted if bound is None else wanted._replace(last_line=bound)
    table = corrections.read_open(key, here, after_line=after, with_facts=with_facts)
    rows = slices.from_table(table, layout_of(header))
    changed = Changed(rows, rows.texts)
    if answer and len(rows.lines):
        changed = _without_long(answers.apply(answer, rows, layout_of(header)))
    return _Next(_place_of(standing), header, answer, bound, rows, changed)


class _Ahead:
    """Reads rows while those before them are judged and written, so that both PostgreSQL and this process are at work.

    What is written on the way lies before them; whatever else changes any row raises the version of the corrections,
    and then they are read once more.
    """

    def __init__(self, key: ImportKey, pool: ThreadPoolExecutor) -> None:
        self._key, self._pool = key, pool
        self._app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
        self._next: Future[_Next] | None = None

    def read(self, standing: Standing) -> _Next:
        """The next rows of an answer that stands so."""
        found = self._next.result() if self._next else None
        if found is None or found.place != _place_of(standing):
            found = _read(self._key, standing, limit=_ROWS)
        after = found.bound and standing._replace(cursor_line=found.bound)
        self._next = self._pool.submit(self._read_apart, after) if after else None
        return found

    def _read_apart(self, standing: Standing) -> _Next:
        with self._app.app_context():
            return _read(self._key, standing, limit=_ROWS)


def _step(key: ImportKey, read: Callable[[Standing], _Next], known: KnownItems) -> Standing:
    """Apply the answer that is being applied to the next rows. Commits."""
    standing = corrections.lock(key)
    if standing.answering is None:
        db.session.rollback()
        return standing
    number = standing.answering
    found = read(standing)
    rows, bound = found.rows, found.bound
    if len(rows.lines):
        standing = standing._replace(cursor_line=int(rows.lines[-1]), rows_done=standing.rows_done + len(rows.lines))
        if found.answer:
            work = _Work(key, found.header, known)
            standing = work.write(standing, found.answer.rule, found.changed, number)
        else:
            corrections.count_values(key, rows.tally())
    if bound is not None:
        standing = standing._replace(cursor_line=bound)
    elif found.answer and number < standing.answers:
        # Those that were given meanwhile.
        standing = _begin(standing, number + 1)
    else:
        standing = standing._replace(answering=None, is_surveyed=standing.is_surveyed or number == _COUNTING_VALUES)
    corrections.save(key, standing)
    db.session.commit()
    return standing


def _find_bounds(key: ImportKey, answer: GivenAnswer) -> Wanted:
    """Where the rows are that an answer is for."""
    if answer.rule == Rule.LEAVE_REST:
        return Wanted(given_before=int(answer.cells[SINCE]))
    if not answer.cause or answer.rule == Rule.ADD:
        # Single rows are changed at once.
        return Wanted(last_line=0)
    wanted = Wanted(answer.cause, answer.column, given_before=answer.number)
    if answer.value is None:
        return wanted
    found = corrections.find_value(key, ErrorKind.stored(answer.cause, answer.column), answer.value)
    return wanted._replace(first_line=found.first_line, last_line=found.last_line) if found else wanted


def _edit_rows(key: ImportKey, header: str, edited: Mapping[int, str | Mapping[str, str]]) -> Changed:
    """The rows on these lines that nobody has taken up, with their texts after an edit. Raises NotOneRow."""
    layout = layout_of(header)
    rows = slices.of_lines(key, edited, layout)
    each = zip(rows.lines.tolist(), split_records(rows.texts.to_pylist()), strict=True)
    return Changed(rows, pa.array([_edit(edited[line], cells, layout) for line, cells in each], pa.string()))


def _edit(edited: str | Mapping[str, str], cells: Sequence[str], layout: Layout) -> str:
    """The text of a row with these ``cells`` after an edit; those that it does not have are empty. Raises NotOneRow."""
    if not isinstance(edited, str):
        values = zip_longest(layout.columns, layout.own_and_extra(cells)[0], fillvalue="")
        (edited,) = csv_lines([[edited.get(column, cell) for column, cell in values]])
    text = edited.strip("\r\n")
    if why := why_not_one_record(text):
        raise NotOneRow(why)
    return text


def _without_long(changed: Changed) -> Changed:
    """The changed rows without those that would be too long for a row."""
    fits = np.flatnonzero(pc.binary_length(changed.texts).to_numpy() < MAX_RECORD_BYTES)
    return Changed(changed.rows.take(fits), changed.texts.take(pa.array(fits)))


class _Work(NamedTuple):
    """What answers are applied with."""

    key: ImportKey
    header: str
    known: KnownItems

    def write(self, standing: Standing, rule: str, changed: Changed, number: int) -> Standing:
        """Write what the answer with this number makes of rows, and return the new numbers."""
        rows, count = changed.rows, len(changed.rows.lines)
        if not count:
            return standing
        corrections.count_answered(self.key, number, rows.lines.tolist())
        # Meanwhile they are counted in no state.
        corrections.uncount_values(self.key, rows.open().tally())
        standing = standing.without(Counter(zip(rows.states.to_pylist(), rows.is_corrected.tolist(), strict=True)))
        if rule in {Rule.LEAVE_OUT, Rule.LEAVE_REST}:
            self._write_corrections(changed, np.full(count, CorrectionState.LEFT_OUT.value), {}, number)
            return standing._replace(left_out=standing.left_out + count)
        problems = self.judge(rows, changed.texts)
        is_wrong = np.zeros(count, np.bool_)
        is_wrong[[*problems]] = True
        states = np.where(is_wrong, CorrectionState.OPEN.value, CorrectionState.RIGHT.value)
        is_corrected = self._write_corrections(changed, states, problems, number)
        if problems:
            wrong = np.flatnonzero(is_wrong)
            texts = changed.texts.take(pa.array(wrong))
            still_open = rows.take(wrong).with_problems(texts, [*problems.values()], layout_of(self.header))
            corrections.count_values(self.key, still_open.tally())
        return standing._replace(
            open_corrected=standing.open_corrected + int((is_wrong & is_corrected).sum()),
            correct=standing.correct + count - len(problems),
        )

    def judge(self, rows: Slice, texts: pa.StringArray) -> dict[int, list[Problem]]:
        """What is wrong with each row that is not right, by its place, in order."""
        layout = layout_of(self.header)
        run = Run(ImportKey(self.key.seller_id, 0), layout, DIGEST_FORMAT)
        target = PreviewedListings(run)
        complete = partial(find_items, known_items=self.known)
        reader = LineReader([slices.as_file(texts)], header=self.header, offset=0, line=2, complete=complete)
        heights = pc.count_substring(texts, "\n").to_numpy() + 1
        begins = 2 + np.cumsum(heights) - heights
        problems: dict[int, list[Problem]] = {}
        is_blank = np.ones(len(texts), np.bool_)
        while (lines := reader.take(len(texts))).count:
            failed = judge(lines, target, run.key.import_id).failed
            told = (_in_file(each, begins, rows.lines) for each in failed.values())
            problems |= zip(np.searchsorted(begins, [*failed]).tolist(), told, strict=True)
            is_blank[np.searchsorted(begins, np.asarray(lines.rows["line"]))] = False
        is_blank[[*problems]] = False
        for at in np.flatnonzero(is_blank).tolist():
            # A row without any value would be skipped: nothing has been corrected then.
            problems[at] = [kind.cause.problem(str(kind.column)) for kind in rows.reasons[rows.reason_at[at]]]
        return dict(sorted(problems.items()))

    def _write_corrections(
        self, changed: Changed, states: NDArray[np.str_], problems: Mapping[int, list[Problem]], number: int
    ) -> Mask:
        """Write the corrections of rows: their states, texts, and what is wrong with those that are open.

        Returns for each whether it has another text than it was uploaded with.
        """
        distinct = {id(each): each for each in problems.values()}
        places = {one: place for place, one in enumerate(distinct)}
        at = [None] * len(states)
        for place, each in problems.items():
            at[place] = places[id(each)]  # type: ignore[call-overload]
        recorded = row_errors.as_recorded([*distinct.values()]).take(pa.array(at, pa.int32()))
        rows = changed.rows
        # Rows that are only left out or looked at again keep their own text.
        is_corrected: Mask = rows.is_corrected | np.asarray(pc.not_equal(changed.texts, rows.texts))
        written = pa.table(
            {
                "line": pa.array(rows.lines, pa.int32()),
                "state": pa.array(states, pa.string()),
                "row": pc.if_else(pa.array(is_corrected), changed.texts, None),
                **dict(zip(recorded.column_names, recorded.columns, strict=True)),
            }
        )
        existing = rows.lines[np.asarray(pc.not_equal(rows.states, ""))]
        corrections.write(self.key, written, answer=number, existing=existing)
        return is_corrected


def _in_file(problems: list[Problem], begins: NDArray[np.int64], lines: NDArray[np.int32]) -> list[Problem]:
    """Problems whose facts may be lines: those of the file, where the rows begin on other ``lines``."""
    if all(_LINES.isdisjoint(problem.facts) for problem in problems):
        return problems

    def move(line: int) -> int:
        at = int(np.searchsorted(begins, line, side="right")) - 1
        return int(lines[at] + line - begins[at])

    return [
        one._replace(facts={name: move(fact) if name in _LINES else fact for name, fact in one.facts.items()})
        for one in problems
    ]
