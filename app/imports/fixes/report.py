"""View model of “Fix it here”: the open groups with their values and what can be answered, and single rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import NamedTuple

from app.csvfile.causes import Cause, Code
from app.csvfile.cells import split_record, split_records
from app.csvfile.columns import NAME_COLUMNS, TEXT_LIMITS, Column, Layout, Role
from app.csvfile.contract import Mode
from app.csvfile.header import layout_of
from app.csvfile.mend import mend
from app.csvfile.records import Cell, find_cells
from app.csvfile.validate import without_invisible
from app.csvfile.visible import visible, with_signs
from app.imports.fixes import listed
from app.imports.fixes.answers import REASON, UNIT, NewAnswer, Rule
from app.imports.fixes.engine import foresee
from app.imports.fixes.listed import Meant
from app.imports.fixes.slices import JOINT
from app.imports.reports import seller_file
from app.imports.reports.progress import ImportProgress, find_own_file
from app.imports.reports.row_errors import TELLING, UNCERTAIN, CellShown, Part, mark, read_values, suggest_each
from app.imports.reports.suggestions import RowProblem, Suggestion, suggest, sure_value
from app.queries import ImportKey
from app.queries.imports import corrections, row_errors
from app.queries.imports.corrections import GivenAnswer, Group, Held, Standing, Value, Wanted
from app.queries.imports.error_groups import ErrorKind
from app.queries.imports.row_errors import RecordedError

#: Values of a group on the page of all groups, and on its own.
_VALUES, _VALUES_ALONE = 8, 100
#: Groups with their values on one page.
_GROUPS = 40
#: Answers, and rows that were left out, on one page.
_ANSWERS, _LEFT_OUT = 10, 50
#: The rules of answers that do not name the new values.
_SILENT = frozenset({Rule.SUGGESTED, Rule.MEND, Rule.REMOVE_INVISIBLE, Rule.CUT, Rule.CELLS})
#: Rows of an answer that are named because a later one has changed them.
_CHANGED = 5
#: Rows that are marked because they have another problem now, or still the same.
_WRONG_AGAIN = 100
_NEW, _STILL = "Came up after your answer", "Still wrong after your answer"
#: Rows of a group that are told apart, among so many lines from the first.
_MEANT, _MEANT_LINES = 5, 20_000
#: Rows of a group that nothing but their lines tells apart.
_FEW = 5
#: A row is looked for among so many of its group.
_MOST_BETWEEN = 50
_ABOUT_LISTINGS = frozenset({Cause.LISTING_EXISTS, Cause.LISTING_REPEATED, Cause.LISTING_NOT_FOUND})
#: What names an item, and what tells a row from others of it.
_ITEM = (Column.NAME, Column.URN, Column.CARDMARKET_ID, Column.TCGPLAYER_ID)
_OF_ITEM = (Column.CONDITION, Column.VARIANTS, Column.PRICE, Column.QUANTITY, Column.REFERENCE)
_IDS = (Column.CARDMARKET_ID, Column.TCGPLAYER_ID)
#: What putting commas and quotation marks right comes to.
_MENDED = {
    Cause.COLUMN_COUNT: "Leave the missing values empty",
    Cause.EXTRA_VALUE: "Put the value that a comma has cut back together",
    Cause.QUOTING: "Double the quotation marks inside the value",
}
#: Rows of a group from which characters that cannot be seen are removed to see the same.
_CLEANED_ROWS = 100
#: Rows of a group that are put right to see whether that helps.
_MENDED_ROWS = 5
#: Rows of a value that are corrected each by itself, on the page of all groups and on their own; among more rows than
#: that, it is not looked whether they are alike.
_APART, _APART_ALONE = 8, 50
#: What tells which item a row is for.
_TELLS_ITEM = tuple(column for column in Column if column.spec.role is Role.NAMES_ITEM)
_TELLS_ROW = (*_TELLS_ITEM, Column.REFERENCE, Column.NOTES, Column.COMMENT)
_LOST = (Cause.ID_NOT_DIGITS, Cause.NUMBER_SHORTENED, Cause.NUMBER_AS_DATE, Cause.SPREADSHEET_ERROR)


class Offer(NamedTuple):
    """An answer that is one press away."""

    answer: NewAnswer
    text: str
    #: What distinguishes it from the others, or what it does to the only row.
    note: str = ""
    #: The problem that comes next, where it is for one row.
    next: Cause | None = None
    #: Whether it can only be meant so: all of the rows are right then.
    is_certain: bool = False

    @property
    def is_item(self) -> bool:
        """Whether it is one of several items, which the note tells apart better than their URNs do."""
        return Column.URN in self.answer.cells and self.note != ""


@dataclass(frozen=True, slots=True)
class ValueToFix:
    """A wrong value that some open rows have."""

    kind: ErrorKind
    value: str
    rows: int
    #: The line of the first row, in the file that was imported and in the one that the seller has uploaded.
    first_line: int
    line: int
    #: The lines of its rows in the file that the seller has uploaded, where these are few and no value tells them.
    lines: list[int]
    #: What the rest of the row tells, where it is the only one.
    rest: str
    #: What stands before the offers.
    lead: str
    offers: list[Offer]
    #: The columns to type something else in, with what they have now.
    fields: list[tuple[str, str]]
    #: Whether it can mean only one thing.
    is_sure: bool
    #: Whether its rows are for different items, as far as they tell: no value can be right for all of them.
    differs: bool
    #: The first of these rows, each with fields of its own.
    apart: list[RowApart]

    @property
    def text(self) -> str:
        """The value for people."""
        return _say_value(self.value)

    @property
    def leave_out(self) -> NewAnswer:
        """The answer not to import these rows."""
        return NewAnswer(Rule.LEAVE_OUT, self.kind.cause.slug, self.kind.column, self.value)


class RowApart(NamedTuple):
    """A row for another item than the other rows with its wrong value."""

    line: int
    #: Its line in the file that the seller has uploaded.
    own_line: int
    #: What the rest of it tells.
    rest: str
    #: The columns to type something in, with what they have now.
    fields: list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class GroupToFix:
    """The open rows with one problem in one column."""

    kind: ErrorKind
    rows: int
    #: Answers for all of its rows.
    rules: list[Offer]
    values: list[ValueToFix]
    #: The number of values that are not shown.
    more: int
    #: Its only row, where there is no value to type something else for: to be corrected in place.
    row: RowToFix | None
    #: The listings that its first rows mean, where these are what is wrong.
    meant: list[Meant]

    @property
    def leave_out(self) -> NewAnswer:
        """The answer not to import these rows."""
        return NewAnswer(Rule.LEAVE_OUT, self.kind.cause.slug, self.kind.column)


@dataclass(frozen=True, slots=True)
class ToFix:
    """Everything that can be corrected of an import."""

    standing: Standing
    #: The number of open rows.
    open_rows: int
    groups: list[GroupToFix]
    more_groups: int
    #: The answers that “accept all” gives: one for each group with values that can mean only one thing.
    sure: list[NewAnswer]
    #: The number of cells that it changes: a row may have several such values.
    sure_cells: int
    #: What “accept all suggestions” gives beside them: one for each value on the page that has just one suggestion.
    suggested: list[NewAnswer]
    suggested_cells: int
    #: How many rows have another problem behind the one that was answered; and the first of them, by their lines in
    #: the seller's own file.
    behind: int
    wrong_again: list[int]
    #: What a problem of a corrected row has to do with the answers, by its line and the problem.
    marks: Mapping[tuple[int, ErrorKind], str]
    answers: list[GivenAnswer]
    #: What has become of the rows of each of them.
    fates: Mapping[int, AnswerFate]
    #: Whether there are older answers than these.
    has_older: bool

    def likelihood(self, offer: Offer, of: ValueToFix | None = None) -> str:
        """Which button for all groups presses this one, too: that of what is certain, or of what is likely."""
        if of and of.is_sure or offer.answer.rule is not Rule.SUGGESTED and offer.answer in self.sure:
            return "certain"
        return "likely" if offer.answer in self.suggested else ""


class AnswerFate(NamedTuple):
    """What has become of the rows of an answer."""

    #: Those that it was the last one for.
    held: Held
    #: How many of its rows were changed again, or taken back where that is not known; and the first of their lines.
    changed: int
    changed_lines: list[int]
    #: Whether rows that it was the last one for have other answers, too, which would be taken back with it.
    has_others: bool
    #: What is different now in the first of them, where the answer itself does not say it.
    values: str = ""


class LeftOut(NamedTuple):
    """Rows with one problem that were left out."""

    kind: ErrorKind
    #: The number of all of them.
    total: int
    #: Those on the page, each with its line in the file that the seller has uploaded, which card it is, and why it was
    #: left out, if that is not just its problem.
    rows: list[tuple[RecordedError, int, str, str]]


class RowToFix(NamedTuple):
    """An open row, cell by cell; without cells where it is not certain which value belongs to which column."""

    line: int
    #: Its line in the file that the seller has uploaded.
    own_line: int
    text: str
    messages: list[str]
    cells: list[CellShown]
    suggestions: list[str]
    #: Its text with the wrong values marked, where that cannot be told by cells.
    parts: list[Part]
    #: Whether values are missing, perhaps not at its end: the cells are those in order.
    is_short: bool
    #: What the cells tell that are not wrong.
    rest: str
    #: The listing that it means, where that is what is wrong.
    meant: Meant | None = None


def show(one: ImportProgress, *, kind: ErrorKind | None = None, before: int | None = None) -> ToFix:
    """What can be corrected of an import: all groups, or one; with the last answers, or the last ``before`` one.

    No groups before its values are counted (``survey``), and while an answer is being applied, which changes them.
    """
    standing = corrections.get(one.key)
    open_rows = max(0, one.failed - standing.closed - standing.correct)
    groups = corrections.list_groups(one.key) if standing.answering is None else []
    wanted = [group for group in groups if kind in {None, group.kind}]
    values = corrections.list_values(one.key, wanted, per_group=_VALUES if kind is None else _VALUES_ALONE)
    sure = [each for each in values if _is_sure(each)]
    answers = corrections.list_answers(one.key, limit=_ANSWERS + 1, before=before)
    layout = layout_of(one.header)
    shown = _show_groups(one, wanted[:_GROUPS], values, layout, apart=_APART if kind is None else _APART_ALONE)
    marks = _mark_again(one.key, layout) if standing.open_corrected and standing.is_small else {}
    again = sorted({line for (line, _), mark in marks.items() if mark == _NEW})
    single = [each for group in shown for each in group.values if len(each.offers) == 1]
    mended = [each for each in single if each.offers[0].is_certain]
    suggested = [each for each in single if not each.offers[0].is_certain and not each.is_sure]
    return ToFix(
        standing,
        open_rows,
        shown,
        max(0, len(wanted) - _GROUPS),
        [NewAnswer(Rule.SUGGESTED, kind.cause.slug, kind.column) for kind in dict.fromkeys(each.kind for each in sure)]
        + [each.offers[0].answer for each in mended],
        sum(each.rows for each in sure) + sum(each.rows for each in mended),
        [each.offers[0].answer for each in suggested],
        sum(each.rows for each in suggested),
        len(again) if standing.is_small and standing.open_corrected <= _WRONG_AGAIN else standing.open_corrected,
        again,
        marks,
        answers[:_ANSWERS],
        _tell_fates(one.key, answers[:_ANSWERS], corrections.find_held(one.key, standing), layout),
        len(answers) > _ANSWERS,
    )


def _mark_again(key: ImportKey, layout: Layout) -> dict[tuple[int, ErrorKind], str]:
    """The problems of the first corrected rows that they did not have as they were uploaded, or with another value."""
    rows = corrections.list_open_corrected(key, limit=_WRONG_AGAIN)
    uploaded = row_errors.find(key, [row.line for row in rows])
    own = seller_file.own_lines(key, uploaded)
    marks = {}
    for row in rows:
        before = uploaded[row.line]
        for kind in row.kinds:
            if kind not in before.kinds:
                marks[own[row.line], kind] = _NEW
            elif _value_of(row, kind, layout) != _value_of(before, kind, layout):
                marks[own[row.line], kind] = _STILL
    return marks


def _tell_fates(
    key: ImportKey, answers: Sequence[GivenAnswer], held: Mapping[int, Held] | None, layout: Layout
) -> dict[int, AnswerFate]:
    """What has become of the rows of these answers, by their lines in the file that the seller has uploaded."""
    if held is None:
        return {answer.number: AnswerFate(Held(answer.rows, answer.rows, []), 0, [], False) for answer in answers}
    last = corrections.find_last_answers(key, {line for answer in answers for line in answer.lines or ()})
    found = {}
    for answer in answers:
        of_it = held.get(answer.number, Held(0, 0, []))
        lines = {line: last[line] for line in sorted(answer.lines or ()) if line in last}
        changed = [line for line, (number, _) in lines.items() if number != answer.number][:_CHANGED]
        has_others = any(others for number, others in lines.values() if number == answer.number)
        found[answer.number] = AnswerFate(of_it, answer.rows - of_it.rows, changed, has_others)
    values = _tell_values(key, [(answer, found[answer.number].held.lines) for answer in answers], layout)
    own = seller_file.own_lines(key, {line for one in found.values() for line in (*one.held.lines, *one.changed_lines)})
    return {
        number: one._replace(
            held=one.held._replace(lines=[own[line] for line in one.held.lines]),
            changed_lines=[own[line] for line in one.changed_lines],
            values=values.get(number, ""),
        )
        for number, one in found.items()
    }


def _tell_values(key: ImportKey, answers: Sequence[tuple[GivenAnswer, list[int]]], layout: Layout) -> dict[int, str]:
    """What answers that do not name their values have made of rows on some lines, by the numbers of the answers."""
    asked = {line for answer, lines in answers if answer.rule in _SILENT for line in lines}
    now = corrections.find_texts(key, asked) if asked else {}
    uploaded = row_errors.find(key, now) if now else {}
    told = {}
    for answer, lines in answers if now else ():
        each = (
            _tell_mended(uploaded[line].row, now[line], layout)
            if answer.rule == Rule.MEND
            else _tell_changed(uploaded[line].row, now[line], layout, answer.column)
            for line in lines
            if answer.rule in _SILENT and line in uploaded
        )
        told[answer.number] = ", ".join(dict.fromkeys(filter(None, each)))
    return told


def _tell_changed(before: str, after: str, layout: Layout, column: str) -> str:
    """The cells that are different in a row, or the one of a ``column``; empty if its values cannot be told apart."""
    old, new = find_cells(before), split_record(after)
    if len(old) != len(new):
        return ""
    return ", ".join(
        f"{'' if column else f'{name} '}{visible(_as_written(was, before)) or '(empty)'} → {visible(now) or '(empty)'}"
        for name, was, now in zip(layout.columns, old, new, strict=False)
        if was.value != now and column in {"", name}
    )


def _as_written(cell: Cell, text: str) -> str:
    """The value of a cell of the row ``text``; with its quotation marks where they do not match up."""
    written, quoted = text[cell.start : cell.end].strip(), cell.value.replace('"', '""')
    is_right = written in {cell.value.strip(), f'"{quoted}"', f'"{quoted.strip()}"'}
    return cell.value.strip() if is_right else written


class WrongSince(NamedTuple):
    """Rows that were answered and are open all the same: with the problem that was answered, or just with others."""

    still: int
    otherwise: int


def count_wrong_since(key: ImportKey, before: Standing) -> WrongSince:
    """How many rows are open that were answered since ``before``."""
    standing = corrections.get(key)
    if not standing.is_small:
        return WrongSince(max(0, standing.open_corrected - before.open_corrected), 0)
    found = corrections.count_open_since(key, before.answers)
    given = corrections.find_answers(key, {each.answer for each in found})
    still = 0
    for each in found:
        answer = given[each.answer]
        if not answer.cause or ErrorKind.stored(answer.cause, answer.column) in each.kinds:
            still += each.rows
    return WrongSince(still, sum(each.rows for each in found) - still)


def list_left_out(one: ImportProgress, after_line: int) -> tuple[list[LeftOut], int | None]:
    """The rows that were left out, by their first problem; a page of those below a line is listed.

    With the last of these lines if more follow.
    """
    errors = corrections.list_left_out(one.key, after_line=after_line, limit=_LEFT_OUT + 1)
    goes_on, errors = errors[_LEFT_OUT - 1].line if len(errors) > _LEFT_OUT else None, errors[:_LEFT_OUT]
    layout = layout_of(one.header)
    own = seller_file.own_lines(one.key, {error.line for error in errors})
    cards = {meant.line: meant.card for meant in listed.tell(one, errors, adds=False)}
    last = corrections.find_last_answers(one.key, own)
    answers = corrections.find_answers(one.key, {number for number, _ in last.values()})
    found = {kind: LeftOut(kind, total, []) for kind, total in corrections.count_left_out(one.key).items()}
    for error in errors:
        line, kind = own[error.line], error.kinds[0]
        rest = _tell_rest(read_values(error.row, layout), ())
        reason = answers[last[error.line][0]].cells.get(REASON, "") if error.line in last else ""
        why = "" if reason == kind.cause.title else reason
        found.setdefault(kind, LeftOut(kind, 0, [])).rows.append((error, line, cards.get(line, rest), why))
    return [*found.values()], goes_on


def _say_value(value: str) -> str:
    """A wrong value for people; those of several columns one after the other."""
    return visible(", ".join(filter(None, value.split(JOINT))))


def place_of(kind: ErrorKind) -> str:
    """The name of the place of a group on the page."""
    return "-".join(filter(None, (kind.cause.slug, kind.column)))


def _is_sure(one: Value) -> bool:
    return one.value != "" and sure_value(one.kind, one.value) is not None


def _show_groups(
    one: ImportProgress, groups: Sequence[Group], values: Sequence[Value], layout: Layout, *, apart: int
) -> list[GroupToFix]:
    key = one.key
    kinds = {group.kind for group in groups}
    # A value of one row is shown with what the rest of the row tells.
    values, rows = _locate(key, [each for each in values if each.kind in kinds], layout)
    problems = [_problem(each, rows, layout) for each in values]
    found = dict(zip(values, suggest(problems), strict=True))
    offers = _with_next(
        key,
        {each: [*_offers(key, each, told, layout)] for each, told in found.items()},
    )
    alone = _rows_in_place(one, groups, values, rows)
    lines = _find_lines(key, values, layout)
    own = seller_file.own_lines(key, {line for each in values for line in (each.first_line, *lines.get(each, ()))})
    meant = _tell_meant(one, values)
    differing = _tell_apart(one, values, layout, [*alone.values()])
    shown: defaultdict[ErrorKind, list[ValueToFix]] = defaultdict(list)
    for each, problem in zip(values, problems, strict=True):
        told = [own[line] for line in lines.get(each, ())]
        value = _show_value(each, found[each], offers[each], problem.values, own[each.first_line], told)
        if each in differing:
            value = replace(value, fields=[], differs=True, apart=differing[each][:apart])
        shown[each.kind].append(value)
    return [
        GroupToFix(
            group.kind,
            group.rows,
            [*_rules(group, [each for each in values if each.kind == group.kind], offers, meant.get(group.kind, []))],
            shown[group.kind],
            group.values - len(shown[group.kind]),
            alone.get(group.kind),
            meant.get(group.kind, []),
        )
        for group in groups
    ]


def _locate(key: ImportKey, values: Sequence[Value], layout: Layout) -> tuple[list[Value], dict[int, RecordedError]]:
    """The values, those of one row on the line where it is, and these rows; those before it may be dealt with."""
    rows = corrections.find_open(key, [each.first_line for each in values if each.rows == 1])
    located = []
    for each in values:
        if each.rows == 1 and (each.first_line not in rows or each.kind not in rows[each.first_line].kinds):
            some = corrections.list_open(key, _first_rows(each), after_line=0, limit=_MOST_BETWEEN)
            found = next((row for row in some if _value_of(row, each.kind, layout) == each.value), None)
            if found:
                rows[found.line], each = found, each._replace(first_line=found.line)
        located.append(each)
    return located, rows


def _value_of(row: RecordedError, kind: ErrorKind, layout: Layout) -> str:
    """The value that counts for a problem, as in ``Slice.values``."""
    cells = read_values(row.row, layout) if kind.cause in TELLING else {}
    return JOINT.join(cells[column] for column in kind.columns) if cells else ""


def _find_lines(key: ImportKey, values: Sequence[Value], layout: Layout) -> dict[Value, list[int]]:
    """The lines of values that one row has, and of rows without a value, which nothing else would tell, if few."""
    found = {each: [each.first_line] for each in values if each.rows == 1}
    for each in values:
        if each.value == "" and 1 < each.rows <= _FEW:
            rows = corrections.list_open(key, _first_rows(each), after_line=0, limit=_MOST_BETWEEN)
            lines = [row.line for row in rows if _value_of(row, each.kind, layout) == ""]
            if len(lines) == each.rows:
                found[each] = lines
    return found


def _tell_meant(one: ImportProgress, values: Sequence[Value]) -> dict[ErrorKind, list[Meant]]:
    """What the first rows mean of the groups about listings, whose values say nothing."""
    return {
        each.kind: listed.tell(one, corrections.list_open(one.key, _first_rows(each), after_line=0, limit=_MEANT))
        for each in values
        if each.kind.cause in _ABOUT_LISTINGS
    }


def _tell_apart(
    one: ImportProgress, values: Sequence[Value], layout: Layout, in_place: Sequence[RowToFix]
) -> dict[Value, list[RowApart]]:
    """The values that are missing or lost in rows for different items, with the first of these rows.

    No cell is there twice, nor one of the rows that are corrected ``in_place``.
    """
    seen = {(row.line, cell.column) for row in in_place for cell in row.cells}
    found: dict[Value, list[RowApart]] = {}
    for each in values:
        if each.rows == 1 or not _names_item(each):
            continue
        some = corrections.list_open(one.key, _first_rows(each), after_line=0, limit=_APART_ALONE + 1)
        rows = {
            row.line: read_values(row.row, layout) for row in some if _value_of(row, each.kind, layout) == each.value
        }
        told = {tuple(cells.get(column, "") for column in _TELLS_ROW) for cells in rows.values()}
        if len(rows) == each.rows and len(told) == 1 and any(*told):
            continue
        own = seller_file.own_lines(one.key, rows)
        found[each] = []
        for line, cells in rows.items():
            columns = dict(_fields(each.kind, cells))
            if each.kind.cause is Cause.NAME_INCOMPLETE:
                columns |= {column: with_signs(cells.get(column, "")) for column in NAME_COLUMNS}
            fields = [(column, text) for column, text in columns.items() if (line, column) not in seen]
            seen.update((line, column) for column in columns)
            if fields:
                found[each].append(RowApart(line, own[line], _tell_row(cells, columns), fields))
    return found


def _names_item(one: Value) -> bool:
    """Whether a value is missing, or lost, that names the item."""
    cause, column = one.kind
    if cause is Cause.VARIANT_NOT_FOUND or not [*_fields(one.kind, {})]:
        return False
    return (cause.asks_for_item or column in _TELLS_ITEM) and (one.value == "" or cause in _LOST)


def _tell_row(cells: Mapping[str, str], shown: Collection[str]) -> str:
    """What a row says of its item beside the columns that are shown, and what the seller has written about it."""
    columns = (*_TELLS_ITEM, Column.CONDITION, Column.VARIANTS, Column.REFERENCE, Column.NOTES, Column.COMMENT)
    return visible(", ".join(cells[column] for column in columns if column not in shown and cells.get(column)))


def _first_rows(one: Value) -> Wanted:
    """The first rows with a value; there may be more, far behind them."""
    last_line = min(one.last_line, one.first_line + _MEANT_LINES)
    return Wanted(one.kind.cause.slug, one.kind.column, one.first_line, last_line)


def _rows_in_place(
    one: ImportProgress, groups: Sequence[Group], values: Sequence[Value], rows: Mapping[int, RecordedError]
) -> dict[ErrorKind, RowToFix]:
    """The rows of the groups that have one row, and nothing that could be typed for it; each row once."""
    single = {group.kind for group in groups if group.rows == 1 and group.kind.cause.code is Code.INVALID}
    lines: dict[int, ErrorKind] = {}
    for each in values:
        if each.kind in single and each.first_line in rows and not any(_fields(each.kind, {})):
            lines.setdefault(each.first_line, each.kind)
    shown = _show_rows(one, [rows[line] for line in lines]) if lines else []
    return {lines[row.line]: row for row in shown}


def _problem(one: Value, rows: Mapping[int, RecordedError], layout: Layout) -> RowProblem:
    row = rows.get(one.first_line) if one.rows == 1 else None
    if row is not None:
        return RowProblem(one.kind, read_values(row.row, layout))
    values = one.value.split(JOINT) if one.value else ()
    return RowProblem(one.kind, dict(zip(one.kind.columns, values, strict=False)))


def _show_value(
    one: Value, found: Suggestion | None, offers: list[Offer], cells: Mapping[str, str], line: int, lines: list[int]
) -> ValueToFix:
    fields = [*_fields(one.kind, cells)]
    rest = _tell_rest(cells, {*one.kind.columns, *(column for column, _ in fields)})
    lead = found.lead if found else ""
    numbers = one.rows, one.first_line, line, lines
    return ValueToFix(one.kind, one.value, *numbers, rest, lead, offers, fields, _is_sure(one), False, [])


def _tell_rest(cells: Mapping[str, str], shown: Collection[str]) -> str:
    """What a row says of itself beside the columns that are shown: its item, what there is of it, and its reference."""
    item = next((cells[column] for column in _ITEM if cells.get(column) and column not in shown), "")
    if not item:
        item = ", ".join(cells[column] for column in (Column.GAME, Column.SET) if cells.get(column))
    rest = (cells.get(column, "") for column in _OF_ITEM if column not in shown)
    return visible(", ".join(filter(None, (item, *rest))))


def _with_next(key: ImportKey, offers: Mapping[Value, list[Offer]]) -> dict[Value, list[Offer]]:
    """The offers, those for one row with the problem that each would bring to light."""
    asked = [(each, at) for each, some in offers.items() if each.rows == 1 for at in range(len(some))]
    behind = foresee(key, [(each.first_line, offers[each][at].answer) for each, at in asked]) if asked else {}
    causes = {asked[place]: cause for place, cause in behind.items()}
    return {
        each: [
            offer._replace(next=cause, is_certain=offer.is_certain and cause is None)
            for at, offer in enumerate(some)
            for cause in [causes.get((each, at))]
        ]
        for each, some in offers.items()
    }


def _offers(key: ImportKey, one: Value, found: Suggestion | None, layout: Layout) -> Iterator[Offer]:
    if one.kind.cause is Cause.CONTROL_CHARACTER:
        return _offer_cleaned(key, one, layout)
    return _choices(one, found) if found else _offer_mended(key, one, layout)


def _offer_mended(key: ImportKey, one: Value, layout: Layout) -> Iterator[Offer]:
    """To put the commas or quotation marks of rows right, if that helps the first of them."""
    if one.kind.cause not in _MENDED:
        return
    texts = [error.row for error in corrections.list_open(key, _first_rows(one), after_line=0, limit=_MENDED_ROWS)]
    mended = mend(texts, layout)
    if any(mended):
        is_certain = one.kind.cause is Cause.COLUMN_COUNT and all(mended) and len(mended) == one.rows
        note = _tell_mended(texts[0], mended[0], layout) if one.rows == 1 and mended[0] else ""
        answer = NewAnswer(Rule.MEND, one.kind.cause.slug, one.kind.column)
        yield Offer(answer, _MENDED[one.kind.cause], note, is_certain=is_certain)


def _offer_cleaned(key: ImportKey, one: Value, layout: Layout) -> Iterator[Offer]:
    """To remove the control characters of rows, if that makes the value right in any of the first of them."""
    column = Column(one.kind.column)
    errors = corrections.list_open(key, _first_rows(one), after_line=0, limit=_CLEANED_ROWS)
    cells = [read_values(error.row, layout).get(column) for error in errors]
    cleaned = [None if cell is None else without_invisible(column, cell) for cell in cells]
    if any(each is not None for each in cleaned):
        is_certain = None not in cleaned and len(cleaned) == one.rows
        note = visible(cleaned[0] or "") or "(empty)" if one.rows == 1 else ""
        answer = NewAnswer(Rule.REMOVE_INVISIBLE, one.kind.cause.slug, column)
        yield Offer(answer, "Remove it" if one.rows == 1 else "Remove them", note, is_certain=is_certain)


def _tell_mended(text: str, mended: str, layout: Layout) -> str:
    """What is different in a row: the columns that are empty then, or the first cell that is another one."""
    before, after = split_records([text, mended])
    if len(before) < len(after):
        return ", ".join(layout.columns[len(before) :])
    return next(
        f"{column} {visible(now)}"
        for column, was, now in zip(layout.columns, before, after, strict=False)
        if now != was
    )


def _choices(one: Value, found: Suggestion) -> Iterator[Offer]:
    """The choices of a suggestion."""
    if not found.choices and "Leave it empty" in found.lead:
        yield _offer(one, {one.kind.column: ""}, "Leave it empty")
    if len(found.by_column) > 1:
        # Where several columns are wrong, the most similar value of each is meant.
        first = [choices[0] for choices in found.by_column]
        text = ", ".join(f"{each.column} {each.text}" for each in first)
        yield _offer(one, {each.column: each.text for each in first}, text)
    else:
        for choice in found.choices:
            yield _offer(one, {choice.column: choice.text}, choice.text, choice.note)


def _offer(one: Value, cells: Mapping[str, str], text: str, note: str = "") -> Offer:
    return Offer(NewAnswer(Rule.SET, one.kind.cause.slug, one.kind.column, one.value, cells), text, note)


def _fields(kind: ErrorKind, cells: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The columns to type an answer in: those with the problem, and those that name the item in another way.

    What means several items is not wrong by itself: only the URN tells which one is meant.
    """
    if kind.cause is Cause.NAME_INCOMPLETE:
        # The others that an item is named by, where it is known what they are.
        yield from ((column, with_signs(cells[column])) for column in (Column.GAME, Column.SET) if column in cells)
    if kind.cause.slug not in UNCERTAIN and kind.cause is not Cause.ITEM_AMBIGUOUS:
        for column in kind.columns:
            yield column, with_signs(cells.get(column, ""))
    if kind.cause.asks_for_item and kind.cause is not Cause.VARIANT_NOT_FOUND and kind.column != Column.URN:
        yield Column.URN, ""


