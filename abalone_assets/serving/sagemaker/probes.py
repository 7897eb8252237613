"""Proves an endpoint by real requests."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from abalone_assets.aws.failures import error_code, translate_errors
from abalone_assets.errors import EndpointError
from abalone_assets.serving.deployment import RINGS_TOLERANCE

if TYPE_CHECKING:
    from collections.abc import Sequence

CSV = "text/csv"


class WrongAnswerError(EndpointError):
    """An endpoint predicts something else than its model did when it was evaluated."""


def check_probes(
    runtime: Any,  # noqa: ANN401 - boto3 makes its clients at run time
    endpoint: str,
    probes: Sequence[tuple[str, float]],
) -> None:
    """Make sure that the endpoint answers as its model did when it was evaluated.

    Args:
        runtime: boto3's client of ``sagemaker-runtime``.
        endpoint: The endpoint's name.
        probes: Requests as CSV lines, each with the rings that it must answer, within 1e-4.

    Raises:
        WrongAnswerError: It predicts other rings, or another number of them.
        EndpointError: It refuses, or cannot be asked.
    """
    lines, expected = zip(*probes, strict=True)
    answer = predict(runtime, endpoint, lines)
    if len(answer) != len(expected):
        raise WrongAnswerError(
            f"endpoint {endpoint} answered {len(answer)} predictions to {len(expected)} probes"
        )
    for line, wanted, rings in zip(lines, expected, answer, strict=True):
        if not abs(rings - wanted) <= RINGS_TOLERANCE:  # also catches NaN
            raise WrongAnswerError(
                f"endpoint {endpoint} predicts {rings} rings for {line.strip()!r} where {wanted}"
                " was expected"
            )


def predict(
    runtime: Any,  # noqa: ANN401 - boto3 makes its clients at run time
    endpoint: str,
    lines: Sequence[str],
) -> list[float]:
    """The rings that the endpoint predicts.

    Args:
        runtime: boto3's client of ``sagemaker-runtime``.
        endpoint: The endpoint's name.
        lines: Rows as CSV.

    Raises:
        WrongAnswerError: It answers no numbers.
        EndpointError: It refuses, or cannot be asked.
    """
    body = "".join(line.rstrip("\r\n") + "\n" for line in lines)
    text = _invoke(runtime, endpoint, body)
    try:
        return [float(field) for field in text.split()]
    except ValueError as error:
        raise WrongAnswerError(f"endpoint {endpoint} answered no predictions: {error}") from error


def _invoke(runtime: Any, endpoint: str, body: str) -> str:  # noqa: ANN401 - boto3 client
    from botocore.exceptions import ClientError

    with translate_errors(EndpointError, f"endpoint {endpoint}"):
        try:
            answer = runtime.invoke_endpoint(
                EndpointName=endpoint, ContentType=CSV, Accept=CSV, Body=body.encode()
            )
            return str(answer["Body"].read().decode(errors="replace"))
        except ClientError as error:
            if error_code(error) != "ModelError":
                raise
            raise EndpointError(f"endpoint {endpoint}: {_models_words(error)}") from error


def _models_words(error: Any) -> str:  # noqa: ANN401 - ModelError has fields of its own
    """The model's own words, where it was the model that refused."""
    message = str(error.response.get("OriginalMessage") or error)
    try:
        document = json.loads(message)
    except ValueError:
        return message
    return str(document.get("message", message)) if isinstance(document, dict) else message
