"""The preparation of training data, written once and run by any engine (no Dagster here)."""
