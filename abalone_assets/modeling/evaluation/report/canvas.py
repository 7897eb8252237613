"""Charts as SVG that belongs to the page around it: its colours, light or dark, printed or not.

Matplotlib draws with colours that stand for the page's; the SVG then names these instead. Figures
are used as plain objects, without the global state of pyplot.
"""

from __future__ import annotations

import html
import io
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK: Final = "#010101"
MUTED: Final = "#010102"
GRID: Final = "#010103"
WHITE: Final = "#FFFFFF"
_VARIABLES: Final = {INK: "ink", MUTED: "muted", GRID: "grid"}
"""Placeholders for the page's own colours, by the name of the CSS variable."""

_ALONE: Final = (
    'xmlns:xlink="http://www.w3.org/1999/xlink"'
    ' width="640" style="background: #fff; --ink: #1b2430; --muted: #5d6b7a; --grid: #dde3ea"'
)

WIDTH_INCHES: Final = 5.2
"""Text of 9 points is then readable on a phone, where the chart is as wide as the screen."""

_TAG: Final = re.compile(r"<svg[^>]*?(viewBox=\"[^\"]*\")[^>]*>", re.DOTALL)
_DROPPED: Final = re.compile(
    r"<!--.*?-->|<metadata>.*?</metadata>|<style[^>]*>.*?</style>|<defs>\s*</defs>", re.DOTALL
)
_IDENTIFIER: Final = re.compile(r" id=\"([^\"]+)\"")
_BLANKS: Final = re.compile(r"\n\s*")


def canvas(height: float = 3.2, *, left: float = 0.11) -> tuple[Figure, Axes]:
    """An empty chart.

    Args:
        height: In inches.
        left: Share of the width that the labels of the vertical axis need.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH_INCHES, height))
    # Fixed margins: a layout engine draws everything a second time to measure it.
    figure.subplots_adjust(left=left, right=0.98, bottom=0.52 / height, top=1 - 0.1 / height)
    figure.patch.set_visible(False)
    axes = figure.add_subplot()
    axes.patch.set_visible(False)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(MUTED)
    axes.tick_params(colors=MUTED, labelsize=9)
    axes.xaxis.label.set(color=INK, fontsize=9.5)
    axes.yaxis.label.set(color=INK, fontsize=9.5)
    axes.grid(visible=True, color=GRID, linewidth=0.7)
    axes.set_axisbelow(True)
    return figure, axes


def name_rows(axes: Axes, names: list[str]) -> None:
    """Name the rows of a chart, the first on top."""
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0, labelcolor=INK)
    axes.grid(visible=False, axis="y")
    axes.spines["left"].set_visible(False)


def legend(figure: Figure, axes: Axes) -> None:
    """Explain the marks in the page's colours, above the chart's right corner."""
    figure.subplots_adjust(top=1 - 0.28 / figure.get_figheight())
    axes.legend(
        frameon=False, labelcolor=INK, fontsize=9, handletextpad=0.2, columnspacing=1.2, ncols=3,
        loc="lower right", bbox_to_anchor=(1.02, 0.98), borderpad=0,
    )  # fmt: skip


def to_svg(figure: Figure, name: str, description: str) -> str:
    """The chart as an element of a page.

    Args:
        figure: The chart.
        name: Its own in the page, of letters: begins the identifiers in it.
        description: What there is to see, for who cannot.
    """
    import matplotlib as mpl

    # Words, not their outlines: these are two fifths of a report, and nobody can search them. It is
    # never another value, so threads do not disturb each other.
    mpl.rcParams["svg.fonttype"] = "none"
    drawn = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    figure.savefig(drawn, format="svg", metadata=nothing)
    text = drawn.getvalue()
    text = _DROPPED.sub("", text[text.index("<svg") :])
    for colour, variable in _VARIABLES.items():
        text = text.replace(colour, f"var(--{variable})")
    tag = f'<svg role="img" aria-label="{html.escape(description)}"'
    return _BLANKS.sub(" ", _own_identifiers(_TAG.sub(rf"{tag} \1>", text, count=1), name))


def stand_alone(chart: str) -> str:
    """A chart of `to_svg` as a file of its own: dark on white, as it knows no page around it."""
    return chart.replace("<svg ", f'<svg xmlns="http://www.w3.org/2000/svg" {_ALONE} ', 1)


def _own_identifiers(text: str, name: str) -> str:
    """Identifiers that no other chart of the page has, the same each time."""
    own = {
        identifier: f"{name}{number}" for number, identifier in enumerate(_IDENTIFIER.findall(text))
    }
    return re.sub(
        r"( id=\"|#)([^\"\)]+)(?=[\"\)])",
        lambda found: found[1] + own.get(found[2], found[2]),
        text,
    )
