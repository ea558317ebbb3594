"""What the help pages show is what the reader and the validator think of it."""

from __future__ import annotations

import pytest

from app.csvfile.causes import Cause, Code
from app.csvfile.cells import split_record
from app.csvfile.contract import COLUMNS, GUIDE, HEADER, Column, Mode
from app.csvfile.examples import EXAMPLES, MISTAKES, Example, as_line, example_message
from app.csvfile.lines import LineReader
from app.csvfile.validate import find_problems
from tests.factories import cells


def problems(line: str) -> list[tuple[Cause, str]]:
    """What is wrong with a line, as a batch that reads it finds out."""
    found = find_problems(split_record(line)) or []
    lines = LineReader([f"{line}\n".encode()], header=HEADER, offset=0, line=2).take(2)
    assert lines.starts == [2]
    assert lines.wrong == ({2: found} if found else {})
    return [(problem.cause, problem.column) for problem in found]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.shows)
def test_examples_that_work_do(example: Example) -> None:
    assert problems(example.line) == []


@pytest.mark.parametrize("cause", Cause, ids=lambda cause: cause.slug)
def test_each_mistake_is_what_it_says_and_its_correction_is_right(cause: Cause) -> None:
    mistake = MISTAKES[cause]
    found = [one for one, _ in problems(mistake.wrong_line)]
    # Only the catalog and the listings can tell the others.
    assert found == ([cause] if cause.code is Code.INVALID else [])
    assert problems(mistake.right_line) == []
    assert mistake.wrong.keys() == mistake.right.keys()
    assert "{" not in example_message(cause)


@pytest.mark.parametrize("column", Column)
def test_each_column_is_explained_with_values_that_it_takes(column: Column) -> None:
    guide = GUIDE[column]
    assert guide.examples
    for value in guide.examples:
        line = ",".join(cells(mode=Mode.CREATE) if column is Column.MODE else cells())
        values = split_record(line)
        values[COLUMNS.index(column)] = value
        assert find_problems(values) is None or find_problems(values) == []


def test_a_line_has_every_column() -> None:
    assert as_line({}) == "," * 14
