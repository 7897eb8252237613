"""`make destroy` where everything runs that can: nothing is paid for by the hour after it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from abalone_assets.aws.clients import client
from abalone_assets.aws.parameters import resolve
from abalone_assets.lake.lake import Lake
from abalone_assets.lake.manifest import Manifest
from abalone_assets.lake.manifest_store import commit_raw
from abalone_assets.lake.releases import Release
from abalone_assets.modeling.offline_project import OFFLINE_PROJECT
from abalone_assets.registry.model_package_documents import SERVING_ENVIRONMENT
from abalone_assets.serving.sagemaker.configs import EndpointConfigs, Hosting
from abalone_assets_tests.deploy.cloudformation_models import complete_moto
from abalone_assets_tests.deploy.support import quick_stacks
from abalone_assets_tests.fakes.places import ACCOUNT, REGION
from abalone_assets_tests.fakes.support import packed, wait_for
from deploy.cloudformation import Stacks
from deploy.config import DeployConfig
from deploy.destroy import destroy, main
from deploy.stored import StoredData
from deploy.teardown import Teardown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from abalone_assets_tests.deploy.support import Assembly
    from abalone_assets_tests.fakes.standin import AwsStandIn

CONFIG = DeployConfig()
DATA = f"abalone-data-{ACCOUNT}-{REGION}"
LOGS = f"abalone-logs-{ACCOUNT}-{REGION}"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/abalone-sagemaker-{REGION}"
KEPT = [f"bucket {DATA}", f"bucket {LOGS}", "image repository abalone"]
INFERENCE = b"""
def model_fn(folder): return 1
def transform_fn(model, body, content_type, accept): return "9.5", "text/csv"
"""
SLEEP = b"import time; time.sleep(300)"
OTHERS = {"somebody-elses": "somebody-elses", "of-abalone-v2": "abalone-v2-v000003-01234567"}
"""Transform jobs of others, and their models."""

SILENT = b"""
import time
def model_fn(folder): return 1
def transform_fn(model, body, content_type, accept): time.sleep(300)
"""


@pytest.fixture
def cloudformation(aws: AwsStandIn) -> Iterator[Stacks]:
    """CloudFormation of an account without stacks."""
    with pytest.MonkeyPatch.context() as patch:
        complete_moto(patch)
        yield quick_stacks()


@pytest.fixture
def stacks(cloudformation: Stacks, assembly: Assembly) -> Stacks:
    """CloudFormation of an account with all three stacks."""
    assembly.deploy(cloudformation, "data", "jobs", "platform")
    return cloudformation


def _say(_: str) -> None:
    """Nobody listens."""


def _destroyed(stacks: Stacks, *, delete_data: bool = False) -> tuple[list[str], list[str]]:
    teardown = Teardown(CONFIG, stacks, client, _say, poll_seconds=0.05)
    stored = StoredData(CONFIG, ACCOUNT, REGION, client, _say)
    return destroy(CONFIG, stacks, teardown, stored, delete_data=delete_data)


def _register_model(aws: AwsStandIn) -> str:
    uri = f"s3://{DATA}/registry/model.tar.gz"
    project = {f"code/{name}": content for name, content in OFFLINE_PROJECT.items()}
    aws.storage.write(uri, packed({"code/inference.py": INFERENCE, **project}))
    return str(
        client("sagemaker").create_model_package(
            ModelPackageGroupName="abalone",
            ModelApprovalStatus="Approved",
            InferenceSpecification={
                "Containers": [
                    {
                        "Image": "xgboost",
                        "ModelDataUrl": uri,
                        "Environment": dict(SERVING_ENVIRONMENT),
                    }
                ],
                "SupportedContentTypes": ["text/csv"],
                "SupportedResponseMIMETypes": ["text/csv"],
            },
        )["ModelPackageArn"]
    )


def _serve(package: str) -> None:
    """Serve a version with what the platform's own deployments make."""
    sagemaker = client("sagemaker")
    configs = EndpointConfigs("abalone", sagemaker)
    hosting = Hosting(role_arn=ROLE, capture_uri=f"s3://{DATA}/captured_requests")
    config = configs.ensure(1, package, hosting)
    sagemaker.create_endpoint(EndpointName="abalone", EndpointConfigName=config, Tags=configs.tags)
    wait_for(
        lambda: sagemaker.describe_endpoint(EndpointName="abalone")["EndpointStatus"] == "InService"
    )


