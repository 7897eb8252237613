"""Measurements as Markdown: what is printed after a benchmark, and the tables of the docs."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from benchmarks.timing import OURS, middle, ratio

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.timing import Measured, Row


def table(measured: Measured) -> str:
    """A line for each side of each case: median, spread, n; then how we compare with it.

    The last column is ours divided by the other's, by the first measure that both have, turn by
    turn; of what is better when larger, such as rates, more than 1 is good.
    """
    measures = list(dict.fromkeys(name for row in measured.rows for name in row.values))
    cased = any(row.case for row in measured.rows)
    head = [*(["case"] if cased else []), "", *measures, "n", "ours / this"]
    lines = [head, ["---"] * len(head)]
    for case, group in groupby(measured.rows, key=lambda row: row.case):
        rows = list(group)
        ours = next((row for row in rows if row.of == OURS), None)
        for row in rows:
            shown = [_spread(row.values.get(name, [])) for name in measures]
            if row.error:
                shown[0] = (f"{shown[0]}; " if shown[0] else "") + f"failed: {_cell(row.error)}"
            lines.append(
                [
                    *([case] if cased else []),
                    row.of,
                    *shown,
                    str(max(map(len, row.values.values()), default=0)),
                    _compared(ours, row),
                ]
            )
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def caption(measured: Measured) -> str:
    """Where, when and at which load, in a sentence; then the notes."""
    machine = measured.machine
    load = " to ".join(f"{each:.1f}" for each in measured.load)
    versions = "".join(f", {name} {version}" for name, version in measured.versions.items())
    where = (
        f"{measured.measured_at[:10]}, {machine['cores']} cores, {machine['memory_gib']} GiB, "
        f"{machine['system']}, Python {machine['python']}, load {load}{versions}."
    )
    return "\n".join([f"Median (least to most). {where}", *measured.notes])


def block(measured: Measured) -> str:
    """Table and caption."""
    return f"{table(measured)}\n\n{caption(measured)}"


def _compared(ours: Row | None, row: Row) -> str:
    if ours is None or row is ours:
        return ""
    for name, values in ours.values.items():
        if values and row.values.get(name):
            return f"{ratio(values, row.values[name]):.2f}"
    return ""


def _spread(values: Sequence[float]) -> str:
    if not values:
        return ""
    shown = number(middle(values))
    return (
        shown if len(values) == 1 else f"{shown} ({number(min(values))} to {number(max(values))})"
    )


def number(value: float) -> str:
    """Three significant digits, no exponent."""
    if value == 0:
        return "0"
    if abs(value) >= 1000:
        return f"{float(f'{value:.3g}'):,.0f}"
    text = f"{value:.3g}"
    return f"{value:.6f}".rstrip("0") if "e" in text else text


def _cell(text: str) -> str:
    return text.replace("|", "/")[:160]
