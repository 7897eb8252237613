"""How a model archive answers in SageMaker's XGBoost container: with a status for each mistake.

The container's toolkit turns whatever ``input_fn``, ``predict_fn`` or ``output_fn`` raise into
``500 text/html`` and drops the message (``sagemaker_containers._functions.error_wrapper``), also
for what the client did wrong. A ``transform_fn`` in place of the three returns its own response.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from abalone_assets.modeling.inference import RequestError, input_fn, output_fn, predict_fn

if TYPE_CHECKING:
    from flask import Response

    from abalone_assets.modeling.inference import Predictor


def transform_fn(
    predictor: Predictor, body: bytes | str, content_type: str, accept: str | None
) -> Response:
    """Answer a request, as the endpoint of this machine answers it.

    Args:
        predictor: What ``model_fn`` returned.
        body: As for `input_fn`; the toolkit hands CSV and JSON over as text.
        content_type: The body's type; the toolkit says JSON where the client says none.
        accept: The types that the client takes; the toolkit says
            ``SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT`` where the client says none, or any.

    Returns:
        200 with the predictions; 400, 415 or 406 with what is wrong with the request, as text.
        A defect of the model is raised, and becomes the container's 500.
    """
    from flask import Response, has_request_context, request  # comes with the container

    if has_request_context():  # what the client itself said
        content_type = request.headers.get("Content-Type", "")
        accept = request.headers.get("Accept")
    try:
        rows = input_fn(body, content_type)
        text, answer_type = output_fn(predict_fn(rows, predictor), accept)
    except RequestError as error:
        return Response(str(error), error.status, content_type="text/plain; charset=utf-8")
    return Response(text, content_type=answer_type)
