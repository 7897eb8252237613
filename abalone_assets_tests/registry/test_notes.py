"""What SageMaker Studio shows of a version, which is never at a release's expense."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from abalone_assets.registry.folder import FolderRegistry
from abalone_assets.registry.model_package_notes import StudioNotes
from abalone_assets.registry.model_packages import ModelPackageRegistry
from abalone_assets.registry.notes import Noted, ReleaseNotes
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets_tests.deploy.iam import as_deployed, denied, policy_of, required_permissions
from abalone_assets_tests.fakes import lineage as lineage_fake
from abalone_assets_tests.registry.test_provenance import MADE
from abalone_assets_tests.serving.sagemaker.hosting import (
    DECISION,
    GROUP,
    IMAGE,
    REJECTION,
    constant_archive,
    evaluation_of,
)

if TYPE_CHECKING:
    from pathlib import Path

    from abalone_assets.registry.versions import ModelVersion
    from abalone_assets_tests.serving.sagemaker.hosting import Account

ONE = constant_archive(1.0)
NOTES = ReleaseNotes("run-1", "s3://data/lake/merged_dataset", 4300, 2, "2025-03-03", "2025-03-04")
EVALUATION = {
    "slices": {"sex": [{"value": "M", "rmse": 2.0}, {"value": "F", "rmse": None}], "age_band": []},
    "bias": 0.1,
}


class Studio:
    """A registry that notes, and what has been noted."""

    def __init__(self, account: Account, patience: float = 30.0) -> None:
        self.account = account
        store = ObjectStore(f"s3://{account.aws.bucket}/registry")
        self.registry = ModelPackageRegistry(
            GROUP,
            store,
            account.sagemaker,
            lambda: IMAGE,
            studio=StudioNotes(GROUP, account.sagemaker, patience=patience),
            poll_seconds=0.01,
        )

    def register(self, *, approved: bool = True, **more: Any) -> ModelVersion:
        return self.registry.register(
            ONE,
            evaluation=evaluation_of(ONE, **{**EVALUATION, **more}),
            decision=DECISION if approved else REJECTION,
            release_digest="0123456789abcdef0123",
        )

    def note(self, version: ModelVersion, notes: ReleaseNotes = NOTES) -> Noted:
        return self.registry.note(version, notes)

    def card(self) -> dict[str, Any]:
        found = self.account.package(1)["ModelCard"]
        return {**json.loads(found["ModelCardContent"]), "status": found["ModelCardStatus"]}

    def entity(self, kind: str) -> dict[str, Any]:
        """The one entity of a kind that is not SageMaker's own."""
        known = self.account.aws.lineage.entities
        [entity] = [
            each
            for arn, each in known.items()
            if f":{kind}/" in arn and each.get("ArtifactType") != "ModelPackage"
        ]
        return entity

    def calls(self) -> list[str]:
        return [call.operation for call in self.account.aws.calls]


@pytest.fixture
def studio(account: Account) -> Studio:
    return Studio(account)


def test_the_package_carries_a_card_with_what_dagster_knows(studio: Studio) -> None:
    version = studio.register()
    noted = studio.note(version)

    assert noted == Noted(("model card", "lineage"))
    assert noted.metadata() == {"noted": "model card, lineage"}
    card = studio.card()
    assert card["status"] == "Approved"
    overview = card["model_overview"]
    assert overview["model_artifact"] == [studio.registry.model_uri(1)]
    assert set(overview) == {"model_creator", "model_artifact"}  # a package's card takes no more
    [evaluation] = card["evaluation_details"]
    assert evaluation["evaluation_observation"] == DECISION["reason"]
    headlines, by_sex = evaluation["metric_groups"]
    assert {"name": "rmse", "type": "number", "value": 2.125} in headlines["metric_data"]
    assert by_sex["metric_data"] == [{"name": "rmse of M", "type": "number", "value": 2.0}]
    details = card["additional_information"]["custom_details"]
    assert details["dagster_run_id"] == "run-1"
    assert details["release_digest"] == version.release_digest
    assert details["survey_days"] == "2"
    assert details["first_survey_day"] == "2025-03-03"
    assert details["approval"] == "approved by the gate"
    assert details["rule"] == "first_model"


