"""SageMaker's lineage: artifacts, actions, contexts and associations, each request checked.

Source: https://docs.aws.amazon.com/sagemaker/latest/dg/lineage-tracking-entities.html
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any, Final

from moto.sagemaker.exceptions import ResourceNotFound, ValidationError
from moto.sagemaker.responses import SageMakerResponse

from abalone_assets_tests.fakes.actions import Request, Service, action
from abalone_assets_tests.fakes.api_models import check_request
from abalone_assets_tests.fakes.places import ACCOUNT, REGION
from abalone_assets_tests.fakes.server import RefusedRequestError

if TYPE_CHECKING:
    from abalone_assets_tests.fakes.standin import AwsStandIn

LIMITS: Final = {"artifact": 6000, "action": 3000, "context": 500}
"""Entities of an account that were made by hand."""


class Lineage(Service):
    """What SageMaker Studio draws as a graph.

    Attributes:
        entities: Each by its ARN, with the parameters that it was made with.
        associations: Source, destination and kind.
    """

    response_class = SageMakerResponse

    def __init__(self, aws: AwsStandIn) -> None:
        super().__init__(aws)
        self.entities: dict[str, dict[str, Any]] = {}
        self.associations: list[tuple[str, str, str]] = []

    @action
    def create_artifact(self, request: Request) -> dict[str, Any]:
        uri = request.params["Source"]["SourceUri"]
        if self._artifacts_of(request, uri):
            raise ValidationError(message=f"Artifact with SourceUri {uri} already exists.")
        digest = hashlib.sha256(uri.encode()).hexdigest()[:32]
        return self._create("artifact", digest, request.params)

    @action
    def update_artifact(self, request: Request) -> dict[str, Any]:
        check_request("UpdateArtifact", request.params)
        return self._update(request.params["ArtifactArn"], request.params)

    @action
    def list_artifacts(self, request: Request) -> dict[str, Any]:
        check_request("ListArtifacts", request.params)
        arns = self._artifacts_of(request, request.params["SourceUri"])
        return {"ArtifactSummaries": [{"ArtifactArn": arn} for arn in arns]}

    @action
    def create_action(self, request: Request) -> dict[str, Any]:
        return self._create("action", request.params["ActionName"], request.params)

    @action
    def describe_action(self, request: Request) -> dict[str, Any]:
        return self._describe("action", request.params["ActionName"])

    @action
    def update_action(self, request: Request) -> dict[str, Any]:
        check_request("UpdateAction", request.params)
        return self._update(_arn("action", request.params["ActionName"]), request.params)

    @action
    def create_context(self, request: Request) -> dict[str, Any]:
        return self._create("context", request.params["ContextName"], request.params)

    @action
    def describe_context(self, request: Request) -> dict[str, Any]:
        return self._describe("context", request.params["ContextName"])

    @action
    def update_context(self, request: Request) -> dict[str, Any]:
        check_request("UpdateContext", request.params)
        return self._update(_arn("context", request.params["ContextName"]), request.params)

    @action
    def add_association(self, request: Request) -> dict[str, Any]:
        params = request.params
        check_request("AddAssociation", params)
        ends = params["SourceArn"], params["DestinationArn"]
        for arn in ends:
            self._existing(arn)
        if any(known[:2] == ends for known in self.associations):
            raise ValidationError(message="The association already exists.")
        self.associations.append((*ends, params["AssociationType"]))
        return {"SourceArn": ends[0], "DestinationArn": ends[1]}

    @action
    def list_associations(self, request: Request) -> dict[str, Any]:
        check_request("ListAssociations", request.params)
        ends = request.params["SourceArn"], request.params["DestinationArn"]
        found = [known for known in self.associations if known[:2] == ends]
        return {"AssociationSummaries": [{"AssociationType": kind} for *_, kind in found]}

    def _artifacts_of(self, request: Request, uri: str) -> list[str]:
        """Artifacts of a URI; SageMaker makes one of each model package by itself."""
        digest = hashlib.sha256(uri.encode()).hexdigest()[:32]
        arn = _arn("artifact", digest)
        if uri in request.response.sagemaker_backend.model_packages:
            source = {"Source": {"SourceUri": uri}, "ArtifactType": "ModelPackage"}
            self.entities.setdefault(arn, source)
        return [arn] if arn in self.entities else []

    def _create(self, kind: str, name: str, params: dict[str, Any]) -> dict[str, Any]:
        check_request(f"Create{kind.title()}", params)
        arn = _arn(kind, name)
        if arn in self.entities:
            raise ValidationError(message=f"{kind.title()} {name} already exists.")
        if sum(f":{kind}/" in each for each in self.entities) >= LIMITS[kind]:
            raise RefusedRequestError("ResourceLimitExceeded", f"too many of kind {kind}")
        self.entities[arn] = dict(params)
        return {f"{kind.title()}Arn": arn}

    def _update(self, arn: str, params: dict[str, Any]) -> dict[str, Any]:
        entity = self._existing(arn)
        entity |= {key: value for key, value in params.items() if not key.endswith("Arn")}
        kind = arn.split(":")[5].split("/", maxsplit=1)[0]
        return {f"{kind.title()}Arn": arn}

    def _describe(self, kind: str, name: str) -> dict[str, Any]:
        arn = _arn(kind, name)
        return {**self._existing(arn), f"{kind.title()}Arn": arn}

    def _existing(self, arn: str) -> dict[str, Any]:
        if arn not in self.entities:
            raise ResourceNotFound(message=f"{arn} does not exist.")
        return self.entities[arn]


def _arn(kind: str, name: str) -> str:
    return f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:{kind}/{name}"
