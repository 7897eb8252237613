import runpy
from typing import get_args

from abalone_assets.modeling.evaluation.gate_rules import RULES, Rule
from abalone_assets_tests.docs.test_settings_page import DOCS


def test_the_table_names_every_rule_in_the_order_in_which_they_are_asked() -> None:
    assert tuple(RULES) == get_args(Rule)
    text = (DOCS / "architecture.md").read_text(encoding="utf-8")
    page = runpy.run_path(str(DOCS / "gate_table.py"))["page"]
    assert page(text) == text, "docs/architecture.md is stale: `make docs` writes its table"
    assert [text.count(f"| `{rule}` |") for rule in RULES] == [1] * len(RULES)
