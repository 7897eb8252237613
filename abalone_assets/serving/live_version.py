"""Which model version the endpoint of the profile in force serves, and where it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from abalone_assets.errors import EndpointError
from abalone_assets.serving.local_endpoint import connect
from abalone_assets.storage.object_store import ObjectStore

if TYPE_CHECKING:
    from abalone_assets.settings.platform import Settings


def live_version(settings: Settings) -> int | None:
    """The version that the endpoint serves or, in the profile local, should serve.

    Raises:
        EndpointError: AWS refuses to say.
        StorageError: The local endpoint's pointer is damaged.
    """
    if settings.profile == "aws":
        from abalone_assets.aws.clients import client
        from abalone_assets.serving.sagemaker.endpoint import live_version as live_on_sagemaker

        return live_on_sagemaker(settings.endpoint_name, client("sagemaker"))
    from abalone_assets.serving.pointer import read_pointer

    pointer = read_pointer(ObjectStore(settings.registry_uri), settings.endpoint_name)
    return None if pointer is None else pointer.version


def named_versions(settings: Settings) -> tuple[int | None, set[int]]:
    """The version that the endpoint serves, and all that any endpoint serves or may return to.

    Raises:
        EndpointError: AWS refuses to say.
        StorageError: A pointer is damaged.
    """
    live = live_version(settings)
    named = set() if live is None else {live}
    if settings.profile == "aws":
        return live, named
    from abalone_assets.serving.pointer import named_by_pointers

    return live, named | named_by_pointers(ObjectStore(settings.registry_uri))


@dataclass(frozen=True)
class EndpointState:
    """The endpoint, as it should be and as it is.

    Attributes:
        requested_version: The version that it should serve, or None.
        url: Where it answers, or None.
        version: The version that it answers with, or None.
        problem: Why it does not serve what it should, or None.
    """

    requested_version: int | None
    url: str | None = None
    version: int | None = None
    problem: str | None = None


def endpoint_state(settings: Settings) -> EndpointState:
    """Ask SageMaker or, in the profile local, the endpoint's pointer and the server if one runs.

    Raises:
        EndpointError: AWS refuses to say.
        StorageError: The local endpoint's pointer is damaged.
    """
    requested = live_version(settings)
    if settings.profile == "aws":
        if requested is None:
            return EndpointState(None)
        return EndpointState(requested, invocations_url(settings.endpoint_name), requested)
    client = connect(settings.endpoint_name, state_file=settings.endpoint_state_file)
    if client is None:
        return EndpointState(requested)
    try:
        answer = client.describe()
    except EndpointError:  # it was stopped between the two questions
        return EndpointState(requested)
    serves = answer.get("version")
    # A server tells why it refused a version until it has loaded another, which it need not when
    # the one before is asked for again.
    problem = None if serves == requested else answer.get("failure_reason")
    return EndpointState(requested, client.url, serves, problem)


def invocations_url(endpoint_name: str) -> str:
    """Where SageMaker answers for an endpoint, in the region and partition in force.

    Raises:
        SettingsError: boto3 is not installed, or no region is set.
    """
    from abalone_assets.aws.clients import client

    base = client("sagemaker-runtime").meta.endpoint_url
    return f"{base}/endpoints/{endpoint_name}/invocations"
