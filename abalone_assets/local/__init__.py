"""The platform on this machine: its Dagster instance, its runs and its processes."""