def _train(
    aws: AwsStandIn, name: str, role: str = ROLE, script: bytes = SLEEP, keep: int = 0
) -> None:
    code = f"s3://{DATA}/jobs/code/{name}/sourcedir.tar.gz"
    aws.storage.write(code, packed({"train.py": script}))
    mode = {"sagemaker_program": "train.py", "sagemaker_submit_directory": code}
    resources = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
    client("sagemaker").create_training_job(
        TrainingJobName=name,
        AlgorithmSpecification={"TrainingImage": "xgboost", "TrainingInputMode": "File"},
        RoleArn=role,
        HyperParameters={key: json.dumps(value) for key, value in mode.items()},
        OutputDataConfig={"S3OutputPath": f"s3://{DATA}/lake/trained_model"},
        ResourceConfig={**resources, **({"KeepAlivePeriodInSeconds": keep} if keep else {})},
        StoppingCondition={"MaxRuntimeInSeconds": 600},
    )


def _age(aws: AwsStandIn, name: str, model: str) -> None:
    """Have a batch transform job wait for a model that does not answer."""
    archive, animals = f"s3://{DATA}/registry/slow.tar.gz", f"s3://{DATA}/jobs/animals.csv"
    project = {f"code/{file}": content for file, content in OFFLINE_PROJECT.items()}
    aws.storage.write(archive, packed({"code/inference.py": SILENT, **project}))
    aws.storage.write(animals, b"M,0.455,0.365,0.095,0.514,0.2245,0.101,0.15")
    container = {"Image": "xgboost", "ModelDataUrl": archive, "Environment": SERVING_ENVIRONMENT}
    sagemaker = client("sagemaker")
    sagemaker.create_model(
        ModelName=model,
        ExecutionRoleArn=ROLE,
        PrimaryContainer=container,
        Tags=EndpointConfigs(model.rpartition("-v")[0] or model, sagemaker).tags,
    )
    sagemaker.create_transform_job(
        TransformJobName=name,
        ModelName=model,
        TransformInput={
            "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": animals}}
        },
        TransformOutput={"S3OutputPath": f"s3://{DATA}/jobs/ages"},
        TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
    )


def _prepare(aws: AwsStandIn) -> str:
    script = f"s3://{DATA}/jobs/code/prepare.py"
    aws.storage.write(script, SLEEP)
    run: str = client("glue").start_job_run(
        JobName="abalone-prepare", Arguments={"--scriptLocation": script}
    )["JobRunId"]
    wait_for(lambda: _run_state(run) == "RUNNING")
    return run


def _run_state(run: str) -> str:
    found = client("glue").get_job_run(JobName="abalone-prepare", RunId=run)
    return str(found["JobRun"]["JobRunState"])


def _training_status(name: str) -> str:
    found = client("sagemaker").describe_training_job(TrainingJobName=name)
    return str(found["TrainingJobStatus"])


def _warm_pool(name: str) -> str:
    found = client("sagemaker").describe_training_job(TrainingJobName=name)
    return str(found["WarmPoolStatus"]["Status"])


def _transform_status(name: str) -> str:
    found = client("sagemaker").describe_transform_job(TransformJobName=name)
    return str(found["TransformJobStatus"])


def _services() -> set[str]:
    """Statuses of the services; ECS remembers deleted ones for a while, and so does moto."""
    ecs = client("ecs")
    arns = ecs.list_services(cluster="abalone")["serviceArns"]
    found = ecs.describe_services(cluster="abalone", services=arns)["services"]
    return {str(service["status"]) for service in found}


def test_what_runs_is_stopped_and_deleted_and_the_data_and_jobs_of_others_stay(
    aws: AwsStandIn, stacks: Stacks
) -> None:
    _serve(_register_model(aws))
    _train(aws, "trained-model-0123-1")
    _train(aws, "somebody-elses", role=f"arn:aws:iam::{ACCOUNT}:role/somebody")
    _prepare(aws)
    _age(aws, "aged-animals-0123-1", "abalone-v000009-01234567")
    for others, model in OTHERS.items():
        _age(aws, others, model)
    sagemaker = client("sagemaker")

    costly, kept = _destroyed(stacks)

    assert costly == []
    of_others = "log group /aws/sagemaker/TransformJobs"
    assert kept == [*KEPT, "stack abalone-data (CREATE_COMPLETE)", of_others]
    assert sagemaker.list_endpoints()["Endpoints"] == []
    assert sagemaker.list_endpoint_configs()["EndpointConfigs"] == []
    models = {model["ModelName"] for model in sagemaker.list_models()["Models"]}
    assert models == set(OTHERS.values())
    assert sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"] == []
    assert _training_status("trained-model-0123-1") == "Stopped"
    assert _training_status("somebody-elses") == "InProgress"
    assert _transform_status("aged-animals-0123-1") == "Stopped"
    assert all(_transform_status(name) != "Stopped" for name in OTHERS)
    assert _services() == {"INACTIVE"}
    assert client("rds").describe_db_instances()["DBInstances"] == []
    gateways = client("ec2").describe_nat_gateways()["NatGateways"]
    assert {gateway["State"] for gateway in gateways} == {"deleted"}
    assert client("iam").list_roles()["Roles"] == []
    assert client("ssm").get_parameters_by_path(Path="/abalone")["Parameters"] == []
    assert _destroyed(stacks) == (costly, kept), "a second time there is nothing to do"


