"""Warnings: what is noticed, what is not, and their sentences."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.csvfile.scan import scan
from app.csvfile.warn import Warned, read_stored, ungarble
from tests.factories import csv_bytes, row


def garble(text: str) -> str:
    """``text`` after a program has read its UTF-8 as Windows-1252, as browsers and spreadsheets do."""
    return "".join(bytes([byte]).decode("cp1252", "ignore") or chr(byte) for byte in text.encode())


def warn(*rows: dict[str, str]) -> list[Warned]:
    return scan([csv_bytes(rows)], max_rows=10_000, max_bytes=1 << 30).warnings


@pytest.mark.parametrize(
    ("garbled", "meant"),
    [
        ("PokÃ©mon", "Pokémon"),
        ("FlabÃ©bÃ© Â£5", "Flabébé £5"),
        ("donâ€™t", "don’t"),
        ("ãƒ\x9dã‚±ãƒ¢ãƒ³", "ポケモン"),
        ("ðŸ˜€ mint", "😀 mint"),
        ("GroÃŸe", "Große"),
    ],
)
def test_garbled_letters_are_noticed(garbled: str, meant: str) -> None:
    assert ungarble(garbled) == meant
    (warned,) = warn(row(), row(comment=garbled), row(), row(notes=garbled, comment=garbled))
    assert warned == Warned("garbled-letters", 2, 3, "COMMENT", garbled)
    assert warned.sentence.startswith("2 rows have garbled letters, first on line 3: COMMENT is ")
    assert f"probably for “{meant}”" in warned.sentence


@pytest.mark.parametrize(
    "value",
    [
        "Pokémon",
        "ポケモン",
        "£5",
        "naïve «café»",
        "Ã",
        "Â",
        "São Tomé",
        "10 °C",
        "Ô",
        "â",
        "Å",
        "Ångström",
        "À ß",
        "Ünï",
    ],
)
def test_right_letters_are_left_alone(value: str) -> None:
    assert ungarble(value) is None
    assert warn(row(comment=value)) == []


def test_one_right_letter_in_a_value_acquits_it() -> None:
    """A text about such letters gets no warning."""
    assert warn(row(comment="é is not Ã©")) == []


@given(st.text(st.characters(min_codepoint=0x20, exclude_categories=["Cs", "Cc"]), max_size=20))
def test_whatever_is_garbled_is_told_as_it_was(text: str) -> None:
    assert ungarble(garble(text)) == (None if text.isascii() else text)


@given(st.text(max_size=20))
def test_any_text_can_be_looked_at(text: str) -> None:
    meant = ungarble(text)
    assert meant is None or garble(meant) == text


def test_prices_under_5p_are_noticed() -> None:
    (warned,) = warn(row(price=5), row(price=3), row(price=" 4"), row(price=0), row(price=2, quantity="x"))
    assert warned == Warned("tiny-prices", 3, 3, "PRICE", "3")
    assert warned.sentence == (
        "3 prices are under 5p, first on line 3: PRICE is 3, so £0.03. Prices are in pence: if you mean £3, enter 300."
    )


def test_the_first_line_is_the_one_on_which_the_row_begins() -> None:
    (warned,) = warn(row(comment="two\nlines"), row(notes="over\ntwo, Ã©"))
    assert (warned.line, warned.column) == (4, "NOTES")


def test_warnings_are_counted_over_all_blocks_of_a_file() -> None:
    rows = [row(comment="x" * 200), row(comment="Ã©")]
    assert [(one.rows, one.line) for one in warn(*rows * 500)] == [(500, 3)]


def test_a_kind_that_this_release_does_not_know_is_left_out() -> None:
    known = Warned("garbled-letters", 1, 2, "NOTES", "Ã©")
    assert read_stored([{**known._asdict(), "kind": "of-tomorrow"}, known._asdict()]) == [known]
