"""What a model package says of a model, within SageMaker's limits."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from abalone_assets.errors import StorageError
from abalone_assets.modeling.archive import ARCHIVE_NAME, read_card
from abalone_assets.modeling.inference import CONTENT_TYPES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from abalone_assets.storage import ObjectStore

REGISTRATION_PROPERTY: Final = "registration"
MODEL_PROPERTY: Final = "model_sha256"
CODE_FOLDER: Final = "/opt/ml/model/code"

SERVING_ENVIRONMENT: Final = {
    "SAGEMAKER_PROGRAM": "inference.py",
    "SAGEMAKER_SUBMIT_DIRECTORY": CODE_FOLDER,
    # The container installs the program with pip, which need not take the package beside it along.
    "PYTHONPATH": CODE_FOLDER,
}
"""Makes SageMaker's XGBoost container answer with the code in the archive.

As the SageMaker SDK does for code that travels with the model; the container's own word on it is in
https://github.com/aws/sagemaker-containers, ``_modules.import_module``.
"""

_MAX_DESCRIPTION: Final = 1024
_MAX_PROPERTY: Final = 256
_NO_PROPERTY: Final = re.compile(r"[^\w .:/=+\-@]")
_METRICS: Final = ("mae", "mse", "rmse", "r2")


@dataclass(frozen=True)
class Registration:
    """An archive on its way into the registry.

    Attributes:
        archive_sha256: SHA-256 of the archive, in hexadecimal.
        framework: What its model was trained with, such as ``xgboost``.
        evaluation: The evaluation that the gate saw.
        decision: What the gate decided, and why.
        release_digest: The digest of the data that the model was trained on.
    """

    archive_sha256: str
    framework: str
    evaluation: dict[str, Any]
    decision: dict[str, Any]
    release_digest: str

    @classmethod
    def of(
        cls,
        archive: bytes,
        evaluation: Mapping[str, Any],
        decision: Mapping[str, Any],
        release_digest: str,
    ) -> Registration:
        """The registration of an archive.

        Raises:
            ModelArchiveError: The archive is damaged or has no model card.
            StorageError: A document is not JSON.
        """
        for name, document in (("evaluation", evaluation), ("decision", decision)):
            try:
                json.dumps(dict(document), allow_nan=False)
            except (TypeError, ValueError) as error:
                raise StorageError(f"the {name} is not a JSON document: {error}") from error
        return cls(
            hashlib.sha256(archive).hexdigest(),
            read_card(archive).framework,
            dict(evaluation),
            dict(decision),
            release_digest,
        )

    @property
    def model_key(self) -> str:
        """Key of the archive."""
        return f"models/{self.archive_sha256}/{ARCHIVE_NAME}"

    @property
    def approval(self) -> str:
        """The decision in a line that SageMaker takes."""
        reason = " ".join(str(self.decision.get("reason", "")).split())
        return reason[:_MAX_DESCRIPTION] or "Approved."

    @property
    def digest(self) -> str:
        """Tells this registration from any other; the same one tried again has the same."""
        return hashlib.sha256(_json(self._record())).hexdigest()

    def is_of(self, package: Mapping[str, Any]) -> bool:
        """Whether a package holds this very model."""
        model = self.evaluation.get(MODEL_PROPERTY)
        properties = package.get("CustomerMetadataProperties") or {}
        return model is not None and properties.get(MODEL_PROPERTY) == model

    def documents(self) -> Iterator[tuple[str, bytes]]:
        """Key and content of what is kept beside the archive."""
        yield self._key("registration.json"), _json(self._record())
        yield self._key("model_quality.json"), _json(self._model_quality())

    def properties(self) -> dict[str, str]:
        """What the console lists of the package: at most 50 values of 256 characters."""
        known = {
            REGISTRATION_PROPERTY: self._key("registration.json"),
            MODEL_PROPERTY: self.evaluation.get(MODEL_PROPERTY),
            "archive_sha256": self.archive_sha256,
            "framework": self.framework,
            "release_digest": self.release_digest,
            "rmse": self.evaluation.get("rmse"),
            "rule": self.decision.get("rule"),
            "test_rows": self.evaluation.get("rows"),
        }
        shown = {name: _property(value) for name, value in known.items() if value is not None}
        return {name: value for name, value in shown.items() if value}

    def quality_source(self, store: ObjectStore) -> dict[str, str]:
        """Where SageMaker finds the metrics: its ``MetricsSource``."""
        key, content = self._key("model_quality.json"), _json(self._model_quality())
        return {
            "ContentType": "application/json",
            "ContentDigest": f"sha256:{hashlib.sha256(content).hexdigest()}",
            "S3Uri": store.uri_of(key),
        }

    def _record(self) -> dict[str, Any]:
        return {
            "archive_sha256": self.archive_sha256,
            "evaluation": self.evaluation,
            "decision": self.decision,
            "release_digest": self.release_digest,
            "model_key": self.model_key,
        }

    def _model_quality(self) -> dict[str, Any]:
        """The metrics as SageMaker's model quality monitor writes them for a regression.

        Source: https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-model-quality-metrics.html
        """
        scores = dict(self.evaluation)
        if isinstance(rmse := scores.get("rmse"), int | float):
            scores["mse"] = rmse**2
        metrics = {
            name: {"value": scores[name], "standard_deviation": "NaN"}
            for name in _METRICS
            if isinstance(scores.get(name), int | float)
        }
        return {"regression_metrics": metrics}

    def _key(self, name: str) -> str:
        return f"models/{self.archive_sha256}/{self.digest[:16]}/{name}"


def package_parameters(
    registration: Registration, store: ObjectStore, *, image: str, after: int
) -> dict[str, Any]:
    """The parameters of ``CreateModelPackage``, without the group.

    There are no tags among them: SageMaker refuses a tag on a versioned package, which has those of
    its group.

    Args:
        registration: What is registered; its objects are in the store.
        store: The registry's store.
        image: URI of the container image that serves it.
        after: The newest version's number, or 0. A repeated call has the token of the first and
            adds no second package; the same model after another one has a token of its own.
    """
    token = hashlib.sha256(f"{registration.digest}/{image}/{after}".encode()).hexdigest()
    return {
        "ClientToken": token[:36],
        "ModelPackageDescription": f"Rings of abalones. {registration.approval}"[:_MAX_DESCRIPTION],
        "ModelApprovalStatus": "PendingManualApproval",
        "InferenceSpecification": {
            "Containers": [
                {
                    "Image": image,
                    "ModelDataUrl": store.uri_of(registration.model_key),
                    "Environment": dict(SERVING_ENVIRONMENT),
                }
            ],
            "SupportedContentTypes": list(CONTENT_TYPES),
            "SupportedResponseMIMETypes": list(CONTENT_TYPES),
        },
        "ModelMetrics": {"ModelQuality": {"Statistics": registration.quality_source(store)}},
        "CustomerMetadataProperties": registration.properties(),
    }


def _property(value: object) -> str:
    text = f"{value:.6f}" if isinstance(value, float) else str(value)
    return _NO_PROPERTY.sub("_", text)[:_MAX_PROPERTY]


def _json(document: object) -> bytes:
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False).encode()
