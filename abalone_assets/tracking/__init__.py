"""MLflow as people have it: what it holds of our versions, and what it should."""
