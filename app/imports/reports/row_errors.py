"""View model of failed rows: their groups, and the rows with their invalid values marked."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

from app.csvfile.causes import Cause
from app.csvfile.cells import split_records
from app.csvfile.columns import Column, Layout
from app.csvfile.contract import column_letters
from app.csvfile.header import layout_of
from app.csvfile.records import Cell, find_cells
from app.csvfile.visible import visible
from app.imports.reports.progress import ImportProgress, find_own_file
from app.imports.reports.seller_file import OwnRow, SellerFile, name_column
from app.imports.reports.suggestions import RowProblem, Suggestion, suggest
from app.queries import ImportKey
from app.queries.imports import corrections, error_groups, row_errors
from app.queries.imports.corrections import Fate
from app.queries.imports.error_groups import ErrorKind, Group, Sampled
from app.queries.imports.row_errors import ANY, ErrorFilter, RecordedError

#: Values are counted in groups of at most this many rows together. In larger groups, only a sample is searched for the
#: most frequent values, and no counts are shown: they would be taken for those of the whole group.
_MOST_COUNTED = 20_000
_SAMPLE = 200
#: Rows of a group whose lines are told.
_FEW = 5
#: Pages of failed rows that are searched at once for a text in a foreign file.
_MOST_PAGES = 100
#: Maximum number of values shown of a group, and of values that only one row has.
_MAX_VALUES, _MAX_VALUES_OF_ONE = 3, 10
_MAX_SINGLE_VALUES = 2

#: Causes for which the value in the column says what was meant.
TELLING = frozenset(
    {
        Cause.INVISIBLE_CHARACTER,
        Cause.SPREADSHEET_ERROR,
        Cause.NUMBER_SHORTENED,
        Cause.NUMBER_AS_DATE,
        Cause.NUMBER_FORMATTED,
        Cause.MODE_UNKNOWN,
        Cause.ID_NOT_DIGITS,
        Cause.CONDITION_UNKNOWN,
        Cause.PRICE_IN_POUNDS,
        Cause.PRICE_UNCLEAR,
        Cause.PRICE_NOT_WHOLE,
        Cause.PRICE_OUT_OF_RANGE,
        Cause.QUANTITY_NOT_WHOLE,
        Cause.QUANTITY_OUT_OF_RANGE,
        Cause.VARIANT_MALFORMED,
        Cause.HIDDEN_UNKNOWN,
        Cause.ITEM_NOT_FOUND,
        Cause.VARIANT_NOT_FOUND,
        Cause.ITEM_AMBIGUOUS,
    }
)


#: Causes for which it is not certain where a value ends.
UNCERTAIN = frozenset(cause.slug for cause in (Cause.QUOTING, Cause.SWALLOWED_LINES, Cause.ROW_IN_QUOTES))


class Part(NamedTuple):
    """A piece of a row's original text; joined, the pieces are the text."""

    text: str
    #: The column with a problem, if this is its value; after the last column, its letters in a spreadsheet.
    column: str = ""


class CellShown(NamedTuple):
    """A value of a row under the name of its column; after the last column, under its letters in a spreadsheet."""

    column: str
    text: str
    is_wrong: bool


@dataclass(frozen=True, slots=True)
class ProblemShown:
    """A problem of a row."""

    kind: ErrorKind
    #: The column as the seller calls it.
    column: str
    message: str
    suggestion: Suggestion | None

    @property
    def says_more(self) -> bool:
        """Whether the suggestion says more than the message, which may have the value to enter already."""
        if self.suggestion is None or len(self.suggestion.choices) != 1:
            return self.suggestion is not None
        return not self.message.endswith(f" {self.suggestion.choices[0].text}.")


@dataclass(frozen=True, slots=True)
class RowShown:
    """A failed row."""

    #: Its place among the others: the line in the import's file.
    place: int
    #: The line in the file that the seller has uploaded.
    line: int
    code: int
    problems: list[ProblemShown]
    parts: list[Part]
    #: The values that it has, and those that are wrong or missing; none if they cannot be assigned to columns.
    cells: list[CellShown]
    #: The lines of rows that were added to it before it was imported.
    added: list[int]
    #: None for one that is still to be dealt with.
    fate: Fate | None

    @property
    def last_line(self) -> int:
        """The line on which it ends; it differs from the first if a value has line breaks."""
        return self.line + sum(part.text.count("\n") for part in self.parts)


