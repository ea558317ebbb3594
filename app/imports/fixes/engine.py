"""Applies answers to failed rows, some thousand rows in each transaction, and finds out what has become of the rows.

A small answer is applied at once; a worker goes on with a large one where it stopped. One is applied after the other,
in the order in which they were given.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime
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
from app.imports.fixes.answers import REASON, SINCE, Changed, Rule
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
_EVERY_ROW = Wanted()
#: The facts of problems that are lines.
_LINES = frozenset({"line", "opened", "closed"})


class NewAnswer(NamedTuple):
    """An answer that is being given: a rule, and the group that it is for. Recorded, it is a ``GivenAnswer``."""

    rule: Rule
    cause: str = ""
    column: str = ""
    #: None: all rows of the group.
    value: str | None = None
    cells: Mapping[str, str] = {}


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
    number = standing.answers + 1
    _record(one, number, answer)
    standing = standing._replace(answers=number, version=standing.version + 1)
    corrections.save(key, standing if standing.answering else _begin(standing, number))
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
    states = corrections.list_states(key, [*edited])
    table, rows, texts = _edit_rows(key, one.header, edited)
    number = standing.answers + 1
    _record(one, number, answer)
    standing = standing._replace(answers=number, version=standing.version + 1)
    work = _Work(key, one.header, LookedUpItems())
    for state, is_corrected in states.values():
        standing = standing.without(state, is_corrected)
    is_open = np.array(
        [states.get(line, (CorrectionState.OPEN, False))[0] is CorrectionState.OPEN for line in rows.lines.tolist()],
        np.bool_,
    )
    corrections.uncount_values(key, rows.take(np.flatnonzero(is_open)).tally())
    changed = Changed(np.arange(len(rows.lines)), pa.array(texts, pa.string()))
    corrections.count_answered(key, number, rows.lines.tolist())
    standing = work.judge_and_write(standing, rows, changed, table, number)
    corrections.save(key, standing)
    db.session.commit()
    return standing


def foresee(key: ImportKey, asked: Sequence[tuple[int, NewAnswer]]) -> dict[int, Cause]:
    """What the catalog or the seller's listings would say of failed rows, each on a line, after an answer.

    The first problem by the place in ``asked``, where there is one. Nothing is changed.
    """
    header = lookups.get_source(key).header
    rows = slices.from_table(corrections.read_lines(key, {line for line, _ in asked}), layout_of(header))
    at_line = {line: at for at, line in enumerate(rows.lines.tolist())}
    texts: dict[int, str] = {}
    for place, (line, answer) in enumerate(asked):
        if line in at_line:
            some = rows.take(np.array([at_line[line]]))
            changed = _without_long(answers.apply(_as_given(0, answer), some, pa.array([""]), layout_of(header)))
            texts.update((place, text) for text in changed.texts.to_pylist())
    at = np.array([at_line[asked[place][0]] for place in texts], np.intp)
    some = rows._replace(lines=rows.lines[at], reason_at=rows.reason_at[at])
    problems = _Work(key, header, LookedUpItems())._judge(some, pa.array(texts.values(), pa.string()))
    # Of several answers for one row only one is given, so none repeats another.
    behind = _HIDDEN_BY.keys() - {Cause.LISTING_REPEATED}
    places = [*texts]
    return {places[at]: one.cause for at, each in problems.items() for one in each[:1] if one.cause in behind}


def leave_out(one: Import, lines: Collection[int], reason: str) -> Standing:
    """Leave single open rows out. Commits. Raises what ``give_cells`` raises but for NotOneRow."""
    key, standing = _lock(one)
    lines = [*corrections.find_open(key, lines)]
    table = corrections.read_lines(key, lines)
    rows = slices.from_table(table, layout_of(one.header))
    number = standing.answers + 1
    _record(one, number, NewAnswer(Rule.LEAVE_OUT, cells={REASON: reason}))
    standing = standing._replace(answers=number, version=standing.version + 1)
    answer = corrections.get_answer(key, number)
    changed = Changed(np.arange(len(rows.lines)), rows.texts)
    standing = _Work(key, one.header, LookedUpItems()).leave_out(standing, rows, answer, changed, table)
    corrections.save(key, standing)
    db.session.commit()
    return standing


def take_back(one: Import, number: int = 0, *, lines: Collection[int] = ()) -> Standing:
    """Make the rows that an answer was the last one for as they were uploaded, unless they are taken up. Commits.

    The same for single rows by their ``lines``.

    Raises Busy.
    """
    key = ImportKey(one.seller_id, one.id)
    standing = corrections.lock(key)
    if standing.answering is not None:
        db.session.rollback()
        raise Busy
    rows = corrections.take_back(key, number, lines)
    if rows:
        for (state, is_corrected), count in rows.items():
            standing = standing.without(state, is_corrected, count)
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
    key = _writable(one)
    standing = corrections.lock(key)
    if standing.answering == _COUNTING_VALUES:
        db.session.rollback()
        raise Busy
    return key, standing


def _writable(one: Import) -> ImportKey:
    if one.status not in FINAL_IMPORT_STATUSES:
        raise TransitionRefused("This import has not finished yet, so its failed rows cannot be corrected now.")
    if one.is_check:
        raise TransitionRefused("This is a check only. Correct its file, or import it and correct what fails.")
    if one.errors_removed_at is not None:
        raise TransitionRefused("The failed rows of this import have been deleted.")
    key = ImportKey(one.seller_id, one.id)
    if corrections.has_old_retry(key):
        raise TransitionRefused("All failed rows of this import have been retried already.")
    return key


def _as_given(number: int, new: NewAnswer, actor: str = "") -> GivenAnswer:
    group = new.cause, new.column, new.value
    return GivenAnswer(number, new.rule, *group, dict(new.cells), 0, actor, datetime.now(UTC))


def _record(one: Import, number: int, new: NewAnswer) -> None:
    actor = audit.current_actor()
    given = _as_given(number, new, actor.name)
    corrections.add_answer(ImportKey(one.seller_id, one.id), given, actor.seller_id)
    audit.record(Action.CORRECT, one.seller_id, one.public_id, detail=_say_what(given))


def _say_what(answer: GivenAnswer) -> str:
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
    table: pa.Table
    rows: Slice
    changed: Changed


def _place_of(standing: Standing) -> tuple[int | None, int, int]:
    return standing.answering, standing.cursor_line, standing.version


def _read(key: ImportKey, standing: Standing, *, limit: int) -> _Next:
    """Read the next rows, some of at most ``limit`` failed ones; nothing is written."""
    header = lookups.get_source(key).header
    number, after = standing.answering, standing.cursor_line
    answer = corrections.get_answer(key, number) if number else None
    wanted = _find_bounds(key, answer) if answer else _EVERY_ROW
    bound = corrections.find_bound(key, wanted, after_line=after, rows=limit)
    with_facts = answer is not None and answer.rule == Rule.DROP_VARIANTS
    here = wanted if bound is None else wanted._replace(last_line=bound)
    table = corrections.read_open(key, here, after_line=after, with_facts=with_facts)
    layout = layout_of(header)
    rows = slices.from_table(table, layout)
    changed = Changed(np.empty(0, np.intp), rows.texts[:0])
    if answer and len(table):
        changed = _without_long(answers.apply(answer, rows, table["facts"].combine_chunks(), layout))
    return _Next(_place_of(standing), header, answer, bound, table, rows, changed)


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
            standing = _Work(key, found.header, known).answer(standing, found.answer, found)
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
    found = corrections.find_value(key, ErrorKind(Cause.by_slug(answer.cause), answer.column), answer.value)
    return wanted._replace(first_line=found.first_line, last_line=found.last_line) if found else wanted


def _edit_rows(
    key: ImportKey, header: str, edited: Mapping[int, str | Mapping[str, str]]
) -> tuple[pa.Table, Slice, list[str]]:
    """The rows on these lines that nobody has taken up, and their texts after an edit. Raises NotOneRow."""
    layout = layout_of(header)
    table = corrections.read_lines(key, [*edited])
    rows = slices.from_table(table, layout)
    each = zip(rows.lines.tolist(), split_records(rows.texts.to_pylist()), strict=True)
    return table, rows, [_edit(edited[line], cells, layout) for line, cells in each]


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
    return changed if len(fits) == len(changed.at) else Changed(changed.at[fits], changed.texts.take(pa.array(fits)))


class _Work(NamedTuple):
    """What answers are applied with."""

    key: ImportKey
    header: str
    known: KnownItems

    def answer(self, standing: Standing, answer: GivenAnswer, found: _Next) -> Standing:
        """Write what an answer makes of open rows, and return the new numbers."""
        rows, changed, table = found.rows, found.changed, found.table
        if not len(changed.at):
            return standing
        if answer.rule in {Rule.LEAVE_OUT, Rule.LEAVE_REST}:
            return self.leave_out(standing, rows, answer, changed, table)
        standing = self._take_out_of_counts(standing, rows, answer, changed, table)
        return self.judge_and_write(standing, rows, changed, table, answer.number)

    def leave_out(
        self, standing: Standing, rows: Slice, answer: GivenAnswer, changed: Changed, table: pa.Table
    ) -> Standing:
        """Leave open rows out, and return the new numbers."""
        standing = self._take_out_of_counts(standing, rows, answer, changed, table)
        states = np.full(len(changed.at), CorrectionState.LEFT_OUT.value)
        self._write(changed, rows.take(changed.at), states, {}, table, answer.number)
        return standing._replace(left_out=standing.left_out + len(changed.at))

    def _take_out_of_counts(
        self, standing: Standing, rows: Slice, answer: GivenAnswer, changed: Changed, table: pa.Table
    ) -> Standing:
        """The numbers without the open rows that an answer changes, which are not open meanwhile."""
        corrections.count_answered(self.key, answer.number, rows.lines[changed.at].tolist())
        corrections.uncount_values(self.key, rows.take(changed.at).tally())
        was_corrected = table["is_corrected"].to_numpy()[changed.at] > 0
        return standing.without(CorrectionState.OPEN, True, int(was_corrected.sum()))

    def judge_and_write(
        self, standing: Standing, rows: Slice, changed: Changed, table: pa.Table, number: int
    ) -> Standing:
        """Find out what has become of the changed rows, write their corrections, and return the new numbers."""
        some = rows.take(changed.at)
        problems = self._judge(some, changed.texts)
        is_wrong = np.zeros(len(changed.at), np.bool_)
        is_wrong[[*problems]] = True
        states = np.where(is_wrong, CorrectionState.OPEN.value, CorrectionState.RIGHT.value)
        is_corrected = self._write(changed, some, states, problems, table, number)
        if problems:
            wrong = np.flatnonzero(is_wrong)
            open_rows = slices.from_problems(
                some.lines[wrong], changed.texts.take(pa.array(wrong)), [*problems.values()], layout_of(self.header)
            )
            corrections.count_values(self.key, open_rows.tally())
        return standing._replace(
            open_corrected=standing.open_corrected + int((is_wrong & is_corrected).sum()),
            correct=standing.correct + len(changed.at) - len(problems),
        )

    def _judge(self, rows: Slice, texts: pa.StringArray) -> dict[int, list[Problem]]:
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
        # A row without any value would be skipped: nothing has been corrected then.
        problems |= {at: _as_before(rows, at) for at in np.flatnonzero(is_blank).tolist()}
        return dict(sorted(problems.items()))

    def _write(
        self,
        changed: Changed,
        rows: Slice,
        states: NDArray[np.str_],
        problems: Mapping[int, list[Problem]],
        table: pa.Table,
        number: int,
    ) -> Mask:
        """Write the corrections of ``rows``: their states, texts, and what is wrong with those that are open.

        Returns for each whether it has another text than it was uploaded with.
        """
        distinct = {id(each): each for each in problems.values()}
        places = {one: place for place, one in enumerate(distinct)}
        at = [None] * len(states)
        for place, each in problems.items():
            at[place] = places[id(each)]  # type: ignore[call-overload]
        recorded = row_errors.as_recorded([*distinct.values()]).take(pa.array(at, pa.int32()))
        # Rows that are only left out or looked at again keep their own text.
        is_same = pc.equal(changed.texts, rows.texts)
        is_kept = pc.and_(is_same, pc.equal(table["is_corrected"].combine_chunks().take(pa.array(changed.at)), 0))
        is_corrected: Mask = ~is_kept.to_numpy(zero_copy_only=False)
        written = pa.table(
            {
                "line": pa.array(rows.lines, pa.int32()),
                "state": pa.array(states, pa.string()),
                "row": pc.if_else(is_kept, None, changed.texts),
                **dict(zip(recorded.column_names, recorded.columns, strict=True)),
            }
        )
        existing = rows.lines[table["is_recorded"].to_numpy()[changed.at] > 0]
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


def _as_before(rows: Slice, at: int) -> list[Problem]:
    return [kind.cause.problem(str(kind.column)) for kind in rows.reasons[rows.reason_at[at]]]
