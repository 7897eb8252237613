"""The table is whole: each rule has its source and its test, and the page lists it."""

import re
from importlib import import_module

import pytest

from abalone_assets_tests.fakes import service_rules
from abalone_assets_tests.fakes.service_rules.page import PAGE, rendered
from abalone_assets_tests.fakes.service_rules.rule import Rule
from abalone_assets_tests.fakes.service_rules.table import RULES


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_rule_has_its_test_and_a_source(rule: Rule) -> None:
    tests = import_module(f"{service_rules.__name__}.{rule.test_module}")
    assert hasattr(tests, f"test_{rule.name}")
    assert re.match(r"https://\S+", rule.source)


def test_rules_are_named_once_and_the_page_lists_them() -> None:
    assert len({rule.name for rule in RULES}) == len({rule.check for rule in RULES}) == len(RULES)
    assert PAGE.read_text() == rendered(), "python -m abalone_assets_tests.fakes.service_rules.page"
