"""Fixtures of the synthesised stacks."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

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
    from abalone_assets_tests.deploy.support import Assembly

    return Assembly(_synthesised_once(tmp_path_factory, "deploy.app"), "abalone")


@pytest.fixture(scope="session")
def oidc_assembly(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    """The stacks with everything that a context value can change."""
    from abalone_assets_tests.deploy.support import OIDC

    return _variant(tmp_path_factory, OIDC)


@pytest.fixture(scope="session")
def company_assembly(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    """The stacks with what companies require."""
    from abalone_assets_tests.deploy.support import COMPANY

    return _variant(tmp_path_factory, COMPANY)


@pytest.fixture(scope="session")
def serverless_assembly(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    """The stacks of a serverless endpoint."""
    from abalone_assets_tests.deploy.support import SERVERLESS

    return _variant(tmp_path_factory, SERVERLESS)


def _variant(factory: pytest.TempPathFactory, context: Sequence[str]) -> Assembly:
    from abalone_assets_tests.deploy.support import Assembly, name_of

    folder = _synthesised_once(factory, "abalone_assets_tests.deploy.variants")
    return Assembly(folder / name_of(context), name_of(context))


def _synthesised_once(factory: pytest.TempPathFactory, module: str) -> Path:
    """Run a program in one process of pytest-xdist, as it takes some ten seconds; others wait."""
    from abalone_assets_tests.deploy.support import synthesise

    shared = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder = shared / f"cdk-{module}"
    with (shared / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            synthesise(shared / f"{folder.name}.unfinished", module=module).rename(folder)
    return folder
