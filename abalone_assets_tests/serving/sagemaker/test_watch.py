from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, EndpointConnectionError

from abalone_assets.aws.failures import exists_already, is_busy, is_missing, is_transient
from abalone_assets.serving.sagemaker.watch import EndpointState


def described(status: str, **more: Any) -> EndpointState:
    return EndpointState.of({"EndpointStatus": status, "EndpointConfigName": "old", **more})


def refusal(message: str, code: str = "ValidationException", status: int = 400) -> ClientError:
    response: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(response, "DescribeEndpoint")


@pytest.mark.parametrize(
    ("status", "settled", "serving"),
    [
        ("InService", True, "old"),
        ("UpdateRollbackFailed", True, "old"),
        ("Failed", True, ""),
        ("OutOfService", True, ""),
        ("Creating", False, ""),
        ("Updating", False, "old"),
        ("SystemUpdating", False, "old"),
        ("RollingBack", False, "old"),
        ("Deleting", False, ""),
    ],
)
def test_the_status_says_whether_sagemaker_takes_orders_and_what_answers(
    status: str,
    settled: bool,  # noqa: FBT001 - a table
    serving: str,
) -> None:
    state = described(status, PendingDeploymentSummary={"EndpointConfigName": "new"})
    assert (state.is_settled, state.serving_config) == (settled, serving)
    assert state.pending == ("old" if status == "Creating" else "new")


def test_a_mixture_left_by_a_failed_roll_back_is_not_the_configuration() -> None:
    assert described("InService").serves("old")
    assert not described("UpdateRollbackFailed").serves("old")


def test_the_stage_of_a_roll_out_is_shown() -> None:
    variant = {"VariantName": "AllTraffic", "VariantStatus": [{"Status": "Baking"}]}
    pending = {"EndpointConfigName": "new", "ProductionVariants": [variant]}
    assert str(described("Updating", PendingDeploymentSummary=pending)) == "Updating, Baking"


def test_refusals_are_told_apart_by_their_words() -> None:
    missing = refusal('Could not find endpoint "arn:aws:sagemaker:x".')
    busy = refusal('Cannot update in-progress endpoint "arn:aws:sagemaker:x".')
    existing = refusal('Cannot create already existing endpoint "arn:aws:sagemaker:x".')

    assert [is_missing(each) for each in (missing, busy, existing)] == [True, False, False]
    assert [is_busy(each) for each in (missing, busy, existing)] == [False, True, False]
    assert [exists_already(each) for each in (missing, busy, existing)] == [False, False, True]
    assert not is_missing(refusal("role not found", code="AccessDeniedException"))


@pytest.mark.parametrize(
    ("error", "passing"),
    [
        (refusal("Rate exceeded", code="ThrottlingException"), True),
        (refusal("try again", code="Whatever", status=503), True),
        (EndpointConnectionError(endpoint_url="https://x"), True),
        (ConnectTimeoutError(endpoint_url="https://x"), True),
        (refusal("The security token is expired", code="ExpiredTokenException"), False),
        (refusal("no such thing"), False),
    ],
)
def test_only_what_may_pass_is_waited_out(error: Exception, passing: bool) -> None:  # noqa: FBT001 - a table
    assert is_transient(error) == passing
