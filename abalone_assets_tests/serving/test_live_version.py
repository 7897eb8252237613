"""What is told of the endpoint: which version answers, where, and what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from abalone_assets.errors import EndpointError
from abalone_assets.serving.live_version import endpoint_state, invocations_url
from abalone_assets.serving.pointer import publish_pointer
from abalone_assets.settings.platform import load_settings
from abalone_assets_tests.serving.support import (
    ENDPOINT,
    endpoint_of,
    new_registry,
    register,
    serving,
    wait_until,
)

if TYPE_CHECKING:
    from pathlib import Path


def test_a_refusal_is_told_until_what_should_answer_answers_again(
    home: Path, archives: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ABALONE_ENDPOINT_NAME", ENDPOINT)
    registry = new_registry(home)
    with serving(registry, archives[0]) as live:
        broken = register(registry, b"no archive").version
        publish_pointer(registry.store, ENDPOINT, broken)
        wait_until(lambda: live.client.describe()["refused_version"] == broken)
        state = endpoint_state(load_settings())
        assert (state.requested_version, state.version) == (2, 1)
        assert "version 2 cannot be served" in str(state.problem)
        with pytest.raises(EndpointError, match="version 2 cannot be served"):
            endpoint_of(registry).deploy(broken, [("M", 9.0)])
        publish_pointer(registry.store, ENDPOINT, 1)
        wait_until(lambda: live.client.describe()["requested_version"] == 1)
        state = endpoint_state(load_settings())
    assert (state.requested_version, state.version, state.problem) == (1, 1, None)


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("eu-west-1", "runtime.sagemaker.eu-west-1.amazonaws.com"),
        ("cn-north-1", "runtime.sagemaker.cn-north-1.amazonaws.com.cn"),
    ],
)
def test_on_aws_it_answers_at_the_host_of_the_region(
    monkeypatch: pytest.MonkeyPatch, region: str, host: str
) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_REGION", region)
    assert invocations_url("abalone") == f"https://{host}/endpoints/abalone/invocations"