def _rules(
    group: Group, values: Sequence[Value], offers: Mapping[Value, list[Offer]], meant: Sequence[Meant]
) -> Iterator[Offer]:
    """What can be answered for all rows of a group."""
    cause, column = group.kind
    for each in values if cause in _MENDED else ():
        yield from offers[each]
    rules = [*_RULES.get(cause, ())]
    if any(map(_is_sure, values)):
        rules.append((Rule.SUGGESTED, "Accept what each value means", {}))
    if cause is Cause.TEXT_TOO_LONG:
        rules.append((Rule.CUT, f"Cut to {TEXT_LIMITS[column]} characters", {}))
    if cause is Cause.TEXT_TOO_LONG or column in _IDS and cause in _LOST:
        rules.append((Rule.SET, f"Leave {column} empty", {column: ""}))
    if (
        any(each.together for each in meant)
        and group.rows <= listed.MOST_ADDED
        and cause is not Cause.LISTING_NOT_FOUND
    ):
        rules.insert(0, (Rule.ADD, "Add to what you have", {}))
    if cause.code is not Code.INVALID:
        rules.append((Rule.RECHECK, "Check again", {}))
    for rule, text, cells in rules:
        yield Offer(NewAnswer(rule, cause.slug, column, None, cells), text)


#: What is offered for all rows of a cause.
_RULES: dict[Cause, list[tuple[Rule, str, dict[str, str]]]] = {
    Cause.PRICE_UNCLEAR: [
        (Rule.SUGGESTED, "They are in pounds", {UNIT: "pounds"}),
        (Rule.SUGGESTED, "They are in pence", {UNIT: "pence"}),
    ],
    Cause.LISTING_EXISTS: [(Rule.SET, "Change MODE to UPDATE", {Column.MODE: Mode.UPDATE})],
    Cause.LISTING_REPEATED: [(Rule.SET, "Change MODE to UPDATE", {Column.MODE: Mode.UPDATE})],
    Cause.LISTING_NOT_FOUND: [(Rule.SET, "Change MODE to CREATE", {Column.MODE: Mode.CREATE})],
    Cause.VARIANT_NOT_FOUND: [(Rule.DROP_VARIANTS, "Drop the variants that the items don’t have", {})],
    Cause.EXTRA_VALUE: [(Rule.DROP_EXTRA, "Drop the extra values", {})],
    Cause.ROW_IN_QUOTES: [(Rule.UNQUOTE, "Remove the quotation marks", {})],
}


