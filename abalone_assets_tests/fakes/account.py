"""An AWS account as jobs and endpoints see it, whatever services it has."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from abalone_assets_tests.fakes.faults import Faults
from abalone_assets_tests.fakes.places import (
    ACCOUNT,
    BUCKET,
    OWN_KEY,
    REGION,
    ROLE,
    TEST_KEY,
    credentials,
)
from abalone_assets_tests.fakes.processes import Processes
from abalone_assets_tests.fakes.storage import Storage

if TYPE_CHECKING:
    from pathlib import Path

    from abalone_assets_tests.fakes.server import MotoServer


class Account:
    """What the stand-in's services share.

    Args:
        server: The moto server.
        folder: For the files of jobs and models.

    Attributes:
        bucket: A bucket that exists.
        s3: A boto3 client of the bucket's owner: not recorded, not hit by `faults`.
        faults: What shall go wrong.
        python: What runs jobs' scripts and models.
        job_environment: Variables that every job and model finds besides its own.
    """

    region = REGION
    account = ACCOUNT
    role_arn = ROLE
    bucket = BUCKET

    def __init__(self, server: MotoServer, folder: Path) -> None:
        self.server = server
        self.folder = folder
        self.faults = Faults()
        self.processes = Processes()
        self.python = sys.executable
        self.job_environment: dict[str, str] = {}
        self.s3 = self.client("s3", access_key=OWN_KEY)
        self.storage = Storage(self.s3)

    @property
    def url(self) -> str:
        """The endpoint of every service."""
        return self.server.url

    @property
    def environment(self) -> dict[str, str]:
        """The variables that lead AWS clients here."""
        return credentials(self.url, TEST_KEY)

    def client(self, service: str, *, access_key: str = TEST_KEY) -> Any:
        """A boto3 client of a service, which tries once."""
        import boto3
        from botocore.config import Config

        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=access_key,
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}),
        )
