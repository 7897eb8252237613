from __future__ import annotations

from abalone_assets.aws.prices import (
    AS_OF,
    BASIS,
    HOSTING_PRICES,
    PROCESSING_PRICES,
    TRAINING_PRICES,
)
from abalone_assets.settings.aws import AwsSettings


def test_the_default_instance_types_have_prices() -> None:
    fields = AwsSettings.model_fields
    assert fields["training_instance_type"].default in TRAINING_PRICES
    assert fields["processing_instance_type"].default in PROCESSING_PRICES
    assert fields["endpoint_instance_type"].default in HOSTING_PRICES


def test_the_prices_say_of_when_and_where_they_are() -> None:
    assert "us-east-1" in BASIS
    assert str(AS_OF) in BASIS
