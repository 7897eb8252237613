"""The pictures in a report's page, each as a file of its own."""

from __future__ import annotations

import html
import re
from typing import Final

from abalone_assets.modeling.evaluation.report.canvas import stand_alone

_FIGURE: Final = re.compile(
    r"<figure>\s*<h3>(?P<title>.*?)</h3>\s*(?P<chart><svg .*?</svg>)", re.DOTALL
)
_NO_NAME: Final = re.compile(r"[^a-z0-9]+")


def pictures_of(page: str) -> dict[str, str]:
    """The charts of a page that ``report.html.jinja`` made, as SVG files by their titles.

    A title is in lower case with underscores: ``predicted_and_counted_rings``.
    """
    return {
        _NO_NAME.sub("_", html.unescape(found["title"]).lower()).strip("_"): stand_alone(
            found["chart"]
        )
        for found in _FIGURE.finditer(page)
    }
