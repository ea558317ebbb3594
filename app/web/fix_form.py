"""Reads the forms of Fix: what was typed, chosen and pressed, and what of it comes too late."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from flask import request

from app.csvfile.causes import Cause
from app.csvfile.visible import without_signs
from app.http import answers
from app.http.form_fields import mark_of, plain
from app.imports.fixes import report, stale
from app.imports.fixes.answers import REASON, NewAnswer, Rule
from app.imports.fixes.stale import Stale
from app.imports.reports.progress import ImportProgress

#: The buttons for all groups: accept every value that can mean only one thing, accept those that have one suggestion
#: too, and leave out what is still open.
SURE, SUGGESTED, REST = "sure", "suggested", "rest"
#: The button that imports the corrected rows.
IMPORT = "import"


def _read_changed(kind: str) -> Iterator[tuple[str, str, str]]:
    """Number, column and text of the fields of a ``kind`` that say something else than before."""
    for name, text in request.form.items():
        of_kind, _, rest = name.partition("-")
        if of_kind == kind and mark_of(text) != request.form.get(f"was-{rest}", mark_of("")):
            number, _, column = rest.partition("-")
            yield number, column, without_signs(plain(text))


def read_typed(one: ImportProgress) -> tuple[list[NewAnswer], list[Stale]]:
    """What was typed and chosen, value by value, and what of it comes too late."""
    typed = [*_find_typed()]
    late = {*stale.find(one, typed)}
    told = [Stale(line, each.cells) for place, (line, each) in enumerate(typed) if place in late]
    return [each for place, (_, each) in enumerate(typed) if place not in late], told


def _find_typed() -> Iterator[tuple[int | None, NewAnswer]]:
    """What was typed and chosen, each with the line of its row, if it is for one."""
    typed: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for number, column, text in _read_changed("to"):
        typed[number][column] = text
    for number, cells in typed.items():
        meant = answers.read_text(request.form.get(f"of-{number}", ""))
        yield _read_line(number), meant._replace(rule=Rule.SET, cells=answers.read_cells(cells))
    for name, text in request.form.items():
        if name.startswith("pick-"):
            yield _read_line(name.removeprefix("pick-")), answers.read_text(text)


def _read_line(number: str) -> int | None:
    """The line of the row that has a value of the page, if only one has it."""
    return next(iter(as_lines([request.form.get(f"line-{number}", "")])), None)


def read_pressed(one: ImportProgress) -> Iterator[NewAnswer]:
    """The answer of the button that was pressed, or the answers of one for all groups."""
    pressed = request.form.get("press", "")
    if pressed in {SURE, SUGGESTED}:
        to_fix = report.show(one)
        yield from to_fix.sure
        yield from to_fix.suggested if pressed == SUGGESTED else ()
    elif pressed not in {"", REST, IMPORT}:
        answer = answers.read_text(pressed)
        is_left_out = answer.rule is Rule.LEAVE_OUT
        reason = read_reason() or Cause.by_slug(answer.cause).title
        yield answer._replace(cells={REASON: reason}) if is_left_out else answer


def read_reason() -> str:
    """Why rows are left out."""
    return request.form.get("reason", "").strip()[: answers.MAX_REASON]


def read_rows(one: ImportProgress) -> tuple[dict[int, str | Mapping[str, str]], list[Stale]]:
    """The rows of a page of cells that were changed, and what of them comes too late."""
    edited = _find_edited()
    shown = report.show_lines(one, edited) if edited else {}
    kept: dict[int, str | Mapping[str, str]] = {}
    told = []
    for line, each in edited.items():
        row = shown.get(line)
        now = {"": row.text, **{cell.column: cell.text for cell in row.cells}} if row else {}
        if isinstance(each, str):
            late: dict[str, str] = {}
            is_late = _is_late(f"was-{line}", now.get(""))
            rest: str | dict[str, str] = "" if is_late else each
        else:
            late = {column: text for column, text in each.items() if _is_late(f"was-{line}-{column}", now.get(column))}
            is_late = bool(late)
            rest = {column: text for column, text in each.items() if column not in late}
        if is_late:
            told.append(Stale(line, late))
        if rest:
            kept[line] = rest
    return kept, told


def _is_late(was: str, now: str | None) -> bool:
    """Whether a cell is not any more what the page has shown of it, as its field ``was`` tells."""
    shown = request.form.get(was)
    return shown is not None and (now is None or mark_of(now) != shown)


def _find_edited() -> dict[int, str | Mapping[str, str]]:
    """The rows of a page of cells that were changed."""
    edited: dict[int, str | Mapping[str, str]] = {}
    cells: defaultdict[int, dict[str, str]] = defaultdict(dict)
    for line, column, text in _read_changed("cell"):
        for number in as_lines([line]):
            if column:
                cells[number][column] = text
            else:
                edited[number] = text
    return edited | {line: answers.read_cells(each) for line, each in cells.items()}


def as_lines(texts: Iterable[str]) -> list[int]:
    """Those of the texts that are line numbers."""
    return [int(text) for text in texts if text.isdecimal() and len(text) < 10]