def test_the_card_says_which_code_libraries_and_hyperparameters_made_the_model(
    studio: Studio,
) -> None:
    studio.note(studio.register(provenance=MADE.to_document()))
    card = studio.card()
    details = card["additional_information"]["custom_details"]
    assert MADE.facts().items() - {("dagster_run_id", "run")} <= details.items()
    assert details["dagster_run_id"] == "run-1"  # the release's own word
    trained = card["training_details"]["training_job_details"]
    assert {"name": "eta", "value": "0.1"} in trained["user_provided_hyper_parameters"]


def test_a_damaged_provenance_costs_the_card_that_alone(studio: Studio) -> None:
    noted = studio.note(studio.register(provenance={"run_id": 7}))
    assert noted == Noted(("model card", "lineage"))
    assert "code" not in studio.card()["additional_information"]["custom_details"]


def test_a_rejected_model_waits_for_a_person(studio: Studio) -> None:
    studio.note(studio.register(approved=False))
    assert studio.card()["status"] == "PendingReview"


def test_the_lineage_leads_from_the_data_over_the_decision_to_the_package(studio: Studio) -> None:
    studio.note(studio.register())

    data, action, context = map(studio.entity, ("artifact", "action", "context"))
    assert data["Source"]["SourceUri"].startswith("s3://data/lake/merged_dataset#release=")
    assert data["Properties"]["survey_days"] == "2"
    assert action["Source"]["SourceUri"] == "dagster:run/run-1"
    assert action["Properties"]["rmse"] == "2.125"
    assert action["Description"] == DECISION["reason"]
    assert context["Properties"]["version"] == "1"
    known = studio.account.aws.lineage
    kinds = {arn: arn.split(":")[5].split("/")[0] for arn in known.entities}
    ends = [(kinds[source], kinds[target], kind) for source, target, kind in known.associations]
    assert ends == [
        ("artifact", "action", "ContributedTo"),
        ("action", "artifact", "Produced"),
        ("action", "context", "AssociatedWith"),
    ]


def test_the_same_again_makes_nothing_twice_and_leaves_the_package_alone(studio: Studio) -> None:
    version = studio.register()
    studio.note(version)
    known = studio.account.aws.lineage
    entities, associations = dict(known.entities), list(known.associations)
    changed_at = studio.account.package(1)["LastModifiedTime"]

    assert studio.note(version).problems == ()
    assert dict(known.entities) == entities
    assert known.associations == associations
    assert studio.account.package(1)["LastModifiedTime"] == changed_at


@pytest.mark.parametrize(
    ("operation", "lost", "kept"),
    [
        ("UpdateModelPackage", "model card", "lineage"),
        ("ListArtifacts", "lineage", "model card"),
        ("CreateAction", "lineage", "model card"),
        ("AddAssociation", "lineage", "model card"),
    ],
)
def test_a_refusal_is_told_and_the_rest_is_written(
    studio: Studio, operation: str, lost: str, kept: str
) -> None:
    version = studio.register()
    studio.account.aws.faults.deny(operation)
    noted = studio.note(version)
    assert noted.written == (kept,)
    [problem] = noted.problems
    assert problem.startswith(f"{lost} of version 1: access denied: ")
    assert "ABALONE_STUDIO_NOTES=false" in problem
    assert noted.metadata() == {"noted": kept, "not_noted": problem}


def test_what_was_lost_is_written_by_the_next_try(studio: Studio) -> None:
    version = studio.register()
    studio.account.aws.faults.refuse("AddAssociation", "ResourceLimitExceeded", "too many")
    assert studio.note(version).problems
    assert studio.note(version).problems == ()
    assert len(studio.account.aws.lineage.associations) == 3


