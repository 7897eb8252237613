from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

from abalone_assets.aws.prices import (
    AS_OF,
    GLUE_PRICES,
    INSTANCE_PRICES,
    SERVERLESS_GB,
    SERVERLESS_PRICES,
)
from abalone_assets.settings.aws import AwsSettings

PAGE: Final = (Path(__file__).parents[2] / "docs/cost.md").read_text()
HOURS: Final = 730
DAYS: Final = 30.42
COLD_STARTS: Final = 40
"""A day, at the most."""

_OPERATORS: Final[dict[str, str | int | None]] = {
    "\N{MULTIPLICATION SIGN}": "*",
    "\N{DIVISION SIGN}": "/",
    "\N{MINUS SIGN}": "-",
    "+": "+",
}
_NUMBER: Final = r"\d[\d,]*(?:\.\d+)?"
_TERM: Final = rf"\(?{_NUMBER}\)?"
_SUM: Final = re.compile(rf"({_TERM}(?: [{''.join(map(str, _OPERATORS))}] {_TERM})+) = ({_NUMBER})")


@pytest.mark.parametrize("use", ["training", "processing", "endpoint"])
def test_the_default_instance_types_have_prices(use: str) -> None:
    assert AwsSettings.model_fields[f"{use}_instance_type"].default in INSTANCE_PRICES


def test_every_memory_of_a_serverless_endpoint_has_a_price() -> None:
    assert set(SERVERLESS_PRICES) == set(range(1024, 6145, 1024))
    assert AwsSettings.model_fields["serverless_memory_mb"].default in SERVERLESS_PRICES


def test_the_cost_page_has_the_same_prices() -> None:
    for kind in ("ml.m5.large", "ml.m5.xlarge"):
        assert f"{kind} {INSTANCE_PRICES[kind]} / h" in PAGE
    assert f"Looked up on {AS_OF:%d %B %Y}" in PAGE
    assert f"Glue {GLUE_PRICES['DPU']} / DPU-h" in PAGE
    second = f"{SERVERLESS_PRICES[2048]:.5f}"
    assert f"serverless {second} / s at 2 GB" in PAGE
    assert f"{SERVERLESS_GB} / GB in and out" in PAGE


@pytest.mark.parametrize("questions", [40, 4_000, 400_000])
def test_the_endpoints_cost_what_the_prices_make_of_the_questions(questions: int) -> None:
    instance = INSTANCE_PRICES["ml.m5.large"] * HOURS
    cold = min(questions, COLD_STARTS)
    seconds = ((questions - cold) * 0.1 + cold * 10) * DAYS
    gigabytes = questions * 1e-6 * DAYS
    serverless = seconds * SERVERLESS_PRICES[2048] + gigabytes * SERVERLESS_GB

    row = f"| {questions:,} | {2 * instance:.2f} | {instance + 0.2:.2f} | {serverless:.2f} |"

    assert row in PAGE


def test_the_cost_page_calculates_rightly() -> None:
    found = _SUM.findall(PAGE)

    assert len(found) > 60
    wrong = {f"{term} = {told}": value for term, told in found if (value := _off(term, told))}
    assert not wrong


def _off(term: str, told: str) -> float | None:
    """What a term makes, where that is not what is told, to the digits told."""
    python = term.replace(",", "").translate(str.maketrans(_OPERATORS))
    value = float(eval(python))
    digits = len(told.partition(".")[2])
    close = abs(value - float(told.replace(",", ""))) <= 0.5 * 10**-digits + 1e-9
    return None if close else value
