"""The shapes of what the endpoint is asked and answers, as its OpenAPI document promises them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field


class Instances(BaseModel):
    """Abalones, each as eight values in the survey's order or as an object by column."""

    instances: list[list[str | float] | dict[str, str | float]] = Field(min_length=1)


class Prediction(BaseModel):
    """The rings of an abalone; without an interval where the model's are not calibrated."""

    rings: float
    age_years: float = Field(description="Rings + 1.5.")
    rings_low: float | None = Field(None, description="Nine of ten such animals have these")
    rings_high: float | None = Field(None, description="to these.")


class Predictions(BaseModel):
    """A prediction for each abalone, in their order."""

    predictions: list[Prediction]


class CaptureState(BaseModel):
    """What became of the requests that were answered or refused."""

    uri: str
    written: int
    lost: int
    error: str | None


class EndpointState(BaseModel):
    """What the endpoint serves, and what it was last asked to serve."""

    endpoint: str
    status: Literal["Creating", "Updating", "InService", "Failed"]
    version: int | None
    archive_sha256: str | None
    requested_version: int | None
    requested_at: str | None
    refused_version: int | None
    refused_request: str | None
    failure_reason: str | None
    started_at: str
    requests: int = Field(description="Answered with predictions.")
    refused: dict[str, int] = Field(description="Not answered for a client's mistake, by reason.")
    capture: CaptureState | None


class ServiceError(BaseModel):
    """A refusal; its code is in the header ``x-amzn-ErrorType``."""

    Message: str


class ModelError(ServiceError):
    """The model's own refusal, as the runtime API passes it on."""

    OriginalStatusCode: int
    OriginalMessage: str


class Document(BaseModel):
    """An OpenAPI document."""

    openapi: str
    info: dict[str, Any]
    paths: dict[str, Any]
