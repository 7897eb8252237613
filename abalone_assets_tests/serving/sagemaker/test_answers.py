from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from abalone_assets_tests.serving.sagemaker.hosting import ENDPOINT
from abalone_assets_tests.serving.support import LINES, local_prediction, tiny_archive

if TYPE_CHECKING:
    from abalone_assets_tests.serving.sagemaker.hosting import Account

pytest_plugins = ["abalone_assets_tests.serving.sagemaker.account"]


def test_a_first_deployment_makes_an_endpoint_that_answers_as_the_model_does(
    account: Account,
) -> None:
    archive = tiny_archive(1)
    account.register(archive)
    probes = list(zip(LINES, local_prediction(archive), strict=True))

    done = account.endpoint().deploy(1, probes)

    assert (done.version, done.previous, done.served) == (1, None, True)
    assert done.message == "version 1 is live"
    assert done.url is not None
    assert done.url.endswith(f"/endpoints/{ENDPOINT}")
    assert account.endpoint().live_version() == 1
    (exchange,) = account.captured()
    assert exchange["endpointInput"]["encoding"] == "CSV"
    assert exchange["endpointInput"]["data"] == "".join(f"{line}\n" for line in LINES)
    answers = [float(rings) for rings in exchange["endpointOutput"]["data"].split()]
    assert answers == pytest.approx(local_prediction(archive))