@dataclass(frozen=True, slots=True)
class ValueShown:
    """A frequent value in the column of a group."""

    text: str
    #: The number of rows with it; None if not counted.
    rows: int | None
    suggestion: Suggestion | None


@dataclass(frozen=True, slots=True)
class GroupShown:
    """The failed rows with one cause in one column."""

    kind: ErrorKind
    #: The column as the seller calls it.
    column: str
    rows: int
    #: The most frequent first; none if values say nothing.
    values: list[ValueShown]
    example: Sampled | None
    parts: list[Part]
    #: The lines of its rows, where these are few and no value tells them apart.
    lines: list[int]


def outline_groups(one: ImportProgress, groups: Sequence[Group]) -> list[GroupShown]:
    """``groups`` without anything that needs their rows, for a page that is drawn every second."""
    own = find_own_file(one)
    return [
        GroupShown(group.kind, name_column(own, group.kind.column), group.rows, [], None, [], []) for group in groups
    ]


def show_groups(one: ImportProgress, groups: Sequence[Group], *, in_full: bool = False) -> list[GroupShown]:
    """``groups`` with an example each, their most frequent values, and what to write instead.

    ``in_full`` shows more values, and is meant for one or two groups.
    """
    if not groups:
        return []
    layout = layout_of(one.header)
    own = find_own_file(one)
    most = _MAX_VALUES_OF_ONE if in_full else _MAX_VALUES
    samples = error_groups.sample(one.key, {group.kind: _sample_size(group) for group in groups})
    # Of a converted file only the sample's rows are looked up: values that a conversion has made say nothing.
    counted = _countable(groups) if own is None else []
    all_rows = error_groups.list_texts(one.key, counted) if counted else {}
    own_rows = own.find_rows({row.line for sample in samples.values() for row in sample}) if own else {}
    common: dict[ErrorKind, list[tuple[str, int, RowProblem]]] = {}
    for group in groups:
        sample = samples.get(group.kind, [])
        texts = all_rows.get(group.kind) or [row.row for row in sample]
        own_texts = [own_rows[row.line].text for row in sample] if own else []
        shown_as = [_tell_wrong(text, group.kind, layout, own) for text in own_texts]
        common[group.kind] = _common_values(group.kind, texts, layout, most, shown_as=shown_as)
    suggestions = iter(suggest(case for group in groups for _, _, case in common[group.kind]))
    shown = []
    for group in groups:
        sample = samples.get(group.kind, [])
        is_counted = group.kind in all_rows or (own is not None and len(sample) == group.rows)
        # A value of one row without a suggestion adds nothing to the example.
        values = [
            ValueShown(visible(text), count if is_counted else None, suggestion)
            for (text, count, _), suggestion in zip(common[group.kind], suggestions, strict=False)
            if count > 1 or suggestion
        ]
        example = _as_own(sample[0], own_rows) if sample else None
        parts = mark(example.row, [group.kind], layout, own) if example else []
        is_few = 1 < len(sample) == group.rows <= _FEW
        lines = [_as_own(row, own_rows).line for row in sample] if is_few else []
        column = name_column(own, group.kind.column)
        shown.append(GroupShown(group.kind, column, group.rows, values, example, parts, lines))
    return shown


def _sample_size(group: Group) -> int:
    if group.kind.cause in TELLING:
        return _SAMPLE
    return _FEW if group.rows <= _FEW else 1


def _as_own(sampled: Sampled, own_rows: Mapping[int, OwnRow]) -> Sampled:
    """A row as it stands in the foreign file, if there is one."""
    row = own_rows.get(sampled.line)
    return sampled if row is None else Sampled(row.line, row.text or sampled.row)


def _tell_wrong(row: str, kind: ErrorKind, layout: Layout, own: SellerFile | None) -> str:
    """The values of a row that have a problem."""
    return ", ".join(
        text for cell, _, is_wrong in _label(row, [kind], layout, own) if is_wrong and (text := cell.value.strip())
    )


