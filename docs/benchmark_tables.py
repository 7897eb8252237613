"""Fill the tables of `docs/benchmarks.md` from what was measured: ``make docs``.

A table stands between ``<!-- benchmark: NAME -->`` and ``<!-- /benchmark -->`` and is that of
``benchmarks/results/NAME.json``. The prose around it is written by hand.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Final

sys.path.insert(
    0, str(Path(__file__).parents[1])
)  # benchmarks/ is no part of the installed package

from benchmarks.tables import block
from benchmarks.timing import RESULTS, Measured

PAGE: Final = Path(__file__).with_name("benchmarks.md")
_BLOCK: Final = re.compile(
    r"(?P<open><!-- benchmark: (?P<name>[\w-]+) -->\n).*?(?P<close><!-- /benchmark -->)", re.DOTALL
)


def page(text: str, results: Path = RESULTS) -> str:
    """The page with every table as it was measured last.

    Raises:
        LookupError: A block names a benchmark that was never measured, or a result has no block.
    """
    filled = _BLOCK.sub(lambda found: _filled(found, results), text)
    shown = {found["name"] for found in _BLOCK.finditer(text)}
    if unshown := {path.stem for path in results.glob("*.json")} - shown:
        raise LookupError(f"docs/benchmarks.md has no block for {', '.join(sorted(unshown))}")
    return filled


def _filled(found: re.Match[str], results: Path) -> str:
    path = results / f"{found['name']}.json"
    if not path.is_file():
        raise LookupError(f"{path} is missing: run `python -m benchmarks {found['name']}`")
    return f"{found['open']}{block(Measured.read(path))}\n{found['close']}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
