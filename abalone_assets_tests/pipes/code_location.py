"""A code location whose only asset runs a job that waits; the environment says where.

Variables:
    PIPES_TEST_BUCKET: The clients' bucket.
    PIPES_TEST_ARGUMENTS: JSON of the arguments of the training client's ``run``.
    PIPES_TEST_POLL_SECONDS: The client's poll interval.
"""

import json
import os
from typing import Any

import dagster as dg

from abalone_assets_tests.pipes.lab import asset_of, client_of


def run(context: dg.AssetExecutionContext) -> Any:
    """One training job."""
    poll_interval = float(os.environ["PIPES_TEST_POLL_SECONDS"])
    client = client_of("training", os.environ["PIPES_TEST_BUCKET"], poll_interval=poll_interval)
    return client.run(context=context, **json.loads(os.environ["PIPES_TEST_ARGUMENTS"]))


defs = dg.Definitions(
    assets=[asset_of(run)],
    jobs=[dg.define_asset_job("release")],
    executor=dg.in_process_executor,
)
