"""`abalone doctor` on AWS: until when the images are patched."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from abalone_assets.aws.images import EARLIER, IMAGES, POLICY, image_uri, support_ends
from abalone_assets_tests.doctor.account import findings, set_date

if TYPE_CHECKING:
    from abalone_assets_tests.fakes.standin import AwsStandIn


@pytest.mark.parametrize(
    ("days_left", "xgboost", "tensorflow"),
    [(91, "ok", "ok"), (90, "warning", "warning"), (0, "warning", "warning"),
     (-1, "failed", "warning")],
)  # fmt: skip
def test_the_end_of_an_images_patches_is_told_ninety_days_before(
    account: AwsStandIn,
    monkeypatch: pytest.MonkeyPatch,
    days_left: int,
    xgboost: str,
    tensorflow: str,
) -> None:
    for framework, outcome in {"xgboost": xgboost, "tensorflow": tensorflow}.items():
        ends = IMAGES[framework].ends
        set_date(monkeypatch, ends - timedelta(days=days_left))
        _, found = findings()
        image = found[f"{framework} image"]
        assert (image["outcome"], str(ends) in image["found"]) == (outcome, True)
        assert bool(image["remedy"]) == (outcome != "ok")
        assert (POLICY in image["remedy"]) == (outcome != "ok")


@pytest.mark.parametrize(
    ("uri", "outcome"),
    [
        ("1.dkr.ecr.eu-west-1.amazonaws.com/mirror/sagemaker-xgboost:3.0-5", "failed"),
        ("1.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-xgboost:3.2-0", "ok"),
        ("1.dkr.ecr.eu-west-1.amazonaws.com/ours:3.0-5", "ok"),
    ],
)
def test_an_image_of_ones_own_choice_is_judged_by_its_version(
    account: AwsStandIn, monkeypatch: pytest.MonkeyPatch, uri: str, outcome: str
) -> None:
    monkeypatch.setenv("ABALONE_XGBOOST_IMAGE", uri)
    _, found = findings()
    assert found["xgboost image"]["outcome"] == outcome
    assert ("unset ABALONE_XGBOOST_IMAGE" in found["xgboost image"]["remedy"]) == (outcome != "ok")


def test_every_image_in_use_has_an_end_of_patches() -> None:
    for framework, image in IMAGES.items():
        uri = image_uri(framework, region="eu-central-1", instance_type="ml.m5.large")
        assert support_ends(uri) == image.ends


def test_an_image_in_use_is_patched_for_longer_than_those_that_it_replaced() -> None:
    for image in IMAGES.values():
        replaced = [each.ends for each in EARLIER if each.repository == image.repository]
        assert replaced
        assert image.ends > max(replaced)
