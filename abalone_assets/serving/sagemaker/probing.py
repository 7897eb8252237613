"""Asking an endpoint for the predictions that prove it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from abalone_assets.aws.failures import error_code, translate_errors
from abalone_assets.errors import EndpointError
from abalone_assets.serving.endpoint import WrongAnswerError, body_of, check_answers

if TYPE_CHECKING:
    from collections.abc import Sequence

_CSV: Final = "text/csv"


def prove(runtime: Any, endpoint: str, probes: Sequence[tuple[str, float]]) -> None:  # noqa: ANN401 - boto3 client
    """Make sure that an endpoint answers probes as when the model was evaluated.

    Raises:
        WrongAnswerError: It answers otherwise, or no numbers.
        EndpointError: It refuses, or cannot be asked.
    """
    check_answers(f"endpoint {endpoint}", probes, _predict(runtime, endpoint, body_of(probes)))


def _predict(runtime: Any, endpoint: str, body: str) -> list[float]:  # noqa: ANN401 - boto3 client
    """The rings that the endpoint predicts.

    Raises:
        WrongAnswerError: It answers no numbers.
        EndpointError: It refuses, or cannot be asked.
    """
    from botocore.exceptions import ClientError

    with translate_errors(EndpointError, f"endpoint {endpoint}"):
        try:
            answer = runtime.invoke_endpoint(
                EndpointName=endpoint, ContentType=_CSV, Accept=_CSV, Body=body.encode()
            )
            text = answer["Body"].read().decode(errors="replace")
        except ClientError as error:
            if error_code(error) != "ModelError":
                raise
            raise EndpointError(f"endpoint {endpoint}: {_models_words(error)}") from error
    try:
        return [float(field) for field in text.split()]
    except ValueError as error:
        raise WrongAnswerError(f"endpoint {endpoint} answered no predictions: {error}") from error


def _models_words(error: Any) -> str:  # noqa: ANN401 - ModelError has fields of its own
    """The model's own words, where it was the model that refused."""
    message = str(error.response.get("OriginalMessage") or error)
    try:
        document = json.loads(message)
    except ValueError:
        return message
    return str(document.get("message", message)) if isinstance(document, dict) else message
