"""The model registry: a folder of versions, or a SageMaker model package group."""