def test_an_instance_that_is_kept_for_the_next_training_is_let_go(
    aws: AwsStandIn, cloudformation: Stacks
) -> None:
    client("s3").create_bucket(Bucket=DATA)
    told = list[str]()
    teardown = Teardown(CONFIG, cloudformation, client, told.append, poll_seconds=0.05)
    others = f"arn:aws:iam::{ACCOUNT}:role/somebody"
    _train(aws, "cold", script=b"")
    _train(aws, "trained-model-0123-1", script=b"", keep=600)
    _train(aws, "somebody-elses", role=others, script=b"", keep=600)
    jobs = ("cold", "trained-model-0123-1", "somebody-elses")
    wait_for(lambda: {_training_status(name) for name in jobs} == {"Completed"})
    pool = "warm pool of training job trained-model-0123-1"
    assert teardown.costly_leftovers() == [pool]

    teardown.stop_jobs()

    assert told == [f"{pool}: ended"]
    assert teardown.costly_leftovers() == []
    assert _warm_pool("trained-model-0123-1") == "Terminated"
    assert _warm_pool("somebody-elses") == "Available"


def test_the_next_deployment_releases_again_what_the_lake_holds(
    cloudformation: Stacks, assembly: Assembly
) -> None:
    assembly.deploy(cloudformation, "data", "jobs")
    lake = Lake(resolve("ssm:/abalone/lake-uri"))
    commit_raw(lake.store, None)
    lake.record_release(Release(lake.manifest().digest, "deployed", "", 1, "run", "now"))
    assert not lake.release_due()

    _destroyed(cloudformation)

    assert lake.release_due()
    assert lake.manifest() == Manifest()


def test_a_release_is_due_wherever_a_destruction_is_cut_short(
    cloudformation: Stacks, assembly: Assembly, monkeypatch: pytest.MonkeyPatch
) -> None:
    assembly.deploy(cloudformation, "data", "jobs")
    lake = Lake(resolve("ssm:/abalone/lake-uri"))
    lake.record_release(Release(lake.manifest().digest, "deployed", "", 1, "run", "now"))

    def cut_short(_: Any) -> list[str]:
        raise KeyboardInterrupt

    monkeypatch.setattr(Teardown, "delete_endpoint", cut_short)
    with pytest.raises(KeyboardInterrupt):
        _destroyed(cloudformation)

    assert lake.release_due()


def test_with_delete_data_nothing_is_left_not_even_old_versions(
    aws: AwsStandIn, stacks: Stacks
) -> None:
    for body in (b"1", b"2"):
        client("s3").put_object(Bucket=DATA, Key="lake/x", Body=body)
    client("s3").delete_object(Bucket=DATA, Key="lake/x")

    costly, kept = _destroyed(stacks, delete_data=True)

    assert (costly, kept) == ([], [])
    assert {bucket["Name"] for bucket in client("s3").list_buckets()["Buckets"]} == {aws.bucket}
    assert client("ecr").describe_repositories()["repositories"] == []


def test_a_deployment_can_be_destroyed_that_was_never_finished(
    cloudformation: Stacks, assembly: Assembly
) -> None:
    assembly.deploy(cloudformation, "data")

    costly, kept = _destroyed(cloudformation)

    assert costly == []
    assert kept[:3] == KEPT


def test_the_name_must_be_typed(stacks: Stacks) -> None:
    for answer in ("", "yes", "abalone-staging"):
        asked = CliRunner().invoke(main, input=f"{answer}\n")

        assert asked.exit_code == 1
        described = f"the deployment abalone in {ACCOUNT} {REGION}: Dagster, the endpoint,"
        assert described in asked.output
        assert "all model versions, but not surveys, lake and images" in asked.output
        assert "nothing was deleted" in asked.output
    assert stacks.status("abalone-platform") == "CREATE_COMPLETE"


def test_it_tells_what_it_does_and_what_is_left(stacks: Stacks) -> None:
    done = CliRunner().invoke(main, ["-c", "name=abalone"], input="abalone\n")

    assert done.exit_code == 0, done.output
    assert "abalone-platform: abalone-platform DELETE_COMPLETE" in done.output
    assert [line for line in done.output.splitlines() if line.startswith("Left: ")] == [
        *(f"Left: {what}" for what in KEPT),
        "Left: stack abalone-data (CREATE_COMPLETE)",
    ]


def test_what_still_runs_is_told_and_fails_the_command(
    aws: AwsStandIn, stacks: Stacks, monkeypatch: pytest.MonkeyPatch
) -> None:
    def left(_: Any) -> list[str]:
        return ["endpoint abalone (Updating)"]

    monkeypatch.setattr(Teardown, "costly_leftovers", left)

    done = CliRunner().invoke(main, ["--yes"])

    assert done.exit_code == 1
    assert "Left: endpoint abalone (Updating)" in done.output
