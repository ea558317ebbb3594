"""Spans of time in words."""

from __future__ import annotations

import pytest

from app.humanize import counted, say_duration, say_time_left


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "less than 1 s"),
        (0.99, "less than 1 s"),
        (1, "1 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (192, "3 min 12 s"),
        (3600, "1 h"),
        (3905, "1 h 5 min"),
        (86400 * 2 + 3 * 3600, "2 d 3 h"),
    ],
)
def test_a_duration_has_its_two_largest_units(seconds: float, words: str) -> None:
    assert say_duration(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "a few seconds"),
        (10, "a few seconds"),
        (11, "about 10 seconds"),
        (54, "about 50 seconds"),
        (55, "about a minute"),
        (89, "about a minute"),
        (95, "about 2 minutes"),
        (570, "about 10 minutes"),
        (599, "about 10 minutes"),
        (601, "about 10 minutes"),
        (17 * 60, "about 15 minutes"),
        (57 * 60, "about 55 minutes"),
        (60 * 60, "about an hour"),
        (90 * 60, "about 1½ hours"),
        (2 * 3600, "about 2 hours"),
        (11 * 3600, "about 11 hours"),
        (3 * 86400, "about 3 days"),
    ],
)
def test_an_estimate_is_as_coarse_as_it_is_far(seconds: float, words: str) -> None:
    assert say_time_left(seconds) == words


def test_an_estimate_never_rises_while_the_time_falls() -> None:
    said = [say_time_left(seconds) for seconds in range(200_000, 0, -7)]
    changes = [words for before, words in zip(said, said[1:], strict=False) if words != before]
    assert len(changes) == len(set(changes))


def test_what_is_counted_has_its_number() -> None:
    assert [counted(count, "row") for count in (0, 1, 2, 2_000)] == ["0 rows", "1 row", "2 rows", "2,000 rows"]
    assert counted(2, "batch", "batches") == "2 batches"
