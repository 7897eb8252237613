"""Fixtures of the stand-in."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import pytest

from abalone_assets_tests.fakes.places import BUCKET, TEST_KEY, credentials

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from abalone_assets_tests.fakes.server import MotoServer
    from abalone_assets_tests.fakes.standin import AwsStandIn

_numbers = count()
_MISLEADING = (
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SESSION_TOKEN",
    "AWS_ENDPOINT_URL_S3",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_CONFIG_FILE",
)


@pytest.fixture(scope="session")
def moto_server() -> Iterator[MotoServer]:
    """The one moto server of this process."""
    from abalone_assets_tests.fakes.model_servers import close_model_servers
    from abalone_assets_tests.fakes.server import MotoServer

    with MotoServer() as server:
        yield server
    close_model_servers()


@pytest.fixture(scope="session")
def s3_server(moto_server: MotoServer) -> str:
    """The server's URL."""
    return moto_server.url


@pytest.fixture
def aws(
    moto_server: MotoServer, tmp_path_factory: pytest.TempPathFactory, aws_environment: None
) -> Iterator[AwsStandIn]:
    """An empty AWS account, and an environment that leads to it."""
    from abalone_assets_tests.fakes.standin import AwsStandIn

    folder: Path = tmp_path_factory.mktemp("aws")
    with AwsStandIn(moto_server, folder) as standin:
        yield standin


@pytest.fixture
def aws_environment(moto_server: MotoServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that leads to the server, of whose past nothing is remembered."""
    from abalone_assets.aws.parameters import forget

    forget()
    for variable in _MISLEADING:
        monkeypatch.delenv(variable, raising=False)
    for name, value in credentials(moto_server.url, TEST_KEY).items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def s3(moto_server: MotoServer, aws_environment: None) -> str:
    """An empty ``s3://`` prefix of the test's own, and an environment that leads to it."""
    import requests

    requests.put(f"{moto_server.url}/{BUCKET}", timeout=10).raise_for_status()
    return f"s3://{BUCKET}/{next(_numbers)}"
