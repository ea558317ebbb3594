"""What the help pages show is what the reader and the validator think of it."""

from __future__ import annotations

import json

import pytest

from app.csvfile.causes import Cause, Code
from app.csvfile.cells import split_record
from app.csvfile.columns import COLUMNS, HEADER, Column
from app.csvfile.contract import Mode
from app.csvfile.examples import EXAMPLES, MISTAKES, Example, as_line, example_message
from app.csvfile.lines import LineReader
from app.csvfile.validate import find_problems
from tests.factories import cells


def problems(line: str) -> list[tuple[Cause, str]]:
    """What is wrong with a line, as a batch that reads it finds out."""
    found = find_problems(split_record(line)) or []
    lines = LineReader([f"{line}\n".encode()], header=HEADER, offset=0, line=2).take(2)
    assert (lines.count, lines.texts([2]).to_pylist()) == (1, [line])
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
    assert problems(mistake._replace(wrong=mistake.right).wrong_line) == []
    assert mistake.wrong.keys() == mistake.right.keys()
    assert "{" not in example_message(cause)


def test_every_cause_has_an_example_and_advice() -> None:
    assert MISTAKES.keys() == set(Cause)
    assert [cause for cause in Cause if not cause.fix.endswith((".", ";"))] == []


@pytest.mark.parametrize("cause", Cause, ids=lambda cause: cause.slug)
def test_facts_that_json_gives_back_make_the_same_sentence(cause: Cause) -> None:
    mistake = MISTAKES[cause]
    found = [one for one in find_problems(split_record(mistake.wrong_line)) or [] if one.cause is cause]
    problem = found[0] if found else cause.problem(**mistake.facts)
    assert cause.say(problem.column, json.loads(json.dumps(problem.facts))) == problem.message


def test_facts_that_do_not_fit_give_way_to_the_advice() -> None:
    assert Cause.PRICE_IN_POUNDS.say("PRICE", {"price": "1.99"}) == Cause.PRICE_IN_POUNDS.fix
    assert Cause.ITEM_AMBIGUOUS.say("URN", {"many": 2}) == Cause.ITEM_AMBIGUOUS.fix


def test_of_a_long_value_no_more_is_kept_than_is_cited() -> None:
    problem = Cause.PRICE_NOT_WHOLE.problem("PRICE", value="9" * 60_000)
    assert len(problem.facts["value"]) < 130
    assert f"“{'9' * 40}…”" in problem.message


@pytest.mark.parametrize("column", Column)
def test_each_column_is_explained_with_values_that_it_takes(column: Column) -> None:
    guide = column.spec
    assert guide.examples
    for value in guide.examples:
        line = ",".join(cells(mode=Mode.CREATE) if column is Column.MODE else cells())
        values = split_record(line)
        values[COLUMNS.index(column)] = value
        assert find_problems(values) is None or find_problems(values) == []


def test_a_line_has_every_column() -> None:
    assert as_line({}) == "," * (len(COLUMNS) - 1)
