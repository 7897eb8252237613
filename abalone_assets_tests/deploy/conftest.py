"""Fixtures of the synthesised stacks."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from abalone_assets_tests.deploy.support import Assembly
    from abalone_assets_tests.fakes.standin import AwsStandIn
    from deploy.cloudformation import Stacks


@pytest.fixture
def told() -> list[str]:
    """What was said of the stacks."""
    return []


@pytest.fixture
def stacks(aws: AwsStandIn, told: list[str]) -> Stacks:
    """CloudFormation of an empty account."""
    from abalone_assets_tests.deploy.support import quick_stacks

    return quick_stacks(told.append)


@pytest.fixture(scope="session")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    """The stacks as `make synth` makes them."""
    return _synthesised_once(tmp_path_factory, "abalone")


@pytest.fixture(scope="session")
def oidc_assembly(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    """The stacks with everything that a context value can change."""
    from abalone_assets_tests.deploy.support import OIDC

    return _synthesised_once(tmp_path_factory, "abalone-staging", *OIDC)


@pytest.fixture(scope="session")
def company_assembly(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    """The stacks with what companies require."""
    from abalone_assets_tests.deploy.support import COMPANY

    return _synthesised_once(tmp_path_factory, "abalone-company", *COMPANY)


@pytest.fixture(scope="session")
def serverless_assembly(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    """The stacks of a serverless endpoint."""
    from abalone_assets_tests.deploy.support import SERVERLESS

    return _synthesised_once(tmp_path_factory, "abalone-small", *SERVERLESS)


def _synthesised_once(factory: pytest.TempPathFactory, name: str, *context: str) -> Assembly:
    """Synthesise in one process of pytest-xdist, as it takes some ten seconds; the others wait."""
    from abalone_assets_tests.deploy.support import Assembly, synthesise

    shared = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder = shared / f"cdk-{name}"
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            synthesise(folder.with_suffix(".unfinished"), *context).rename(folder)
    return Assembly(folder, name)
