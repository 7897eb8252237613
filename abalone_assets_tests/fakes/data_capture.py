"""Data capture as SageMaker's: what it was asked and answered, as JSON Lines on S3."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from abalone_assets_tests.fakes.jobs import now


@dataclass(frozen=True)
class Exchange:
    """One answered request."""

    content_type: str
    body: bytes
    answer_type: str
    answer: bytes
    custom_attributes: str | None
    inference_id: str | None


def captured(exchange: Exchange, config: dict[str, Any]) -> bytes:
    """The exchange as a line of a capture file."""
    types = config.get("CaptureContentTypeHeader") or {}
    sides = {
        "Input": ("endpointInput", "INPUT", exchange.content_type, exchange.body),
        "Output": ("endpointOutput", "OUTPUT", exchange.answer_type, exchange.answer),
    }
    modes = {option["CaptureMode"] for option in config["CaptureOptions"]}
    if "InputAndOutput" in modes:
        modes = set(sides)
    data = {
        key: _side(mode, content_type, body, types)
        for name, (key, mode, content_type, body) in sides.items()
        if name in modes
    }
    metadata: dict[str, Any] = {"eventId": str(uuid4()), "inferenceTime": f"{now():%FT%TZ}"}
    if exchange.custom_attributes:
        metadata["customAttributes"] = [exchange.custom_attributes]
    if exchange.inference_id:
        metadata["inferenceId"] = exchange.inference_id
    document = {"captureData": data, "eventMetadata": metadata, "eventVersion": "0"}
    return json.dumps(document).encode() + b"\n"


def capture_uri(config: dict[str, Any], endpoint: str, variant: str) -> str:
    """Where the next capture file goes."""
    root = config["DestinationS3Uri"].rstrip("/")
    return f"{root}/{endpoint}/{variant}/{now():%Y/%m/%d/%H/%M-%S-%f}-{uuid4()}.jsonl"


def _side(mode: str, content_type: str, body: bytes, types: dict[str, Any]) -> dict[str, str]:
    encoding, data = "BASE64", base64.b64encode(body).decode()
    if content_type in (types.get("CsvContentTypes") or []):
        encoding, data = "CSV", body.decode()
    elif content_type in (types.get("JsonContentTypes") or []):
        encoding, data = "JSON", body.decode()
    return {"observedContentType": content_type, "mode": mode, "data": data, "encoding": encoding}