def list_rows(
    one: ImportProgress, *, kind: ErrorKind | None, after_line: int, limit: int
) -> tuple[list[RowToFix], bool]:
    """At most ``limit`` open rows below a line, of one group or of all, and whether more follow."""
    wanted = Wanted(kind.cause.slug, kind.column) if kind else Wanted()
    found = corrections.list_open(one.key, wanted, after_line=after_line, limit=limit + 1)
    about_listings = [error for error in found[:limit] if error.kinds[0].cause in _ABOUT_LISTINGS]
    meant = {each.line: each for each in listed.tell(one, about_listings)}
    rows = _show_rows(one, found[:limit])
    return [row._replace(meant=meant.get(row.own_line)) for row in rows], len(found) > limit


def show_lines(one: ImportProgress, lines: Collection[int]) -> dict[int, RowToFix]:
    """The open rows on these lines."""
    return {row.line: row for row in _show_rows(one, [*corrections.find_open(one.key, lines).values()])}


def list_still_open(one: ImportProgress, lines: Collection[int]) -> list[tuple[int, int, Cause]]:
    """Those of the rows on these lines that are open: line, line in the seller's own file, and first problem."""
    rows = corrections.find_open(one.key, lines) if lines else {}
    own = seller_file.own_lines(one.key, rows)
    return [(line, own[line], rows[line].kinds[0].cause) for line in sorted(rows)]


