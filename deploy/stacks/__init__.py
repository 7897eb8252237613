"""Three stacks: the data, the jobs that AWS runs on it, and Dagster itself."""
