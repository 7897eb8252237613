from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from boto3.exceptions import S3UploadFailedError

from abalone_assets import __version__
from abalone_assets.aws.clients import client, region, session
from abalone_assets.aws.failures import AwsError, error_code, explain, tolerating, translate_errors
from abalone_assets.errors import SettingsError, StorageError

if TYPE_CHECKING:
    from pathlib import Path

    from abalone_assets_tests.fakes.standin import AwsStandIn


def test_a_client_is_made_once_for_a_process_even_for_threads_that_ask_at_once(
    aws: AwsStandIn,
) -> None:
    with ThreadPoolExecutor(8) as threads:
        made = list(threads.map(client, ["glue"] * 8))
    assert len({id(one) for one in made}) == 1
    assert client("s3") is not client("glue")


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "another"),
    ],
)
def test_another_environment_has_another_client(
    aws: AwsStandIn, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    before = client("s3")
    monkeypatch.setenv(variable, value)
    assert client("s3") is not before
    monkeypatch.undo()


def test_a_client_calls_the_region_that_every_sdk_would(
    aws: AwsStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """botocore alone reads only AWS_DEFAULT_REGION, obstore and others AWS_REGION first."""
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    assert (client("sqs").meta.region_name, region()) == ("eu-west-1", "eu-west-1")
    monkeypatch.delenv("AWS_REGION")
    assert (client("sqs").meta.region_name, region()) == ("us-east-1", "us-east-1")


@pytest.mark.parametrize(
    ("environment", "options", "retries"),
    [
        ({}, {}, (10, "standard")),
        ({"MAX_ATTEMPTS": "2", "RETRY_MODE": "adaptive"}, {}, (2, "adaptive")),
        # A StartJobRun that is repeated after a time-out would start two runs.
        ({"MAX_ATTEMPTS": "7"}, {"retries": False}, (1, "standard")),
        ({"MAX_ATTEMPTS": "2"}, {"throttled": True}, (10, "standard")),
    ],
    ids=["by default", "as the variables say", "never", "of a service that throttles"],
)
def test_a_client_tries_again(
    aws: AwsStandIn,
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    options: dict[str, bool],
    retries: tuple[int, str],
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    set_up = client("glue", **options).meta.config.retries
    assert (set_up["total_max_attempts"], set_up["mode"]) == retries


def test_a_client_does_not_wait_for_long_and_says_who_it_is(aws: AwsStandIn) -> None:
    config = client("sqs").meta.config
    assert config.connect_timeout == 5
    assert f"abalone-assets/{__version__}" in config.user_agent


def test_a_throttled_call_is_tried_again(aws: AwsStandIn) -> None:
    aws.faults.throttle("ListQueues", times=2)
    assert client("sqs").list_queues()["ResponseMetadata"]["RetryAttempts"] == 2


def test_without_a_region_it_says_so(aws: AwsStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(SettingsError, match=r"^AWS client of sqs: no AWS region is set; "):
        client("sqs")
    with pytest.raises(SettingsError, match=r"^no AWS region is set; set AWS_REGION, such"):
        region()


def test_an_unknown_profile_is_one_clear_error(
    aws: AwsStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(SettingsError, match=r"^AWS configuration: .*nobody.* could not be found"):
        session()


def test_a_malformed_endpoint_is_one_clear_error(
    aws: AwsStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "no url")
    with pytest.raises(SettingsError, match=r"Invalid endpoint: no url; correct AWS_ENDPOINT_URL"):
        client("sqs")


def test_without_the_extra_it_says_what_to_install() -> None:
    program = (
        "import sys; sys.modules['boto3'] = None\n"
        "from abalone_assets.aws.clients import client\n"
        "from abalone_assets.errors import SettingsError\n"
        "try: client('s3')\n"
        "except SettingsError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "the profile aws needs boto3: pip install 'abalone-assets[aws]'\n"


def told(kind: type[AwsError | StorageError], operation: str, **request: str) -> str:
    with pytest.raises(kind) as raised, translate_errors(kind, "the thing"):
        getattr(client(request.pop("service", "s3")), operation)(**request)
    message = str(raised.value)
    assert message.startswith("the thing: ")
    assert raised.value.__cause__ is not None
    return message.removeprefix("the thing: ")


class TestAnErrorOfAwsIsTold:
    def test_as_a_missing_bucket(self, aws: AwsStandIn) -> None:
        message = told(StorageError, "list_objects_v2", Bucket="no-such-bucket")
        assert message.startswith("there is no such bucket; ")
        assert "make deploy" in message

    def test_as_expired_credentials(self, aws: AwsStandIn) -> None:
        aws.faults.expire_credentials()
        assert "have expired" in told(AwsError, "list_buckets")
        assert "have expired" in told(AwsError, "list_queues", service="sqs")

    def test_as_missing_credentials(
        self, aws: AwsStandIn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(variable)
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
        assert told(AwsError, "list_buckets").startswith("no AWS credentials were found; ")

    def test_as_denied_with_who_may_not_do_what_on_what(self, aws: AwsStandIn) -> None:
        text = (
            "User: arn:aws:sts::1:assumed-role/x/y is not authorized to perform: sqs:ListQueues "
            'on resource: "arn:aws:sqs:us-east-1:1:q" because no policy allows it'
        )
        aws.faults.refuse("ListQueues", "AccessDeniedException", text, times=9)
        assert told(AwsError, "list_queues", service="sqs") == (
            "access denied: arn:aws:sts::1:assumed-role/x/y may not sqs:ListQueues on "
            "arn:aws:sqs:us-east-1:1:q; allow it in its policy"
        )

    def test_as_denied_with_the_operation_when_no_more_is_known(self, aws: AwsStandIn) -> None:
        aws.faults.refuse("ListQueues", "AccessDenied", "Access Denied", times=9)
        message = told(AwsError, "list_queues", service="sqs")
        assert message.startswith("access denied to ListQueues; ")

    def test_as_an_endpoint_that_nobody_listens_at(
        self, aws: AwsStandIn, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
        assert "http://127.0.0.1:9" in told(AwsError, "list_buckets")

    def test_as_anything_else_with_operation_message_and_code(self, aws: AwsStandIn) -> None:
        message = told(AwsError, "get_crawler", service="glue", Name="none")
        assert message.startswith("GetCrawler failed: ")
        assert message.endswith("(EntityNotFoundException)")


def test_what_is_no_error_of_aws_passes_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError), translate_errors(AwsError, "sums"):
        _ = 1 / 0


def test_one_code_is_tolerated_and_no_other(aws: AwsStandIn) -> None:
    from botocore.exceptions import ClientError

    with tolerating("EntityNotFoundException"):
        client("glue").get_crawler(Name="none")
    with (
        pytest.raises(ClientError, match="EntityNotFoundException"),
        tolerating("AlreadyExistsException"),
    ):
        client("glue").get_crawler(Name="none")


def test_an_error_without_a_code_has_none() -> None:
    assert error_code(ValueError("x")) == ""
    assert explain(ValueError("x")) == "x"


def test_a_refused_upload_is_translated_too() -> None:
    """Boto3 wraps it in an error of its own, which is none of botocore's."""
    refused = S3UploadFailedError("Failed to upload: AccessDenied")
    with (
        pytest.raises(AwsError, match=r"the thing: .*AccessDenied"),
        translate_errors(AwsError, "the thing"),
    ):
        raise refused
