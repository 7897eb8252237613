"""Pieces of a page; whatever is put into them as text is escaped."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Tile:
    """One number that one sees first.

    Attributes:
        what: Its name.
        value: The number.
        note: What to hold it against.
        mood: ``good``, ``bad`` or nothing.
    """

    what: str
    value: str
    note: str
    mood: str = ""


def tiles(each: Iterable[Tile]) -> str:
    """Numbers side by side."""
    inner = "".join(
        f'<div class="tile"><span class="what">{_text(tile.what)}</span>'
        f'<b class="{tile.mood}">{_text(tile.value)}</b><span>{_text(tile.note)}</span></div>\n'
        for tile in each
    )
    return f'<div class="tiles">\n{inner}</div>\n'


def section(title: str, lead: str, *parts: str) -> str:
    """A part of the page with a sentence that says what it tells."""
    return f"<section>\n<h2>{_text(title)}</h2>\n<p>{_text(lead)}</p>\n{''.join(parts)}</section>\n"


def grid(*parts: str) -> str:
    """Charts and cards side by side where there is room."""
    return f'<div class="grid">\n{"".join(parts)}</div>\n'


def figure(title: str, chart: str, caption: str) -> str:
    """A chart; its SVG is taken as it is."""
    return (
        f"<figure>\n<h3>{_text(title)}</h3>\n{chart}\n"
        f"<figcaption>{_text(caption)}</figcaption>\n</figure>\n"
    )


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Rows of numbers, three decimals at the most, nothing for a missing one."""
    head = "".join(f'<th scope="col">{_text(name)}</th>' for name in columns)
    body = "".join(
        f"<tr>{''.join(f'<td>{_text(number(cell))}</td>' for cell in row)}</tr>\n" for row in rows
    )
    return (
        f'<div class="card wide">\n<table>\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{body}</tbody>\n</table>\n</div>\n"
    )


def facts(by_name: Mapping[str, object]) -> str:
    """Names and what there is to say of them."""
    inner = "".join(
        f"<dt>{_text(name)}</dt><dd>{_text(number(value))}</dd>\n"
        for name, value in by_name.items()
    )
    return f'<div class="card">\n<dl>\n{inner}</dl>\n</div>\n'


def number(value: object) -> str:
    """A value as people read it."""
    if value is None:
        return "\N{EN DASH}"
    if isinstance(value, float):
        return with_minus(f"{value:.3f}")
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def with_minus(text: str) -> str:
    """Numbers with a minus sign as wide as a plus sign, instead of a hyphen."""
    return text.replace("-", "\N{MINUS SIGN}")


def _text(text: str) -> str:
    return html.escape(text)
