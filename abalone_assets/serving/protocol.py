"""Names and limits that an endpoint's server and its clients share."""

from __future__ import annotations

from typing import Final

VERSION_HEADER: Final = "X-Abalone-Model-Version"
"""Response header with the model version that answered."""

ERROR_HEADER: Final = "x-amzn-ErrorType"
"""Header of every refusal with its error code, as AWS's JSON protocols have it."""

VARIANT: Final = "AllTraffic"
"""The endpoint's only production variant; the name that SageMaker's SDK gives to a single one."""

MAX_BODY_BYTES: Final = 6_291_456
"""The largest request body, as botocore's service model of InvokeEndpoint has it (BodyBlob)."""
