"""Pipes for jobs in network isolation: SageMaker itself carries context and messages.

The context, which Dagster keeps in S3, becomes an input of the job, and the messages a folder that
SageMaker copies to where Dagster reads them, while the job runs: as checkpoints of a training job,
as a continuous output of a processing job.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from dagster_pipes import (
    DAGSTER_PIPES_CONTEXT_ENV_VAR,
    DAGSTER_PIPES_MESSAGES_ENV_VAR,
    decode_param,
)

from abalone_assets.pipes._errors import PipesJobParametersError

if TYPE_CHECKING:
    from collections.abc import Mapping

CONTEXT_FILE: Final = "DAGSTER_PIPES_CONTEXT_FILE"
MESSAGES_FOLDER: Final = "DAGSTER_PIPES_MESSAGES_FOLDER"
"""Variables that tell a script in isolation where it finds the context and leaves messages."""

_NAME: Final = "dagster_pipes"
_CHECKPOINTS: Final = "/opt/ml/checkpoints"
_CHANNEL: Final = f"/opt/ml/input/data/{_NAME}"
_PROCESSING: Final = f"/opt/ml/processing/{_NAME}"


def is_isolated(request: Mapping[str, Any]) -> bool:
    """Whether a request of a training or processing job asks for network isolation."""
    network = request.get("NetworkConfig") or request
    return bool(network.get("EnableNetworkIsolation"))


def carried_by_training(request: dict[str, Any], bootstrap: Mapping[str, str]) -> dict[str, str]:
    """Have SageMaker carry Pipes' context and messages of a training job.

    Args:
        request: Of the job; gets a channel and checkpoints.
        bootstrap: Pipes' own parameters.

    Returns:
        The variables of the job.

    Raises:
        PipesJobParametersError: The request has checkpoints of its own.
    """
    if "CheckpointConfig" in request:
        raise PipesJobParametersError(
            "CheckpointConfig must not be given with network isolation: the checkpoints' way to S3"
            " is that of the messages"
        )
    context, messages = _places(bootstrap)
    source = {
        "S3DataType": "S3Prefix",
        "S3Uri": context,
        "S3DataDistributionType": "FullyReplicated",
    }
    channel = {"ChannelName": _NAME, "DataSource": {"S3DataSource": source}}
    request["InputDataConfig"] = [*(request.get("InputDataConfig") or []), channel]
    request["CheckpointConfig"] = {"S3Uri": messages, "LocalPath": _CHECKPOINTS}
    return {
        **bootstrap,
        CONTEXT_FILE: f"{_CHANNEL}/{context.rpartition('/')[2]}",
        MESSAGES_FOLDER: _CHECKPOINTS,
    }


def carried_by_processing(request: dict[str, Any], bootstrap: Mapping[str, str]) -> dict[str, str]:
    """Have SageMaker carry Pipes' context and messages of a processing job.

    Args:
        request: Of the job; gets an input and an output.
        bootstrap: Pipes' own parameters.

    Returns:
        The variables of the job.
    """
    context, messages = _places(bootstrap)
    source = {
        "S3Uri": context,
        "LocalPath": f"{_PROCESSING}/context",
        "S3DataType": "S3Prefix",
        "S3InputMode": "File",
    }
    target = {
        "S3Uri": messages,
        "LocalPath": f"{_PROCESSING}/messages",
        "S3UploadMode": "Continuous",
    }
    output = request.get("ProcessingOutputConfig") or {}
    outputs = [*output.get("Outputs", []), {"OutputName": _NAME, "S3Output": target}]
    given = request.get("ProcessingInputs") or []
    request["ProcessingInputs"] = [*given, {"InputName": _NAME, "S3Input": source}]
    request["ProcessingOutputConfig"] = {**output, "Outputs": outputs}
    return {
        **bootstrap,
        CONTEXT_FILE: f"{_PROCESSING}/context/{context.rpartition('/')[2]}",
        MESSAGES_FOLDER: f"{_PROCESSING}/messages",
    }


def _places(bootstrap: Mapping[str, str]) -> tuple[str, str]:
    """Where the context is in S3, and where messages are expected."""
    context = decode_param(bootstrap[DAGSTER_PIPES_CONTEXT_ENV_VAR])
    messages = decode_param(bootstrap[DAGSTER_PIPES_MESSAGES_ENV_VAR])
    return (
        f"s3://{context['bucket']}/{context['key']}",
        f"s3://{messages['bucket']}/{messages['key_prefix']}",
    )