def find_parent_lines(one: ImportProgress, parent: ImportProgress, lines: Sequence[int]) -> dict[int, int]:
    """On which lines of the seller's file of ``parent`` rows stand that ``one`` has taken up; by their lines in it."""
    if one.taken_up_as is None or not lines:
        return {}
    found = corrections.find_parent_lines(parent.key, one.key.import_id, lines)
    own = seller_file.own_lines(parent.key, found.values())
    return {line: own[parent_line] for line, parent_line in found.items()}


def _show_rows(one: ImportProgress, errors: Sequence[RecordedError]) -> list[RowToFix]:
    """Failed rows, cell by cell."""
    layout = layout_of(one.header)
    all_cells = [[cell.value for cell in find_cells(error.row)] for error in errors]
    own = find_own_file(one)
    rows = []
    told_errors, suggested = own.tell(errors) if own else errors, suggest_each(errors, all_cells, layout)
    for error, told, cells, suggestions in zip(errors, told_errors, all_cells, suggested, strict=True):
        wrong = {column for kind in error.kinds for column in kind.columns}
        # A row that is too short may be only so at its end.
        is_certain = UNCERTAIN.isdisjoint(error.causes)
        values = layout.own_and_extra(cells)[0] if is_certain else []
        rows.append(
            RowToFix(
                error.line,
                told.line,
                with_signs(error.row),
                [*map(with_signs, told.messages)],
                [
                    CellShown(column, with_signs(text or "").strip(), column in wrong or text is None)
                    for column, text in zip_longest(layout.columns, values)
                ]
                if is_certain
                else [],
                [found.say(kind.column) for kind, found in zip(error.kinds, suggestions, strict=True) if found],
                [] if is_certain else mark(error.row, error.kinds, layout, None),
                Cause.COLUMN_COUNT.slug in error.causes,
                _tell_row(read_values(error.row, layout), wrong) if is_certain and wrong else "",
            )
        )
    return rows


