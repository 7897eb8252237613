"""MLflow, with a real server."""
