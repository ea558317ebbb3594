"""The chart of an import's speed as the geometry of an SVG: numbers in attributes, because styles would be inline."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log10

from app.humanize import say_duration
from app.imports.reports.throughput import Column, Pace

#: The size of the drawing in its own units; the page stretches it.
WIDTH, HEIGHT = 600, 100
_PAUSE_WIDTH = 6.0


@dataclass(frozen=True, slots=True)
class Chart:
    """The geometry of a chart."""

    #: The outline of the columns, closed along the ground, and their upper edge alone.
    area: str
    line: str
    #: Where the bands begin that tell that the import was paused, and their width: drawn equally wide however long a
    #: pause was, because true to scale the chart would show little else.
    pauses: list[float]
    pause_width: float
    #: The upper end of the scale in rows per second.
    top: int
    #: A description in a sentence, for screen readers.
    words: str


def draw(pace: Pace) -> Chart | None:
    """The chart of ``pace``; None when there is too little to see."""
    if not pace.columns or not pace.peak:
        return None
    scale = WIDTH / pace.active_seconds
    top = _round_up(pace.peak)
    edge = "".join(_steps(pace.columns, scale, HEIGHT / top))
    line = f"M{_number(pace.columns[0].begin * scale)} {HEIGHT}{edge}"
    return Chart(
        area=f"{line}V{HEIGHT}Z",
        line=line,
        pauses=[round(min(max(0.0, at * scale - _PAUSE_WIDTH / 2), WIDTH - _PAUSE_WIDTH), 1) for at in pace.pauses],
        pause_width=_PAUSE_WIDTH,
        top=top,
        words=_say(pace),
    )


def _steps(columns: Sequence[Column], scale: float, unit: float) -> list[str]:
    """The upper edge of ``columns`` as commands of a path, flat ones joined."""
    steps: list[str] = []
    height = None
    for column in columns:
        y = _number(HEIGHT - column.speed * unit)
        if y != height:
            steps += [f"V{y}"]
            height = y
        else:
            steps.pop()
        steps += [f"H{_number(column.end * scale)}"]
    return steps


def _say(pace: Pace) -> str:
    words = f"Speed over {say_duration(pace.active_seconds)}: at most {pace.peak:,} rows per second"
    if pace.average is not None:
        words += f", {pace.average:,} on average"
    if pace.pauses:
        times = "once" if len(pace.pauses) == 1 else f"{len(pace.pauses)} times"
        words += f"; paused {times}, for {say_duration(pace.paused_seconds)}"
    return f"{words}."


def _round_up(value: float) -> int:
    """The next higher number with two significant digits."""
    unit: int = 10 ** max(0, int(log10(value)) - 1)
    return -(-round(value) // unit) * unit


def _number(value: float) -> str:
    """A coordinate, no longer than it has to be."""
    return f"{value:.1f}".removesuffix(".0")
