"""The local model registry and the endpoint server that speaks SageMaker's hosting contract."""
