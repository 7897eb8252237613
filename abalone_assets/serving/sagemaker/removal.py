"""Takes an endpoint down, and says what is left of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from abalone_assets.aws.failures import found, is_busy, translate_errors
from abalone_assets.errors import EndpointError
from abalone_assets.serving.sagemaker.configs import EndpointConfigs
from abalone_assets.serving.sagemaker.scaling import EndpointScaling
from abalone_assets.serving.sagemaker.watch import EndpointWatch

if TYPE_CHECKING:
    from collections.abc import Callable

CANDIDATE: Final = "-candidate"
"""Ends the name of the endpoint on which a serverless version is proved."""

_MAX_NAME: Final = 63

DELETION_SECONDS: Final = 3600.0
"""An update that must end first may take long; deleting takes a minute."""


def candidate_name(endpoint: str) -> str:
    """The name of the endpoint on which a serverless version is proved beside the live one."""
    return endpoint[: _MAX_NAME - len(CANDIDATE)].rstrip("-") + CANDIDATE


def delete_endpoint(
    name: str,
    sagemaker: Any,  # noqa: ANN401 - boto3 makes its clients at run time
    *,
    autoscaling: Any = None,  # noqa: ANN401 - as sagemaker
    poll_seconds: float = 15.0,
    timeout_seconds: float = DELETION_SECONDS,
    on_progress: Callable[[str], None] = lambda _: None,
) -> list[str]:
    """Delete an endpoint, then its configurations, then its models; what does not exist is skipped.

    Its scaling ends first: SageMaker deletes no scaled endpoint for somebody who may not end that.
    https://docs.aws.amazon.com/sagemaker/latest/dg/endpoint-delete-with-scaling.html
    Model packages, archives and captured requests stay.

    Args:
        name: The endpoint's.
        sagemaker: boto3's client.
        autoscaling: boto3's client of Application Auto Scaling; None leaves scaling alone.
        poll_seconds: Wait between two looks at the endpoint.
        timeout_seconds: Longest wait for the endpoint to be gone.
        on_progress: Told, in lines, what is deleted.

    Returns:
        What is left, as `leftovers` says it: nothing, if all went well.

    Raises:
        EndpointError: The endpoint was not gone in time, or AWS refuses.
    """
    if EndpointScaling(name, autoscaling, None).release():
        on_progress(f"scaling of endpoint {name}: ended")
    for each in (name, candidate_name(name)):
        watch = EndpointWatch(each, sagemaker, poll_seconds=poll_seconds, on_progress=on_progress)
        remove_endpoint(watch, sagemaker, timeout_seconds)
    configs = EndpointConfigs(name, sagemaker)
    with translate_errors(EndpointError, f"what endpoint {name} used"):
        for resource in configs.all():
            configs.delete(resource)
            on_progress(f"{resource.kind} {resource.name}: deleted")
    return leftovers(name, sagemaker, autoscaling)


def leftovers(name: str, sagemaker: Any, autoscaling: Any = None) -> list[str]:  # noqa: ANN401 - boto3 clients
    """What there still is of an endpoint: itself, its scaling, its configurations and its models.

    Raises:
        EndpointError: AWS refuses to say.
    """
    endpoints = []
    for each in (name, candidate_name(name)):
        watch = EndpointWatch(each, sagemaker, poll_seconds=0, on_progress=lambda _: None)
        state = watch.look()
        endpoints += [] if state.is_missing else [f"endpoint {each} ({state})"]
    with translate_errors(EndpointError, f"what endpoint {name} used"):
        rest = [f"{each.kind} {each.name}" for each in EndpointConfigs(name, sagemaker).all()]
    scaling = [f"scaling of endpoint {name}"] * EndpointScaling(name, autoscaling, None).is_on()
    return endpoints + scaling + rest


def remove_endpoint(watch: EndpointWatch, sagemaker: Any, timeout_seconds: float) -> None:  # noqa: ANN401 - boto3 client
    """Delete the endpoint and wait until it is gone; an update in progress must end first.

    Raises:
        EndpointError: It was not gone in time, or AWS refuses.
    """
    deadline = time.monotonic() + timeout_seconds
    while True:
        state = watch.look()
        if state.is_missing:
            return
        if state.status == "Deleting" or ask_to_delete(watch.name, sagemaker):
            watch.until(lambda state: state.is_missing, round(deadline - time.monotonic(), 1))
            return
        watch.until(lambda state: state.is_settled, round(deadline - time.monotonic(), 1))


def ask_to_delete(name: str, sagemaker: Any) -> bool:  # noqa: ANN401 - boto3 client
    """Ask SageMaker to delete the endpoint; False when it is too busy for that.

    Raises:
        EndpointError: AWS refuses.
    """
    from botocore.exceptions import ClientError

    with translate_errors(EndpointError, f"endpoint {name}"):
        try:
            found(sagemaker.delete_endpoint, EndpointName=name)
        except ClientError as error:
            if not is_busy(error):
                raise
            return False
        return True
