"""What a release's assets hand on: documents in the lake, whose every field is checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

NOT_SAID: Final = "not said"
"""In place of what a document of an older release does not say."""


@dataclass(frozen=True)
class TrainedModel:
    """The document of the asset ``trained_model``.

    Attributes:
        model_uri: Where the archive is.
        release_digest: Digest of the data that it was trained on.
        card: The archive's model card.
        provenance: What made it; None in documents of older releases.
    """

    model_uri: str
    release_digest: str
    card: dict[str, Any]
    provenance: dict[str, Any] | None = None

    @property
    def sha256(self) -> str:
        """Digest of the model, as its card says."""
        return str(self.card["model_sha256"])


@dataclass(frozen=True)
class EvaluatedModel:
    """The document of the asset ``evaluation``.

    Attributes:
        model_uri: Where the archive is.
        release_digest: Digest of the data that it was trained on.
        metrics: What the evaluation found, which the gate decides by.
        probes: Some test rows as requests (CSV lines), each with the rings that the model answers.
        compared_at: When the champion was looked up, ISO 8601; None in documents of older releases.
        desired_version: Which version should have been live then.
        request: Arguments of the `EvaluationRequest`; None in documents of older releases.
        provenance: As `TrainedModel` has it.
    """

    model_uri: str
    release_digest: str
    metrics: dict[str, Any]
    probes: list[tuple[str, float]]
    compared_at: str | None = None
    desired_version: int | Literal["not said"] | None = NOT_SAID
    request: dict[str, Any] | None = None
    provenance: dict[str, Any] | None = None


@dataclass(frozen=True)
class ApprovedModel:
    """The document of the asset ``approved_model``; nothing is written for a rejected model.

    Attributes:
        version: The model's version.
        reason: Why it is approved.
        release_digest: Digest of the data that it was trained on; None in documents of older
            releases.
        run_id: The release's Dagster run; None in documents of older releases.
    """

    version: int
    reason: str
    release_digest: str | None = None
    run_id: str | None = None
