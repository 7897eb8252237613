"""The whole lineage on AWS, with jobs and an endpoint that really run."""
