from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from abalone_assets.aws import parameters
from abalone_assets.aws.clients import client
from abalone_assets.aws.parameters import resolve, resolve_list
from abalone_assets.errors import SettingsError, StorageError
from abalone_assets.ingest.open import open_landing_zone
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets_tests.aws.support import calls_of, put_parameters

if TYPE_CHECKING:
    from collections.abc import Iterator

    from abalone_assets_tests.fakes.standin import AwsStandIn

LAKE = "ssm:/abalone/lake-uri"


@pytest.fixture(autouse=True)
def _forgotten(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    parameters.forget()
    yield
    parameters.forget()


def test_a_literal_is_itself_and_asks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert resolve("s3://bucket/lake") == "s3://bucket/lake"
    assert resolve("") == ""


def test_all_parameters_of_a_path_cost_one_look(aws: AwsStandIn) -> None:
    put_parameters({f"name-{number}": f"value {number}" for number in range(12)})
    assert [resolve(f"ssm:/abalone/name-{number}") for number in range(12)] == [
        f"value {number}" for number in range(12)
    ]
    pages = calls_of(aws, "GetParametersByPath")
    assert len([page for page in pages if not page.get("NextToken")]) == 1


def test_an_encrypted_parameter_is_decrypted(aws: AwsStandIn) -> None:
    client("ssm").put_parameter(Name="/abalone/glue-job", Value="secret", Type="SecureString")
    assert resolve("ssm:/abalone/glue-job") == "secret"


def test_a_missing_parameter_is_named_with_its_variable_and_the_command_that_makes_it(
    aws: AwsStandIn,
) -> None:
    put_parameters({"jobs-uri": "s3://bucket/jobs"})
    with pytest.raises(
        SettingsError,
        match=r"^the SSM parameter /abalone/lake-uri is missing in us-east-1: run `make deploy`, "
        r"which writes it, or set ABALONE_LAKE_URI$",
    ):
        resolve(LAKE)
    with pytest.raises(SettingsError, match=r"/mine/my-lake is missing in .* writes it$"):
        resolve("ssm:/mine/my-lake")  # of one's own, without a variable


def test_a_missing_parameter_is_found_once_it_is_there(aws: AwsStandIn) -> None:
    put_parameters({"jobs-uri": "s3://bucket/jobs"})
    with pytest.raises(SettingsError):
        resolve(LAKE)
    put_parameters({"lake-uri": "s3://bucket/lake"})
    assert resolve(LAKE) == "s3://bucket/lake"


def test_what_was_found_is_kept_for_a_while_and_until_it_is_forgotten(
    aws: AwsStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_parameters({"lake-uri": "s3://bucket/old"})
    assert resolve(LAKE) == "s3://bucket/old"
    put_parameters({"lake-uri": "s3://bucket/new"})
    assert resolve(LAKE) == "s3://bucket/old"
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + parameters.KEPT_SECONDS + 1)
    assert resolve(LAKE) == "s3://bucket/new"
    put_parameters({"lake-uri": "s3://bucket/newest"})
    parameters.forget()
    assert resolve(LAKE) == "s3://bucket/newest"


def test_another_region_has_parameters_of_its_own(
    aws: AwsStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_parameters({"lake-uri": "s3://bucket/lake"})
    assert resolve(LAKE) == "s3://bucket/lake"
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    with pytest.raises(SettingsError, match="is missing in eu-west-1"):
        resolve(LAKE)


def test_denied_access_names_the_path_and_the_action(aws: AwsStandIn) -> None:
    aws.faults.deny("GetParametersByPath")
    with pytest.raises(
        SettingsError,
        match=r"^the SSM parameters below /abalone: access denied: arn:aws:sts::.* may not "
        r"GetParametersByPath; allow it in its policy$",
    ):
        resolve(LAKE)


def test_expired_credentials_are_told_and_not_remembered(aws: AwsStandIn) -> None:
    put_parameters({"lake-uri": "s3://bucket/lake"})
    aws.faults.expire_credentials()
    with pytest.raises(SettingsError, match=r"credentials have expired .*; sign in again"):
        resolve(LAKE)
    aws.faults.renew_credentials()
    assert resolve(LAKE) == "s3://bucket/lake"


@pytest.mark.parametrize("value", ["ssm:", "ssm:lake-uri", "ssm:/lake uri/x", "ssm:/a//b"])
def test_a_malformed_reference_says_what_one_looks_like(value: str) -> None:
    with pytest.raises(SettingsError, match=r"expected ssm:/path/name$"):
        resolve(value)


def test_a_list_is_split_and_may_be_none(aws: AwsStandIn) -> None:
    put_parameters({"endpoint-alarms": "errors, latency,", "no-alarms": "none"})
    assert resolve_list("ssm:/abalone/endpoint-alarms") == ["errors", "latency"]
    assert resolve_list("ssm:/abalone/no-alarms") == []
    assert resolve_list("one") == ["one"]


def test_an_object_store_and_a_landing_zone_open_what_a_parameter_names(aws: AwsStandIn) -> None:
    put_parameters({"lake-uri": f"s3://{aws.bucket}/lake"})
    store = ObjectStore(LAKE)
    store.write("key", b"x")
    assert store.uri_of("key") == f"s3://{aws.bucket}/lake/key"
    assert open_landing_zone(LAKE).uri == f"s3://{aws.bucket}/lake"
    assert aws.s3.get_object(Bucket=aws.bucket, Key="lake/key")["Body"].read() == b"x"


def test_a_parameter_that_holds_no_s3_uri_opens_no_folder(aws: AwsStandIn) -> None:
    put_parameters({"lake-uri": "/data/lake"})
    with pytest.raises(StorageError, match=r"lake-uri holds '/data/lake'; expected an s3:// URI$"):
        ObjectStore(LAKE)
