"""Draws one plot; runs in .venv-bench: ``python bench/draw.py PICTURE.svg``, the plot as JSON on standard input.

The plot is a dict with ``title``, ``x`` (how the points differ), ``kind`` (``line`` or ``bar``), ``points`` (pairs
of a number or a word, and rows/s) and ``caption``.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

_COLOUR = "#2f6f9f"
_QUIET = "#666666"


def main(picture: str, plot: dict[str, Any]) -> None:
    """Draw the plot."""
    # Text stays text, and the same numbers give the same file.
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "sluice", "font.family": "sans-serif"})
    figure = Figure(figsize=(6.4, 3.4), layout="constrained")
    axes = figure.subplots()
    words = [_words(x) for x, _ in plot["points"]]
    heights = [y for _, y in plot["points"]]
    if plot["kind"] == "line":
        places = [x for x, _ in plot["points"]]
        axes.plot(places, heights, marker="o", color=_COLOUR)
        axes.set_xscale("log")
        axes.set_xticks(places, words)
        axes.minorticks_off()
    else:
        places = list(range(len(words)))
        axes.bar(places, heights, width=0.5, color=_COLOUR)
        axes.set_xticks(places, words)
    for x, y in zip(places, heights, strict=True):
        axes.annotate(f"{y:,.0f}", (x, y), (0, 5), textcoords="offset points", ha="center", fontsize=8, color=_QUIET)
    axes.set_ylim(0, max(heights) * 1.15)
    axes.set_title(plot["title"], loc="left", fontsize=11)
    axes.set_xlabel(f"{plot['x']}\n{plot['caption']}", fontsize=9, color=_QUIET)
    axes.set_ylabel("rows/s", fontsize=9, color=_QUIET)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:,.0f}"))
    axes.spines[["top", "right"]].set_visible(False)
    # Without a background, it would be unreadable on a dark page.
    figure.savefig(picture, facecolor="white", metadata={"Date": None})


def _words(x: float | str) -> str:
    if isinstance(x, str):
        return x
    return f"{x / 1_000_000:g} M" if x >= 1_000_000 else f"{x:,.0f}"


if __name__ == "__main__":
    main(sys.argv[1], json.load(sys.stdin))
