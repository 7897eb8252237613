from __future__ import annotations

import pytest

from abalone_assets.aws.prices import (
    AS_OF,
    BASIS,
    GLUE_PRICES,
    HOSTING_PRICES,
    PROCESSING_PRICES,
    TRAINING_PRICES,
    estimated,
)
from abalone_assets.aws.settings import AwsSettings


def test_an_hour_costs_the_list_price_of_each_unit() -> None:
    assert estimated(TRAINING_PRICES, "ml.m5.large", 3600) == 0.115
    assert estimated(HOSTING_PRICES, "ml.m5.large", 1800, count=2) == pytest.approx(0.115)
    assert estimated(GLUE_PRICES, "DPU", 15 * 60, count=6) == pytest.approx(0.66)


def test_an_unknown_unit_has_no_price() -> None:
    assert estimated(TRAINING_PRICES, "ml.m99.large", 3600) is None


def test_the_default_instance_types_have_prices() -> None:
    fields = AwsSettings.model_fields
    assert fields["training_instance_type"].default in TRAINING_PRICES
    assert fields["processing_instance_type"].default in PROCESSING_PRICES
    assert fields["endpoint_instance_type"].default in HOSTING_PRICES


def test_the_prices_say_of_when_and_where_they_are() -> None:
    assert "us-east-1" in BASIS
    assert str(AS_OF) in BASIS