class RowPage(NamedTuple):
    """Consecutive failed rows, and the place after which the next page begins; None on the last page.

    A page has few rows, or none, if a search stopped before it had found enough.
    """

    rows: list[RowShown]
    after: int | None


def list_rows(
    one: ImportProgress, *, after_line: int = 0, limit: int, wanted: ErrorFilter = ANY, with_suggestions: bool = True
) -> RowPage:
    """At most ``limit`` failed rows below a line that match ``wanted``, in the order of the file."""
    own = find_own_file(one)
    if own and own.has_text and wanted.text:
        found, after = _search(own, one.key, after_line, limit, wanted)
    else:
        wanted = own.translate(wanted) if own else wanted
        found, goes_on = row_errors.list_after(one.key, after_line=after_line, limit=limit, wanted=wanted)
        after = found[-1].line if goes_on else None
    if not found:
        return RowPage([], after)
    layout = layout_of(one.header)
    suggested: list[list[Suggestion | None]] = [[None] * len(error.kinds) for error in found]
    if with_suggestions:
        cells = ([cell.value for cell in find_cells(error.row)] for error in found)
        suggested = suggest_each(found, cells, layout)
    told = own.tell(found) if own else found
    added = own.find_added([error.line for error in found]) if own else {}
    fates = corrections.find_fates(one.key, [error.line for error in found]) if one.fixed.version else {}
    rows = [
        RowShown(
            error.line,
            shown.line,
            error.code,
            [
                ProblemShown(*problem)
                for problem in zip(error.kinds, shown.columns, shown.messages, suggestions, strict=True)
            ],
            mark(shown.row, error.kinds, layout, own),
            _name_cells(shown.row, error.kinds, layout, own),
            added.get(error.line, []),
            fates.get(error.line),
        )
        for error, shown, suggestions in zip(found, told, suggested, strict=True)
    ]
    return RowPage(rows, after)


def _search(
    own: SellerFile, key: ImportKey, after_line: int, limit: int, wanted: ErrorFilter
) -> tuple[list[RecordedError], int | None]:
    """The first failed rows below a line with a text in the foreign file, and where to go on; see ``RowPage``."""
    found: list[RecordedError] = []
    for looked_at, page in enumerate(own.iter_failed(key, after_line=after_line, wanted=wanted), start=1):
        found += page.errors
        if len(found) > limit:
            return found[:limit], found[limit - 1].line
        if looked_at == _MOST_PAGES:
            return found, page.reached
    return found, None


class MatchingRows(NamedTuple):
    """How many failed rows match a filter, and whether these are all."""

    rows: int
    is_all: bool = True


def count(one: ImportProgress, wanted: ErrorFilter, *, at_most: int) -> MatchingRows:
    """The number of failed rows that match ``wanted``, up to ``at_most``."""
    own = find_own_file(one)
    if own and own.has_text and wanted.text:
        found, after = _search(own, one.key, 0, at_most, wanted)
        return MatchingRows(len(found), after is None)
    rows = row_errors.count(one.key, own.translate(wanted) if own else wanted, at_most=at_most)
    return MatchingRows(at_most, is_all=False) if rows is None else MatchingRows(rows)


def _countable(groups: Sequence[Group]) -> list[ErrorKind]:
    """The groups whose values are counted: the smallest first, up to _MOST_COUNTED rows together."""
    telling = sorted((group for group in groups if group.kind.cause in TELLING), key=lambda group: group.rows)
    sums = accumulate(group.rows for group in telling)
    return [group.kind for group, rows in zip(telling, sums, strict=True) if rows <= _MOST_COUNTED]