def describe(answer: GivenAnswer, name_of: Callable[[str], str]) -> str:
    """An answer in words; ``name_of`` says what the seller calls a column."""
    cells = ", ".join(f"{name_of(column)} {text or '(empty)'}" for column, text in answer.cells.items())
    cause = Cause.by_slug(answer.cause).title if answer.cause else ""
    where = f"{cause}{f' “{_say_value(answer.value)}”' if answer.value else ''}"
    reason = answer.cells.get(REASON, "")
    # Not where it is just their problem.
    why = "" if reason in ("", cause) else f" ({reason})"
    return {
        Rule.SET: f"{where} → {cells}",
        Rule.SUGGESTED: f"{where}: what each value means",
        Rule.DROP_VARIANTS: f"{where}: variants dropped",
        Rule.DROP_EXTRA: f"{where}: dropped",
        Rule.MEND: f"{where}: commas and quotation marks put right",
        Rule.REMOVE_INVISIBLE: f"{where}: removed",
        Rule.CUT: f"{where}: cut to the length of the column",
        Rule.UNQUOTE: f"{where}: quotation marks removed",
        Rule.ADD: f"{where}: added to what you have",
        Rule.RECHECK: f"{where}: checked again",
        Rule.LEAVE_OUT: f"Left out: {where + why if where else reason or 'single rows'}",
        Rule.LEAVE_REST: f"Left out: all that was still to fix{why}",
        Rule.CELLS: "Edited by hand",
    }[Rule(answer.rule)]
