"""Fixtures of the synthesised stacks: name this module in ``pytest_plugins``.

Synthesising takes some ten seconds: tests that use it belong into the xdist group ``cdk``, so that
one process does it once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from abalone_assets_tests.deploy.support import Assembly


@pytest.fixture(scope="session")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    """The stacks as `make synth` makes them."""
    from abalone_assets_tests.deploy.support import Assembly, synthesise

    return Assembly(synthesise(tmp_path_factory.mktemp("cdk")), "abalone")


@pytest.fixture(scope="session")
def oidc_assembly(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    """The stacks with everything that a context value can change."""
    from abalone_assets_tests.deploy.support import OIDC, Assembly, synthesise

    return Assembly(synthesise(tmp_path_factory.mktemp("cdk"), *OIDC), "abalone-staging")
