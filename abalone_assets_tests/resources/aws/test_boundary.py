"""What companies require, in the requests of SageMaker's jobs; nothing of it by default."""

from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest

from abalone_assets.pipes import PipesJobError
from abalone_assets.resources.aws.ml_platform import SageMakerPlatform
from abalone_assets.resources.batch_scoring import ScoringRequest
from abalone_assets.resources.ml_platform import EvaluationRequest, TrainingRequest
from abalone_assets_tests.fakes.places import ACCOUNT, REGION
from abalone_assets_tests.fakes.standin import AwsStandIn
from abalone_assets_tests.resources.test_batch_scoring import scorer_on
from abalone_assets_tests.serving.sagemaker.hosting import LINE

if TYPE_CHECKING:
    from abalone_assets_tests.serving.sagemaker.hosting import Account

KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0d9f6c4e-1111-4222-8333-0123456789ab"
INSIDE: Any = {"subnets": ["subnet-0aaaaaaa"], "security_groups": ["sg-0bbbbbbb"]}
VPC = {"Subnets": ["subnet-0aaaaaaa"], "SecurityGroupIds": ["sg-0bbbbbbb"]}


def asked(aws: AwsStandIn, kind: str, **changed: Any) -> dict[str, Any]:
    """The request of a job that is never run."""
    platform = platform_on(aws, **changed)
    bucket = f"s3://{aws.bucket}"
    training = TrainingRequest(
        channels={"train": f"{bucket}/train", "validation": f"{bucket}/validation"},
        output_uri=f"{bucket}/out",
        hyperparameters={},
    )
    folders = {name: f"{bucket}/{name}" for name in ("test", "model")}
    evaluation = EvaluationRequest(folders=folders, model_sha256="0123")

    @dg.asset
    def model(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        aws.faults.fail_next_job("enough")
        if kind == "Training":
            platform.train(training, context)
        else:
            platform.evaluate(evaluation, context)
        return dg.MaterializeResult()

    with pytest.raises(PipesJobError, match="enough"):
        dg.materialize([model])
    [call] = [each for each in aws.calls if each.operation == f"Create{kind}Job"]
    return call.params


def asked_to_score(
    account: "Account", kind: str = "ml.m5.large", **boundary: Any
) -> dict[str, Any]:
    """The request of a transform job that is never run."""
    aws = account.aws
    account.register_constants(1.0)
    animals = f"s3://{aws.bucket}/animals.csv"
    aws.s3.put_object(Bucket=aws.bucket, Key="animals.csv", Body=LINE.encode())

    @dg.asset
    def ages(context: dg.AssetExecutionContext) -> None:
        aws.faults.fail_next_job("enough")
        request = ScoringRequest(animals, f"{animals}.scores", 1)
        scorer_on(aws, kind, **boundary).score(request, context)

    with pytest.raises(PipesJobError, match="enough"):
        dg.materialize([ages])
    [call] = [each for each in aws.calls if each.operation == "CreateTransformJob"]
    return call.params


def platform_on(aws: AwsStandIn, **changed: Any) -> SageMakerPlatform:
    chosen: dict[str, Any] = {
        "jobs_uri": f"s3://{aws.bucket}/jobs",
        "role_arn": aws.role_arn,
        "training_instance_type": "ml.m5.large",
        "processing_instance_type": "ml.m5.large",
        "spot": False,
        "max_runtime_seconds": 600,
        "poll_seconds": 0.05,
        "images": {"xgboost": "image/sagemaker-xgboost"},
    }
    return SageMakerPlatform(**{**chosen, **changed})


def test_by_default_jobs_run_in_sagemakers_network_with_its_key(aws: AwsStandIn) -> None:
    training, processing = asked(aws, "Training"), asked(aws, "Processing")

    assert not {"VpcConfig", "EnableNetworkIsolation"} & training.keys()
    assert "NetworkConfig" not in processing
    for text in (str(training), str(processing)):
        assert "Kms" not in text
        assert "KeepAlive" not in text


def test_a_training_job_runs_inside(aws: AwsStandIn) -> None:
    job = asked(aws, "Training", kms_key_arn=KEY, keep_alive_seconds=600, **INSIDE)

    assert job["VpcConfig"] == VPC
    assert job["OutputDataConfig"]["KmsKeyId"] == KEY
    assert job["ResourceConfig"]["VolumeKmsKeyId"] == KEY
    assert job["ResourceConfig"]["KeepAlivePeriodInSeconds"] == 600


def test_a_processing_job_runs_inside(aws: AwsStandIn) -> None:
    job = asked(aws, "Processing", kms_key_arn=KEY, network_isolation=True, **INSIDE)

    assert job["NetworkConfig"] == {"VpcConfig": VPC, "EnableNetworkIsolation": True}
    assert job["ProcessingOutputConfig"]["KmsKeyId"] == KEY
    assert job["ProcessingResources"]["ClusterConfig"]["VolumeKmsKeyId"] == KEY


def test_a_transform_job_has_the_key_of_its_endpoint(account: "Account") -> None:
    job = asked_to_score(account, kms_key_arn=KEY, **INSIDE)

    assert job["TransformOutput"]["KmsKeyId"] == KEY
    assert job["TransformResources"]["VolumeKmsKeyId"] == KEY


def test_a_transform_job_on_storage_of_its_own_has_no_volume_key(account: "Account") -> None:
    job = asked_to_score(account, "ml.g4dn.xlarge", kms_key_arn=KEY)

    assert "VolumeKmsKeyId" not in job["TransformResources"]
    assert job["TransformOutput"]["KmsKeyId"] == KEY


def test_by_default_a_transform_job_has_sagemakers_key(account: "Account") -> None:
    assert "Kms" not in str(asked_to_score(account))


def test_sagemaker_carries_code_context_and_messages_of_an_isolated_training(
    aws: AwsStandIn,
) -> None:
    job = asked(aws, "Training", network_isolation=True)

    assert job["EnableNetworkIsolation"]
    sources = {
        each["ChannelName"]: each["DataSource"]["S3DataSource"]["S3Uri"]
        for each in job["InputDataConfig"]
    }
    assert sources.keys() == {"train", "validation", "code", "dagster_pipes"}
    submitted = job["HyperParameters"]["sagemaker_submit_directory"]
    assert submitted == '"/opt/ml/input/data/code/sourcedir.tar.gz"'
    assert sources["dagster_pipes"].endswith("/context.json")
    assert job["CheckpointConfig"]["S3Uri"].endswith("/messages")
    assert job["Environment"]["DAGSTER_PIPES_MESSAGES_FOLDER"] == "/opt/ml/checkpoints"


def test_an_instance_with_storage_of_its_own_has_no_volume_key(aws: AwsStandIn) -> None:
    kind = "ml.g4dn.xlarge"
    job = asked(aws, "Training", kms_key_arn=KEY, training_instance_type=kind)

    assert "VolumeKmsKeyId" not in job["ResourceConfig"]
    assert job["OutputDataConfig"]["KmsKeyId"] == KEY
