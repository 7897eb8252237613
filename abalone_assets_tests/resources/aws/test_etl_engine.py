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


def asked(aws: "AwsStandIn", *writes: str) -> list[dict[str, str]]:
    """The arguments of runs of one step that are never executed, of inputs written so."""
    provision(aws)
    engine = GlueEngine(
        jobs_uri=f"s3://{aws.bucket}/jobs", job=GLUE_JOB, max_runtime_seconds=60, poll_seconds=0.1
    )
    uri = f"s3://{aws.bucket}/lake"

    @dg.asset
    def merged(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        for each in writes:
            aws.faults.fail_next_job("enough was seen")
            request = PrepareRequest((f"{uri}/in",), f"{uri}/merged", {}, writes=each)
            with pytest.raises(PipesJobError, match="enough was seen"):
                engine.prepare(request, context)
        return dg.MaterializeResult()

    with dg.DagsterInstance.ephemeral() as instance:
        dg.materialize([merged], instance=instance)
    started = [call for call in aws.calls if call.operation == "StartJobRun"]
    return [call.params["Arguments"] for call in started]


def test_sparks_s3_connector_and_boto3_are_told_the_region(aws: "AwsStandIn") -> None:
    [arguments] = asked(aws, "")
    assert arguments["--conf"] == f"spark.hadoop.fs.s3a.endpoint.region={REGION}"
    assert arguments["--aws-region"] == REGION


def test_inputs_that_were_written_again_are_prepared_by_another_run_and_a_retry_by_the_same(
    aws: "AwsStandIn",
) -> None:
    """Who merges once more would be given what was merged before; a retry is to have it."""
    names = [each["--dagster-pipes-job"] for each in asked(aws, "once", "again", "again")]
    first, second, retried = (name.rpartition("-")[0] for name in names)
    assert first != second == retried
