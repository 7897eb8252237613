from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING, Any

from abalone_assets_tests.fakes.support import wait_for, wait_for_log

if TYPE_CHECKING:
    from abalone_assets_tests.fakes.standin import AwsStandIn

pytest_plugins = ("abalone_assets_tests.fakes.fixtures",)

SCRIPT = b"""
import sys, time
import helper
print("colour", sys.argv[sys.argv.index("--colour") + 1], flush=True)
if "--wait" in sys.argv:
    time.sleep(50)
helper.check("--fail" not in sys.argv)
"""
HELPER = "def check(well):\n    if not well:\n        raise ValueError('told to fail')\n"


def started(aws: AwsStandIn, **arguments: str) -> str:
    """The id of a run that ships its own script and library, as ours do."""
    library = io.BytesIO()
    with zipfile.ZipFile(library, "w") as archive:
        archive.writestr("helper.py", HELPER)
    aws.s3.put_object(Bucket=aws.bucket, Key="code/lib.zip", Body=library.getvalue())
    aws.s3.put_object(Bucket=aws.bucket, Key="code/job.py", Body=SCRIPT)
    glue = aws.client("glue")
    glue.create_job(
        Name="prepare",
        Role=aws.role_arn,
        GlueVersion="5.1",
        Command={"Name": "glueetl", "ScriptLocation": "s3://nowhere/job.py"},
        DefaultArguments={"--colour": "blue"},
    )
    given = {
        "--scriptLocation": f"s3://{aws.bucket}/code/job.py",
        "--extra-py-files": f"s3://{aws.bucket}/code/lib.zip",
        **{f"--{name}": value for name, value in arguments.items()},
    }
    return str(glue.start_job_run(JobName="prepare", Arguments=given)["JobRunId"])


def ended(aws: AwsStandIn, run_id: str) -> dict[str, Any]:
    glue = aws.client("glue")

    def run() -> dict[str, Any] | None:
        found: dict[str, Any] = glue.get_job_run(JobName="prepare", RunId=run_id)["JobRun"]
        running = found["JobRunState"] in {"WAITING", "STARTING", "RUNNING", "STOPPING"}
        return None if running else found

    return wait_for(run)


def log_of(aws: AwsStandIn, run_id: str) -> list[str]:
    return wait_for_log(aws, "/aws-glue/jobs/output", run_id)


def test_a_run_runs_the_script_and_the_libraries_it_names(aws: AwsStandIn) -> None:
    run_id = started(aws, colour="red")
    run = ended(aws, run_id)
    assert run["JobRunState"] == "SUCCEEDED", run
    assert run["GlueVersion"] == "5.1"
    assert log_of(aws, run_id) == ["colour red"]


def test_a_run_that_fails_says_its_last_line(aws: AwsStandIn) -> None:
    run = ended(aws, started(aws, fail="yes"))
    assert (run["JobRunState"], run["ErrorMessage"]) == ("FAILED", "ValueError: told to fail")


def test_a_stopped_run_shows_its_log_while_it_runs_and_dies_at_once(aws: AwsStandIn) -> None:
    run_id = started(aws, wait="yes")
    assert log_of(aws, run_id) == ["colour blue"]
    glue = aws.client("glue")
    answer = glue.batch_stop_job_run(JobName="prepare", JobRunIds=[run_id, "jr_unknown"])
    assert [each["JobRunId"] for each in answer["SuccessfulSubmissions"]] == [run_id]
    assert [each["JobRunId"] for each in answer["Errors"]] == ["jr_unknown"]
    assert ended(aws, run_id)["JobRunState"] == "STOPPED"


def test_a_run_may_expire(aws: AwsStandIn) -> None:
    aws.faults.fail_next_job("The job run expired", state="EXPIRED")
    assert ended(aws, started(aws))["JobRunState"] == "EXPIRED"


def test_jobs_and_crawlers_can_be_changed(aws: AwsStandIn) -> None:
    glue = aws.client("glue")
    glue.create_job(Name="prepare", Role="a", Command={"Name": "glueetl"})
    glue.update_job(JobName="prepare", JobUpdate={"Role": "b", "GlueVersion": "5.1"})
    job = glue.get_job(JobName="prepare")["Job"]
    assert (job["Role"], job["GlueVersion"]) == ("b", "5.1")
    glue.create_crawler(Name="crawler", Role="a", DatabaseName="one", Targets={})
    glue.update_crawler(Name="crawler", DatabaseName="other")
    assert glue.get_crawler(Name="crawler")["Crawler"]["DatabaseName"] == "other"
