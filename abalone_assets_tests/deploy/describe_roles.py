"""The policies of the roles, as a snapshot that any test can use without synthesising.

``python -m abalone_assets_tests.deploy.describe_roles`` renews it; a test fails until that is done.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from abalone_assets_tests.deploy.iam import Policy, role_policy

if TYPE_CHECKING:
    from abalone_assets_tests.deploy.support import Assembly

SNAPSHOT = Path(__file__).parents[1] / "snapshots" / "roles.json"
ROLES = {
    "run": ("platform", "DagsterRunRole"),
    "daemon": ("platform", "DagsterDaemonRole"),
    "web": ("platform", "DagsterWebRole"),
    "execution": ("platform", "DagsterExecutionRole"),
    "sagemaker": ("jobs", "SageMakerRole"),
    "glue": ("jobs", "GlueJobRole"),
    "crawler": ("jobs", "GlueCrawlerRole"),
}
"""Stack and logical id of each role."""


def described(assembly: Assembly) -> dict[str, list[dict[str, Any]]]:
    """The statements of every role, deployed to the stand-in's account."""
    return {
        name: list(role_policy(assembly.templates[stack], role).statements)
        for name, (stack, role) in ROLES.items()
    }


def policy_of(role: str) -> Policy:
    """The policy of a role, as the snapshot has it.

    Args:
        role: One of `ROLES`.
    """
    return Policy(tuple(json.loads(SNAPSHOT.read_text())[role]))


if __name__ == "__main__":
    from abalone_assets_tests.deploy.support import Assembly, synthesise

    with tempfile.TemporaryDirectory() as folder:
        roles = described(Assembly(synthesise(Path(folder)), "abalone"))
    SNAPSHOT.write_text(json.dumps(roles, indent=1) + "\n")
