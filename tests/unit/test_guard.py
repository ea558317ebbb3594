"""Texts guarded from spreadsheets come back as they were."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.csvfile.causes import Cause
from app.csvfile.columns import HEADER, VALUES, Column
from app.csvfile.contract import MAX_TEXT_LENGTH, NamedBy, name_key
from app.csvfile.guard import guard, guard_if_guarded, unguard
from app.csvfile.lines import LineReader
from app.csvfile.parse import parse_text
from app.csvfile.rows import Row, each_row
from app.csvfile.validate import find_problems
from app.csvfile.write import csv_lines
from tests.factories import cells, row

_parse = parse_text(MAX_TEXT_LENGTH)


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=SUM(1)", '="=SUM(1)"'),
        ('=say("hi")', '="=say(""hi"")"'),
        ("- creased", '="- creased"'),
        ("00017", '="00017"'),
        ("1.50", '="1.50"'),
        ("3-4", '="3-4"'),
        ("1E5", '="1E5"'),
        ("1234567890123456", '="1234567890123456"'),
        ("'=x", '="\'=x"'),
    ],
)
def test_what_a_spreadsheet_would_change_is_guarded(text: str, cell: str) -> None:
    assert (guard(text), unguard(cell), _parse(cell)) == (cell, text, text)
    assert guard_if_guarded(text) == text


@pytest.mark.parametrize("text", ["", "0", "17", "123456789012345", "SHELF-17-A", "Pack fresh", "3 copies", 'say "hi"'])
def test_other_texts_stay_as_they_are(text: str) -> None:
    assert guard(text) == guard_if_guarded(text) == unguard(text) == text


@pytest.mark.slow
@given(st.text("=\"'a01\n-", max_size=12).map(str.strip) | st.text(max_size=12).map(str.strip))
@example('=""')
@example('="="" """')
def test_each_text_comes_back(text: str) -> None:
    assert unguard(guard(text)) == text
    assert unguard(guard_if_guarded(text)) == text


def judge(*rows: list[str]) -> list[Row]:
    """The rows, all of which are valid."""
    lines = LineReader(["".join(csv_lines(rows)).encode()], header=HEADER, offset=0, line=2).take(len(rows))
    assert not lines.wrong
    return [*each_row(lines.rows)]


@pytest.mark.parametrize("cell", ['="00017"', ' ="00017" ', '="=""x"""', '=""', '="', '="a"b"', '="' + "x" * 255 + '"'])
def test_both_passes_read_a_guarded_text_alike(cell: str) -> None:
    values = cells(comment=cell, reference=cell)
    first, _ = judge(values, cells())
    assert find_problems(values) == []
    text = _parse(cell.strip())
    read = dict(zip(VALUES, first.values, strict=True))
    assert (read[Column.COMMENT], read[Column.REFERENCE]) == (text, text)


def test_the_limit_is_for_the_text_and_not_for_its_guard() -> None:
    assert find_problems(cells(comment=guard("=" * 255))) == []
    (problem,) = find_problems(cells(comment=guard("=" * 256))) or []
    assert "256 characters" in problem.message


def test_a_formula_that_is_only_a_text_is_that_text_in_every_column() -> None:
    # Programs write ids and prices like that, so that no spreadsheet changes them.
    plain = {"mode": "update", "urn": "urn:a", "cardmarket_id": "0912954", "condition": "NM", "price": "199"}
    plain |= {"quantity": "2", "variants": "holo", "hidden": "true", "set": "Base", "game": "Pokemon", "name": "Mew"}
    values, guarded = cells(**plain), cells(**{column: f' ="{value}" ' for column, value in plain.items()})
    assert find_problems(guarded) == []
    first, second = judge(values, guarded)
    assert first == second._replace(line=first.line)
    (by_id,) = judge(cells(urn='=""', cardmarket_id='="0912954"'))
    assert by_id.name == (NamedBy.CARDMARKET_ID, 912954)
    by_name = {"urn": "", "game": '="Pokemon"', "set": "Base", "name": '="Mew"'}
    (found,) = judge(cells(**by_name))
    assert found.name == (NamedBy.NAME, name_key("Pokemon", "Base", "Mew"))
    (problem,) = find_problems(cells(price='="1.99"')) or []
    assert problem.cause is Cause.PRICE_IN_POUNDS
    assert "“1.99”" in problem.message


def test_a_row_with_a_guarded_text_is_a_row_like_any_other() -> None:
    assert row(comment='="x"')["COMMENT"] == '="x"'
