"""The table: each rule with its source; its test is beside the module of its check."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from abalone_assets_tests.fakes.service_rules import configs, endpoints, jobs, roles, storage
from abalone_assets_tests.fakes.service_rules.rule import Asked, Rule

if TYPE_CHECKING:
    from abalone_assets_tests.fakes.calls import Call
    from abalone_assets_tests.fakes.standin import AwsStandIn

_API: Final = "https://docs.aws.amazon.com/sagemaker/latest/APIReference"
_GUIDE: Final = "https://docs.aws.amazon.com/sagemaker/latest/dg"
_GLUE: Final = "https://docs.aws.amazon.com/glue/latest/dg"
_TRAINING: Final = "sagemaker:CreateTrainingJob"
_PROCESSING: Final = "sagemaker:CreateProcessingJob"
_TRANSFORM: Final = "sagemaker:CreateTransformJob"
_MODEL: Final = "sagemaker:CreateModel"
_CONFIG: Final = "sagemaker:CreateEndpointConfig"
_ENDPOINT: Final = "sagemaker:CreateEndpoint"
_UPDATE: Final = "sagemaker:UpdateEndpoint"

RULES: Final = (
    Rule(
        "metric_definitions",
        (_TRAINING,),
        "MetricDefinitions for an image of SageMaker's own algorithms, in script mode too",
        "https://github.com/awslabs/mlspace/pull/68 (quotes the ValidationException); "
        f"{_GUIDE}/automatic-model-tuning-define-metrics.html",
        jobs.metric_definitions,
    ),
    Rule(
        "training_name_taken",
        (_TRAINING,),
        "a training job's name that another has, or ever had",
        f"{_API}/API_CreateTrainingJob.html",
        jobs.training_name,
    ),
    Rule(
        "processing_name_taken",
        (_PROCESSING,),
        "a processing job's name that another has, or ever had",
        f"{_API}/API_CreateProcessingJob.html",
        jobs.processing_name,
    ),
    Rule(
        "transform_name_taken",
        (_TRANSFORM,),
        "a transform job's name that another has, or ever had",
        f"{_API}/API_CreateTransformJob.html",
        jobs.transform_name,
    ),
    Rule(
        "training_lengths",
        (_TRAINING,),
        "an environment's value above 512 characters, a hyperparameter's above 2,500",
        f"{_API}/API_CreateTrainingJob.html",
        jobs.training_lengths,
    ),
    Rule(
        "processing_lengths",
        (_PROCESSING,),
        "an environment's value or an argument above 256 characters",
        f"{_API}/API_CreateProcessingJob.html; {_API}/API_AppSpecification.html",
        jobs.processing_lengths,
    ),
    Rule(
        "tag_characters",
        (_TRAINING, _PROCESSING, _TRANSFORM, _MODEL, _CONFIG, _ENDPOINT),
        "a tag's value with other characters than letters, digits, spaces and _.:/=+-@",
        f"{_API}/API_Tag.html",
        jobs.tags,
    ),
    Rule(
        "spot_wait",
        (_TRAINING,),
        "spot capacity without a longest wait, or a wait without it",
        f"{_GUIDE}/model-managed-spot-training.html",
        jobs.spot_wait,
    ),
    Rule(
        "spot_warm_pool",
        (_TRAINING,),
        "a warm pool of spot capacity",
        f"{_GUIDE}/train-warm-pools.html",
        jobs.spot_warm_pool,
    ),
    Rule(
        "volume_key",
        (_TRAINING, _PROCESSING, _TRANSFORM, _CONFIG),
        "a key for the volume of instances with storage of their own",
        f"{_API}/API_ResourceConfig.html; {_API}/API_CreateEndpointConfig.html",
        jobs.volume_key,
    ),
    Rule(
        "transform_payload",
        (_TRANSFORM,),
        "more than 100 MB of payloads at once",
        f"{_API}/API_CreateTransformJob.html",
        jobs.transform_payload,
    ),
    Rule(
        "transform_strategy",
        (_TRANSFORM,),
        "many records a request of what is not split",
        f"{_API}/API_CreateTransformJob.html",
        jobs.transform_strategy,
    ),
    Rule(
        "pass_role",
        (_TRAINING, _PROCESSING, _MODEL, "glue:CreateCrawler",
         "glue:UpdateCrawler", "glue:CreateJob"),
        "a role that the caller may not pass to the service",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html",
        roles.pass_role,
    ),
    Rule(
        "crawler_security_configuration",
        ("glue:CreateCrawler", "glue:UpdateCrawler"),
        "a security configuration that the crawler's role may not get",
        f"{_GLUE}/encryption-security-configuration.html; {_GLUE}/create-service-policy.html",
        roles.crawler_security,
    ),
    Rule(
        "vpc_role",
        (_TRAINING, _PROCESSING, _MODEL),
        "a VPC whose network interfaces the role may not make",
        f"{_GUIDE}/sagemaker-roles.html",
        roles.network_role,
    ),
    Rule(
        "key_role",
        (_TRAINING, _PROCESSING, _TRANSFORM),
        "a key that the role may not use for the volume or for what is written",
        f"{_GUIDE}/sagemaker-roles.html",
        roles.key_role,
    ),
    Rule(
        "package_not_approved",
        (_MODEL,),
        "a model of a package that is not approved",
        f"{_GUIDE}/model-registry-approve.html",
        configs.package_approved,
    ),
    Rule(
        "names_taken",
        (_MODEL, _CONFIG, _ENDPOINT),
        "the name of a model, endpoint configuration or endpoint that exists",
        f"{_API}/API_CreateEndpoint.html",
        configs.names_taken,
    ),
    Rule(
        "capture_options",
        (_CONFIG,),
        "data capture of more than 32 options, of an unknown mode, above 100 %, to no S3 prefix, or"
        " with a malformed content type",
        f"{_API}/API_DataCaptureConfig.html; {_API}/API_CaptureContentTypeHeader.html",
        configs.capture_options,
    ),
    Rule(
        "serverless_exclusions",
        (_CONFIG,),
        "a serverless variant with data capture, a VPC, network isolation or a second variant",
        f"{_GUIDE}/serverless-endpoints.html",
        configs.serverless,
    ),
    Rule(
        "serverless_instances",
        (_CONFIG,),
        "a serverless variant with an instance type, a count or start-up timeouts",
        f"{_GUIDE}/serverless-endpoints-create-config.html",
        configs.serverless_instances,
    ),
    Rule(
        "update_in_progress",
        (_UPDATE, "sagemaker:DeleteEndpoint"),
        "an update or a deletion while the endpoint changes",
        f"{_API}/API_UpdateEndpoint.html",
        endpoints.update_in_progress,
    ),
    Rule(
        "rollback_alarms",
        (_UPDATE,),
        "more than ten alarms of a deployment, missing ones, and ones that ring already; that "
        "the last two are refused at once, rather than at the deployment's end, is our assumption",
        f"{_GUIDE}/deployment-guardrails-configuration.html; {_API}/API_AutoRollbackConfig.html",
        endpoints.rollback_alarms,
    ),
    Rule(
        "canary_capacity",
        (_UPDATE,),
        "a canary or a linear step of less than an instance, or of more than half",
        f"{_GUIDE}/deployment-guardrails-blue-green-canary.html; {_API}/API_CapacitySize.html",
        endpoints.canary_capacity,
    ),
    Rule(
        "deployment_time",
        (_UPDATE,),
        "a longest deployment outside 600 to 28,800 s, or not above the sum of its waits",
        f"{_API}/API_BlueGreenUpdatePolicy.html",
        endpoints.deployment_time,
    ),
    Rule(
        "variant_names",
        (_UPDATE,),
        "a deployment to variants of other names",
        f"{_GUIDE}/deployment-guardrails-exclusions.html",
        endpoints.variant_names,
    ),
    Rule(
        "instances_to_serverless",
        (_UPDATE,),
        "an update of instances to a serverless variant",
        f"{_GUIDE}/serverless-endpoints-update.html",
        endpoints.to_serverless,
    ),
    Rule(
        "serverless_guardrails",
        (_UPDATE,),
        "a blue/green or rolling deployment of a serverless variant",
        f"{_GUIDE}/deployment-guardrails-exclusions.html; {_GUIDE}/deployment-guardrails.html",
        endpoints.serverless_guardrails,
    ),
    Rule(
        "scaled_instance_type",
        (_UPDATE,),
        "another instance type while the variant is a scalable target",
        f"{_GUIDE}/endpoint-scaling-update.html",
        endpoints.scaled_type,
    ),
    Rule(
        "signed_region",
        ("s3:",),
        "a request signed for another region than its bucket's; S3A of Glue 5.1 signs for us-east-2"
        " unless it is told",
        f"{_GLUE}/migrating-version-51.html; "
        "https://hadoop.apache.org/docs/current/hadoop-aws/tools/hadoop-aws/connecting.html",
        storage.signed_region,
    ),
)  # fmt: skip


def check(aws: AwsStandIn, call: Call, response: object) -> None:
    """Refuse a request that breaks a rule, by the first one that it breaks."""
    for rule in RULES:
        if rule.judges(call):
            rule.check(Asked(aws, call, response))
