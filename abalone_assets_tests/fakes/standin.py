"""The stand-in for an AWS account, for one test at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import pytest

from abalone_assets_tests.fakes.account import Account
from abalone_assets_tests.fakes.calls import Call, call_of
from abalone_assets_tests.fakes.endpoints import Endpoints, Runtime
from abalone_assets_tests.fakes.glue_jobs import GlueJobs
from abalone_assets_tests.fakes.model_packages import ModelPackages
from abalone_assets_tests.fakes.model_servers import ModelServers
from abalone_assets_tests.fakes.processing_jobs import ProcessingJobs
from abalone_assets_tests.fakes.training_jobs import TrainingJobs

if TYPE_CHECKING:
    from pathlib import Path

    from abalone_assets_tests.fakes.server import MotoServer


class AwsStandIn(Account):
    """An empty AWS account whose jobs and endpoints really run, as long as the context is open.

    Entering it forgets whatever the server held; leaving it kills whatever it started.

    Attributes:
        calls: Every request since the context was opened, but for the stand-in's own.
    """

    def __init__(self, server: MotoServer, folder: Path) -> None:
        super().__init__(server, folder)
        self.calls: list[Call] = []
        self._model_servers = ModelServers(self)
        self._patches = pytest.MonkeyPatch()

    def __enter__(self) -> Self:
        self.server.reset()
        models = self._model_servers
        jobs = (TrainingJobs(self), ProcessingJobs(self), GlueJobs(self), ModelPackages(self))
        for service in (*jobs, Endpoints(self, models), Runtime(self, models)):
            service.install(self._patches)
        self.server.gate = self._let_pass
        self.s3.create_bucket(Bucket=self.bucket)
        return self

    def __exit__(self, *_: object) -> None:
        self.processes.end_all()
        self._model_servers.close()
        self.server.gate = lambda *_: None
        self._patches.undo()
        self.s3.close()

    def _let_pass(self, response: Any, resource: str) -> None:
        call = call_of(response, resource)
        if call is not None:
            self.calls.append(call)
            self.faults.check(call)
