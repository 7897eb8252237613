from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from abalone_assets.lake.reports import PAGE_PATH
from abalone_assets.resources.reports import LocalReportPages, S3ReportPages
from abalone_assets.resources.storage import LakeResource
from abalone_assets.serving.state import ServerState, write_state

if TYPE_CHECKING:
    from pathlib import Path

DIGEST = "a" * 64


def pages(folder: Path, host: str = "127.0.0.1") -> LocalReportPages:
    return LocalReportPages(
        lake=LakeResource(uri=str(folder / "lake")),
        state_file=str(folder / "server.json"),
        host=host,
        port=8080,
    )


def test_a_page_is_that_of_the_running_server(tmp_path: Path) -> None:
    state = ServerState("http://127.0.0.1:40123", os.getpid(), "abalone", "2025-03-01T12:00:00")
    write_state(tmp_path / "server.json", state)
    assert pages(tmp_path).url(DIGEST) == f"http://127.0.0.1:40123{PAGE_PATH}/{DIGEST}"


def test_a_page_is_not_that_of_a_server_which_ends_with_this_process(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as server:
        state = ServerState("http://127.0.0.1:40123", server.pid, "abalone", "2025-03-01T12:00:00")
        write_state(tmp_path / "server.json", state)
        assert pages(tmp_path).url(DIGEST) == f"http://127.0.0.1:8080{PAGE_PATH}/{DIGEST}"
        server.communicate(b"\n")


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("0.0.0.0", "localhost"),
        ("endpoint", "endpoint"),
        ("::1", "[::1]"),
    ],
)
def test_without_a_server_it_is_that_of_the_one_that_will_run(
    tmp_path: Path, host: str, shown: str
) -> None:
    assert pages(tmp_path, host).url(DIGEST) == f"http://{shown}:8080{PAGE_PATH}/{DIGEST}"


@pytest.mark.parametrize(
    ("region", "host"),
    [
        ("eu-west-1", "eu-west-1.console.aws.amazon.com"),
        ("cn-north-1", "console.amazonaws.cn"),
        ("us-gov-west-1", "console.amazonaws-us-gov.com"),
    ],
)
def test_in_aws_it_is_the_object_in_the_console_of_the_partition(
    monkeypatch: pytest.MonkeyPatch, region: str, host: str
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", region)
    there = S3ReportPages(lake=LakeResource(uri="s3://bucket/some lake"))
    assert there.url(DIGEST) == (
        f"https://{host}/s3/object/bucket?region={region}"
        f"&prefix=some%20lake/evaluation/_reports/{DIGEST}.html"
    )
