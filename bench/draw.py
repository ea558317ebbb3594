"""Draws one plot; runs in .venv-bench: ``python bench/draw.py PICTURE.svg``, the plot as JSON on standard input.

The plot is a dict with ``title``, ``x`` (how the places differ), ``kind`` (``line`` or ``bar``), ``places`` (numbers or
words), ``series`` (by name, the rows/s at each place, or null) and ``caption``.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

#: Ours first; they differ in brightness too.
_COLOURS = ("#2f6f9f", "#c98a2b", "#b5b5b5")
_QUIET = "#666666"
#: The width of all bars of a place together.
_BARS = 0.8


def main(picture: str, plot: dict[str, Any]) -> None:
    """Draw the plot."""
    # Text stays text, and the same numbers give the same file.
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "sluice", "font.family": "sans-serif"})
    figure = Figure(figsize=(6.4, 3.4), layout="constrained")
    axes = figure.subplots()
    words = [_words(place) for place in plot["places"]]
    series = plot["series"]
    if plot["kind"] == "line":
        _draw_lines(axes, plot["places"], series)
        axes.set_xscale("log")
        axes.set_xticks(plot["places"], words)
        axes.minorticks_off()
    else:
        _draw_bars(axes, series)
        axes.set_xticks(range(len(words)), words)
    axes.set_ylim(0, max(y for ys in series.values() for y in ys if y is not None) * 1.15)
    axes.set_title(plot["title"], loc="left", fontsize=11)
    axes.set_xlabel(f"{plot['x']}\n{plot['caption']}", fontsize=9, color=_QUIET)
    axes.set_ylabel("rows/s", fontsize=9, color=_QUIET)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:,.0f}"))
    axes.spines[["top", "right"]].set_visible(False)
    if len(series) > 1:
        axes.legend(frameon=False, fontsize=8)
    # Without a background, it would be unreadable on a dark page.
    figure.savefig(picture, facecolor="white", metadata={"Date": None})


def _draw_lines(axes: Axes, places: list[float], series: dict[str, list[float | None]]) -> None:
    for colour, (name, ys) in zip(_COLOURS, series.items(), strict=False):
        axes.plot(places, ys, marker="o", markersize=4, color=colour, label=name)


def _draw_bars(axes: Axes, series: dict[str, list[float | None]]) -> None:
    width = _BARS / len(series)
    for at, (colour, (name, ys)) in enumerate(zip(_COLOURS, series.items(), strict=False)):
        xs = [place + (at - (len(series) - 1) / 2) * width for place in range(len(ys))]
        axes.bar(xs, [y or 0 for y in ys], width=width * 0.95, color=colour, label=name)
        for x, y in zip(xs, ys, strict=True):
            if y is not None:
                text = f"{y / 1000:,.0f}k"
                axes.annotate(text, (x, y), (0, 3), textcoords="offset points", ha="center", fontsize=7, color=_QUIET)


def _words(x: float | str) -> str:
    if isinstance(x, str):
        return x
    return f"{x / 1_000_000:g} M" if x >= 1_000_000 else f"{x / 1_000:g}k" if x >= 1_000 else f"{x:g}"


if __name__ == "__main__":
    main(sys.argv[1], json.load(sys.stdin))
