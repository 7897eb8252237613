"""What MLflow is told, without a server."""