def test_a_busy_sagemaker_is_asked_again_but_not_for_long(account: Account) -> None:
    studio = Studio(account, patience=2.0)
    version = studio.register()
    account.aws.faults.throttle("CreateContext", times=1)
    assert studio.note(version).problems == ()

    account.aws.faults.throttle("DescribeAction", times=1000)
    started = time.monotonic()
    [problem] = studio.note(version).problems
    assert time.monotonic() - started < 4.0
    assert "Rate exceeded" in problem


def test_no_call_begins_when_the_time_is_over(account: Account) -> None:
    studio = Studio(account, patience=0.0)
    noted = studio.note(studio.register())
    assert noted.written == ()
    assert [problem.count("no time was left") for problem in noted.problems] == [1, 1]


def test_whatever_else_goes_wrong_is_a_problem_and_no_error(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = studio.register()
    monkeypatch.setitem(sys.modules, "sagemaker.core.shapes", None)
    noted = studio.note(version)
    assert noted.written == ("lineage",)
    studio.account.aws.faults.deny("ListModelPackages")
    assert "access denied" in studio.note(version).problems[0]


def test_too_many_entities_are_no_error(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(lineage_fake.LIMITS, "action", 0)
    assert "ResourceLimitExceeded" in studio.note(studio.register()).problems[0]


def test_a_decision_in_sagemaker_keeps_its_time_and_author(studio: Studio) -> None:
    studio.register()
    studio.account.sagemaker.update_model_package(
        ModelPackageArn=studio.registry.package_arn(1),
        ModelApprovalStatus="Rejected",
        ApprovalDescription="I saw it fail",
        CustomerMetadataProperties=studio.account.package(1)["CustomerMetadataProperties"],
    )
    before = studio.registry.get(1)
    noted = studio.note(before)
    assert noted.written == ("lineage",)
    assert "a person decided in SageMaker" in noted.problems[0]
    assert studio.registry.get(1) == before


def test_a_later_decision_is_on_the_card_and_in_the_lineage(studio: Studio) -> None:
    studio.note(studio.register())
    studio.registry.reject(1, because="it is wrong", by="ana")
    details = studio.card()["additional_information"]["custom_details"]
    assert studio.card()["status"] == "PendingReview"
    assert details["approval"] == "rejected by ana"
    assert "it is wrong" in details["approval_reason"]
    assert details["dagster_run_id"] == "run-1"
    action = studio.entity("action")
    assert action["Properties"]["approval"] == "rejected by ana"
    assert action["Properties"]["rmse"] == "2.125"
    assert studio.registry.get(1).status == "rejected by ana"


def test_a_decision_does_not_wait_for_the_notes(
    studio: Studio, caplog: pytest.LogCaptureFixture
) -> None:
    studio.note(studio.register())
    studio.account.aws.faults.deny("DescribeAction")
    studio.registry.reject(1, because="it is wrong", by="ana")
    assert studio.registry.get(1).status == "rejected by ana"
    assert "lineage of version 1: access denied" in caplog.text


def test_nothing_is_noted_when_it_is_switched_off(account: Account) -> None:
    registry = account.registry
    version = account.register(ONE)
    assert registry.note(version, NOTES) == Noted()
    registry.reject(1, because="it is wrong", by="ana")
    assert account.aws.lineage.entities == {}


def test_a_folder_keeps_no_notes(tmp_path: Path) -> None:
    registry = FolderRegistry(ObjectStore(tmp_path))
    version = registry.register(
        ONE, evaluation={"rmse": 2.1}, decision=DECISION, release_digest="r"
    )
    assert registry.note(version, NOTES).metadata() == {}


def test_the_run_role_may_note_and_may_no_more_than_that(studio: Studio) -> None:
    version = studio.register()
    del studio.account.aws.calls[:]
    assert studio.note(version).problems == ()
    assert studio.note(version, replace(NOTES, run_id="run-2")).problems == ()
    calls = as_deployed(studio.account.aws.calls)

    assert denied(policy_of("run"), calls) == []
    needed = {need.action for need in required_permissions(calls)}
    kinds = ("Action", "Artifact", "Artifacts", "Association", "Associations", "Context")
    granted = {each for each in policy_of("run").actions() if each.endswith(kinds)}
    assert granted == {each for each in needed if each.endswith(kinds)}
