"""Entry scripts that run in SageMaker's containers, or here as functions, without Dagster."""
