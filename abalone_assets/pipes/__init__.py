"""Dagster Pipes clients for jobs of Amazon SageMaker and AWS Glue.

They depend on dagster, dagster-pipes and boto3 alone; nothing of the project is imported here. See
README.md beside this file.
"""

from abalone_assets.pipes._client import PipesJobInvocation
from abalone_assets.pipes._errors import PipesJobError, PipesJobParametersError
from abalone_assets.pipes._job import JobOutput, JobSummary, Usage
from abalone_assets.pipes._orphans import stop_orphaned_jobs
from abalone_assets.pipes.glue import PipesGlueJobClient
from abalone_assets.pipes.sagemaker import (
    PipesSageMakerProcessingClient,
    PipesSageMakerTrainingClient,
)
from abalone_assets.pipes.transform import PipesSageMakerTransformClient

__all__ = [
    "JobOutput",
    "JobSummary",
    "PipesGlueJobClient",
    "PipesJobError",
    "PipesJobInvocation",
    "PipesJobParametersError",
    "PipesSageMakerProcessingClient",
    "PipesSageMakerTrainingClient",
    "PipesSageMakerTransformClient",
    "Usage",
    "stop_orphaned_jobs",
]
