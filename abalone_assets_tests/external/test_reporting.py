import errno
import json
import logging
import os
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest

from abalone_assets.external.folder_messages import FolderMessageWriterChannel
from abalone_assets.external.reporting import ReportingError, reporting
from abalone_assets_tests.external.pipes import bootstrap, messages
from abalone_assets_tests.fakes.standin import AwsStandIn

SCRIPT = """
import sys
from abalone_assets.external.reporting import reporting
with reporting() as reporter:
    reporter.report_metadata({"rows": reporter.extras["rows"]}, data_version="v1")
    reporter.report({"done": True})
    reporter.log("half way")
    if "fail" in sys.argv:
        raise ValueError("told to fail")
"""


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """The script in a process of its own, as Pipes wants it."""
    environ = os.environ | variables
    command = [sys.executable, "-c", SCRIPT, *arguments]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False)


def test_reports_reach_dagster_by_sagemakers_variables(aws: AwsStandIn) -> None:
    done = run(**bootstrap(aws, "model", extras={"rows": 7}))
    assert (done.returncode, done.stderr) == (0, "")
    sent = messages(aws)
    assert [method for method, _ in sent] == [
        "opened",
        "report_asset_materialization",
        "report_custom_message",
        "log",
        "closed",
    ]
    assert sent[1][1] == {
        "asset_key": "model",
        "metadata": {"rows": {"raw_value": 7, "type": "__infer__"}},
        "data_version": "v1",
    }
    assert sent[2][1] == {"payload": {"done": True}}
    assert sent[3][1]["message"] == "half way"


def test_a_failure_reaches_dagster_by_glues_arguments_and_ends_the_script(aws: AwsStandIn) -> None:
    found = bootstrap(aws, "model", extras={"rows": 7})
    context, sent_to = found.values()
    done = run("fail", "--dagster-pipes-context", context, f"--dagster-pipes-messages={sent_to}")
    assert done.returncode == 1
    assert done.stderr.endswith("ValueError: told to fail\n")
    method, params = messages(aws)[-1]
    assert method == "closed"
    assert params["exception"]["message"] == "ValueError: told to fail\n"


def test_without_a_network_reports_are_files_that_sagemaker_copies(
    aws: AwsStandIn, tmp_path: Path
) -> None:
    found = bootstrap(aws, "model", extras={"rows": 7})
    context, sent = tmp_path / "context.json", tmp_path / "messages"
    context.write_bytes(aws.storage.read(f"s3://{aws.bucket}/jobs/pipes/context.json"))
    done = run(
        **found,
        AWS_ENDPOINT_URL="http://127.0.0.1:9",
        DAGSTER_PIPES_CONTEXT_FILE=str(context),
        DAGSTER_PIPES_MESSAGES_FOLDER=str(sent),
    )
    assert (done.returncode, done.stderr) == (0, "")
    lines = [line for file in sorted(sent.iterdir()) for line in file.read_text().splitlines()]
    methods = [json.loads(line)["method"] for line in lines]
    assert (methods[0], methods[-1], len(methods)) == ("opened", "closed", 5)
    assert {file.suffix for file in tmp_path.iterdir()} <= {".json", ""}
    assert messages(aws) == []


def test_messages_are_written_right_where_a_mount_may_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace = Path.replace

    def within(path: Path, target: Path) -> Path:
        if path.parent != target.parent:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", within)
    channel = FolderMessageWriterChannel(tmp_path / "messages", interval=1)
    channel.upload_messages_chunk(StringIO("a message"), 3)
    assert [path.name for path in (tmp_path / "messages").iterdir()] == ["3.json"]


def test_without_dagster_reports_go_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO), reporting([], {}) as reporter:
        assert dict(reporter.extras) == {}
        reporter.report_metadata({"rows": 7}, data_version="v1")
        reporter.report({"a": 1})
        reporter.log("half way")
    assert caplog.messages == ["{'rows': 7} (data version v1)", "{'a': 1}", "half way"]


@pytest.mark.parametrize(
    ("argv", "environ"),
    [
        (["--dagster-pipes-context", "x"], {}),
        ([], {"DAGSTER_PIPES_MESSAGES": "x"}),
    ],
)
def test_half_of_the_parameters_is_one_clear_error(
    argv: list[str], environ: dict[str, str]
) -> None:
    with pytest.raises(ReportingError, match="came without its counterpart"):
        reporting(argv, environ).__enter__()


@pytest.mark.parametrize(
    ("argv", "environ", "region"),
    [
        (["--aws-region", "eu-central-1"], {}, "eu-central-1"),  # as Glue is told
        ([], {"AWS_REGION": "eu-west-1"}, "eu-west-1"),  # as SageMaker tells
        ([], {"AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "eu-west-2"}, "eu-west-2"),
        ([], {}, None),
    ],
)
def test_a_containers_region_is_noted_where_boto3_looks(
    argv: list[str], environ: dict[str, str], region: str | None
) -> None:
    with reporting(argv, environ):
        assert environ.get("AWS_DEFAULT_REGION") == region
