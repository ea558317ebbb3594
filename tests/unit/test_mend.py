"""Commas and quotation marks of a row put right: only where one way to do so makes it valid."""

import pytest

from app.csvfile.columns import NEWEST
from app.csvfile.mend import mend

ROW = "CREATE,urn:test:1,,,,,,NM,"


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        # Short at its end, where nothing is required.
        (f"{ROW}250,5", f"{ROW}250,5,,,,,"),
        (f"{ROW}250", None),
        # A price that its comma has cut, unless it may be pence.
        (f"{ROW}2,50,5,reverse,,,,A-07", f"{ROW}250,5,reverse,,,,A-07"),
        (f"{ROW}£1,299.00,5,,,,,A-07", f"{ROW}129900,5,,,,,A-07"),
        (f"{ROW}1,299,5,reverse,,,,A-07", None),
        # A text, if it can be only this one.
        (f"{ROW}250,5,,,Small nick, else fine,,A-07", f'{ROW}250,5,,,"Small nick, else fine",,A-07'),
        (f"{ROW}250,5,,,a,b,c,d", None),
        # Quotation marks inside a value, some of them doubled.
        (f'{ROW}250,5,,,"Signed "Nell" in ""ink""",,', f'{ROW}250,5,,,"Signed ""Nell"" in ""ink""",,'),
        (f'{ROW}250,5,,,"Signed "Nell", in ""ink""",,', None),
        (f'{ROW}250,5,,,"Signed "Nell" in ink,,', None),
        # What is wrong besides, nobody can guess.
        (f"{ROW}cheap,5", None),
    ],
)
def test_a_row_is_put_right_if_it_can_be_meant_in_one_way(text: str, meant: str | None) -> None:
    assert mend([ROW, text, text], NEWEST) == [None, meant, meant]


def test_no_row_of_quotation_marks_takes_long() -> None:
    """They would take years if each could be read in two ways."""
    marks = ['"' * 60_001 + "x", '"x' * 30_000, '"' + 'x"' * 25_000]
    assert mend([f'{ROW}250,5,,,"{each}",,' for each in marks], NEWEST) == [None, None, None]
