"""Counts, shares and durations in words."""

from itertools import pairwise

_MINUTE = 60
_HOUR = 3600
_DAY = 24 * _HOUR


def counted(count: int, one: str, many: str | None = None) -> str:
    """``1 row``, ``2,000 rows``; ``many`` for words whose plural has more than an s."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def say_share(part: int, whole: int) -> str:
    """``part`` of ``whole`` in per cent, neither 0 nor 100 where it is neither: ``12%``, ``under 1%``, ``over 99%``."""
    if 0 < part * 100 < whole:
        return "under 1%"
    if 0 < (whole - part) * 100 < whole:
        return "over 99%"
    return f"{round(part * 100 / whole)}%"


def say_duration(seconds: float) -> str:
    """A span in its two largest units: ``42 s``, ``3 min 12 s``, ``1 h 5 min``, ``2 d 3 h``."""
    whole = int(seconds)
    if seconds < 1:
        return "less than 1 s"
    for (unit, name), (smaller, smaller_name) in pairwise(((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min"), (1, "s"))):
        if whole >= unit:
            rest = whole % unit // smaller
            return f"{whole // unit} {name} {rest} {smaller_name}" if rest else f"{whole // unit} {name}"
    return f"{whole} s"


def say_time_left(seconds: float) -> str:
    """An estimate, coarser the longer it is: a number that changed at every poll would look exact."""
    if seconds <= 10:
        return "a few seconds"
    if seconds < 55:
        return f"about {_round(seconds, 10)} seconds"
    if seconds < 90:
        return "about a minute"
    if seconds < 10 * _MINUTE:
        return f"about {_round(seconds / _MINUTE)} minutes"
    if seconds < 57.5 * _MINUTE:
        return f"about {_round(seconds / _MINUTE, 5)} minutes"
    if seconds < 1.25 * _HOUR:
        return "about an hour"
    if seconds < 10 * _HOUR:
        halves = _round(seconds / _HOUR * 2)
        return f"about {halves // 2}{'½' if halves % 2 else ''} hours"
    if seconds < 1.5 * _DAY:
        return f"about {_round(seconds / _HOUR)} hours"
    return f"about {_round(seconds / _DAY)} days"


def _round(value: float, step: int = 1) -> int:
    return max(step, int(value / step + 0.5) * step)
