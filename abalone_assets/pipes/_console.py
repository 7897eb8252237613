"""Addresses in the AWS console."""

from __future__ import annotations

from typing import Final

_HOSTS: Final = {"cn-": "console.amazonaws.cn", "us-gov-": "console.amazonaws-us-gov.com"}


def console_url(region: str, page: str, fragment: str) -> str:
    """The address of a page of the console.

    Args:
        region: Such as ``eu-west-1``.
        page: Path of the service's page, such as ``sagemaker/home``.
        fragment: What follows ``#``.
    """
    host = next(
        (host for start, host in _HOSTS.items() if region.startswith(start)),
        f"{region}.console.aws.amazon.com",
    )
    return f"https://{host}/{page}?region={region}#{fragment}"


def log_url(region: str, group: str, stream_prefix: str) -> str:
    """The address of the log streams of a job in CloudWatch."""
    # The console decodes what follows # twice, with $ for the first %.
    where = f"log-group/{group.replace('/', '$252F')}"
    return console_url(
        region,
        "cloudwatch/home",
        f"logsV2:log-groups/{where}$3FlogStreamNameFilter$3D{stream_prefix.replace('/', '$252F')}",
    )
