"""Files to try Sluice with, for as long as the catalog is the one that comes with it."""

from functools import cache
from pathlib import Path

from app.csvfile.contract import NamedBy
from app.queries import items

_HERE = Path(__file__).parent
#: Every row of it is right.
RIGHT = _HERE / "first-import.csv"
#: About half of its rows have mistakes, of all kinds.
WITH_MISTAKES = _HERE / "with-mistakes.csv"


def is_offered() -> bool:
    """Whether the catalog has what the files name; in any other, all of their rows would fail."""
    name = (NamedBy.URN, _first_urn())
    return name in items.resolve([name])


@cache
def _first_urn() -> str:
    return RIGHT.read_text(encoding="utf-8").splitlines()[1].split(",")[1]
