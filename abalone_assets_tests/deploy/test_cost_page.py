"""The cost page adds up, and takes the prices that the package takes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from abalone_assets.aws.prices import AS_OF, GLUE_PRICES, INSTANCE_PRICES

PAGE: Final = (Path(__file__).parents[2] / "docs/cost.md").read_text()
NUMBER: Final = r"[\d,]+(?:\.\d+)?"
TIMES, DIVIDED = "\N{MULTIPLICATION SIGN}", "\N{DIVISION SIGN}"
EQUATION: Final = re.compile(rf"({NUMBER}(?: [{TIMES}{DIVIDED}+] {NUMBER})+) = ({NUMBER})")


def number(text: str) -> float:
    return float(text.replace(",", ""))


def result(formula: str) -> float:
    """The value of a formula of the page: a sum of products and quotients."""
    return sum(product(term) for term in formula.split(" + "))


def product(term: str) -> float:
    first, *others = term.split(" ")
    value = number(first)
    for operator, factor in zip(others[::2], others[1::2], strict=True):
        value = value * number(factor) if operator == TIMES else value / number(factor)
    return value


@pytest.mark.parametrize(("formula", "claimed"), EQUATION.findall(PAGE))
def test_each_equation_is_right(formula: str, claimed: str) -> None:
    digits = len(claimed.partition(".")[2])
    assert abs(result(formula) - number(claimed)) <= 0.51 * 10**-digits


def tables() -> list[list[list[str]]]:
    """The page's tables: rows of cells, without head and ruler."""
    blocks = re.findall(r"(?:^\|.*\n)+", PAGE, re.MULTILINE)
    return [
        [[cell.strip(" *") for cell in line.strip().strip("|").split("|")] for line in lines[2:]]
        for lines in (block.splitlines() for block in blocks)
    ]


@pytest.mark.parametrize("rows", [rows for rows in tables() if rows[-1][0] == "sum"])
def test_each_sum_is_that_of_its_rows(rows: list[list[str]]) -> None:
    *items, total = rows
    digits = len(total[-1].partition(".")[2])
    assert round(sum(number(item[-1]) for item in items), digits) == number(total[-1])


def test_the_first_table_repeats_the_sums_below() -> None:
    first, *others = tables()
    here, release, book, books_release = [rows[-1][-1] for rows in others if rows[-1][0] == "sum"]
    assert first[0][1:] == [here, book]
    assert first[3][1:] == [f"{number(one):.2f}" for one in (release, books_release)]
    assert f" = {first[4][1]}" in PAGE
    assert f" = {first[4][2]}" in PAGE
    endpoint = number(first[1][1])
    assert [number(cell) for cell in first[2][1:]] == [
        pytest.approx(number(cell) - endpoint, abs=0.005) for cell in first[0][1:]
    ]


def test_the_page_and_the_package_have_the_same_prices() -> None:
    assert f"ml.m5.large {INSTANCE_PRICES['ml.m5.large']} / h" in PAGE
    assert f"ml.m5.xlarge {INSTANCE_PRICES['ml.m5.xlarge']} / h" in PAGE
    assert f"Looked up on {AS_OF:%d %B %Y}" in PAGE
    assert f"Glue {GLUE_PRICES['DPU']} / DPU-h" in PAGE
