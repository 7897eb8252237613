"""The model registry on SageMaker: a version is a package of one model package group.

The archive and what is known of it lie, immutable, in the registry's store::

    models/<sha256>/model.tar.gz                        the archive
    models/<sha256>/<registration>/registration.json    evaluation, decision, release digest
    models/<sha256>/<registration>/model_quality.json   the metrics in SageMaker's schema

A package is registered as pending and approved last, so a registration that was cut short leaves
no version behind for a reader; the next try finishes it. SageMaker itself deploys approved packages
only, so a person can withdraw a version by rejecting it there.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from datetime import UTC
from typing import TYPE_CHECKING, Any, Final

from abalone_assets.aws.failures import told_as
from abalone_assets.aws.model_package_documents import (
    REGISTRATION_PROPERTY,
    Registration,
    package_parameters,
)
from abalone_assets.aws.sagemaker_answers import is_missing
from abalone_assets.errors import StorageError
from abalone_assets.serving.registry import ModelVersion, read_archive
from abalone_assets.storage import locate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from abalone_assets.storage import ObjectStore

APPROVED: Final = "Approved"
REJECTED: Final = "Rejected"
VALIDATION_SECONDS: Final = 300.0
"""How long SageMaker may take to look a new package over; usually it is a moment."""


class ModelPackageRegistry:
    """The versions in a model package group.

    Args:
        group: The group's name.
        store: Where archives and documents are kept: the registry's ``s3://`` prefix.
        sagemaker: boto3's client of SageMaker.
        serving_image: Looks up the URI of the container image that serves the models; called by a
            registration only.
        poll_seconds: Wait between two looks at a package that SageMaker looks over.
    """

    def __init__(
        self,
        group: str,
        store: ObjectStore,
        sagemaker: Any,  # noqa: ANN401 - boto3 makes its clients at run time
        serving_image: Callable[[], str],
        *,
        poll_seconds: float = 1.0,
    ) -> None:
        self.group = group
        self.store = store
        self._sagemaker = sagemaker
        self._serving_image = serving_image
        self._poll_seconds = poll_seconds

    def register(
        self,
        model_uri: str,
        *,
        evaluation: Mapping[str, Any],
        decision: Mapping[str, Any],
        release_digest: str,
    ) -> ModelVersion:
        """Add an approved version, unless the model is the latest version's: that one is returned.

        So a release that is tried again, or that learnt nothing new, adds none. Models are told
        apart by the ``model_sha256`` of their evaluations, the digest of the model's file.

        Args:
            model_uri: Path or ``s3://`` URI of the archive; it is copied.
            evaluation: The evaluation that the gate saw: a JSON document.
            decision: What the gate decided: a JSON document with its ``reason``.
            release_digest: The digest of the data that the model was trained on.

        Raises:
            ModelArchiveError: The archive is damaged or has no model card.
            StorageError: It cannot be read, a document is not JSON, the group does not exist, a
                person has rejected this very model, or AWS refuses.
        """
        source, key = locate(model_uri)
        archive = source.read(key)
        registration = Registration.of(archive, evaluation, decision, release_digest)
        # Looked up before the search: whoever adds this model in between shares the call's token.
        newest = next(self._summaries(), None)
        package = self._package_of(registration)
        if package is None:
            after = newest["ModelPackageVersion"] if newest else 0
            package = self._create(archive, registration, after)
        return self._version(self._approved(package, registration))

    def versions(self) -> list[ModelVersion]:
        """Every approved version, oldest first; packages that others put in the group are skipped.

        Raises:
            StorageError: The group does not exist, or AWS refuses.
        """
        arns = [each["ModelPackageArn"] for each in self._summaries(APPROVED)]
        packages = [self._describe(arn) for arn in reversed(arns)]
        return [self._version(package) for package in packages if _is_ours(package)]

    def latest(self) -> ModelVersion | None:
        """The newest approved version, or None while there is none.

        Raises:
            StorageError: The group does not exist, or AWS refuses.
        """
        package = self._newest(APPROVED)
        return None if package is None else self._version(package)

    def get(self, version: int) -> ModelVersion:
        """The version of that number, approved or not.

        Raises:
            StorageError: There is no such version, its record was lost, or AWS refuses.
        """
        return self._version(self._describe(self.package_arn(version)))

    def package_arn(self, version: int) -> str:
        """The ARN of the version's model package, which an endpoint deploys.

        Raises:
            StorageError: There is no such version, or AWS refuses.
        """
        known: list[int] = []
        for summary in self._summaries():
            if summary["ModelPackageVersion"] == version:
                return str(summary["ModelPackageArn"])
            known.append(summary["ModelPackageVersion"])
        registered = ", ".join(map(str, reversed(known))) or "none"
        raise StorageError(
            f"model package group {self.group}: no model version {version}; registered versions: "
            f"{registered}"
        )

    def model_uri(self, version: int) -> str:
        """``s3://`` URI of a version's archive.

        Raises:
            StorageError: As `get`.
        """
        return self.store.uri_of(self.get(version).model_key)

    def read_model(self, version: int) -> bytes:
        """The archive of a version, checked against its SHA-256.

        Raises:
            StorageError: There is no such version, or its archive was lost.
            ModelArchiveError: Its archive was altered.
        """
        return read_archive(self.store, self.get(version))

    def _package_of(self, registration: Registration) -> dict[str, Any] | None:
        """The package that holds this model already: the latest version, or the newest package."""
        for status in (APPROVED, None):
            package = self._newest(status)
            if package is not None and registration.is_of(package):
                return package
        return None

    def _create(self, archive: bytes, registration: Registration, after: int) -> dict[str, Any]:
        self._write_once(registration.model_key, archive)
        for key, document in registration.documents():
            self._write_once(key, document)
        parameters = package_parameters(
            registration, self.store, image=self._serving_image(), after=after
        )
        with self._told():
            created = self._sagemaker.create_model_package(
                ModelPackageGroupName=self.group, **parameters
            )
        return self._looked_over(created["ModelPackageArn"])

    def _looked_over(self, arn: str) -> dict[str, Any]:
        """The package, once SageMaker has looked it over."""
        deadline = time.monotonic() + VALIDATION_SECONDS
        while (package := self._describe(arn))["ModelPackageStatus"] in {"Pending", "InProgress"}:
            if time.monotonic() > deadline:
                raise StorageError(f"{arn} is still {package['ModelPackageStatus']}; try again")
            time.sleep(self._poll_seconds)
        if package["ModelPackageStatus"] != "Completed":
            details = package.get("ModelPackageStatusDetails")
            raise StorageError(f"{arn} is {package['ModelPackageStatus']}: {details}")
        return package

    def _approved(self, package: dict[str, Any], registration: Registration) -> dict[str, Any]:
        status, arn = package.get("ModelApprovalStatus"), package["ModelPackageArn"]
        if status == REJECTED:
            why = package.get("ApprovalDescription") or "no reason given"
            raise StorageError(
                f"{arn} holds this very model and was rejected ({why}): approve it in the model"
                " registry, or release another model"
            )
        if status == APPROVED:
            return package
        with self._told():
            self._sagemaker.update_model_package(
                ModelPackageArn=arn,
                ModelApprovalStatus=APPROVED,
                ApprovalDescription=registration.approval,
                # Whether an update that leaves them out keeps them is not documented.
                CustomerMetadataProperties=registration.properties(),
            )
        return self._describe(arn)

    def _newest(self, status: str | None) -> dict[str, Any] | None:
        for summary in self._summaries(status):
            package = self._describe(summary["ModelPackageArn"])
            if _is_ours(package):
                return package
        return None

    def _summaries(self, status: str | None = None) -> Iterator[dict[str, Any]]:
        """The group's packages of an approval status, or of any; newest first."""
        pages = self._sagemaker.get_paginator("list_model_packages").paginate(
            ModelPackageGroupName=self.group,
            SortBy="CreationTime",
            SortOrder="Descending",
            **({"ModelApprovalStatus": status} if status else {}),
        )
        with self._told():
            for page in pages:
                yield from page["ModelPackageSummaryList"]

    def _describe(self, arn: str) -> dict[str, Any]:
        with told_as(StorageError, arn):
            package: dict[str, Any] = self._sagemaker.describe_model_package(ModelPackageName=arn)
        return package

    def _version(self, package: dict[str, Any]) -> ModelVersion:
        arn = package["ModelPackageArn"]
        if not _is_ours(package):
            raise StorageError(f"{arn} was not registered by this project; delete it")
        key = package["CustomerMetadataProperties"][REGISTRATION_PROPERTY]
        document = self.store.read_json(key)
        if document is None:
            raise StorageError(
                f"{self.store.uri_of(key)}, the record of {arn}, was lost: restore it, or register"
                " the model again"
            )
        return ModelVersion(
            version=package["ModelPackageVersion"],
            created_at=package["CreationTime"].astimezone(UTC).isoformat(),
            **document,
        )

    def _write_once(self, key: str, data: bytes) -> None:
        """Write an object whose key follows from its content."""
        if self.store.find(key) is not None:
            return
        try:
            self.store.write(key, data, create_only=True)
        except StorageError:
            if self.store.find(key) is None:
                raise

    @contextmanager
    def _told(self) -> Iterator[None]:
        from botocore.exceptions import ClientError

        with told_as(StorageError, f"model package group {self.group}"):
            try:
                yield
            except ClientError as error:
                if not is_missing(error):
                    raise
                raise StorageError(
                    f"there is no model package group {self.group}: run `make deploy`, or correct"
                    " ABALONE_MODEL_PACKAGE_GROUP"
                ) from error


def _is_ours(package: dict[str, Any]) -> bool:
    return REGISTRATION_PROPERTY in (package.get("CustomerMetadataProperties") or {})