def _common_values(
    kind: ErrorKind, rows: Sequence[str], layout: Layout, most: int, *, shown_as: Sequence[str]
) -> list[tuple[str, int, RowProblem]]:
    """The most frequent values in the column of these rows of a group, with their counts and problems.

    If no value occurs twice, the first ones stand for all. ``shown_as`` is the value of each row in the foreign file.
    """
    if kind.cause not in TELLING:
        return []
    counts: Counter[str] = Counter()
    problems: dict[str, RowProblem] = {}
    columns = kind.columns
    places = [layout.columns.index(Column(column)) for column in columns]
    for at, cells in enumerate(split_records(rows)):
        values = [cells[place].strip() for place in places] if _are_in_columns(cells, layout) else []
        text = ", ".join(filter(None, values))
        text = shown_as[at] if text and shown_as else text
        if text:
            counts[text] += 1
            # A suggestion must hold for all rows with the value, so it is found without their other columns.
            if text not in problems:
                problems[text] = RowProblem(kind, dict(zip(columns, values, strict=True)))
    common = counts.most_common(most)
    repeated = [one for one in common if one[1] > 1]
    return [(text, count, problems[text]) for text, count in repeated or common[:_MAX_SINGLE_VALUES]]


def name_values(cells: Iterable[str], layout: Layout) -> dict[str, str]:
    """The values of a row by column; none if there are too few or too many to assign them."""
    values = [value.strip() for value in cells]
    return dict(zip(layout.columns, values, strict=False)) if _are_in_columns(values, layout) else {}


def _are_in_columns(cells: Sequence[str], layout: Layout) -> bool:
    """Whether a row has a value, if only an empty one, for each column and none beside them."""
    return len(cells) >= len(layout.columns) and not layout.find_extra(cells)


def read_values(row: str, layout: Layout) -> dict[str, str]:
    """The values in the text of a row, by column; see ``name_values``."""
    return name_values((cell.value for cell in find_cells(row)), layout)


def suggest_each(
    errors: Sequence[RecordedError], rows: Iterable[Sequence[str]], layout: Layout
) -> list[list[Suggestion | None]]:
    """A suggestion, or None, for each problem of each of these failed rows, whose values are ``rows``."""
    values = [name_values(cells, layout) for cells in rows]
    found = iter(
        suggest(RowProblem(kind, each) for error, each in zip(errors, values, strict=True) for kind in error.kinds)
    )
    return [[next(found) for _ in error.kinds] for error in errors]


def can_be_assigned(cells: Sequence[str], causes: Iterable[str], layout: Layout) -> bool:
    """Whether it is certain which value of a failed row belongs to which column."""
    return len(cells) >= len(layout.columns) and UNCERTAIN.isdisjoint(causes)


def _label(
    row: str, kinds: Collection[ErrorKind], layout: Layout, own: SellerFile | None
) -> list[tuple[Cell, str, bool]]:
    """The values of a row, each with the name of its column and whether it has one of the problems.

    After the last column, only those that are one.
    """
    columns = {column for kind in kinds for column in kind.columns}
    if own and own.has_text:
        wrong = {at for column in columns for at in own.list_columns(column)}
        named = zip(own.find_cells(row), own.reading.columns, strict=False)
        return [(cell, column, at in wrong) for at, (cell, column) in enumerate(named)]
    cells = find_cells(row)
    has_extra = any(kind.cause is Cause.EXTRA_VALUE for kind in kinds)
    extra = layout.find_extra([cell.value for cell in cells]) if has_extra else []
    labelled = [(cell, str(column), column in columns) for cell, column in zip(cells, layout.columns, strict=False)]
    return labelled + [(cells[at], column_letters(at), True) for at in extra]


def mark(row: str, kinds: Collection[ErrorKind], layout: Layout, own: SellerFile | None) -> list[Part]:
    """The text of a row in parts; each invalid value is a separate part."""
    parts: list[Part] = []
    at = 0
    for cell, column, is_wrong in _label(row, kinds, layout, own):
        if is_wrong:
            parts += [Part(row[at : cell.start]), Part(row[cell.start : cell.end], column)]
            at = cell.end
    return [part for part in (*parts, Part(row[at:])) if part.text or part.column]


def _name_cells(row: str, kinds: Collection[ErrorKind], layout: Layout, own: SellerFile | None) -> list[CellShown]:
    labelled = _label(row, kinds, layout, own)
    causes = (kind.cause.slug for kind in kinds)
    if not (own and own.has_text) and not can_be_assigned([cell.value for cell, _, _ in labelled], causes, layout):
        return []
    return [
        CellShown(column, visible(text), is_wrong)
        for cell, column, is_wrong in labelled
        if (text := cell.value.strip()) or is_wrong
    ]
