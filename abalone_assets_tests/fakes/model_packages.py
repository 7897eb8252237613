"""What moto's model registry lacks: deletion, tags, client tokens and cards."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from moto.sagemaker.exceptions import ConflictException, ValidationError
from moto.sagemaker.responses import SageMakerResponse

from abalone_assets_tests.fakes.actions import Request, Service, action
from abalone_assets_tests.fakes.api_models import check_request
from abalone_assets_tests.fakes.jobs import check_tags

if TYPE_CHECKING:
    from abalone_assets_tests.fakes.standin import AwsStandIn


class ModelPackages(Service):
    """Model packages and their groups."""

    response_class = SageMakerResponse

    def __init__(self, aws: AwsStandIn) -> None:
        super().__init__(aws)
        self._by_token: dict[str, str] = {}
        self._cards: dict[str, dict[str, str]] = {}

    @action
    def create_model_package(self, request: Request) -> Any:
        params, backend = request.params, request.response.sagemaker_backend
        check_tags(params.get("Tags"))
        group = params.get("ModelPackageGroupName")
        if group is not None and group not in backend.model_package_groups:
            raise ValidationError(message=f"Model Package Group {group} does not exist.")
        token = params.get("ClientToken")
        if token in self._by_token:
            return {"ModelPackageArn": self._by_token[token]}
        answer = request.moto()
        if token is not None:
            self._by_token[token] = answer.result["ModelPackageArn"]
        return answer

    @action
    def update_model_package(self, request: Request) -> Any:
        """As moto's, with the card, and without forgetting a status that is not given."""
        params = request.params
        check_request("UpdateModelPackage", params)
        package = request.response.sagemaker_backend.describe_model_package(
            params["ModelPackageArn"]
        )
        status, reason = package.model_approval_status, package.approval_description
        answer = request.moto()
        if "ModelApprovalStatus" not in params:
            package.model_approval_status, package.approval_description = status, reason
        if "ModelCard" in params:
            _check_card(params["ModelCard"])
            self._cards[package.arn] = params["ModelCard"]
        return answer

    @action
    def describe_model_package(self, request: Request) -> Any:
        answer = request.moto()
        if (card := self._cards.get(answer.result["ModelPackageArn"])) is not None:
            answer.result["ModelCard"] = card
        return answer

    @action
    def delete_model_package(self, request: Request) -> dict[str, Any]:
        backend = request.response.sagemaker_backend
        package = backend.describe_model_package(request.params["ModelPackageName"])
        del backend.model_packages[package.arn]
        names = backend.model_package_name_mapping
        for name in [name for name, arn in names.items() if arn == package.arn]:
            del names[name]
        return {}

    @action
    def delete_model_package_group(self, request: Request) -> dict[str, Any]:
        backend = request.response.sagemaker_backend
        name = request.params["ModelPackageGroupName"]
        backend.describe_model_package_group(name)
        if any(each.model_package_group_name == name for each in backend.model_packages.values()):
            raise ConflictException(f"Model Package Group {name} is not empty.")
        del backend.model_package_groups[name]
        return {}

    @action
    def list_tags(self, request: Request) -> Any:
        """As moto's, which cannot read the ARN of a model package."""
        arn = request.params["ResourceArn"]
        packages = request.response.sagemaker_backend.model_packages
        return {"Tags": packages[arn].tags or []} if arn in packages else request.moto()


def _check_card(card: dict[str, str]) -> None:
    """Refuse a card that is no package's.

    Source: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_ModelPackageModelCard.html

    Raises:
        ValidationError: It is not JSON, or says what a package's card does not.
    """
    try:
        content = json.loads(card["ModelCardContent"])
    except ValueError as error:
        raise ValidationError(message=f"ModelCardContent is not JSON: {error}") from error
    foreign = content.keys() & {"model_package_details"}
    foreign |= content.get("model_overview", {}).keys() - {"model_creator", "model_artifact"}
    if foreign:
        raise ValidationError(message=f"ModelCardContent: unknown properties {sorted(foreign)}")
