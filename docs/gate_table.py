"""Fill the table of the gate's rules in `docs/architecture.md` from their names: ``make docs``.

The table stands between ``<!-- gate rules -->`` and ``<!-- /gate rules -->``. The prose around it
is written by hand.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from abalone_assets.modeling.evaluation.gate_rules import RULES, is_approving

PAGE: Final = Path(__file__).with_name("architecture.md")
_BLOCK: Final = re.compile(
    r"(?P<open><!-- gate rules -->\n).*?(?P<close><!-- /gate rules -->)", re.DOTALL
)


def page(text: str) -> str:
    """The page with the table as the rules are.

    Raises:
        LookupError: The page has no place for it.
    """
    filled, found = _BLOCK.subn(lambda block: f"{block['open']}{_table()}{block['close']}", text)
    if not found:
        raise LookupError("docs/architecture.md has no place for the table of the gate's rules")
    return filled


def _table() -> str:
    rows = ["| rule | the model is | when |", "| --- | --- | --- |"]
    for rule, when in RULES.items():
        rows.append(f"| `{rule}` | {'approved' if is_approving(rule) else 'rejected'} | {when} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
