"""What a model package says of a model and of the decisions on it, within SageMaker's limits."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import UTC
from typing import TYPE_CHECKING, Any, Final

from abalone_assets.modeling.archive import ARCHIVE_NAME, read_card
from abalone_assets.modeling.inference import CONTENT_TYPES
from abalone_assets.registry.overrides import Override
from abalone_assets.registry.registry import require_json
from abalone_assets.registry.versions import MODEL_DIGEST

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from datetime import datetime

    from abalone_assets.storage.object_store import ObjectStore

APPROVED: Final = "Approved"
REJECTED: Final = "Rejected"
PENDING: Final = "PendingManualApproval"
REGISTRATION_PROPERTY: Final = "registration"
REJECTED_BY_GATE: Final = "Rejected by the gate. "
"""Begins the description of such a package, so that a listing tells: it names no properties."""
CODE_FOLDER: Final = "/opt/ml/model/code"

SERVING_ENVIRONMENT: Final = {
    "SAGEMAKER_PROGRAM": "inference.py",
    # Archives without a transform_fn would answer in JSON where a request names no Accept.
    "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT": "*/*",
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
        framework: What its model was trained with, such as ``xgboost``.
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
        require_json(evaluation, decision)
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
    def status(self) -> str:
        """What the gate decided, as SageMaker's approval status."""
        return APPROVED if self.decision.get("approved") is True else REJECTED

    @property
    def reason(self) -> str:
        """The gate's reason in a line that SageMaker takes."""
        return approval_description(str(self.decision.get("reason", "")) or f"{self.status}.")

    @property
    def description(self) -> str:
        """The package's description."""
        beginning = REJECTED_BY_GATE if self.status == REJECTED else ""
        return f"{beginning}Rings of abalones. {self.reason}"[:_MAX_DESCRIPTION]

    @property
    def digest(self) -> str:
        """Tells this registration from any other; the same one tried again has the same."""
        return hashlib.sha256(_json(self._record())).hexdigest()

    def is_of(self, package: Mapping[str, Any]) -> bool:
        """Whether a package holds this very model."""
        model = self.evaluation.get(MODEL_DIGEST)
        properties = package.get("CustomerMetadataProperties") or {}
        return model is not None and properties.get(MODEL_DIGEST) == model

    def documents(self) -> Iterator[tuple[str, bytes]]:
        """Key and content of what is kept beside the archive."""
        yield self._key("registration.json"), _json(self._record())
        yield self._key("model_quality.json"), _json(self._model_quality())

    def properties(self) -> dict[str, str]:
        """What the console lists of the package: at most 50 values of 256 characters."""
        known = {
            REGISTRATION_PROPERTY: self._key("registration.json"),
            MODEL_DIGEST: self.evaluation.get(MODEL_DIGEST),
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
    registration: Registration, store: ObjectStore, *, group: str, image: str, after: int
) -> dict[str, Any]:
    """The parameters of ``CreateModelPackage`` in a group.

    There are no tags among them: SageMaker refuses a tag on a versioned package, which has those of
    its group. A repeated call has the token of the first and adds no second package; the same model
    ``after`` another version (0 is none), or in another group, has a token of its own: tokens are
    the account's, and another deployment may have registered the model, too.
    """
    told = f"{group}/{registration.digest}/{image}/{after}"
    token = hashlib.sha256(told.encode()).hexdigest()
    return {
        "ModelPackageGroupName": group,
        "ClientToken": token[:36],
        "ModelPackageDescription": registration.description,
        "ModelApprovalStatus": PENDING,
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


def was_approved_by_gate(summary: Mapping[str, Any]) -> bool:
    """What the gate decided on a package of ours, by what a listing says of it."""
    return not str(summary.get("ModelPackageDescription", "")).startswith(REJECTED_BY_GATE)


def approval_description(text: str) -> str:
    """A text in a line that SageMaker takes as the description of an approval."""
    return " ".join(text.split())[:_MAX_DESCRIPTION]


def override_in_sagemaker(
    package: Mapping[str, Any], *, approved: bool, since: datetime, told: Collection[str]
) -> Override | None:
    """What a person decided in SageMaker itself, such as in its console.

    A status other than approved always counts, since SageMaker refuses to deploy such a package;
    an approval counts if it is newer than the rejection that it overrules. Descriptions that were
    ``told`` by the registry itself are no person's reasons.

    Returns:
        None when the package's status is the last decision that the registry knows: ``approved`` or
        not, ``since`` then.
    """
    status = package.get("ModelApprovalStatus")
    changed_at = package.get("LastModifiedTime") or package["CreationTime"]
    if (status == APPROVED) == approved or (status == APPROVED and changed_at < since):
        return None
    because = (package.get("ApprovalDescription") or "").strip()
    if not because or because in told:
        because = f"no reason was given; the status in SageMaker is {status}"
    return Override(
        approved=status == APPROVED,
        because=because,
        by=_who(package.get("LastModifiedBy") or {}),
        at=max(changed_at, since).astimezone(UTC).isoformat(),
    )


def _who(context: Mapping[str, Any]) -> str:
    """Who changed a package, by SageMaker's ``UserContext``."""
    arn = str((context.get("IamIdentity") or {}).get("Arn") or "")
    return str(context.get("UserProfileName") or arn.rpartition("/")[2] or "somebody in SageMaker")


def _property(value: object) -> str:
    text = f"{value:.6f}" if isinstance(value, float) else str(value)
    return _NO_PROPERTY.sub("_", text)[:_MAX_PROPERTY]


def _json(document: object) -> bytes:
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False).encode()
