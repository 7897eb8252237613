from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from abalone_assets.etl import polars_engine
from abalone_assets.resources.aws.code_bundle import CodeBundles
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets_tests.etl.support import SPLITS, frame_of, renamed, request_for
from abalone_assets_tests.external.pipes import bootstrap, messages
from abalone_assets_tests.fakes.support import wait_for
from abalone_assets_tests.support.platform import survey_rows

if TYPE_CHECKING:
    from pathlib import Path

    from abalone_assets_tests.fakes.standin import AwsStandIn

pytestmark = pytest.mark.xdist_group("spark")

OUTPUTS = ("merged_dataset", *SPLITS)


def shipped(aws: AwsStandIn) -> dict[str, str]:
    """The arguments that name the script and its modules, as a run ships them."""
    script, modules = CodeBundles(ObjectStore(f"s3://{aws.bucket}/jobs")).preparation()
    return {"--scriptLocation": script, "--extra-py-files": modules}


def run_of(aws: AwsStandIn, arguments: dict[str, str]) -> dict[str, Any]:
    """The Glue run with these arguments, once it is over."""
    glue = aws.client("glue")
    glue.create_job(
        Name="abalone-prepare",
        Role=aws.role_arn,
        GlueVersion="5.1",
        Command={"Name": "glueetl", "ScriptLocation": "s3://nowhere/nothing.py"},
    )
    run_id = glue.start_job_run(JobName="abalone-prepare", Arguments=arguments)["JobRunId"]

    def over() -> dict[str, Any] | None:
        run: dict[str, Any] = glue.get_job_run(JobName="abalone-prepare", RunId=run_id)["JobRun"]
        return None if run["JobRunState"] in {"STARTING", "RUNNING"} else run

    return wait_for(over, seconds=200)


def glue_arguments(parameters: dict[str, str]) -> dict[str, str]:
    return {f"--{name.lower().replace('_', '-')}": value for name, value in parameters.items()}


def test_as_a_glue_job_prepares_on_s3_what_polars_prepares(aws: AwsStandIn) -> None:
    survey = frame_of(survey_rows(200))
    inputs = {"raw": survey, "again": renamed(survey.head(50), "abalone.19000101000000")}
    expected = request_for(inputs, f"s3://{aws.bucket}/polars")
    request = request_for(inputs, f"s3://{aws.bucket}/lake")
    parameters = bootstrap(aws, *OUTPUTS, extras={"request": asdict(request)})
    run = run_of(aws, shipped(aws) | glue_arguments(parameters))
    assert run["JobRunState"] == "SUCCEEDED", run.get("ErrorMessage")

    by_polars = polars_engine.prepare(expected)
    for uri, expected_uri in zip(
        [request.merged, *request.splits.values()],
        [expected.merged, *expected.splits.values()],
        strict=True,
    ):
        assert_frame_equal(pl.read_parquet(uri), pl.read_parquet(expected_uri), check_exact=True)
    sent = messages(aws)
    [report] = [params["payload"]["report"] for m, params in sent if m == "report_custom_message"]
    assert report["rows"] == by_polars.rows
    assert (report["rows_in"], report["repeats"]) == (250, 50)
    assert report["engine"] == "spark 3.5.6"
    listed = aws.s3.list_objects_v2(Bucket=aws.bucket, Prefix="lake/")["Contents"]
    written = {item["Key"] for item in listed if not item["Key"].startswith("lake/inputs/")}
    assert written == {f"lake/{name}/data.parquet" for name in OUTPUTS}


def test_a_glue_job_without_a_request_says_so_in_its_error_message(aws: AwsStandIn) -> None:
    parameters = bootstrap(aws, *OUTPUTS, extras={})
    run = run_of(aws, shipped(aws) | glue_arguments(parameters))
    assert run["JobRunState"] == "FAILED"
    assert "StorageError: no preparation to run" in run["ErrorMessage"]
    assert "no preparation to run" in messages(aws)[-1][1]["exception"]["message"]


def test_a_request_file_that_cannot_be_read_ends_with_one_clear_line(tmp_path: Path) -> None:
    file = tmp_path / "request.json"
    file.write_text(json.dumps([1]))
    done = subprocess.run(
        [sys.executable, "-m", "abalone_assets.external.prepare", "--request", str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith(f"StorageError: {file}: no request can be read from it: ")
    assert done.stdout.count("\n") == 1
