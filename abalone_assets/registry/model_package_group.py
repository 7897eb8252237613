"""SageMaker's calls on the packages of one model package group."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from abalone_assets.aws.failures import is_missing, translate_errors
from abalone_assets.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

VALIDATION_SECONDS: Final = 300.0
"""How long SageMaker may take to look a new package over; usually it is a moment."""


class ModelPackageGroup:
    """A group of model packages; each is told as SageMaker describes it.

    Every method raises StorageError when AWS refuses.

    Args:
        name: Of the group.
        sagemaker: boto3's client of SageMaker.
        poll_seconds: Wait between two looks at a package that SageMaker looks over.
    """

    def __init__(
        self,
        name: str,
        sagemaker: Any,  # noqa: ANN401 - boto3 makes its clients at run time
        poll_seconds: float,
    ) -> None:
        self.name = name
        self._sagemaker = sagemaker
        self._poll_seconds = poll_seconds

    def summaries(self) -> Iterator[dict[str, Any]]:
        """The group's packages, newest first, as a listing tells them."""
        pages = self._sagemaker.get_paginator("list_model_packages").paginate(
            ModelPackageGroupName=self.name, SortBy="CreationTime", SortOrder="Descending"
        )
        with self._refusals():
            for page in pages:
                yield from page["ModelPackageSummaryList"]

    def describe(self, arn: str) -> dict[str, Any]:
        """One package."""
        with translate_errors(StorageError, arn):
            package: dict[str, Any] = self._sagemaker.describe_model_package(ModelPackageName=arn)
        return package

    def create(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Create a package, and wait until SageMaker has looked it over.

        Args:
            parameters: Of boto3's ``create_model_package``.
        """
        with self._refusals():
            created = self._sagemaker.create_model_package(**parameters)
        return self._looked_over(created["ModelPackageArn"])

    def set_status(
        self,
        package: Mapping[str, Any],
        status: str,
        description: str,
        properties: Mapping[str, str],
    ) -> dict[str, Any]:
        """Give a package an approval status, and describe it then.

        Args:
            package: The package.
            status: Its approval status from now on.
            description: Of the approval.
            properties: All of its customer metadata properties.
        """
        arn = package["ModelPackageArn"]
        with self._refusals():
            self._sagemaker.update_model_package(
                ModelPackageArn=arn,
                ModelApprovalStatus=status,
                ApprovalDescription=description,
                # Whether an update that leaves them out keeps them is not documented.
                CustomerMetadataProperties=properties,
            )
        return self.describe(arn)

    def _looked_over(self, arn: str) -> dict[str, Any]:
        deadline = time.monotonic() + VALIDATION_SECONDS
        while (package := self.describe(arn))["ModelPackageStatus"] in {"Pending", "InProgress"}:
            if time.monotonic() > deadline:
                raise StorageError(f"{arn} is still {package['ModelPackageStatus']}; try again")
            time.sleep(self._poll_seconds)
        if package["ModelPackageStatus"] != "Completed":
            details = package.get("ModelPackageStatusDetails")
            raise StorageError(f"{arn} is {package['ModelPackageStatus']}: {details}")
        return package

    @contextmanager
    def _refusals(self) -> Iterator[None]:
        from botocore.exceptions import ClientError

        with translate_errors(StorageError, f"model package group {self.name}"):
            try:
                yield
            except ClientError as error:
                if not is_missing(error):
                    raise
                raise StorageError(
                    f"there is no model package group {self.name}: run `make deploy`, or correct"
                    " ABALONE_MODEL_PACKAGE_GROUP"
                ) from error
