"""The validator: every rule of the contract, case by case."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.csvfile.causes import Cause
from app.csvfile.columns import HEADER
from app.csvfile.contract import Condition, Mode, NamedBy, name_key
from app.csvfile.lines import LineReader
from app.csvfile.rows import Row, each_row
from app.csvfile.texts import Texts
from app.csvfile.validate import find_problems
from tests import reference
from tests.factories import cells


def validate(**values: object) -> Row | list | None:
    return validate_row(cells(**values))


def validate_row(row: list[str]) -> Row | list | None:
    (result,) = validate_rows([row])
    return result


def validate_rows(rows: list[list[str]], header: str = HEADER) -> list[Row | list | None]:
    """What becomes of each row: itself, as if alone in a file, its problems, or nothing if it is blank."""
    file = io.StringIO(newline="")
    csv.writer(file, lineterminator="\n").writerows(rows)
    return [*validate_text(file.getvalue(), header)]


def validate_text(text: str, header: str = HEADER) -> Iterator[Row | list | None]:
    reader = LineReader([text.encode()], header=header, offset=0, line=2)
    while (lines := reader.take(1)).count:
        yield next((row._replace(line=2) for row in each_row(lines.rows)), next(iter(lines.wrong.values()), None))


def problems(**values: object) -> list[tuple[str, Cause]]:
    found = validate(**values)
    assert isinstance(found, list), found
    return [(problem.column, problem.cause) for problem in found]


def valid(**values: object) -> Row:
    row = validate(**values)
    assert isinstance(row, Row), row
    return row


def test_a_full_row() -> None:
    row = valid(
        mode=" create ",
        urn=" urn:x:1 ",
        condition="light-played",
        price="0100",
        quantity="2",
        variants="Reverse| de|REVERSE",
        hidden="TRUE",
        comment=" for buyers ",
        notes="private",
        reference="SKU",
    )
    assert row == Row(
        2,
        Mode.CREATE,
        (NamedBy.URN, "urn:x:1"),
        Condition.LIGHT_PLAYED,
        "de|reverse",
        True,
        (100, 2, "for buyers", "private", "SKU"),
    )


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"mode": ""}, ("MODE", Cause.MODE_MISSING)),
        ({"mode": "DELETE"}, ("MODE", Cause.MODE_UNKNOWN)),
        ({"urn": ""}, ("URN", Cause.ITEM_NOT_NAMED)),
        ({"urn": "", "game": "G", "set": "S"}, ("NAME", Cause.NAME_INCOMPLETE)),
        ({"urn": "", "game": "G", "name": "N"}, ("SET", Cause.NAME_INCOMPLETE)),
        ({"urn": "", "set": "S", "name": "N"}, ("GAME", Cause.NAME_INCOMPLETE)),
        ({"cardmarket_id": "12x"}, ("CARDMARKET_ID", Cause.ID_NOT_DIGITS)),
        ({"cardmarket_id": "1" * 19}, ("CARDMARKET_ID", Cause.ID_NOT_DIGITS)),
        ({"urn": "", "tcgplayer_id": "-1"}, ("TCGPLAYER_ID", Cause.ID_NOT_DIGITS)),
        ({"tcgplayer_id": "１２"}, ("TCGPLAYER_ID", Cause.ID_NOT_DIGITS)),
        ({"condition": ""}, ("CONDITION", Cause.CONDITION_MISSING)),
        ({"condition": "Near Mnt"}, ("CONDITION", Cause.CONDITION_UNKNOWN)),
        ({"price": ""}, ("PRICE", Cause.PRICE_MISSING)),
        ({"price": "1.99"}, ("PRICE", Cause.PRICE_IN_POUNDS)),
        ({"price": "£2"}, ("PRICE", Cause.PRICE_IN_POUNDS)),
        ({"price": "2,50"}, ("PRICE", Cause.PRICE_IN_POUNDS)),
        ({"price": "１００"}, ("PRICE", Cause.PRICE_NOT_WHOLE)),
        ({"price": "-5"}, ("PRICE", Cause.PRICE_NOT_WHOLE)),
        ({"price": "+5"}, ("PRICE", Cause.PRICE_NOT_WHOLE)),
        ({"price": "1e3"}, ("PRICE", Cause.NUMBER_SHORTENED)),
        ({"cardmarket_id": "1.23E+17"}, ("CARDMARKET_ID", Cause.NUMBER_SHORTENED)),
        ({"tcgplayer_id": "9,22E+05"}, ("TCGPLAYER_ID", Cause.NUMBER_SHORTENED)),
        ({"quantity": "1E+06"}, ("QUANTITY", Cause.NUMBER_SHORTENED)),
        ({"cardmarket_id": "1,234,567"}, ("CARDMARKET_ID", Cause.NUMBER_FORMATTED)),
        ({"cardmarket_id": "912 810"}, ("CARDMARKET_ID", Cause.NUMBER_FORMATTED)),
        ({"cardmarket_id": "912\u00a0810"}, ("CARDMARKET_ID", Cause.NUMBER_FORMATTED)),
        ({"tcgplayer_id": "605377.0"}, ("TCGPLAYER_ID", Cause.NUMBER_FORMATTED)),
        ({"tcgplayer_id": "1.234.567,00"}, ("TCGPLAYER_ID", Cause.NUMBER_FORMATTED)),
        ({"quantity": "3.0"}, ("QUANTITY", Cause.NUMBER_FORMATTED)),
        ({"quantity": "1,000"}, ("QUANTITY", Cause.QUANTITY_NOT_WHOLE)),
        ({"quantity": "1,250"}, ("QUANTITY", Cause.NUMBER_FORMATTED)),
        ({"quantity": "1,000,001"}, ("QUANTITY", Cause.QUANTITY_NOT_WHOLE)),
        ({"cardmarket_id": "912810.5"}, ("CARDMARKET_ID", Cause.ID_NOT_DIGITS)),
        ({"cardmarket_id": "1,23,456"}, ("CARDMARKET_ID", Cause.ID_NOT_DIGITS)),
        ({"price": "01/02/2024"}, ("PRICE", Cause.NUMBER_AS_DATE)),
        ({"price": "1-Feb"}, ("PRICE", Cause.NUMBER_AS_DATE)),
        ({"quantity": "Mar-05"}, ("QUANTITY", Cause.NUMBER_AS_DATE)),
        ({"quantity": "2026-05-03 00:00:00"}, ("QUANTITY", Cause.NUMBER_AS_DATE)),
        ({"cardmarket_id": "03.05.24"}, ("CARDMARKET_ID", Cause.NUMBER_AS_DATE)),
        ({"quantity": "12. Mai"}, ("QUANTITY", Cause.NUMBER_AS_DATE)),
        ({"quantity": "2 pcs"}, ("QUANTITY", Cause.QUANTITY_NOT_WHOLE)),
        ({"quantity": "1/2"}, ("QUANTITY", Cause.QUANTITY_NOT_WHOLE)),
        ({"mode": "#NAME?"}, ("MODE", Cause.SPREADSHEET_ERROR)),
        ({"urn": "#N/A"}, ("URN", Cause.SPREADSHEET_ERROR)),
        ({"cardmarket_id": "#VALUE!"}, ("CARDMARKET_ID", Cause.SPREADSHEET_ERROR)),
        ({"condition": "#REF!"}, ("CONDITION", Cause.SPREADSHEET_ERROR)),
        ({"price": "#DIV/0!"}, ("PRICE", Cause.SPREADSHEET_ERROR)),
        ({"quantity": "#####"}, ("QUANTITY", Cause.SPREADSHEET_ERROR)),
        ({"variants": "#NUM!"}, ("VARIANTS", Cause.SPREADSHEET_ERROR)),
        ({"hidden": "#NULL!"}, ("HIDDEN", Cause.SPREADSHEET_ERROR)),
        ({"tcgplayer_id": "Err:502"}, ("TCGPLAYER_ID", Cause.SPREADSHEET_ERROR)),
        ({"cardmarket_id": "#NV"}, ("CARDMARKET_ID", Cause.SPREADSHEET_ERROR)),
        ({"cardmarket_id": "#912810"}, ("CARDMARKET_ID", Cause.ID_NOT_DIGITS)),
        ({"mode": "#CREATE"}, ("MODE", Cause.MODE_UNKNOWN)),
        ({"urn": "", "game": "G", "set": "S", "name": "#N/A"}, ("NAME", Cause.SPREADSHEET_ERROR)),
        ({"urn": "", "game": "G", "set": "#WERT!", "name": "N"}, ("SET", Cause.SPREADSHEET_ERROR)),
        ({"price": "0"}, ("PRICE", Cause.PRICE_OUT_OF_RANGE)),
        ({"price": "100000001"}, ("PRICE", Cause.PRICE_OUT_OF_RANGE)),
        ({"price": "9" * 5000}, ("PRICE", Cause.PRICE_OUT_OF_RANGE)),
        ({"quantity": ""}, ("QUANTITY", Cause.QUANTITY_MISSING)),
        ({"quantity": "0"}, ("QUANTITY", Cause.QUANTITY_ZERO)),
        ({"quantity": "1.5"}, ("QUANTITY", Cause.QUANTITY_NOT_WHOLE)),
        ({"quantity": "1000001"}, ("QUANTITY", Cause.QUANTITY_OUT_OF_RANGE)),
        ({"variants": "re verse"}, ("VARIANTS", Cause.VARIANT_MALFORMED)),
        ({"variants": "-x"}, ("VARIANTS", Cause.VARIANT_MALFORMED)),
        ({"variants": "a||b"}, ("VARIANTS", Cause.VARIANT_MALFORMED)),
        ({"variants": "x" * 41}, ("VARIANTS", Cause.VARIANT_MALFORMED)),
        ({"variants": "|".join("abcdefghijk")}, ("VARIANTS", Cause.VARIANTS_TOO_MANY)),
        ({"price": "199.0"}, ("PRICE", Cause.PRICE_UNCLEAR)),
        ({"price": "1" + ",000" * 5000}, ("PRICE", Cause.PRICE_NOT_WHOLE)),
        ({"quantity": "1" + ",000" * 5000}, ("QUANTITY", Cause.QUANTITY_NOT_WHOLE)),
        ({"cardmarket_id": "1" + ",000" * 5000}, ("CARDMARKET_ID", Cause.ID_NOT_DIGITS)),
        ({"price": "1" + "." + "0" * 9000}, ("PRICE", Cause.PRICE_UNCLEAR)),
        ({"mode": "#" * 9000}, ("MODE", Cause.SPREADSHEET_ERROR)),
        ({"hidden": "maybe"}, ("HIDDEN", Cause.HIDDEN_UNKNOWN)),
        ({"comment": "é" * 256}, ("COMMENT", Cause.TEXT_TOO_LONG)),
        ({"notes": "x" * 256}, ("NOTES", Cause.TEXT_TOO_LONG)),
        ({"reference": "x" * 256}, ("REFERENCE", Cause.TEXT_TOO_LONG)),
        ({"comment": "bell \x07"}, ("COMMENT", Cause.CONTROL_CHARACTER)),
        ({"name": "\x9f"}, ("NAME", Cause.CONTROL_CHARACTER)),
        ({"mode": "CREATE\x1f"}, ("MODE", Cause.CONTROL_CHARACTER)),
    ],
)
def test_each_fault_is_told_with_its_column(values: dict[str, str], expected: tuple[str, Cause]) -> None:
    assert problems(**values) == [expected]


@pytest.mark.parametrize(
    "values",
    [
        {"price": "1"},
        {"price": "100000000"},
        {"quantity": "1000000"},
        {"mode": "UPDATE", "quantity": "0"},
        {"cardmarket_id": "0" * 17 + "1"},
        {"comment": "é" * 255},
        {"comment": "tab\tand\r\nline breaks"},
        {"variants": "|".join("abcdefghij") + "|A"},
        {"variants": "x" * 40},
        {"urn": "", "game": "G", "set": "S", "name": "N"},
        {"urn": "", "game": "G", "set": "S", "name": "Pikachu #25"},
        {"urn": "u#1", "game": "#N/A", "set": "#REF!"},
        {"comment": "#N/A", "reference": "1.23E+17"},
        {"condition": "NEAR  _MINT"},
        {"hidden": "False"},
    ],
)
def test_what_is_just_within_the_rules_is_taken(values: dict[str, str]) -> None:
    valid(**values)


def test_all_problems_of_a_row_are_told_at_once_in_the_order_of_the_columns() -> None:
    assert [column for column, _ in problems(mode="", price="1.99", hidden="maybe", quantity="x", urn="")] == [
        "MODE",
        "URN",
        "PRICE",
        "QUANTITY",
        "HIDDEN",
    ]


@pytest.mark.parametrize(
    ("price", "pence"),
    [
        ("1.99", 199),
        ("£2", 200),
        ("2,5", 250),
        ("£ 10.00", 1000),
        ("3 GBP", 300),
        ("1,299.50", 129950),
        ("£1,299", 129900),
    ],
)
def test_a_price_in_pounds_is_told_in_pence(price: str, pence: int) -> None:
    found = validate(price=price)
    assert isinstance(found, list)
    assert f"enter {pence}." in found[0].message


@pytest.mark.parametrize(
    ("price", "words"),
    [
        ("199.0", "Enter 199 for £1.99, or 19900 for £199.00."),
        ("199.00", "Enter 199 for £1.99, or 19900 for £199.00."),
        ("199,00", "Enter 199 for £1.99, or 19900 for £199.00."),
        ("1,299", "Enter 1299 for £12.99, or 129900 for £1,299.00."),
        ("1,299.00", "Enter 1299 for £12.99, or 129900 for £1,299.00."),
        ("5.0000", "Enter 5 for £0.05, or 500 for £5.00."),
    ],
)
def test_a_price_that_may_be_pence_or_pounds_is_told_in_both(price: str, words: str) -> None:
    found = validate(price=price)
    assert isinstance(found, list)
    assert found[0].message == f"PRICE is “{price}”, which may be pence or pounds. {words}"


@pytest.mark.parametrize("price", ["1.299", "0.00", "2 for 1", "€3", "1.000", "2,000,000"])
def test_no_pence_are_suggested_for_what_may_not_be_pounds(price: str) -> None:
    assert problems(price=price) == [("PRICE", Cause.PRICE_NOT_WHOLE)]


@pytest.mark.parametrize("row", [[], [""], ["  "], [""] * 15, [" ", "\t"], [""] * 20])
def test_a_row_without_any_value_is_blank(row: list[str]) -> None:
    assert validate_row(row) is None


@pytest.mark.parametrize(
    ("row", "count"), [(["x"], "1 value,"), (["x"] * 14, "14 values,"), ([*["x"] * 15, " "], "16 values,")]
)
def test_a_wrong_number_of_values_is_all_that_is_told(row: list[str], count: str) -> None:
    (problem,) = find_problems(row) or []
    assert problem.cause is Cause.COLUMN_COUNT
    assert count in problem.message


@pytest.mark.parametrize(
    ("beyond", "words"),
    [
        (["x"], "one value too many: “x” in column P,"),
        (["", " y "], "one value too many: “y” in column Q,"),
        (["1", "", "2"], "2 values too many: “1” in column P,"),
    ],
)
@pytest.mark.parametrize("width", [15, 16, 18])
def test_a_value_behind_the_last_column_is_told_with_its_place(beyond: list[str], words: str, width: int) -> None:
    ((problem,),) = validate_rows([[*cells(), *beyond]], HEADER + "," * (width - 15))
    assert (problem.column, problem.cause) == ("", Cause.EXTRA_VALUE)
    assert words in problem.message


def test_a_row_that_stands_in_quotation_marks_as_a_whole_is_told_so() -> None:
    assert [problem.cause for problem in find_problems([",".join(cells())]) or []] == [Cause.ROW_IN_QUOTES]


def test_the_columns_without_a_name_may_be_empty_or_left_out() -> None:
    rows = [
        cells(),
        [*cells(), ""],
        [*cells(), " ", "\u200b"],
        ["", *[" "] * 16],
        [*cells(), "", "", ""],
        [*cells(price="x"), ""],
        [*cells(), "", ""],
        [*cells(price="x"), "", ""],
        [*cells(), "", "x"],
    ]
    found = validate_rows(rows, f"{HEADER},,")
    causes = [[problem.cause for problem in one] if isinstance(one, list) else one for one in found]
    right = valid()
    assert causes[:4] == [right, right, right, None]
    assert causes[4:6] == [[Cause.COLUMN_COUNT], [Cause.PRICE_NOT_WHOLE]]
    assert causes[6:] == [right, [Cause.PRICE_NOT_WHOLE], [Cause.EXTRA_VALUE]]
    ((problem,),) = validate_text('CREATE,u,,,,,,NM,1,1,,,,"a"b,,\n', f"{HEADER},,")
    assert (problem.column, problem.cause) == ("NOTES", Cause.QUOTING)


UNSEEN = ["\u200b", "\u2060", "\ufeff", "\u00ad", "\u2011", "\u00a0", "\u202f", "\U000e0020", " \u200e\t\ufeff "]


@pytest.mark.parametrize("unseen", UNSEEN)
@pytest.mark.parametrize("column", ["mode", "urn", "condition", "price", "quantity", "variants", "hidden"])
def test_what_cannot_be_seen_is_trimmed_around_a_value(column: str, unseen: str) -> None:
    values = {
        "mode": "CREATE",
        "urn": "u",
        "condition": "NM",
        "price": "100",
        "quantity": "1",
        "variants": "a|b",
        "hidden": "true",
    }
    assert valid(**values | {column: f"{unseen}{values[column]}{unseen}"}) == valid(**values)


@pytest.mark.parametrize("unseen", UNSEEN)
def test_what_cannot_be_seen_is_trimmed_around_ids_and_sets_and_is_no_value_by_itself(unseen: str) -> None:
    def around(text: str) -> str:
        return f"{unseen}{text}{unseen}"

    assert valid(urn=unseen, cardmarket_id=around("5")).name == (NamedBy.CARDMARKET_ID, 5)
    assert valid(urn="", tcgplayer_id=around("6"), cardmarket_id=unseen).name == (NamedBy.TCGPLAYER_ID, 6)
    by_name = valid(urn="", game=around("G"), set=around("S"), name="N").name
    assert by_name == (NamedBy.NAME, name_key("G", "S", "N"))
    assert problems(urn=unseen) == [("URN", Cause.ITEM_NOT_NAMED)]
    assert problems(mode=unseen, price=unseen) == [("MODE", Cause.MODE_MISSING), ("PRICE", Cause.PRICE_MISSING)]
    for row in ([unseen], [unseen] * 4 + [""] * 11):
        assert validate_row(row) is None


def test_free_text_keeps_what_cannot_be_seen() -> None:
    row = valid(comment="\u200ba\u200b", notes="\u00ad", reference="a\u2011")
    assert row.values[2:] == ("\u200ba\u200b", "\u00ad", "a\u2011")


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("mode", "CRE\u200bATE", "MODE is “CREATE” with an invisible U+200B (ZERO WIDTH SPACE) in it."),
        ("price", "1\u200e99", "PRICE is “199” with an invisible U+200E (LEFT-TO-RIGHT MARK) in it."),
        ("condition", "NEAR\u2011MINT", "CONDITION is “NEAR-MINT” with a U+2011 (NON-BREAKING HYPHEN) in it."),
        ("cardmarket_id", "9128\ufeff10", "CARDMARKET_ID is “912810” with an invisible U+FEFF"),
        ("variants", "re\u00adverse|de", "VARIANTS is “reverse|de” with an invisible U+00AD (SOFT HYPHEN) in it."),
    ],
)
def test_what_cannot_be_seen_inside_a_value_is_named(column: str, value: str, words: str) -> None:
    found = validate(**{column: value})
    assert isinstance(found, list)
    assert [problem.cause for problem in found] == [Cause.INVISIBLE_CHARACTER]
    assert words in found[0].message


def test_a_value_that_is_wrong_anyway_is_shown_with_what_cannot_be_seen_in_it() -> None:
    found = validate(mode="CRE\u200bATED")
    assert isinstance(found, list)
    assert found[0].message.startswith("MODE is “CRE[U+200B ZERO WIDTH SPACE]ATED”. Enter CREATE")


def test_the_first_name_given_decides() -> None:
    everything = {"game": "G", "set": "S", "name": "N", "cardmarket_id": "007", "tcgplayer_id": "8"}
    assert valid(urn="u", **everything).name == (NamedBy.URN, "u")
    assert valid(urn="", **everything).name == (NamedBy.CARDMARKET_ID, 7)
    assert valid(urn="", **everything | {"cardmarket_id": ""}).name == (NamedBy.TCGPLAYER_ID, 8)
    assert valid(urn="", game="G", set="S", name="N").name == (NamedBy.NAME, name_key("G", "S", "N"))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("Pokemon", "Base  Set", "Zoé"), ("POKEMON", "base set", "Zoe\u0301")),
        (("Straße", "S", "N"), ("STRASSE", "s", "n")),
        (("G", "S", "Ά\u0345"), ("g", "s", "Ά\u0345".casefold())),
    ],
)
def test_names_match_without_regard_to_case_spaces_and_composition(one: tuple, other: tuple) -> None:
    first = valid(urn="", game=one[0], set=one[1], name=one[2])
    second = valid(urn="", game=other[0], set=other[1], name=other[2])
    assert first.name == second.name


def test_an_empty_hidden_is_false_for_create_and_unchanged_for_update() -> None:
    assert [valid(mode="CREATE", hidden=text).hidden for text in ("", "True", "false")] == [False, True, False]
    assert [valid(mode="UPDATE", hidden=text).hidden for text in ("", "True", "false")] == [None, True, False]


def awkward_rows() -> st.SearchStrategy[list[str]]:
    cell = st.sampled_from(
        [
            "",
            "CREATE",
            "update",
            "1",
            "0",
            "007",
            "x",
            " ",
            " x ",
            "X  y",
            "NM",
            "true",
            "1.99",
            "a|b",
            "\x07",
            "z" * 300,
            "é" * 200,
            "é",
            "\u3000É x",
            "\u200b",
            "1\u2011",
            "#N/A",
            "Err:502",
            "1.0",
            '="x"',
            '=""',
            ' ="="1""" ',
            "two\nlines",
        ]
    )
    named = cells(urn="", game="G", set="S", name="N")
    right = st.sampled_from([cells(), cells(mode="UPDATE", quantity="0"), cells(urn="", cardmarket_id="5"), named])
    nearly_right = st.builds(
        lambda row, values: [values.get(at, cell) for at, cell in enumerate(row)],
        right,
        st.dictionaries(st.integers(0, 14), cell, min_size=1, max_size=4),
    )
    return st.one_of(right, nearly_right, st.lists(cell, max_size=17))


@given(st.lists(awkward_rows(), max_size=12), st.integers(1, 5), st.sampled_from(["", ",", ",LINE,,"]))
def test_rows_are_judged_in_columns_as_they_are_cell_by_cell(rows: list[list[str]], at_once: int, beyond: str) -> None:
    file = io.StringIO(newline="")
    csv.writer(file, lineterminator="\n").writerows(rows)
    data, header = file.getvalue().encode(), HEADER + beyond
    assert [*reference.as_lines([data], header, at_once=at_once)] == [*reference.judge(data, header)]


def test_texts_are_trimmed_as_python_does_it() -> None:
    texts = [f"{chr(code)}x {chr(code)}" for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    assert Texts(pa.array(texts)).trimmed().array.to_pylist() == [text.strip() for text in texts]


def test_every_cause_has_a_sentence_of_its_own_on_how_to_fix_it() -> None:
    fixes = [cause.fix for cause in Cause]
    assert all(fix.endswith(".") and "{" not in fix for fix in fixes)
    assert len(set(fixes)) == len(fixes)
