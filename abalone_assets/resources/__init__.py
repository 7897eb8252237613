"""Dagster resources: each says where a part of the platform runs, in the local and aws profiles."""
