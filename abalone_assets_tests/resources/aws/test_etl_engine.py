"""What a Glue run is asked for."""

from typing import TYPE_CHECKING

import dagster as dg
import pytest

from abalone_assets.etl.request import PrepareRequest
from abalone_assets.pipes import PipesJobError
from abalone_assets.resources.etl_engine import GlueEngine
from abalone_assets_tests.fakes.places import REGION
from abalone_assets_tests.stories.aws.stack import GLUE_JOB, provision

if TYPE_CHECKING:
    from abalone_assets_tests.fakes.standin import AwsStandIn


def test_sparks_s3_connector_and_boto3_are_told_the_region(aws: "AwsStandIn") -> None:
    provision(aws)
    aws.faults.fail_next_job("enough was seen")
    engine = GlueEngine(
        jobs_uri=f"s3://{aws.bucket}/jobs", job=GLUE_JOB, max_runtime_seconds=60, poll_seconds=0.1
    )
    uri = f"s3://{aws.bucket}/lake"

    @dg.asset
    def merged(context: dg.AssetExecutionContext) -> None:
        engine.prepare(PrepareRequest((f"{uri}/in",), f"{uri}/merged", {}), context)

    with dg.DagsterInstance.ephemeral() as instance, pytest.raises(PipesJobError):
        dg.materialize([merged], instance=instance)

    [started] = [call for call in aws.calls if call.operation == "StartJobRun"]
    arguments = started.params["Arguments"]
    assert arguments["--conf"] == f"spark.hadoop.fs.s3a.endpoint.region={REGION}"
    assert arguments["--aws-region"] == REGION
