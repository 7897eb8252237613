from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from abalone_assets.registry.folder import ModelRegistry
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets_tests.serving.support import new_registry, tiny_archive

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="session")
def archives() -> list[bytes]:
    """Three real model archives that predict differently."""
    return [tiny_archive(seed) for seed in (1, 2, 3)]


@pytest.fixture
def registry(tmp_path: Path) -> ModelRegistry:
    return new_registry(tmp_path)


@pytest.fixture
def s3_registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelRegistry]:
    """A registry in a bucket of a local S3."""
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    bucket = f"models-{uuid4()}"  # moto keeps buckets for the whole process
    boto3.client("s3").create_bucket(Bucket=bucket)
    yield ModelRegistry(ObjectStore(f"s3://{bucket}/registry"))
    server.stop()
