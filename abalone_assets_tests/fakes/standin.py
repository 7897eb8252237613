"""The stand-in for an AWS account, for one test at a time."""

from __future__ import annotations

import sys
from functools import cache
from typing import TYPE_CHECKING, Any, Self

import pytest

from abalone_assets_tests.fakes.calls import OWNER, Call, call_of
from abalone_assets_tests.fakes.endpoints import Endpoints, Runtime
from abalone_assets_tests.fakes.faults import Faults
from abalone_assets_tests.fakes.glue_jobs import GlueJobs
from abalone_assets_tests.fakes.lineage import Lineage
from abalone_assets_tests.fakes.model_packages import ModelPackages
from abalone_assets_tests.fakes.model_servers import ModelServers
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
from abalone_assets_tests.fakes.processing_jobs import ProcessingJobs
from abalone_assets_tests.fakes.scaling import Scaling
from abalone_assets_tests.fakes.service_rules.roles import PASSES_OWN_ROLES
from abalone_assets_tests.fakes.service_rules.table import check
from abalone_assets_tests.fakes.storage import Storage
from abalone_assets_tests.fakes.training_jobs import TrainingJobs
from abalone_assets_tests.fakes.transform_jobs import TransformJobs

if TYPE_CHECKING:
    from pathlib import Path

    from abalone_assets_tests.fakes.server import MotoServer


class AwsStandIn:
    """An empty AWS account whose jobs and endpoints really run, as long as the context is open.

    Entering it forgets whatever the server held; leaving it kills whatever it started.

    Args:
        server: The moto server.
        folder: For the files of jobs and models.

    Attributes:
        bucket: A bucket that exists.
        s3: A boto3 client of the bucket's owner: not recorded, not hit by `faults`.
        faults: What shall go wrong.
        python: What runs jobs' scripts and models.
        lineage: SageMaker's.
        calls: Every request since the context was opened, but for the stand-in's own.
        identity: What the code under test may do, as far as roles that it passes are concerned.
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
        self.s3 = self.client("s3", access_key=OWN_KEY)
        self.storage = Storage(self.s3)
        self.calls: list[Call] = []
        self.identity = PASSES_OWN_ROLES
        self._model_servers = ModelServers(self)
        self.lineage = Lineage(self)
        self._patches = pytest.MonkeyPatch()

    def __enter__(self) -> Self:
        self.server.reset()
        models = self._model_servers
        jobs = (TrainingJobs(self), ProcessingJobs(self), GlueJobs(self), ModelPackages(self))
        for service in (
            *jobs,
            TransformJobs(self),
            self.lineage,
            Endpoints(self, models),
            Runtime(self, models),
            Scaling(self),
        ):
            service.install(self._patches)
        self.server.gate = self._let_pass
        self.s3.create_bucket(Bucket=self.bucket)
        return self

    def __exit__(self, *_: object) -> None:
        self.processes.end_all()
        self._model_servers.close()
        self.server.gate = lambda *_: None
        self._patches.undo()

    def _let_pass(self, response: Any, resource: str) -> None:
        call = call_of(response, resource)
        if call is None:
            return
        if call.caller != OWNER:
            self.calls.append(call)
            self.faults.check(call)
        check(self, call, response)

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
        return _client(self.url, service, access_key)


@cache
def _client(url: str, service: str, access_key: str) -> Any:
    """The process's own: to make one takes longer than many tests."""
    import boto3
    from botocore.config import Config

    return boto3.client(
        service,
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id=access_key,
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}),
    )
