"""An S3 prefix through obstore: whose credentials it uses, and how it tells what S3 refuses."""

from __future__ import annotations

from contextlib import contextmanager
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest
from werkzeug.serving import WSGIRequestHandler, make_server

from abalone_assets.errors import SettingsError, StorageError
from abalone_assets.storage.object_store import ObjectStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from abalone_assets_tests.fakes.standin import AwsStandIn

OPERATIONS: list[Callable[[ObjectStore], object]] = [
    lambda store: store.read("key"),
    lambda store: store.read_json("key"),
    lambda store: store.write("key", b"x"),
    lambda store: store.write("key", b"x", create_only=True),
    lambda store: list(store.list()),
    lambda store: store.update_json("key", lambda _: 1),
]
NAMES = ["read", "read_json", "write", "create", "list", "update"]


@pytest.fixture
def no_keys(aws_environment: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No credentials anywhere."""
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))


@pytest.mark.parametrize("operation", OPERATIONS, ids=NAMES)
def test_a_missing_bucket_is_one_clear_error(
    aws: AwsStandIn, operation: Callable[[ObjectStore], object]
) -> None:
    """Once such an object was one that "does not exist yet", or a debug print of thirty lines."""
    told = r"^s3://no-bucket/lake[^\n]*: there is no such bucket; [^\n]*\Z"
    with pytest.raises(StorageError, match=told):
        operation(ObjectStore("s3://no-bucket/lake"))


def test_a_missing_bucket_is_told_from_a_missing_object_where_it_matters(aws: AwsStandIn) -> None:
    """The answer to a HEAD has no body that could tell them apart."""
    store = ObjectStore(f"s3://{aws.bucket}/lake")
    assert store.read_json("key") is None
    assert store.find("key") is None
    store.require_bucket()
    store = ObjectStore("s3://no-bucket/lake")
    assert store.find("key") is None
    with pytest.raises(StorageError, match=r"^s3://no-bucket/lake.*: there is no such bucket; "):
        store.require_bucket()


@pytest.mark.parametrize("operation", OPERATIONS, ids=NAMES)
def test_expired_credentials_are_told_with_what_to_do(
    aws: AwsStandIn, operation: Callable[[ObjectStore], object]
) -> None:
    store = ObjectStore(f"s3://{aws.bucket}/lake")
    aws.faults.expire_credentials()
    with pytest.raises(StorageError, match=r": .*credentials have expired.*sign in again"):
        operation(store)


def test_a_denied_operation_names_who_may_not_do_what(aws: AwsStandIn) -> None:
    store = ObjectStore(f"s3://{aws.bucket}/lake")
    aws.faults.deny("PutObject")
    with pytest.raises(StorageError, match=r"/lake/key: access denied: arn:aws:sts\S* may not Put"):
        store.write("key", b"x")


@pytest.mark.usefixtures("no_keys")
def test_credentials_of_a_profile_are_used_as_boto3_would(
    aws: AwsStandIn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """obstore by itself knows no profiles, and asked the machine's metadata service instead."""
    (tmp_path / "credentials").write_text(
        "[surveys]\naws_access_key_id = theirs\naws_secret_access_key = test\n"
    )
    monkeypatch.setenv("AWS_PROFILE", "surveys")
    store = ObjectStore(f"s3://{aws.bucket}/lake")
    store.write("key", b"x")
    assert store.read("key") == b"x"
    assert aws.s3.get_object(Bucket=aws.bucket, Key="lake/key")["Body"].read() == b"x"


@pytest.mark.parametrize("source", ["the configuration file", "AWS_REGION", "AWS_DEFAULT_REGION"])
def test_a_request_is_signed_for_the_region_that_boto3_would_call(
    aws_environment: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, source: str
) -> None:
    """obstore by itself reads no configuration file, and took us-east-1 instead."""
    for variable in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(variable)
    if source.startswith("AWS"):
        monkeypatch.setenv(source, "eu-west-1")
    else:
        (tmp_path / "config").write_text("[default]\nregion = eu-west-1\n")
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    asked: list[dict[str, Any]] = []
    with answering("404 Not Found", asked) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        assert ObjectStore("s3://bucket/lake").find("key") is None
    assert "/eu-west-1/s3/aws4_request" in asked[0]["HTTP_AUTHORIZATION"]


@pytest.mark.usefixtures("no_keys")
def test_missing_credentials_and_an_unknown_profile_are_told(
    aws: AwsStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StorageError, match=r"^s3://bucket/lake: no AWS credentials were found; "):
        ObjectStore("s3://bucket/lake").find("key")
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(SettingsError, match="nobody"):
        ObjectStore("s3://bucket/lake").find("key")


class _Quiet(WSGIRequestHandler):
    def log_request(self, *arguments: Any) -> None:
        """Leave the log to what a test is about."""


@contextmanager
def answering(status: str, asked: list[dict[str, Any]] | None = None) -> Iterator[str]:
    """A server that answers everything by a status and nothing else, as S3 answers a HEAD."""

    def application(request: dict[str, Any], start_response: Any) -> list[bytes]:
        if asked is not None:
            asked.append(request)
        start_response(status, [("Content-Length", "0")])
        return []

    server = make_server("127.0.0.1", 0, application, request_handler=_Quiet)
    thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ("403 Forbidden", "S3 answers HEAD with 403: the credentials have expired"),
        ("400 Bad Request", "S3 answers HEAD with 400: the credentials have expired"),
        ("301 Moved", "the bucket is in another region; set AWS_REGION"),
    ],
)
def test_an_answer_without_a_reason_is_told_with_the_likely_ones(
    aws_environment: None, monkeypatch: pytest.MonkeyPatch, status: str, told: str
) -> None:
    with answering(status) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        with pytest.raises(StorageError, match=f"^s3://bucket/lake/key: {told}"):
            ObjectStore("s3://bucket/lake").find("key")
